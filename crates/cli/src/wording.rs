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

/// Returns two stored times for people, to the minute: `2026-03-22 19:22 to 21:04 UTC`.
pub fn span(first: &str, last: &str) -> String {
    let [Ok(from), Ok(until)] = [first, last].map(str::parse::<Timestamp>) else {
        return format!("{first} to {last}");
    };
    // Years have four digits.
    let minute = |time: Timestamp| time.for_people().to_string()[..16].to_owned();
    let [first, last] = [minute(from), minute(until)];
    match from.date() == until.date() {
        true => format!("{first} to {} UTC", &last[11..]),
        false => format!("{first} to {last} UTC"),
    }
}

/// Returns the first eight digits of an id, which is how people tell conversations apart.
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
        assert_eq!(span(times[0], times[1]), "2026-03-22 19:22 to 21:04 UTC");
        assert_eq!(
            span(times[0], times[2]),
            "2026-03-22 19:22 to 2026-03-23 00:00 UTC"
        );
        assert_eq!(span("soon", times[0]), "soon to 2026-03-22T19:22:00Z");
    }
}
