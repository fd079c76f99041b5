//! `list-users`: see [`ddb_cli::commands::people::list_users`].

ddb_cli::main!(ddb_cli::commands::people::list_users::Args);
