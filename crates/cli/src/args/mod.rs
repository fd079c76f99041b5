//! Options that several commands share, and the types that their values have.

mod people;
mod range;
mod target;
mod value;

use std::num::NonZeroU32;

use clap::Args;
use ddb_core::rate_limit::Rate;

pub use crate::common::duration;
pub use people::{DatabaseArgs, Pool, PoolArgs, UsersArgs, me, say_users};
pub use range::{LimitArgs, RangeArgs};
pub use target::{AwsArgs, TableArgs, TableTarget, TargetArgs, WriteArgs, allow_deleting, show};
pub use value::{SEEDED_GROUP, When, id};

/// Options of every command that reads the whole table.
#[derive(Debug, Clone, Args)]
pub struct ReadArgs {
    /// Use at most N read capacity units a second, by what the service reports
    #[arg(long, value_name = "N")]
    max_rcu: Option<NonZeroU32>,
}

impl ReadArgs {
    /// Begins to keep to that rate; `None` where none was given.
    pub fn rate(&self) -> Option<Rate> {
        self.max_rcu.map(Rate::new)
    }
}
