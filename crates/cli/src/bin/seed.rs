//! `seed`: see [`ddb_cli::commands::seed`].

use std::process::ExitCode;

fn main() -> ExitCode {
    ddb_cli::run_standalone::<ddb_cli::commands::seed::Args>()
}
