//! `list-users`: see [`ddb_cli::commands::people::list_users`].

use std::process::ExitCode;

fn main() -> ExitCode {
    ddb_cli::run_standalone::<ddb_cli::commands::people::list_users::Args>()
}
