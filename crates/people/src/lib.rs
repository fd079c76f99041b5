//! The application's users: in a CSV file or in PostgreSQL, in a Cognito user pool, and how the two match.
//!
//! Nothing here depends on a terminal, a command line or an exit code. Only a [`DatabaseWriter`](users::DatabaseWriter)
//! writes to a database, and only a [`Deletable`](ddb_core::guard::Deletable) is dropped. Permission to
//! write to a table is not permission to write to a database:
//!
//! ```no_run
//! # use ddb_core::guard::Writable;
//! # use ddb_people::users::{Address, DatabaseWriter, Wait};
//! async fn write(allowed: &Writable<Address>, wait: Wait) {
//!     let _ = DatabaseWriter::connect_or_create(allowed, wait).await;
//! }
//! ```
//!
//! ```compile_fail,E0308
//! # use ddb_core::store::Writer;
//! # use ddb_people::users::{DatabaseWriter, Wait};
//! async fn write(allowed: &Writer, wait: Wait) {
//!     let _ = DatabaseWriter::connect_or_create(allowed, wait).await;
//! }
//! ```
//!
//! A connection that was opened for reading cannot write:
//!
//! ```compile_fail,E0599
//! # use ddb_people::users::Database;
//! async fn write(database: &mut Database) {
//!     let _ = database.set_identities(&[]).await;
//! }
//! ```

pub mod cognito;
pub mod users;
