//! `seed`: see [`ddb_cli::commands::seed`].

ddb_cli::main!(ddb_cli::commands::seed::Args);
