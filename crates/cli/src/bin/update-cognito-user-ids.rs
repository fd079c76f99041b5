//! `update-cognito-user-ids`: see [`ddb_cli::commands::people::update_cognito_user_ids`].

ddb_cli::main!(ddb_cli::commands::people::update_cognito_user_ids::Args);
