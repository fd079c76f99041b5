//! Limits that keep a command within a table's capacity: capacity units a second, and requests in flight.

mod concurrency;
mod rate;

pub use concurrency::{ConcurrencyLimit, Permit};
pub use rate::Rate;
