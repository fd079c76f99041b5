//! Support for tests: sandboxes with their own engine and table, utilities as processes and at terminals,
//! and fakes of what no engine does.
//!
//! Tests run on the embedded engine. If `DDB_TEST_DYNAMODB` names an endpoint, such as Amazon's DynamoDB
//! Local, they run there, each on its own table. If `DDB_TEST_POSTGRES` names a server, those that need
//! PostgreSQL run, too, each on its own database. `DDB_TEST_COGNITO` names a Cognito besides the fake,
//! `DDB_TEST_CHROMEDRIVER` the driver of a browser, and `DDB_TEST_AXE` the file of axe-core.

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
