//! `create-conversation`: see [`ddb_cli::commands::conversation::create_conversation`].

ddb_cli::main!(ddb_cli::commands::conversation::create_conversation::Args);
