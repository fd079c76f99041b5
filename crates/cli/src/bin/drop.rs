//! `drop`: see [`ddb_cli::commands::drop`].

use std::process::ExitCode;

fn main() -> ExitCode {
    ddb_cli::run_standalone::<ddb_cli::commands::drop::Args>()
}
