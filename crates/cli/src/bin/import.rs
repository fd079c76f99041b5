//! `import`: see [`ddb_cli::commands::import`].

ddb_cli::main!(ddb_cli::commands::import::Args);
