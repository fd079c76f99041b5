//! `stats`: see [`ddb_cli::commands::stats`].

ddb_cli::main!(ddb_cli::commands::stats::Args);
