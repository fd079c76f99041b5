//! `create-message`: see [`ddb_cli::commands::conversation::create_message`].

use std::process::ExitCode;

fn main() -> ExitCode {
    ddb_cli::run_standalone::<ddb_cli::commands::conversation::create_message::Args>()
}
