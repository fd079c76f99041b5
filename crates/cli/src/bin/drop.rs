//! `drop`: see [`ddb_cli::commands::drop`].

ddb_cli::main!(ddb_cli::commands::drop::Args);
