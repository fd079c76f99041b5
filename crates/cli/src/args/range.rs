//! How much of a partition or of the table is shown.

use chrono::NaiveDate;
use clap::Args;
use ddb_core::conversation::{Filter, Needle};
use ddb_core::handle::Handle;
use ddb_core::timestamp::{TimeRange, Timestamp};

use super::time::When;
use crate::common::Zones;
use crate::failure::Failure;

const RANGE: &str = "Range";
const YEARS: std::ops::RangeInclusive<i64> = 1000..=9999;

/// Refuses an option whose time does not exist.
pub fn no_instant(option: &str, why: &str) -> Failure {
    Failure::refused(format!("{option}: {why}"))
        .hint("an offset makes the time exact: 2026-03-22T10:30:00+01:00")
}

/// Options that choose a stretch of time.
#[derive(Debug, Clone, Args)]
pub struct SpanArgs {
    /// From this time on: 2026-03-22, '2026-03-22 10:30', 10:30, today, yesterday, -1d
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, help_heading = RANGE)]
    since: Option<When>,
    /// Before this time
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, help_heading = RANGE)]
    until: Option<When>,
}

impl SpanArgs {
    /// Returns the time range.
    ///
    /// # Errors
    ///
    /// A time does not exist, or the end is before the start.
    pub fn range(&self, now: Timestamp, zones: Zones) -> Result<TimeRange, Failure> {
        let at = |option: &str, when: Option<When>| {
            let time = when.map(|when| when.at(now, zones.times)).transpose();
            time.map_err(|error| no_instant(option, &error))
        };
        let range = TimeRange {
            since: at("--since", self.since)?,
            until: at("--until", self.until)?,
        };
        match (range.since, range.until) {
            (Some(since), Some(until)) if since > until => Err(Failure::refused(format!(
                "--since {since} is later than --until {until}"
            ))
            .hint("swap them")),
            _ => Ok(range),
        }
    }
}

/// Options that choose a stretch of time, or a year.
#[derive(Debug, Clone, Args)]
pub struct RangeArgs {
    /// Only this calendar year, in UTC unless --tz is given
    #[arg(long, value_name = "YYYY", value_parser = clap::value_parser!(u16).range(YEARS), conflicts_with_all = ["since", "until"], help_heading = RANGE)]
    year: Option<u16>,
    #[command(flatten)]
    span: SpanArgs,
}

impl RangeArgs {
    /// Returns the time range.
    ///
    /// # Errors
    ///
    /// As [`SpanArgs::range`].
    pub fn range(&self, now: Timestamp, zones: Zones) -> Result<TimeRange, Failure> {
        let Some(year) = self.year else {
            return self.span.range(now, zones);
        };
        let first_day = |year: u16| {
            let day = NaiveDate::from_ymd_opt(i32::from(year), 1, 1)?;
            zones.dates.start_of(day)
        };
        Ok(TimeRange {
            since: first_day(year),
            until: year.checked_add(1).and_then(first_day),
        })
    }

    /// Checks whether a time range is given, and not a year.
    fn is_span(&self) -> bool {
        self.span.since.is_some() || self.span.until.is_some()
    }
}

/// Options that choose messages by what they say, and by who sent them.
#[derive(Debug, Clone, Args)]
pub struct FilterArgs {
    /// Only messages that contain this text, ignoring case
    #[arg(long, value_name = "TEXT", help_heading = RANGE)]
    contains: Option<Needle>,
    /// Only messages that this person sent
    #[arg(long, value_name = "HANDLE", help_heading = RANGE)]
    by: Option<Handle>,
}

impl FilterArgs {
    /// Returns the filter of a command that shows a time range. Conversation rows and unknown items are left out if
    /// anything is filtered, unless only a year was given.
    ///
    /// # Errors
    ///
    /// As [`SpanArgs::range`].
    pub fn within(
        &self,
        range: &RangeArgs,
        now: Timestamp,
        zones: Zones,
    ) -> Result<Filter, Failure> {
        let mut filter = self.filter(range.range(now, zones)?);
        filter.messages_only |= range.is_span();
        Ok(filter)
    }

    /// Returns the filter of a command that shows any item. Unless `any_kind` is set, conversation rows and unknown
    /// items are left out as soon as anything is filtered.
    ///
    /// # Errors
    ///
    /// As [`SpanArgs::range`].
    pub fn among_items(
        &self,
        span: &SpanArgs,
        any_kind: bool,
        now: Timestamp,
        zones: Zones,
    ) -> Result<Filter, Failure> {
        let mut filter = self.filter(span.range(now, zones)?);
        filter.messages_only = !any_kind && !filter.is_everything();
        Ok(filter)
    }

    fn filter(&self, range: TimeRange) -> Filter {
        Filter {
            range,
            contains: self.contains.clone(),
            by: self.by.clone(),
            messages_only: self.contains.is_some() || self.by.is_some(),
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
    /// Returns the limit, if there is one.
    pub fn limit(&self) -> Option<u32> {
        (!self.all).then_some(self.limit)
    }
}
