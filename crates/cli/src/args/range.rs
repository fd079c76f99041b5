//! How much of a partition is shown.

use clap::Args;
use ddb_core::timestamp::{TimeRange, Timestamp};

use super::value::When;
use crate::failure::Failure;

const RANGE: &str = "Range";

/// Options that choose a stretch of time.
#[derive(Debug, Clone, Args)]
pub struct RangeArgs {
    /// Only this calendar year, UTC
    #[arg(long, value_name = "YYYY", value_parser = clap::value_parser!(u16).range(1000..=9999), conflicts_with_all = ["since", "until"], help_heading = RANGE)]
    year: Option<u16>,
    /// From this instant on: RFC 3339, a date, `now`, or -1d
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, help_heading = RANGE)]
    since: Option<When>,
    /// Before this instant
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, help_heading = RANGE)]
    until: Option<When>,
}

impl RangeArgs {
    /// Returns the stretch of time.
    ///
    /// # Errors
    ///
    /// Where an instant is outside the years 0000 to 9999.
    pub fn range(&self, now: Timestamp) -> Result<TimeRange, Failure> {
        let outside = || Failure::refused("a time is outside the years 0000 to 9999");
        if let Some(year) = self.year {
            return TimeRange::year(year).ok_or_else(outside);
        }
        let at = |when: &Option<When>| match when {
            Some(when) => when.at(now).map(Some).ok_or_else(outside),
            None => Ok(None),
        };
        let range = TimeRange {
            since: at(&self.since)?,
            until: at(&self.until)?,
        };
        match (range.since, range.until) {
            (Some(since), Some(until)) if since > until => Err(Failure::refused(format!(
                "--since {since} is later than --until {until}"
            ))
            .hint("turn them round")),
            _ => Ok(range),
        }
    }
}

/// Options that choose how much of a conversation, or of a list of them, is shown.
#[derive(Debug, Clone, Args)]
pub struct LimitArgs {
    /// Show at most this many, the newest
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "all", help_heading = RANGE)]
    limit: u32,
    /// Show everything
    #[arg(long, help_heading = RANGE)]
    all: bool,
}

impl LimitArgs {
    /// Returns the limit, where there is one.
    pub fn limit(&self) -> Option<u32> {
        (!self.all).then_some(self.limit)
    }
}
