//! `pull`: see [`ddb_cli::commands::pull`].

ddb_cli::main!(ddb_cli::commands::pull::Args);
