//! The people of the application: users in a CSV file or in PostgreSQL, the users of a Cognito user pool, and
//! how the two match.
//!
//! Nothing here knows a terminal, a command line or an exit code. Only a [`DatabaseWriter`](users::DatabaseWriter)
//! writes to a database, and only a [`Deletable`](ddb_core::guard::Deletable) is dropped. What was allowed for a
//! table is not allowed for a database:
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
//! A connection that was opened to read writes nothing:
//!
//! ```compile_fail,E0599
//! # use ddb_people::users::Database;
//! async fn write(database: &mut Database) {
//!     let _ = database.set_identities(&[]).await;
//! }
//! ```

pub mod cognito;
pub mod users;
