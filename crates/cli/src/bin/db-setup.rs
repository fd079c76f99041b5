//! `db-setup`: see [`ddb_cli::commands::people::db_setup`].

ddb_cli::main!(ddb_cli::commands::people::db_setup::Args);
