//! Where in time the messages of a script belong, given what is in the partition already.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use crate::key::{MessageId, SortKey};
use crate::timestamp::Timestamp;

/// Says why a script does not fit what is there. Nothing is written then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The conversation would end after now.
    #[error("--ends-at {0} is later than now")]
    EndsInTheFuture(Timestamp),
    /// A message that is there would have to move.
    #[error("message {number} of the script is there at {found}, not at {planned}")]
    WouldMove {
        /// Its number, from 1.
        number: usize,
        /// Where it is.
        found: SortKey,
        /// Where the others say it belongs.
        planned: Timestamp,
    },
    /// A message that is not there would get a time after now.
    #[error("message {number} of the script would be at {planned}, later than now")]
    IntoTheFuture {
        /// Its number, from 1.
        number: usize,
        /// Where it belongs.
        planned: Timestamp,
    },
    /// The place of a message that is not there is held by another message.
    #[error(
        "the place of message {number} of the script, {planned}, is held by another message: was the file edited?"
    )]
    Occupied {
        /// Its number, from 1.
        number: usize,
        /// Where it belongs.
        planned: Timestamp,
    },
    /// A message of the script is there more than once: two seeds ran at the same time.
    #[error("message {number} of the script is there more than once: at {first} and at {second}")]
    Doubled {
        /// Its number, from 1.
        number: usize,
        /// Where it is.
        first: SortKey,
        /// Where it is, too.
        second: SortKey,
    },
    /// A time is outside the years 0000 to 9999.
    #[error("the conversation reaches outside the years 0000 to 9999")]
    OutOfRange,
}

/// Places every message of a script in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The instant of each message, in order.
    pub times: Vec<Timestamp>,
    /// Which messages are not there yet, by their place in the script.
    pub absent: Vec<usize>,
    /// Whether messages that are there decided about the time.
    pub anchored: bool,
}

/// Plans the messages with the given ids.
///
/// `present` holds every sort key of the partition, with the id where it is a message. A message of
/// the script that is there fixes the start, its time less its place times the interval. Where none
/// is there, the last one is at `ends_at` or `now`, and the whole plan goes back by 1 µs until no
/// planned key is taken.
pub(super) fn plan(
    ids: &[MessageId],
    present: &[(SortKey, Option<MessageId>)],
    ends_at: Option<Timestamp>,
    now: Timestamp,
    interval: Duration,
) -> Result<Plan, PlanError> {
    let interval = i64::try_from(interval.as_micros()).map_err(|_| PlanError::OutOfRange)?;
    let mut by_id: HashMap<&MessageId, &SortKey> = HashMap::new();
    for (key, id) in present {
        if let Some(id) = id
            && let Some(first) = by_id.insert(id, key)
            && let Some(place) = ids.iter().position(|wanted| wanted == id)
        {
            return Err(PlanError::Doubled {
                number: place + 1,
                first: first.clone(),
                second: key.clone(),
            });
        }
    }
    let taken: BTreeSet<&str> = present.iter().map(|(key, _)| key.as_str()).collect();
    let anchor = ids
        .iter()
        .enumerate()
        .find_map(|(place, id)| Some((place, by_id.get(id)?.time().ok()?)));
    match anchor {
        Some((place, time)) => {
            let times = times(ids.len(), place, time, interval)?;
            fit(ids, &by_id, &taken, times, now)
        }
        None => {
            let end = ends_at.unwrap_or(now);
            if end > now {
                return Err(PlanError::EndsInTheFuture(end));
            }
            Ok(Plan {
                times: free_times(ids.len(), end, interval, &taken)?,
                absent: (0..ids.len()).collect(),
                anchored: false,
            })
        }
    }
}

/// Spreads `count` instants at an interval, with that of `place` at `time`.
fn times(
    count: usize,
    place: usize,
    time: Timestamp,
    interval: i64,
) -> Result<Vec<Timestamp>, PlanError> {
    let number = |n: usize| i64::try_from(n).map_err(|_| PlanError::OutOfRange);
    let place = number(place)?;
    (0..count)
        .map(|index| {
            let micros = (number(index)? - place)
                .checked_mul(interval)
                .ok_or(PlanError::OutOfRange)?;
            time.plus_micros(micros).ok_or(PlanError::OutOfRange)
        })
        .collect()
}

fn free_times(
    count: usize,
    end: Timestamp,
    interval: i64,
    taken: &BTreeSet<&str>,
) -> Result<Vec<Timestamp>, PlanError> {
    let mut planned = times(count, count.saturating_sub(1), end, interval)?;
    if taken.is_empty() {
        return Ok(planned);
    }
    while planned
        .iter()
        .any(|time| taken.contains(time.to_string().as_str()))
    {
        for time in &mut planned {
            *time = time.plus_micros(-1).ok_or(PlanError::OutOfRange)?;
        }
    }
    Ok(planned)
}

