//! Options that several commands share, and the types that their values have.

mod people;
mod range;
mod target;
mod value;

use std::num::NonZeroU32;
use std::time::Duration;

use clap::Args;
use ddb_core::pace::Rate;

use crate::output::Format;
pub use people::{DatabaseArgs, Pool, PoolArgs, UsersArgs, me, say_users};
pub use range::{LimitArgs, RangeArgs};
pub use target::{AwsArgs, Site, TableArgs, TargetArgs, WriteArgs, allow_destroying, show};
pub use value::{When, duration, id};

const OUTPUT: &str = "Output and time";
const TARGET: &str = "Target";

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ColorChoice {
    /// On a terminal; NO_COLOR and CLICOLOR_FORCE are heeded.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
pub struct CommonArgs {
    /// Form of the output: table, json, jsonl; csv where rows are read, ddb-json where items are
    #[arg(short, long, value_enum, default_value_t = Format::Table, value_name = "FORM", help_heading = OUTPUT, hide_possible_values = true)]
    pub output: Format,
    /// Say nothing but errors
    #[arg(short, long, help_heading = OUTPUT)]
    pub quiet: bool,
    /// Say more about what is done
    #[arg(short, long, action = clap::ArgAction::Count, help_heading = OUTPUT)]
    pub verbose: u8,
    /// When to use colours: auto, always, never
    #[arg(long, value_enum, default_value_t = ColorChoice::Auto, value_name = "WHEN", help_heading = OUTPUT, hide_possible_values = true)]
    pub color: ColorChoice,
    /// Show no progress bars
    #[arg(long, help_heading = OUTPUT)]
    pub no_progress: bool,
    /// Give up after this time, such as 90s or 1m30s
    #[arg(long, value_parser = duration, value_name = "DURATION", help_heading = OUTPUT)]
    pub timeout: Option<Duration>,
}

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
