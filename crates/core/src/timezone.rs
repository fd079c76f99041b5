//! Time zones: UTC, the zone of this machine, or one by its IANA name.

use std::fmt;
use std::str::FromStr;

use chrono::{
    DateTime, Days, Local, MappedLocalTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta,
    TimeZone,
};
use chrono_tz::{TZ_VARIANTS, Tz};

use crate::environment::{Environment, NotUnicode};
use crate::timestamp::Timestamp;

/// The error for a name that no zone has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no time zone `{name}`{}", like(similar))]
pub struct ZoneError {
    /// The name.
    pub name: String,
    /// Zones with similar names, the most similar first.
    pub similar: Vec<&'static str>,
}

fn like(similar: &[&str]) -> String {
    match similar {
        [] => "; use utc, local or a name such as Europe/Berlin".to_owned(),
        similar => format!("; similar: {}", similar.join(", ")),
    }
}

/// The name of a zone, before the zone of this machine is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ZoneName {
    /// `local`: the zone of this machine.
    Local,
    /// `utc`, or a zone of the IANA database that is part of this program.
    Named(Tz),
}

impl FromStr for ZoneName {
    type Err = ZoneError;

    fn from_str(text: &str) -> Result<Self, ZoneError> {
        if text.eq_ignore_ascii_case("local") {
            return Ok(Self::Local);
        }
        named(text).map(Self::Named).ok_or_else(|| ZoneError {
            name: text.to_owned(),
            similar: similar(text),
        })
    }
}

impl ZoneName {
    /// Returns the zone. The zone of this machine is taken from `TZ`, or else from the settings of the system.
    ///
    /// # Errors
    ///
    /// If the variable is not UTF-8.
    pub fn resolve(self, environment: &Environment) -> Result<Zone, NotUnicode> {
        if let Self::Named(zone) = self {
            return Ok(Zone(Kind::Named(zone)));
        }
        let name = match environment.get("TZ")? {
            Some(name) => Some(name.to_owned()),
            None => iana_time_zone::get_timezone().ok(),
        };
        let zone = name.as_deref().map(in_database).and_then(named);
        Ok(Zone(zone.map_or(Kind::System, Kind::Named)))
    }
}

/// Takes the name out of a value of `TZ`: `:Europe/Berlin`, or the path of a file of the database.
fn in_database(variable: &str) -> &str {
    let name = variable.strip_prefix(':').unwrap_or(variable);
    name.split_once("zoneinfo/").map_or(name, |(_, name)| name)
}

fn named(text: &str) -> Option<Tz> {
    /// Other names of UTC that systems use.
    const UTC: [&str; 6] = [
        "Etc/UTC",
        "Etc/UCT",
        "Etc/Universal",
        "Etc/Zulu",
        "Universal",
        "Zulu",
    ];
    if UTC.iter().any(|name| name.eq_ignore_ascii_case(text)) {
        return Some(Tz::UTC);
    }
    let same = |zone: &&Tz| zone.name().eq_ignore_ascii_case(text);
    TZ_VARIANTS.iter().find(same).copied()
}

/// Returns the few zones whose names are most similar to a text: the whole name, or the city alone.
fn similar(text: &str) -> Vec<&'static str> {
    const FEW: usize = 3;
    const ENOUGH: f64 = 0.85;
    let wanted = text.to_ascii_lowercase().replace(' ', "_");
    let likeness = |zone: &Tz| {
        let name = zone.name().to_ascii_lowercase();
        let city = name.rsplit('/').next().unwrap_or_default();
        strsim::jaro_winkler(&wanted, &name).max(strsim::jaro_winkler(&wanted, city))
    };
    let rated = TZ_VARIANTS.iter().map(|zone| (likeness(zone), zone.name()));
    let mut rated: Vec<(f64, &str)> = rated.filter(|(likeness, _)| *likeness > ENOUGH).collect();
    rated.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    rated.into_iter().take(FEW).map(|(_, name)| name).collect()
}

/// A time zone: converts an instant to local time, and local time to an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zone(Kind);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Named(Tz),
    /// The zone of this machine, if it has no name.
    System,
}

