//! Values of options: instants and ids.

use std::str::FromStr;
use std::time::Duration;

use chrono::NaiveDate;
use ddb_core::key::{ConversationId, KeyError};
use ddb_core::timestamp::Timestamp;

use crate::common::duration;

/// The conversation that is seeded and shown where none is named.
pub const SEEDED_GROUP: ConversationId =
    ConversationId::new(uuid::uuid!("5ae290ed-55d1-47a0-bc6d-fe2bc2700399"));

/// An instant as people type it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// `now`.
    Now,
    /// `-1d`: that long ago.
    Ago(Duration),
    /// An RFC 3339 time, or a date, which is 00:00 UTC.
    At(Timestamp),
}

impl When {
    /// Returns the instant; `None` outside the years 0000 to 9999.
    pub fn at(&self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Now => Some(now),
            Self::Ago(duration) => now.minus(*duration),
            Self::At(time) => Some(*time),
        }
    }
}

impl FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "now" {
            return Ok(Self::Now);
        }
        if let Some(ago) = text.strip_prefix('-') {
            return duration(ago).map(Self::Ago);
        }
        let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok();
        date.and_then(Timestamp::start_of)
            .or_else(|| text.parse().ok())
            .map(Self::At)
            .ok_or_else(|| {
                "not a time; use 2026-03-22T08:35:09Z, 2026-03-22, `now` or -1d".to_owned()
            })
    }
}

/// Parses an id in any spelling of a uuid's letters: keys have the lower-case one.
///
/// # Errors
///
/// What is wrong with it.
pub fn id<T: FromStr<Err = KeyError>>(text: &str) -> Result<T, KeyError> {
    text.to_ascii_lowercase().parse()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Option<String> {
        let now = "2026-03-22T12:00:00Z".parse().unwrap();
        let when: When = text.parse().ok()?;
        when.at(now).map(|time| time.to_string())
    }

    #[test]
    fn people_type_instants_in_several_ways() {
        for (text, instant) in [
            ("now", "2026-03-22T12:00:00.000000+00:00"),
            ("-1d", "2026-03-21T12:00:00.000000+00:00"),
            ("-1m30s", "2026-03-22T11:58:30.000000+00:00"),
            ("2026-03-22", "2026-03-22T00:00:00.000000+00:00"),
            (
                "2026-03-22T01:00:00+02:00",
                "2026-03-21T23:00:00.000000+00:00",
            ),
            ("2026-03-22 01:00:00", "2026-03-22T01:00:00.000000+00:00"),
        ] {
            assert_eq!(at(text).as_deref(), Some(instant), "{text}");
        }
        for text in [
            "",
            "yesterday",
            "2026-02-30",
            "1d",
            "-1",
            "-999999999y",
            "22.3.2026",
        ] {
            assert_eq!(at(text), None, "{text}");
        }
    }
}
