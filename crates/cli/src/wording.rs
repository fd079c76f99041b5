//! Numbers and times as people read them.

use ddb_core::timestamp::Timestamp;

/// Returns `1 item`, `2 items`.
pub fn plural(count: u64, one: &str, many: &str) -> String {
    if count == 1 {
        format!("1 {one}")
    } else {
        format!("{count} {many}")
    }
}

/// Returns `, 12.5 capacity units` where the service said so.
pub fn capacity(consumed: Option<f64>) -> String {
    match consumed {
        None => String::new(),
        Some(1.0) => ", 1 capacity unit".to_owned(),
        Some(units) => format!(", {units} capacity units"),
    }
}

/// Returns a stored time for people, in UTC; as it is stored where it is no time.
pub fn utc(stored: &str) -> String {
    match stored.parse::<Timestamp>() {
        Ok(time) => time.for_people().to_string(),
        Err(_) => stored.to_owned(),
    }
}
