//! `get-conversation`: see [`ddb_cli::commands::conversation::get_conversation`].

use std::process::ExitCode;

fn main() -> ExitCode {
    ddb_cli::run_standalone::<ddb_cli::commands::conversation::get_conversation::Args>()
}
