//! `db-setup`: see [`ddb_cli::commands::people::db_setup`].

use std::process::ExitCode;

fn main() -> ExitCode {
    ddb_cli::run_standalone::<ddb_cli::commands::people::db_setup::Args>()
}
