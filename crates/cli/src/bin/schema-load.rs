//! `schema-load`: see [`ddb_cli::commands::schema_load`].

use std::process::ExitCode;

fn main() -> ExitCode {
    ddb_cli::run_standalone::<ddb_cli::commands::schema_load::Args>()
}
