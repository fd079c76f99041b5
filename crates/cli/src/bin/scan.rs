//! `scan`: see [`ddb_cli::commands::scan`].

ddb_cli::main!(ddb_cli::commands::scan::Args);
