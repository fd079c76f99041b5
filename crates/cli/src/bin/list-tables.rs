//! `list-tables`: see [`ddb_cli::commands::list_tables`].

ddb_cli::main!(ddb_cli::commands::list_tables::Args);
