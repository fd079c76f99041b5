//! The utilities: one file each in [`commands`], run by their own name or through `ddb`.

pub mod args;
pub mod changes;
pub mod commands;
pub mod common;
pub mod complete;
pub mod failure;
pub mod help;
mod misuse;
pub mod multicall;
pub mod output;
pub mod progress;
pub mod runner;
pub mod shell;
pub mod typed;
pub mod ui;
pub mod version;
mod wording;

use std::process::ExitCode;

use clap::ArgMatches;
use runner::{Command, Program};

/// Runs one utility with the arguments of this process.
pub fn run_standalone<C: Command>() -> ExitCode {
    standalone(runner::command_line::<C>, runner::run::<C>)
}

/// Runs one utility with the arguments of this process: `command` makes its command line, `run` does its work.
fn standalone(
    command: fn() -> clap::Command,
    run: fn(Program, &ArgMatches) -> ExitCode,
) -> ExitCode {
    if let Some(answered) = complete::asked(command) {
        return answered;
    }
    let program = Program {
        command,
        binaries: Vec::new,
        catalog: multicall::catalog,
    };
    let command = || help::shaped(command());
    match runner::parse(&mut command(), command) {
        Ok(options) => run(program, &options),
        Err(exit) => exit,
    }
}

/// Makes the `main` of a binary that is one command, named by its `Args`. Its test binary has nothing to test, so it
/// links nothing.
#[macro_export]
macro_rules! main {
    ($args:ty) => {
        #[cfg(not(test))]
        fn main() -> std::process::ExitCode {
            $crate::run_standalone::<$args>()
        }
    };
}
