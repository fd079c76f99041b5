//! `check-conversations`: see [`ddb_cli::commands::conversation::check_conversations`].

ddb_cli::main!(ddb_cli::commands::conversation::check_conversations::Args);
