//! Numbers and times as people read them.

use ddb_core::timestamp::Timestamp;
use ddb_core::timezone::Zone;

/// Returns `1 item`, `2 items`.
pub fn plural(count: u64, one: &str, many: &str) -> String {
    if count == 1 {
        format!("1 {one}")
    } else {
        format!("{count} {many}")
    }
}

/// Describes how many items were left out of a time range because they have no time.
pub fn left_out(undated: u64) -> String {
    format!(
        "{} left out: the sort key is not a time",
        plural(undated, "item was", "items were")
    )
}

/// Returns `, 12.5 capacity units` if the service reported them.
pub fn capacity(consumed: Option<f64>) -> String {
    match consumed {
        None => String::new(),
        Some(1.0) => ", 1 capacity unit".to_owned(),
        Some(units) => format!(", {units} capacity units"),
    }
}

/// Formats a stored time for people, to the minute, with the name of the zone. Anything else is returned unchanged.
pub fn to_the_minute(stored: &str, zone: Zone) -> String {
    match stored.parse::<Timestamp>() {
        Ok(time) => format!("{} {zone}", zone.shown(time).format("%Y-%m-%d %H:%M")),
        Err(_) => stored.to_owned(),
    }
}

/// Formats a stored time for people, in a zone. Anything else is returned unchanged.
pub fn in_zone(stored: &str, zone: Zone) -> String {
    match stored.parse::<Timestamp>() {
        Ok(time) => zone.shown(time).format("%Y-%m-%d %H:%M:%S").to_string(),
        Err(_) => stored.to_owned(),
    }
}

/// Formats two stored times for people, to the minute, in a zone: `2026-03-22 19:22 to 21:04 UTC`.
pub fn span(first: &str, last: &str, zone: Zone) -> String {
    let [Ok(from), Ok(until)] = [first, last].map(str::parse::<Timestamp>) else {
        return format!("{first} to {last}");
    };
    let [from, until] = [from, until].map(|time| zone.shown(time));
    let last = match from.date() == until.date() {
        true => until.format("%H:%M"),
        false => until.format("%Y-%m-%d %H:%M"),
    };
    format!("{} to {last} {zone}", from.format("%Y-%m-%d %H:%M"))
}

/// Returns the first eight digits of an id, by which people distinguish conversations.
pub fn short(id: &str) -> &str {
    const DIGITS: usize = 8;
    id.get(..DIGITS).unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_named_once() {
        let times = [
            "2026-03-22T19:22:00Z",
            "2026-03-22T21:04:59Z",
            "2026-03-23T00:00:00Z",
        ];
        assert_eq!(
            span(times[0], times[1], Zone::UTC),
            "2026-03-22 19:22 to 21:04 UTC"
        );
        assert_eq!(
            span(times[0], times[2], Zone::UTC),
            "2026-03-22 19:22 to 2026-03-23 00:00 UTC"
        );
        assert_eq!(
            span("soon", times[0], Zone::UTC),
            "soon to 2026-03-22T19:22:00Z"
        );
    }
}