/// Fits the absent messages between those that are there.
fn fit(
    ids: &[MessageId],
    by_id: &HashMap<&MessageId, &SortKey>,
    taken: &BTreeSet<&str>,
    times: Vec<Timestamp>,
    now: Timestamp,
) -> Result<Plan, PlanError> {
    let mut absent = Vec::new();
    for (index, (id, planned)) in ids.iter().zip(&times).enumerate() {
        let (number, planned) = (index + 1, *planned);
        match by_id.get(id) {
            Some(found) if found.time() == Ok(planned) => {}
            Some(found) => {
                return Err(PlanError::WouldMove {
                    number,
                    found: (*found).clone(),
                    planned,
                });
            }
            None if planned > now => return Err(PlanError::IntoTheFuture { number, planned }),
            None if taken.contains(planned.to_string().as_str()) => {
                return Err(PlanError::Occupied { number, planned });
            }
            None => absent.push(index),
        }
    }
    Ok(Plan {
        times,
        absent,
        anchored: true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use uuid::Uuid;

    const MINUTE: Duration = Duration::from_secs(60);

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn now() -> Timestamp {
        at("2026-03-22T12:00:00Z")
    }

    fn ids(count: u128) -> Vec<MessageId> {
        (0..count)
            .map(|n| MessageId::new(Uuid::from_u128(n)))
            .collect()
    }

    fn written(
        plan: &Plan,
        ids: &[MessageId],
        places: &[usize],
    ) -> Vec<(SortKey, Option<MessageId>)> {
        places
            .iter()
            .map(|place| (plan.times[*place].into(), Some(ids[*place])))
            .collect()
    }

    #[test]
    fn a_new_conversation_ends_now_or_when_it_is_told_to() {
        let ids = ids(3);
        let fresh = plan(&ids, &[], None, now(), MINUTE).unwrap();
        assert_eq!(
            fresh.times,
            [
                at("2026-03-22T11:58:00Z"),
                at("2026-03-22T11:59:00Z"),
                now()
            ]
        );
        assert_eq!(fresh.absent, [0, 1, 2]);
        let end = at("2020-01-01T00:00:00Z");
        let past = plan(&ids, &[], Some(end), now(), MINUTE).unwrap();
        assert_eq!(past.times[2], end);
        let future = at("2026-03-22T12:00:00.000001Z");
        assert_eq!(
            plan(&ids, &[], Some(future), now(), MINUTE),
            Err(PlanError::EndsInTheFuture(future))
        );
    }

    #[test]
    fn a_taken_key_moves_the_whole_plan_back() {
        let ids = ids(3);
        let taken = |micros: i64| (now().plus_micros(-micros).unwrap().into(), None);
        let present = [taken(0), taken(60_000_001), taken(2)];
        let plan = plan(&ids, &present, None, now(), MINUTE).unwrap();
        assert_eq!(plan.times[2], now().plus_micros(-3).unwrap());
        assert_eq!(plan.times[1].micros() - plan.times[0].micros(), 60_000_000);
    }

    #[test]
    fn an_edited_file_is_refused() {
        let script = ids(4);
        let first = plan(&script, &[], None, now(), MINUTE).unwrap();
        let later = now().plus_micros(10_000_000).unwrap();
        let there = written(&first, &script, &[0, 1, 2, 3]);

        let mut edited = script.clone();
        edited[1] = MessageId::new(Uuid::from_u128(99));
        assert_eq!(
            plan(&edited, &there, None, later, MINUTE),
            Err(PlanError::Occupied {
                number: 2,
                planned: first.times[1]
            })
        );
        let longer = ids(5);
        assert!(matches!(
            plan(&longer, &there, None, later, MINUTE),
            Err(PlanError::IntoTheFuture { number: 5, .. })
        ));
        let much_later = now().plus_micros(60_000_000).unwrap();
        let appended = plan(&longer, &there, None, much_later, MINUTE).unwrap();
        assert_eq!(appended.absent, [4]);
        assert!(matches!(
            plan(&script, &there, None, later, MINUTE * 2),
            Err(PlanError::WouldMove { number: 2, .. })
        ));
    }

    #[test]
    fn a_script_that_is_there_twice_is_refused() {
        let script = ids(3);
        let first = plan(&script, &[], None, now(), MINUTE).unwrap();
        let mut there = written(&first, &script, &[0, 1, 2]);
        there.push((now().plus_micros(-17).unwrap().into(), Some(script[2])));
        assert!(matches!(
            plan(&script, &there, None, now(), MINUTE),
            Err(PlanError::Doubled { number: 3, .. })
        ));
    }

    #[test]
    fn times_beyond_the_written_form_are_refused() {
        let many = ids(3);
        let ages = Duration::from_secs(60 * 60 * 24 * 365 * 2000);
        assert_eq!(
            plan(&many, &[], None, now(), ages),
            Err(PlanError::OutOfRange)
        );
        assert_eq!(
            plan(&many, &[], None, now(), Duration::MAX),
            Err(PlanError::OutOfRange)
        );
    }

    proptest! {
        /// p14: whatever part of the messages a killed run left, the next run fits the rest around it,
        /// whenever it comes and whatever other messages are there.
        #[test]
        fn p14_any_part_fixes_the_whole(
            count in 1usize..30,
            left in prop::collection::vec(any::<bool>(), 30),
            later in 0i64..1_000_000_000_000,
            foreign in prop::collection::btree_set(0i64..200_000_000, 0..20),
            ends_at in prop::option::of(0i64..1_000_000_000),
        ) {
            let script = ids(count as u128);
            let foreign: Vec<(SortKey, Option<MessageId>)> = foreign
                .iter()
                .map(|micros| (now().plus_micros(-micros).unwrap().into(), None))
                .collect();
            let ends_at = ends_at.map(|micros| now().plus_micros(-micros).unwrap());
            let first = plan(&script, &foreign, ends_at, now(), MINUTE).unwrap();
            let places: Vec<usize> = (0..count).filter(|place| left[*place]).collect();
            prop_assume!(!places.is_empty());
            let mut present = written(&first, &script, &places);
            present.extend(foreign);
            let again = now().plus_micros(later).unwrap();
            let second = plan(&script, &present, ends_at, again, MINUTE).unwrap();
            prop_assert_eq!(&second.times, &first.times);
            let absent: Vec<usize> = (0..count).filter(|place| !left[*place]).collect();
            prop_assert_eq!(second.absent, absent);
        }
    }
}
