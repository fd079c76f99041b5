//! `list-conversations`: see [`ddb_cli::commands::conversation::list_conversations`].

ddb_cli::main!(ddb_cli::commands::conversation::list_conversations::Args);
