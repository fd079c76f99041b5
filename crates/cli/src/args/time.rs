//! Instants as people type them.

use std::str::FromStr;
use std::time::Duration;

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};
use ddb_core::timestamp::{Timestamp, without_offset};
use ddb_core::timezone::Zone;

use crate::common::duration;

/// An instant as people type it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// `now`.
    Now,
    /// `-1d` or `1d`: this long ago.
    Ago(Duration),
    /// An RFC 3339 time.
    At(Timestamp),
    /// `2026-03-22 10:30`: a time on the clocks of a zone.
    Shown(NaiveDateTime),
    /// `2026-03-22`: the start of a day.
    Day(NaiveDate),
    /// `today`, `yesterday`: the start of the day this many days ago.
    DaysAgo(u64),
    /// `10:30`: the most recent one.
    Clock(NaiveTime),
}

const OUTSIDE: &str = "it is outside the years 0000 to 9999";

impl When {
    /// Returns the instant, unless it depends on the present one.
    ///
    /// # Errors
    ///
    /// What is wrong with it, if there is no such instant.
    pub fn fixed(&self, zone: Zone) -> Result<Option<Timestamp>, String> {
        match *self {
            Self::At(time) => Ok(Some(time)),
            Self::Shown(shown) => match zone.instants(shown).first() {
                Some(time) => Ok(Some(time)),
                None if zone.start_of(shown.date()).is_some() => Err(format!(
                    "{shown} did not exist in {zone}: the clocks went forward"
                )),
                None => Err(OUTSIDE.to_owned()),
            },
            Self::Day(day) => zone
                .start_of(day)
                .map(Some)
                .ok_or_else(|| OUTSIDE.to_owned()),
            Self::Now | Self::Ago(_) | Self::DaysAgo(_) | Self::Clock(_) => Ok(None),
        }
    }

    /// Returns the instant, relative to the present one.
    ///
    /// # Errors
    ///
    /// What is wrong with it, if there is no such instant.
    pub fn at(&self, now: Timestamp, zone: Zone) -> Result<Timestamp, String> {
        let moving = match *self {
            Self::Now => Some(now),
            Self::Ago(duration) => now.minus(duration),
            Self::DaysAgo(days) => {
                let today = zone.shown(now).date();
                let day = today.checked_sub_days(chrono::Days::new(days));
                day.and_then(|day| zone.start_of(day))
            }
            Self::Clock(clock) => zone.last(clock, now),
            Self::At(_) | Self::Shown(_) | Self::Day(_) => self.fixed(zone)?,
        };
        moving.ok_or_else(|| OUTSIDE.to_owned())
    }
}

