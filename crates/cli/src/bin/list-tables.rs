//! `list-tables`: see [`ddb_cli::commands::list_tables`].

use std::process::ExitCode;

fn main() -> ExitCode {
    ddb_cli::run_standalone::<ddb_cli::commands::list_tables::Args>()
}
