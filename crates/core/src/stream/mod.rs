//! The stream of the table: which conversations got messages, read so that nothing is missed.
//!
//! A record is only a hint: it names a conversation, and what is written is decided by
//! [`crate::conversation::sync_rows`] from the table itself. So order, duplicates and replay cannot matter.

mod checkpoint;
mod client;
mod follower;
mod shards;
mod table;

pub use checkpoint::{Checkpoint, CheckpointError, CheckpointFile};
pub use client::Streams;
pub use follower::{Batch, Begin, Follower};
pub use table::{Lost, News, PollIntervals, TableFollower, TableStream};
