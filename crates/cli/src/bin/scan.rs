//! `scan`: see [`ddb_cli::commands::scan`].

use std::process::ExitCode;

fn main() -> ExitCode {
    ddb_cli::run_standalone::<ddb_cli::commands::scan::Args>()
}
