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
mod wording;

use std::process::ExitCode;

use runner::{Command, Program};

/// Runs one utility with the arguments of this process.
pub fn run_standalone<C: Command>() -> ExitCode {
    let program = Program {
        command: runner::command_line::<C>,
        binaries: Vec::new,
        catalog: multicall::catalog,
    };
    if let Some(answered) = complete::asked(program.command) {
        return answered;
    }
    let command = || help::shaped((program.command)());
    match runner::parse(&mut command(), command) {
        Ok(options) => runner::run::<C>(program, &options),
        Err(exit) => exit,
    }
}

/// Makes the `main` of a binary that is one command, named by its `Args`. Its test binary has nothing to test, and
/// so nothing to link.
#[macro_export]
macro_rules! main {
    ($args:ty) => {
        #[cfg(not(test))]
        fn main() -> std::process::ExitCode {
            $crate::run_standalone::<$args>()
        }
    };
}
