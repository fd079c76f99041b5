//! Options that several commands share, and the types of their values.

mod conversation;
mod people;
mod range;
mod target;
mod time;

use std::num::NonZeroU32;

use clap::Args;
use ddb_core::rate_limit::Rate;

pub use crate::common::duration;
pub use conversation::{Asked, ConversationArgs, SEEDED_GROUP, Short, id};
pub use people::{DatabaseArgs, Me, Pool, PoolArgs, UsersArgs, me, say_users};
pub use range::{FilterArgs, LimitArgs, RangeArgs, SpanArgs, no_instant};
pub use target::{AwsArgs, TableArgs, TableTarget, TargetArgs, WriteArgs, allow_deleting, show};
pub use time::When;

/// Options of every command that reads the whole table.
#[derive(Debug, Clone, Args)]
pub struct ReadArgs {
    /// Use at most N read capacity units a second, as the service reports them
    #[arg(long, value_name = "N")]
    max_rcu: Option<NonZeroU32>,
}

impl ReadArgs {
    /// Starts to limit reads to that rate, or returns `None` if no rate was given.
    pub fn rate(&self) -> Option<Rate> {
        self.max_rcu.map(Rate::new)
    }
}