/// The instants at which the clocks of a zone show a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instants {
    /// Most times are shown once.
    One(Timestamp),
    /// The clocks were put back: the first instant and the second.
    Two(Timestamp, Timestamp),
    /// The clocks skipped the time when they were put forward, or it is outside the years 0000 to 9999.
    None,
}

impl Instants {
    /// Returns the instant, or the first one if there are two.
    pub fn first(self) -> Option<Timestamp> {
        match self {
            Self::One(time) | Self::Two(time, _) => Some(time),
            Self::None => None,
        }
    }
}

impl Zone {
    /// UTC.
    pub const UTC: Self = Self(Kind::Named(Tz::UTC));

    /// Returns the instants at which the clocks show a time.
    pub fn instants(self, shown: NaiveDateTime) -> Instants {
        fn of<Z: TimeZone>(zone: &Z, shown: NaiveDateTime) -> Instants {
            let stamp =
                |time: DateTime<Z>| Timestamp::from_micros(time.to_utc().timestamp_micros());
            match zone.from_local_datetime(&shown) {
                MappedLocalTime::Single(time) => stamp(time).map(Instants::One),
                MappedLocalTime::Ambiguous(first, second) => stamp(first)
                    .zip(stamp(second))
                    .map(|(a, b)| Instants::Two(a, b)),
                MappedLocalTime::None => None,
            }
            .unwrap_or(Instants::None)
        }
        match self.0 {
            Kind::Named(zone) => of(&zone, shown),
            Kind::System => of(&Local, shown),
        }
    }

    /// Returns what the clocks show at an instant.
    pub fn shown(self, time: Timestamp) -> NaiveDateTime {
        match self.0 {
            Kind::Named(zone) => time.utc().with_timezone(&zone).naive_local(),
            Kind::System => time.utc().with_timezone(&Local).naive_local(),
        }
    }

    /// Returns the first instant of a day: 00:00, or later if the clocks were put forward at midnight.
    pub fn start_of(self, day: NaiveDate) -> Option<Timestamp> {
        // Clocks were never put forward by more than a day.
        const STEP: TimeDelta = TimeDelta::minutes(15);
        let midnight = day.and_time(NaiveTime::MIN);
        let times = (0..=96).filter_map(|step| midnight.checked_add_signed(STEP * step));
        times.filter_map(|time| self.instants(time).first()).next()
    }

    /// Returns the last instant up to `now` at which the clocks showed a time of day.
    pub fn last(self, clock: NaiveTime, now: Timestamp) -> Option<Timestamp> {
        let today = self.shown(now).date();
        // A time that the clocks skipped today was shown yesterday.
        let days = (0..=2).filter_map(|back| today.checked_sub_days(Days::new(back)));
        let latest = |day: NaiveDate| match self.instants(day.and_time(clock)) {
            Instants::One(time) => (time <= now).then_some(time),
            Instants::Two(_, second) if second <= now => Some(second),
            Instants::Two(first, _) => (first <= now).then_some(first),
            Instants::None => None,
        };
        days.filter_map(latest).next()
    }
}

