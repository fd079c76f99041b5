//! `ddb man`: the manual pages.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Parser;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use super::files;
use crate::common::CommonArgs;
use crate::failure::{Failure, Outcome};
use crate::help;
use crate::output::Format;
use crate::runner::{Command, Context, Program};

/// Prints a manual page, in the format of man
#[derive(Debug, Parser)]
#[command(name = "man", version, after_help = help::examples(&[
    ("Read a page", "ddb man get-conversation | man -l -"),
    ("All pages, for a package", "ddb man --dir man1"),
]))]
pub struct Args {
    /// The command; without one, `ddb` itself
    #[arg(value_name = "COMMAND")]
    command: Option<String>,
    /// Write all pages into this folder, created if missing
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    dir: Option<PathBuf>,
}

impl Command for Args {
    const FORMATS: &'static [Format] = &[Format::Table];
    const WITHOUT: &'static [&'static str] = CommonArgs::OF_ANSWERS;

    async fn run(self, context: Context) -> Result<Outcome, Failure> {
        if let Some(dir) = &self.dir {
            let written = write_all(context.program, dir)?;
            context
                .ui
                .note(&format!("{written} files in {}", dir.display()));
            return Ok(Outcome::Done);
        }
        let ddb = built(context.program);
        let command = match self.command.as_deref() {
            None | Some("ddb") => &ddb,
            Some(name) => ddb.find_subcommand(name).ok_or_else(|| {
                Failure::refused(format!("there is no command `{name}`"))
                    .hint("`ddb` shows the commands")
            })?,
        };
        io::stdout().write_all(&page(command)?)?;
        Ok(Outcome::Done)
    }
}

/// Returns the page of a command: `ddb.1`, `ddb-get-conversation.1`.
fn page(command: &clap::Command) -> io::Result<Vec<u8>> {
    let version = command.get_version().unwrap_or_default();
    let title = command.get_display_name().unwrap_or(command.get_name());
    let man = Man::new(command.clone())
        .title(title)
        .source(format!("ddb {version}"))
        .manual("Tools for the Cruddur message store");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    if let Some(end) = command.get_after_help() {
        verbatim(&end.to_string(), &mut page)?;
    }
    Ok(page)
}

/// Writes the end of a help text as a separate section that keeps its line breaks.
fn verbatim(text: &str, page: &mut Vec<u8>) -> io::Result<()> {
    let mut lines = text.lines();
    let title = lines.next().unwrap_or_default().trim_end_matches(':');
    let mut roff = Roff::new();
    roff.control("SH", [title.to_uppercase().as_str()]);
    roff.control("nf", []);
    for line in lines {
        roff.text([roman(line)]);
    }
    roff.control("fi", []);
    roff.to_writer(page)
}

/// Returns `ddb` and all its commands with their full names: `ddb get-conversation`, `ddb-get-conversation`.
fn built(program: Program) -> clap::Command {
    let mut command = (program.command)().disable_help_subcommand(true);
    command.build();
    command
}

/// Writes all pages, and for each separate binary a page that refers to its page.
fn write_all(program: Program, dir: &Path) -> Result<usize, Failure> {
    let ddb = built(program);
    files::write(dir, "ddb.1", &page(&ddb)?)?;
    for command in ddb.get_subcommands() {
        let page = page(command)?;
        files::write(dir, &format!("ddb-{}.1", command.get_name()), &page)?;
    }
    let binaries = (program.binaries)();
    for name in &binaries {
        let lead = format!(".so man1/ddb-{name}.1\n");
        files::write(dir, &format!("{name}.1"), lead.as_bytes())?;
    }
    Ok(1 + ddb.get_subcommands().count() + binaries.len())
}
