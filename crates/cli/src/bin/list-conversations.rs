//! `list-conversations`: see [`ddb_cli::commands::conversation::list_conversations`].

use std::process::ExitCode;

fn main() -> ExitCode {
    ddb_cli::run_standalone::<ddb_cli::commands::conversation::list_conversations::Args>()
}
