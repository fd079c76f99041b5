//! Completion as somebody types: a shell runs the program with what stands before the cursor, and is given what could
//! come next.
//!
//! Each shell has a short script, `ddb completions SHELL`. It sets [`VARIABLE`] to the name of the shell; then the program
//! prints one candidate a line, and does nothing else.

mod candidates;
mod lookup;
mod script;
mod words;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

pub use script::{SHELLS, Shell, script};

/// The variable that asks for candidates, by the name of a shell.
const VARIABLE: &str = "DDB_COMPLETE";

/// The variable that holds the line up to the cursor, where the shell does not split it by words.
const LINE: &str = "DDB_COMPLETE_LINE";

/// Answers a shell that asks what could come next; `None` where the program was run for its work.
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
    // A shell that is gone needs no answer.
    let _ = std::io::stdout().write_all(text.as_bytes());
    Some(ExitCode::SUCCESS)
}

/// Returns the words after `--`: the command line up to the cursor, the program first.
fn given() -> Vec<String> {
    let words = std::env::args_os().skip(1).skip_while(|word| word != "--");
    words
        .skip(1)
        .map(|word: OsString| word.to_string_lossy().into_owned())
        .collect()
}

/// What could come next: a word, and what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Candidate {
    value: String,
    about: String,
}
