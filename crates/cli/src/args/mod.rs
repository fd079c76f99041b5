//! Options that several commands share, and the types that their values have.

mod people;
mod range;
mod target;
mod value;

pub use crate::common::duration;
pub use people::{DatabaseArgs, Pool, PoolArgs, UsersArgs, me, say_users};
pub use range::{LimitArgs, RangeArgs};
pub use target::{AwsArgs, Site, TableArgs, TargetArgs, WriteArgs, allow_deleting, show};
pub use value::{SEEDED_GROUP, When, id};
