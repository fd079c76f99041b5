//! `undo`: see [`ddb_cli::commands::changes::undo`].

ddb_cli::main!(ddb_cli::commands::changes::undo::Args);
