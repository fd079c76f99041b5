//! Which instant a stored time means, where it has no offset.

use std::str::FromStr;

use chrono::{LocalResult, NaiveDateTime, TimeZone};
use chrono_tz::Tz;

use crate::key::SortKey;
use crate::timestamp::Timestamp;

/// The zone of times that have no offset: an IANA name such as `Europe/Berlin`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zone(Tz);

/// Says that a text names no zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a time zone; it is written as Europe/Berlin or UTC")]
pub struct UnknownZone;

impl FromStr for Zone {
    type Err = UnknownZone;

    fn from_str(text: &str) -> Result<Self, UnknownZone> {
        text.parse().map(Self).map_err(|_| UnknownZone)
    }
}

impl Zone {
    /// Times without an offset are UTC.
    pub const UTC: Self = Self(Tz::UTC);

    /// Returns the name.
    pub fn name(&self) -> &'static str {
        self.0.name()
    }
}

/// What a stored time is in the written form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    /// It is in that form.
    Already,
    /// It is this instant, in another form.
    As(Timestamp),
    /// It is no time.
    Unreadable,
    /// The clocks of the zone never showed it.
    NeverWas,
}

/// Reads a stored time. One that came twice is the first.
pub(super) fn written(sk: &SortKey, zone: Zone) -> Written {
    const NAIVE: [&str; 2] = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"];
    let Ok(time) = sk.time() else {
        return Written::Unreadable;
    };
    let text = sk.as_str();
    let naive = NAIVE
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
    let Some(naive) = naive else {
        return match sk.is_written_form() {
            true => Written::Already,
            false => Written::As(time),
        };
    };
    let instant = match zone.0.from_local_datetime(&naive) {
        LocalResult::Single(instant) | LocalResult::Ambiguous(instant, _) => instant,
        LocalResult::None => return Written::NeverWas,
    };
    let instant = Timestamp::from_micros(instant.timestamp_micros());
    instant.map_or(Written::Unreadable, Written::As)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, zone: &str) -> Written {
        written(&SortKey::verbatim(text), zone.parse().unwrap())
    }

    fn at(text: &str) -> Written {
        Written::As(text.parse().unwrap())
    }

    #[test]
    fn only_times_without_an_offset_are_in_the_zone() {
        let berlin = "Europe/Berlin";
        for (text, expected) in [
            ("2026-03-22T08:35:09.123456+00:00", Written::Already),
            (
                "2026-03-22T08:35:09.123456Z",
                at("2026-03-22T08:35:09.123456Z"),
            ),
            ("2026-03-22T10:35:09+02:00", at("2026-03-22T08:35:09Z")),
            ("2026-03-22T08:35:09.5", at("2026-03-22T07:35:09.5Z")),
            ("2026-07-22 08:35:09", at("2026-07-22T06:35:09Z")),
            // The clocks went from 2 to 3, and from 3 to 2.
            ("2026-03-29T02:30:00", Written::NeverWas),
            ("2026-10-25T02:30:00", at("2026-10-25T00:30:00Z")),
            ("soon", Written::Unreadable),
        ] {
            assert_eq!(read(text, berlin), expected, "{text}");
        }
        assert_eq!(
            read("2026-03-29T02:30:00", "UTC"),
            at("2026-03-29T02:30:00Z")
        );
        assert_eq!("Europe/Bärlin".parse::<Zone>(), Err(UnknownZone));
    }
}
