//! `schema-load`: see [`ddb_cli::commands::schema_load`].

ddb_cli::main!(ddb_cli::commands::schema_load::Args);
