//! `apply`: see [`ddb_cli::commands::changes::apply`].

ddb_cli::main!(ddb_cli::commands::changes::apply::Args);
