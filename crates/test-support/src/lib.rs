//! Sandboxes for tests: an engine, a table and an environment of their own, gone at the end.
//!
//! Tests run on the embedded engine. Where `DDB_TEST_DYNAMODB` names an endpoint, such as Amazon's
//! DynamoDB Local, they run there, each on a table of its own.

mod process;
mod sandbox;

pub use process::{Door, Ran, Tool};
pub use sandbox::{Engine, Sandbox};
