//! `update-cognito-user-ids`: see [`ddb_cli::commands::people::update_cognito_user_ids`].

use std::process::ExitCode;

fn main() -> ExitCode {
    ddb_cli::run_standalone::<ddb_cli::commands::people::update_cognito_user_ids::Args>()
}
