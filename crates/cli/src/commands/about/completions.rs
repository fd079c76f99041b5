//! `ddb completions`: what a shell needs to complete the commands.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Parser;

use super::files;
use crate::common::CommonArgs;
use crate::complete::{SHELLS, Shell, script};
use crate::failure::{Failure, Outcome};
use crate::help;
use crate::output::Format;
use crate::runner::{Command, Context, Program};

/// Prints completions for a shell
///
/// Where the shell looks for them:
///   bash  ~/.local/share/bash-completion/completions/ddb
///   zsh   a folder of $fpath, as _ddb, before compinit runs
///   fish  ~/.config/fish/completions/ddb.fish
/// Start a new shell to use them. Without a file: eval "$(ddb completions bash)"
/// They look up tables, conversations and people at the local endpoint, for 300 ms at most, and never with --prod.
#[derive(Debug, Parser)]
#[command(name = "completions", version, verbatim_doc_comment, after_help = help::examples(&[
    ("Install them for bash", "mkdir -p ~/.local/share/bash-completion/completions\n    \
        ddb completions bash > ~/.local/share/bash-completion/completions/ddb"),
    ("For a command with its own binary", "ddb completions fish get-conversation"),
    ("For every shell and every binary, for a package", "ddb completions --dir completions"),
]))]
pub struct Args {
    /// The shell
    #[arg(value_enum, value_name = "SHELL", required_unless_present = "dir")]
    shell: Option<Shell>,
    /// The binary
    #[arg(value_name = "BINARY", default_value = "ddb")]
    binary: String,
    /// Write one file for each shell and each binary into this folder, created if missing
    #[arg(long, value_name = "DIR", conflicts_with_all = ["shell", "binary"])]
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
        } else if let Some(shell) = self.shell {
            check(context.program, &self.binary)?;
            std::io::stdout().write_all(script(shell, &self.binary).as_bytes())?;
        }
        Ok(Outcome::Done)
    }
}

/// Returns the names of all binaries.
fn binaries(program: Program) -> Vec<String> {
    let mut names = (program.binaries)();
    names.insert(0, "ddb".to_owned());
    names
}

/// Refuses a name that is not a binary.
fn check(program: Program, binary: &str) -> Result<(), Failure> {
    let ddb = (program.command)();
    if binary == "ddb" || (program.binaries)().iter().any(|name| name == binary) {
        return Ok(());
    }
    Err(match ddb.find_subcommand(binary) {
        Some(_) => Failure::refused(format!("`{binary}` has no binary of its own"))
            .hint("the completions of `ddb` include it"),
        None => Failure::refused(format!("there is no binary `{binary}`"))
            .hint(format!("the binaries are {}", binaries(program).join(", "))),
    })
}

fn write_all(program: Program, dir: &Path) -> Result<usize, Failure> {
    let mut written = 0;
    for shell in SHELLS {
        for binary in binaries(program) {
            let file = match shell {
                Shell::Zsh => format!("_{binary}"),
                Shell::Fish => format!("{binary}.fish"),
                _ => binary.clone(),
            };
            let script = script(shell, &binary);
            files::write(&dir.join(shell.name()), &file, script.as_bytes())?;
            written += 1;
        }
    }
    Ok(written)
}
