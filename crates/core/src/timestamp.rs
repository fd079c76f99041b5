//! Timestamps of the store: one written form, and lenient reading of what older tools wrote.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, Timelike, Utc};

/// The error for a text that is not a time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a time: `{0}`")]
pub struct TimestampError(pub String);

/// An instant with microsecond precision, in the years 0000 to 9999.
///
/// Wire format, always this wide: `2026-03-22T08:35:09.123456+00:00` (RFC 3339 in UTC with six
/// digits), so that the order of the text is the order of time.
///
/// Reading also accepts `Z`, other offsets, another number of digits or none, a space in place of the `T`, and
/// a time without an offset, which means UTC. Digits after the sixth are cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(DateTime<Utc>);

impl Timestamp {
    /// Returns the current time.
    pub fn now() -> Self {
        Self::from_micros(Utc::now().timestamp_micros()).unwrap_or(Self(DateTime::UNIX_EPOCH))
    }

    /// Makes an instant from microseconds since 1970-01-01T00:00:00Z. Returns `None` outside the years of
    /// the written form.
    pub fn from_micros(micros: i64) -> Option<Self> {
        let time = DateTime::from_timestamp_micros(micros)?;
        (0..=9999).contains(&time.year()).then_some(Self(time))
    }

    /// Reads a time that has an offset, in RFC 3339 or one of the older forms.
    pub fn with_offset(text: &str) -> Option<Self> {
        const OLDER: [&str; 2] = ["%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f%#z"];
        let older = || {
            OLDER
                .iter()
                .find_map(|form| DateTime::parse_from_str(text, form).ok())
        };
        let time = DateTime::parse_from_rfc3339(text).ok().or_else(older)?;
        Self::from_micros(time.timestamp_micros())
    }

    /// Returns the instant as a `chrono` type.
    pub(crate) fn utc(&self) -> DateTime<Utc> {
        self.0
    }

    /// Returns the microseconds since 1970-01-01T00:00:00Z.
    pub fn micros(&self) -> i64 {
        self.0.timestamp_micros()
    }

    /// Returns 00:00 UTC of a day.
    pub fn start_of(date: NaiveDate) -> Option<Self> {
        let time = date.and_time(chrono::NaiveTime::MIN).and_utc();
        Self::from_micros(time.timestamp_micros())
    }

    /// Returns the day in UTC.
    pub fn date(&self) -> NaiveDate {
        self.0.date_naive()
    }

    /// Adds microseconds. Returns `None` outside the years of the written form.
    #[must_use]
    pub fn plus_micros(&self, micros: i64) -> Option<Self> {
        Self::from_micros(self.micros().checked_add(micros)?)
    }

    /// Subtracts a duration, cut to microseconds.
    #[must_use]
    pub fn minus(&self, duration: Duration) -> Option<Self> {
        let micros = i64::try_from(duration.as_micros()).ok()?;
        self.plus_micros(micros.checked_neg()?)
    }

    /// Returns the form for people: `2026-03-22 08:35:09`, in UTC, without a fraction.
    pub fn for_people(&self) -> impl fmt::Display {
        self.0.format("%Y-%m-%d %H:%M:%S")
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = &self.0;
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}+00:00",
            time.year(),
            time.month(),
            time.day(),
            time.hour(),
            time.minute(),
            time.second(),
            time.timestamp_subsec_micros(),
        )
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, TimestampError> {
        Self::with_offset(text)
            .or_else(|| Self::from_micros(without_offset(text)?.and_utc().timestamp_micros()))
            .ok_or_else(|| TimestampError(text.to_owned()))
    }
}

/// Reads a time that has no offset: local time in some zone.
pub fn without_offset(text: &str) -> Option<NaiveDateTime> {
    const FORMS: [&str; 2] = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"];
    FORMS
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
}

/// A range of time: `since` inclusive, `until` exclusive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TimeRange {
    /// The first instant inside.
    pub since: Option<Timestamp>,
    /// The first instant after.
    pub until: Option<Timestamp>,
}

impl TimeRange {
    /// Returns the range of a calendar year in UTC.
    pub fn year(year: u16) -> Option<Self> {
        let first_day = |year: u16| NaiveDate::from_ymd_opt(i32::from(year), 1, 1);
        Some(Self {
            since: Some(Timestamp::start_of(first_day(year)?)?),
            until: Timestamp::start_of(first_day(year.checked_add(1)?)?),
        })
    }

    /// Checks whether the range has no bounds.
    pub fn is_everything(&self) -> bool {
        self.since.is_none() && self.until.is_none()
    }

    /// Checks whether an instant is inside.
    pub fn contains(&self, time: Timestamp) -> bool {
        self.since.is_none_or(|since| since <= time) && self.until.is_none_or(|until| time < until)
    }

