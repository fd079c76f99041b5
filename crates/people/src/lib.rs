//! The people of the application: users in a CSV file or in PostgreSQL, the users of a Cognito user pool, and
//! how the two match.
//!
//! Nothing here knows a terminal, a command line or an exit code. What writes to a database takes a
//! [`WriteToken`](ddb_core::guard::WriteToken) for databases, and what drops one a
//! [`DestroyToken`](ddb_core::guard::DestroyToken). What was allowed for a table is not allowed for a database:
//!
//! ```no_run
//! # use ddb_core::guard::WriteToken;
//! # use ddb_people::users::{Address, Database};
//! async fn write(database: &mut Database, token: &WriteToken<Address>) {
//!     let _ = database.set_identities(token, &[]).await;
//! }
//! ```
//!
//! ```compile_fail,E0308
//! # use ddb_core::guard::WriteToken;
//! # use ddb_people::users::{Address, Database};
//! async fn write(database: &mut Database, token: &WriteToken) {
//!     let _ = database.set_identities(token, &[]).await;
//! }
//! ```

pub mod directory;
pub mod users;
