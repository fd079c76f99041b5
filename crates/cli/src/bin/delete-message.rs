//! `delete-message`: see [`ddb_cli::commands::conversation::delete_message`].

ddb_cli::main!(ddb_cli::commands::conversation::delete_message::Args);
