//! `create-message`: see [`ddb_cli::commands::conversation::create_message`].

ddb_cli::main!(ddb_cli::commands::conversation::create_message::Args);
