//! What tests stand on: sandboxes with an engine and a table of their own, utilities as processes and
//! at terminals, and fakes of what no engine does.
//!
//! Tests run on the embedded engine. Where `DDB_TEST_DYNAMODB` names an endpoint, such as Amazon's
//! DynamoDB Local, they run there, each on a table of its own; where `DDB_TEST_POSTGRES` names a
//! server, those that need PostgreSQL run, too, each on a database of its own; `DDB_TEST_COGNITO` names a
//! Cognito beside the fake, `DDB_TEST_CHROMEDRIVER` the driver of a browser, and `DDB_TEST_AXE` the file of axe-core.

pub mod aws;
pub mod browser;
pub mod cognito;
mod deep;
pub mod http;
mod postgres;
mod process;
pub mod proxy;
mod sandbox;
mod shell;
#[cfg(test)]
mod sources;
mod terminal;
pub mod tunnel;

pub use deep::{is_deep, note, run_seeds, side_by_side};
pub use postgres::Postgres;
pub use process::{Door, Ran, Tool};
pub use sandbox::{Engine, Sandbox, streams_at};
pub use terminal::Terminal;
