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

/// Says how many items were left out of a stretch of time because they have none.
pub fn left_out(undated: u64) -> String {
    format!(
        "{} left out: the sort key is not a time",
        plural(undated, "item was", "items were")
    )
}

/// Returns `, 12.5 capacity units` where the service said so.
pub fn capacity(consumed: Option<f64>) -> String {
    match consumed {
        None => String::new(),
        Some(1.0) => ", 1 capacity unit".to_owned(),
        Some(units) => format!(", {units} capacity units"),
    }
}

/// Returns a stored time for people, to the minute, in a zone that is named; as it is stored where it is no time.
pub fn to_the_minute(stored: &str, zone: Zone) -> String {
    match stored.parse::<Timestamp>() {
        Ok(time) => format!("{} {zone}", zone.shown(time).format("%Y-%m-%d %H:%M")),
        Err(_) => stored.to_owned(),
    }
}

/// Returns a stored time for people, in a zone; as it is stored where it is no time.
pub fn in_zone(stored: &str, zone: Zone) -> String {
    match stored.parse::<Timestamp>() {
        Ok(time) => zone.shown(time).format("%Y-%m-%d %H:%M:%S").to_string(),
        Err(_) => stored.to_owned(),
    }
}
