//! `delete-conversation`: see [`ddb_cli::commands::conversation::delete_conversation`].

ddb_cli::main!(ddb_cli::commands::conversation::delete_conversation::Args);