    /// Returns the smallest and the largest sort key that an instant inside can have in any form:
    /// whole dates, one day wider on both sides, because an offset moves the written date by at most
    /// a day. Check what these bounds let through with [`TimeRange::contains`].
    pub fn net(&self) -> (Option<String>, Option<String>) {
        let day = |time: Timestamp, days: i64| {
            let date = time
                .date()
                .checked_add_signed(chrono::TimeDelta::days(days))?;
            (0..=9999)
                .contains(&date.year())
                .then(|| format!("{:04}-{:02}-{:02}", date.year(), date.month(), date.day()))
        };
        (
            self.since.and_then(|since| day(since, -1)),
            // As text, every time on the day after `until` is larger than the date of that day alone,
            // so the bound is the day after it.
            self.until.and_then(|until| day(until, 2)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> String {
        text.parse::<Timestamp>().unwrap().to_string()
    }

    #[test]
    fn older_forms_are_read_as_the_same_instant() {
        let written = "2026-03-22T08:35:09.123456+00:00";
        for older in [
            written,
            "2026-03-22T08:35:09.123456Z",
            "2026-03-22T08:35:09.123456",
            "2026-03-22 08:35:09.123456",
            "2026-03-22 08:35:09.123456+00",
            "2026-03-22T10:35:09.123456+02:00",
            "2026-03-22T10:35:09.123456+0200",
            "2026-03-21T23:05:09.123456-09:30",
            "2026-03-22T08:35:09.123456789Z",
        ] {
            assert_eq!(read(older), written, "{older}");
        }
        assert_eq!(
            read("2026-03-22T08:35:09"),
            "2026-03-22T08:35:09.000000+00:00"
        );
        assert_eq!(
            read("2026-03-22T08:35:09.5Z"),
            "2026-03-22T08:35:09.500000+00:00"
        );
    }

    #[test]
    fn what_is_not_a_time_is_said_with_the_text() {
        for text in [
            "",
            "yesterday",
            "2026-13-01T00:00:00Z",
            "2026-03-22",
            "1711096509",
        ] {
            assert_eq!(
                text.parse::<Timestamp>(),
                Err(TimestampError(text.to_owned()))
            );
        }
    }

    #[test]
    fn arithmetic_stops_at_the_ends_of_the_written_form() {
        let last: Timestamp = "9999-12-31T23:59:59.999999Z".parse().unwrap();
        assert_eq!(last.plus_micros(1), None);
        let first: Timestamp = "0000-01-01T00:00:00Z".parse().unwrap();
        assert_eq!(first.plus_micros(-1), None);
        assert_eq!(first.minus(Duration::MAX), None);
        assert_eq!(
            last.minus(Duration::from_secs(1)).unwrap().to_string(),
            "9999-12-31T23:59:58.999999+00:00"
        );
    }

    #[test]
    fn a_year_begins_and_ends_at_new_year_utc() {
        let year = TimeRange::year(2026).unwrap();
        let inside = |text: &str| year.contains(text.parse().unwrap());
        assert!(!inside("2025-12-31T23:59:59.999999Z"));
        assert!(inside("2026-01-01T00:00:00Z"));
        assert!(inside("2025-12-31T22:00:00-02:00"));
        assert!(inside("2027-01-01T01:00:00+02:00"));
        assert!(!inside("2027-01-01T00:00:00Z"));
        assert_eq!(
            year.net(),
            (Some("2025-12-31".into()), Some("2027-01-03".into()))
        );
        assert!(TimeRange::year(9999).unwrap().until.is_none());
    }

    fn any_time() -> impl Strategy<Value = Timestamp> {
        let first = "0000-01-02T00:00:00Z"
            .parse::<Timestamp>()
            .unwrap()
            .micros();
        let last = "9999-12-30T00:00:00Z"
            .parse::<Timestamp>()
            .unwrap()
            .micros();
        (first..last).prop_map(|micros| Timestamp::from_micros(micros).unwrap())
    }

    proptest! {
        #[test]
        fn p16_text_order_is_time_order(a in any_time(), b in any_time()) {
            prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
        }

        #[test]
        fn p16_the_written_form_is_read_back(time in any_time()) {
            prop_assert_eq!(time.to_string().len(), 32);
            prop_assert_eq!(time.to_string().parse(), Ok(time));
        }

        #[test]
        fn p16_any_offset_is_the_same_instant_and_inside_the_net(
            time in any_time(),
            minutes in -1439i32..=1439,
            digits in 0u32..=6,
        ) {
            let offset = chrono::FixedOffset::east_opt(minutes * 60).unwrap();
            let cut = 10i64.pow(6 - digits);
            let time = Timestamp::from_micros(time.micros().div_euclid(cut) * cut).unwrap();
            let local = time.0.with_timezone(&offset);
            prop_assume!((0..=9999).contains(&local.year()));
            let fraction = format!("{:06}", time.0.timestamp_subsec_micros());
            let fraction = &fraction[..digits as usize];
            let dot = if digits == 0 { "" } else { "." };
            let text = format!(
                "{:04}{}{dot}{fraction}{}",
                local.year(), local.format("-%m-%dT%H:%M:%S"), local.format("%:z"));
            prop_assert_eq!(text.parse::<Timestamp>(), Ok(time), "{}", text);

            let range = TimeRange { since: Some(time), until: time.plus_micros(1) };
            let (low, high) = range.net();
            prop_assert!(low.is_none_or(|low| low <= text));
            prop_assert!(high.is_none_or(|high| text <= high));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in ".*") {
            let _ = text.parse::<Timestamp>();
        }
    }
}
