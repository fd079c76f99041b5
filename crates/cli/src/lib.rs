//! The utilities: one file each in [`commands`], run by their own name or through `ddb`.

pub mod args;
pub mod commands;
pub mod failure;
pub mod front;
pub mod help;
pub mod launch;
pub mod output;
pub mod progress;
pub mod ui;

use std::process::ExitCode;

/// Runs one utility with the arguments of this process.
pub fn run_standalone<C: launch::Command>() -> ExitCode {
    match launch::parse::<C>(help::command::<C>()) {
        Ok(command) => launch::run(command),
        Err(exit) => exit,
    }
}
