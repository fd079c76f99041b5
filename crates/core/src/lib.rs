//! The Cruddur message store: its table, its keys and items, and the ways to read and write them.
//!
//! Nothing in this crate depends on a terminal, a command line or an exit code. Only a [`store::Writer`] writes to
//! a table, and only a [`guard::Deletable`] can be deleted. The checks in [`guard`] create both.

pub mod changes;
pub mod connect;
pub mod conversation;
pub mod cost;
pub mod environment;
pub mod error;
pub mod guard;
pub mod handle;
pub mod import;
pub mod item;
pub mod key;
pub mod mask;
pub mod pages;
pub mod pull;
pub mod rate_limit;
pub mod retry;
#[cfg(test)]
mod sample;
pub mod schema;
pub mod seed;
pub mod statistics;
pub mod store;
pub mod stream;
pub mod timestamp;
pub mod timezone;

pub use error::{CallError, Cause, Destination, Error, Resource};
