//! `stats`: see [`ddb_cli::commands::stats`].

use std::process::ExitCode;

fn main() -> ExitCode {
    ddb_cli::run_standalone::<ddb_cli::commands::stats::Args>()
}
