//! `get-conversation`: see [`ddb_cli::commands::conversation::get_conversation`].

ddb_cli::main!(ddb_cli::commands::conversation::get_conversation::Args);
