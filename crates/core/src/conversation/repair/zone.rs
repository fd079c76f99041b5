//! The instant of a stored time without an offset.

use crate::key::SortKey;
use crate::timestamp::{Timestamp, without_offset};
use crate::timezone::Zone;

/// A stored time in the written form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    /// It is already in that form.
    Already,
    /// It is this instant, in another form.
    As(Timestamp),
    /// It is not a time.
    Unreadable,
    /// The clocks of the zone never showed it.
    NeverWas,
}

/// Reads a stored time. If the clocks showed it twice, returns the first instant.
pub(super) fn written(sk: &SortKey, zone: Zone) -> Written {
    let Ok(time) = sk.time() else {
        return Written::Unreadable;
    };
    let naive = without_offset(sk.as_str());
    let Some(naive) = naive else {
        return match sk.is_written_form() {
            true => Written::Already,
            false => Written::As(time),
        };
    };
    zone.instants(naive)
        .first()
        .map_or(Written::NeverWas, Written::As)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::Environment;
    use crate::timezone::ZoneName;

    fn read(text: &str, zone: &str) -> Written {
        let zone: ZoneName = zone.parse().unwrap();
        let zone = zone.resolve(&Environment::default()).unwrap();
        written(&SortKey::verbatim(text), zone)
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
            // The clocks were set from 2 to 3, and from 3 to 2.
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
    }
}