/// The name: `UTC`, `Europe/Berlin`, or `local time` if the zone of this machine has none.
impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self.0 {
            Kind::Named(zone) => zone.name(),
            Kind::System => "local time",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> Zone {
        let name: ZoneName = name.parse().unwrap();
        name.resolve(&Environment::default()).unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn a_zone_has_a_name_in_any_case() {
        assert_eq!(zone("europe/berlin").to_string(), "Europe/Berlin");
        assert_eq!(zone("utc"), Zone::UTC);
        assert_eq!("LOCAL".parse(), Ok(ZoneName::Local));
    }

    #[test]
    fn the_zone_of_this_machine_is_what_the_variable_says() {
        let local = |variable: &str| {
            let environment: Environment = [("TZ", variable)].into_iter().collect();
            ZoneName::Local.resolve(&environment).unwrap().to_string()
        };
        for (variable, name) in [
            ("Asia/Kolkata", "Asia/Kolkata"),
            (":Asia/Kolkata", "Asia/Kolkata"),
            ("/usr/share/zoneinfo/Asia/Kolkata", "Asia/Kolkata"),
            ("UTC", "UTC"),
            ("Etc/UTC", "UTC"),
            ("CET-1CEST,M3.5.0,M10.5.0/3", "local time"),
        ] {
            assert_eq!(local(variable), name, "{variable}");
        }
    }

    #[test]
    fn a_zone_that_is_not_there_names_similar_ones() {
        let error = |name: &str| name.parse::<ZoneName>().unwrap_err().to_string();
        for (typed, meant) in [
            ("Europe/Brelin", "Europe/Berlin"),
            ("berlin", "Europe/Berlin"),
            ("New York", "America/New_York"),
            ("America/NewYork", "America/New_York"),
            ("Kolkatta", "Asia/Kolkata"),
        ] {
            assert!(error(typed).contains(meant), "{}", error(typed));
        }
        assert_eq!(
            error("0815"),
            "no time zone `0815`; use utc, local or a name such as Europe/Berlin"
        );
    }

    #[test]
    fn clocks_that_are_put_forward_or_back_are_heeded() {
        let berlin = zone("Europe/Berlin");
        let shown = |text: &str| berlin.instants(text.parse().unwrap());
        assert_eq!(
            shown("2026-03-22T09:35:00"),
            Instants::One(at("2026-03-22T08:35:00Z"))
        );
        assert_eq!(shown("2026-03-29T02:30:00"), Instants::None);
        assert_eq!(
            shown("2026-10-25T02:30:00"),
            Instants::Two(at("2026-10-25T00:30:00Z"), at("2026-10-25T01:30:00Z"))
        );
        assert_eq!(
            berlin.shown(at("2026-07-01T22:30:00Z")).to_string(),
            "2026-07-02 00:30:00"
        );
    }

    #[test]
    fn a_day_begins_at_its_first_instant() {
        let start = |name: &str, date: &str| zone(name).start_of(day(date)).unwrap();
        assert_eq!(start("utc", "2026-03-22"), at("2026-03-22T00:00:00Z"));
        assert_eq!(
            start("Europe/Berlin", "2026-03-22"),
            at("2026-03-21T23:00:00Z")
        );
        // Midnight was skipped in Brazil.
        assert_eq!(
            start("America/Sao_Paulo", "2018-11-04"),
            at("2018-11-04T03:00:00Z")
        );
        // The whole day was skipped in Samoa.
        assert_eq!(
            start("Pacific/Apia", "2011-12-30"),
            at("2011-12-30T10:00:00Z")
        );
    }

    #[test]
    fn the_last_half_past_ten_was_today_or_yesterday() {
        let clock = NaiveTime::from_hms_opt(10, 30, 0).unwrap();
        let last = |name: &str, now: &str| zone(name).last(clock, at(now)).unwrap();
        for (name, now, expected) in [
            ("utc", "2026-03-22T12:00:00Z", "2026-03-22T10:30:00Z"),
            ("utc", "2026-03-22T10:30:00Z", "2026-03-22T10:30:00Z"),
            ("utc", "2026-03-22T10:29:59Z", "2026-03-21T10:30:00Z"),
            (
                "Europe/Berlin",
                "2026-03-22T10:00:00Z",
                "2026-03-22T09:30:00Z",
            ),
            ("Asia/Tokyo", "2026-03-22T20:00:00Z", "2026-03-22T01:30:00Z"),
        ] {
            assert_eq!(last(name, now), at(expected), "{name} {now}");
        }
        let half_past_two = NaiveTime::from_hms_opt(2, 30, 0).unwrap();
        let berlin = zone("Europe/Berlin");
        assert_eq!(
            berlin.last(half_past_two, at("2026-03-29T12:00:00Z")),
            Some(at("2026-03-28T01:30:00Z")),
            "it was skipped today"
        );
        assert_eq!(
            berlin.last(half_past_two, at("2026-10-25T12:00:00Z")),
            Some(at("2026-10-25T01:30:00Z")),
            "it came twice today"
        );
    }
}
