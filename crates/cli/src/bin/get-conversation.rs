//! `get-conversation`: see [`ddb_cli::commands::get_conversation`].

use std::process::ExitCode;

fn main() -> ExitCode {
    ddb_cli::run_standalone::<ddb_cli::commands::get_conversation::Args>()
}
