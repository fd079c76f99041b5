//! `ddb completions`: what a shell needs to complete the commands.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Parser, ValueEnum};
use clap_complete::{Shell, generate};

use super::files;
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
/// A new shell has them. Without a file: eval "$(ddb completions bash)"
#[derive(Debug, Parser)]
#[command(name = "completions", version, verbatim_doc_comment, after_help = help::examples(&[
    ("Install them for bash", "mkdir -p ~/.local/share/bash-completion/completions\n    \
        ddb completions bash > ~/.local/share/bash-completion/completions/ddb"),
    ("Those of a command that is a binary of its own", "ddb completions fish get-conversation"),
    ("Those of every shell and every binary, for a package", "ddb completions --dir completions"),
]))]
pub struct Args {
    /// The shell
    #[arg(value_enum, value_name = "SHELL", required_unless_present = "dir")]
    shell: Option<Shell>,
    /// The binary
    #[arg(value_name = "BINARY", default_value = "ddb")]
    binary: String,
    /// Write one file for each shell and each binary into this folder, made where it is missing
    #[arg(long, value_name = "DIR", conflicts_with_all = ["shell", "binary"])]
    dir: Option<PathBuf>,
}

/// The shells that files are written for.
const SHELLS: [Shell; 3] = [Shell::Bash, Shell::Zsh, Shell::Fish];

impl Command for Args {
    const FORMATS: &'static [Format] = &[Format::Table];

    async fn run(self, context: Context) -> Result<Outcome, Failure> {
        if let Some(dir) = &self.dir {
            let written = write_all(context.program, dir)?;
            context
                .ui
                .note(&format!("{written} files in {}", dir.display()));
        } else if let Some(shell) = self.shell {
            let script = script(context.program, shell, &self.binary)?;
            std::io::stdout().write_all(&script)?;
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

fn script(program: Program, shell: Shell, binary: &str) -> Result<Vec<u8>, Failure> {
    let ddb = (program.command)();
    let mut command = match ddb.find_subcommand(binary) {
        _ if binary == "ddb" => ddb,
        Some(command) if (program.binaries)().iter().any(|name| name == binary) => command.clone(),
        Some(_) => {
            return Err(
                Failure::refused(format!("`{binary}` is no binary of its own"))
                    .hint("the completions of `ddb` have it"),
            );
        }
        None => {
            return Err(Failure::refused(format!("there is no binary `{binary}`"))
                .hint(format!("there are {}", binaries(program).join(", "))));
        }
    };
    let mut script = Vec::new();
    generate(shell, &mut command, binary, &mut script);
    Ok(script)
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
            let script = script(program, shell, &binary)?;
            files::write(&dir.join(name(shell)), &file, &script)?;
            written += 1;
        }
    }
    Ok(written)
}

fn name(shell: Shell) -> String {
    let value = shell.to_possible_value();
    value
        .map(|value| value.get_name().to_owned())
        .unwrap_or_default()
}
