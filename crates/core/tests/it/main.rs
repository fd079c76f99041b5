//! The store on an engine: the embedded one, or the one that `DDB_TEST_DYNAMODB` names.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

mod arrivals;
mod at_once;
mod attempts;
mod batches;
mod changes;
mod create;
mod data;
mod import;
mod kills;
mod loads;
mod many;
mod pages;
mod pull;
mod put;
mod renewed;
mod replace;
mod rows;
mod seeding;
mod stale;
mod storm;
mod streams;
mod tables;
mod times;
mod times_beside;
mod wire;
