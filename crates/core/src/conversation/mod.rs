//! Conversations: reading them (access patterns A and B), and keeping the participants' rows at the
//! newest message (access pattern E).

mod read;
mod rows;

pub use read::{Slice, group_between, has_items, newest_message, read};
pub use rows::{Missing, Settled, Settlement, settle};
