//! Completion: a shell runs the program with the line up to the cursor, and gets the words that could come next.
//!
//! Each shell has a short script, `ddb completions SHELL`. It sets `DDB_COMPLETE` to the name of the shell; then the
//! program only prints one candidate per line.

mod candidates;
mod lookup;
mod script;
mod words;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

pub use script::{SHELLS, Shell, script};

/// The variable that asks for candidates. It contains the name of a shell.
const VARIABLE: &str = "DDB_COMPLETE";

/// The variable that contains the line up to the cursor, if the shell does not split it into words.
const LINE: &str = "DDB_COMPLETE_LINE";

/// Answers a shell that asks for candidates. Returns `None` if the program was run for another purpose.
pub fn asked(command: impl FnOnce() -> clap::Command) -> Option<ExitCode> {
    let shell = std::env::var(VARIABLE).ok()?;
    let Some(shell) = SHELLS.into_iter().find(|known| known.name() == shell) else {
        return Some(ExitCode::FAILURE);
    };
    let words = match std::env::var(LINE) {
        Ok(line) => words::split(&line),
        Err(_) => given(),
    };
    let found = candidates::candidates(command(), &words);
    let mut text = String::new();
    for candidate in found {
        shell.write(&candidate, &mut text);
    }
    // If the shell is gone, it needs no answer.
    let _ = std::io::stdout().write_all(text.as_bytes());
    Some(ExitCode::SUCCESS)
}

/// Returns the words after `--`: the command line up to the cursor, starting with the program.
fn given() -> Vec<String> {
    let words = std::env::args_os().skip(1).skip_while(|word| word != "--");
    words
        .skip(1)
        .map(|word: OsString| word.to_string_lossy().into_owned())
        .collect()
}

/// A word that could come next, and its description.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Candidate {
    value: String,
    about: String,
}