impl FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let minutes = |form| NaiveDateTime::parse_from_str(text, form).ok();
        let clock = |form| NaiveTime::parse_from_str(text, form).ok();
        let ago = text.strip_prefix('-').unwrap_or(text);
        match text.to_ascii_lowercase().as_str() {
            "now" => return Ok(Self::Now),
            "today" => return Ok(Self::DaysAgo(0)),
            "yesterday" => return Ok(Self::DaysAgo(1)),
            _ => {}
        }
        let day = || NaiveDate::parse_from_str(text, "%Y-%m-%d").ok();
        let shown = || {
            without_offset(text)
                .or_else(|| minutes("%Y-%m-%d %H:%M"))
                .or_else(|| minutes("%Y-%m-%dT%H:%M"))
        };
        let time_of_day = || clock("%H:%M").or_else(|| clock("%H:%M:%S"));
        Timestamp::with_offset(text)
            .map(Self::At)
            .or_else(|| day().map(Self::Day))
            .or_else(|| shown().map(Self::Shown))
            .or_else(|| time_of_day().map(Self::Clock))
            .or_else(|| duration(ago).ok().map(Self::Ago))
            .ok_or_else(|| {
                "not a time; use 2026-03-22, '2026-03-22 10:30', 2026-03-22T10:30:00Z, 10:30, now, today, yesterday or -1d"
                    .to_owned()
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ddb_core::environment::Environment;
    use ddb_core::timezone::ZoneName;

    fn at(text: &str, zone: &str) -> Result<String, String> {
        let now = "2026-03-22T12:00:00Z".parse().unwrap();
        let zone: ZoneName = zone.parse().unwrap();
        let zone = zone.resolve(&Environment::default()).unwrap();
        let when: When = text.parse()?;
        let time = when.at(now, zone)?;
        Ok(time.to_string())
    }

    #[test]
    fn people_type_instants_in_several_ways() {
        for (text, instant) in [
            ("now", "2026-03-22T12:00:00.000000+00:00"),
            ("-1d", "2026-03-21T12:00:00.000000+00:00"),
            ("1d", "2026-03-21T12:00:00.000000+00:00"),
            ("-1m30s", "2026-03-22T11:58:30.000000+00:00"),
            ("today", "2026-03-22T00:00:00.000000+00:00"),
            ("Yesterday", "2026-03-21T00:00:00.000000+00:00"),
            ("2026-03-22", "2026-03-22T00:00:00.000000+00:00"),
            (
                "2026-03-22T01:00:00+02:00",
                "2026-03-21T23:00:00.000000+00:00",
            ),
            ("2026-03-22 01:00:00", "2026-03-22T01:00:00.000000+00:00"),
            ("2026-03-22 10:30", "2026-03-22T10:30:00.000000+00:00"),
            ("2026-03-22T10:30", "2026-03-22T10:30:00.000000+00:00"),
            ("10:30", "2026-03-22T10:30:00.000000+00:00"),
            ("12:00", "2026-03-22T12:00:00.000000+00:00"),
            ("12:00:01", "2026-03-21T12:00:01.000000+00:00"),
        ] {
            assert_eq!(at(text, "utc").as_deref(), Ok(instant), "{text}");
        }
        for text in [
            "",
            "tomorrow",
            "2026-02-30",
            "-1",
            "1",
            "-999999999y",
            "22.3.2026",
            "25:00",
            "--1d",
        ] {
            assert!(at(text, "utc").is_err(), "{text}");
        }
    }

    #[test]
    fn what_has_no_offset_is_of_the_zone() {
        for (text, instant) in [
            ("2026-03-22", "2026-03-21T23:00:00.000000+00:00"),
            ("2026-03-22 10:30", "2026-03-22T09:30:00.000000+00:00"),
            ("2026-03-22 10:30:00", "2026-03-22T09:30:00.000000+00:00"),
            ("2026-03-22T10:30:00Z", "2026-03-22T10:30:00.000000+00:00"),
            ("10:30", "2026-03-22T09:30:00.000000+00:00"),
            ("13:30", "2026-03-21T12:30:00.000000+00:00"),
            ("today", "2026-03-21T23:00:00.000000+00:00"),
            ("2026-10-25 02:30", "2026-10-25T00:30:00.000000+00:00"),
        ] {
            assert_eq!(at(text, "Europe/Berlin").as_deref(), Ok(instant), "{text}");
        }
        // In Kiritimati it is already tomorrow.
        assert_eq!(
            at("today", "Pacific/Kiritimati").as_deref(),
            Ok("2026-03-22T10:00:00.000000+00:00")
        );
        assert_eq!(
            at("2026-03-29 02:30", "Europe/Berlin").unwrap_err(),
            "2026-03-29 02:30:00 did not exist in Europe/Berlin: the clocks went forward"
        );
    }

    #[test]
    fn what_does_not_move_is_known_without_the_present_instant() {
        let fixed = |text: &str| {
            let when: When = text.parse().unwrap();
            when.fixed(Zone::UTC).unwrap().is_some()
        };
        for text in ["2026-03-22", "2026-03-22 10:30", "2026-03-22T10:30:00Z"] {
            assert!(fixed(text), "{text}");
        }
        for text in ["now", "-1d", "today", "10:30"] {
            assert!(!fixed(text), "{text}");
        }
    }
}
