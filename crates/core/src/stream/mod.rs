//! The stream of the table: which conversations got messages. It is read so that nothing is missed.
//!
//! A record is only a hint that names a conversation. [`crate::conversation::sync_rows`] decides what to write
//! from the table itself. So order, duplicates and replay do not matter.

mod checkpoint;
mod client;
mod follower;
mod shards;
mod table;

pub use checkpoint::{Checkpoint, CheckpointError, CheckpointFile};
pub use client::Streams;
pub use follower::{Batch, Begin, Follower};
pub use table::{Lost, News, PollIntervals, TableFollower, TableStream};
