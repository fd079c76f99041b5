//! `sync-conversations`: see [`ddb_cli::commands::conversation::sync_conversations`].

ddb_cli::main!(ddb_cli::commands::conversation::sync_conversations::Args);
