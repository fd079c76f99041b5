//! Planning the times of a script's messages, given the existing items of the partition.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use crate::key::{MessageId, SortKey};
use crate::store::MAX_BUMP_MICROS;
use crate::timestamp::Timestamp;

/// Starts that differ by at most this many microseconds belong to the same plan.
const NEAR: u64 = MAX_BUMP_MICROS.unsigned_abs();

/// The reason why a script does not fit the existing messages. Nothing is written then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The conversation would end after now.
    #[error("{0} is later than now")]
    EndsInTheFuture(Timestamp),
    /// An existing message would have to move.
    #[error("message {number} of the script exists at {found}, not at {planned}")]
    WouldMove {
        /// Its number, from 1.
        number: usize,
        /// Its sort key.
        found: SortKey,
        /// Its time according to the other messages.
        planned: Timestamp,
    },
    /// A missing message would get a time after now.
    #[error("message {number} of the script would be at {planned}, later than now")]
    IntoTheFuture {
        /// Its number, from 1.
        number: usize,
        /// Its planned time.
        planned: Timestamp,
    },
    /// The key of a missing message is taken by another message.
    #[error(
        "the key of message {number} of the script, {planned}, is taken by another message: was the file edited?"
    )]
    Occupied {
        /// Its number, from 1.
        number: usize,
        /// Its planned time.
        planned: Timestamp,
    },
    /// A message of the script exists under a sort key that is not a time.
    #[error("message {number} of the script exists at `{found}`, which is not a time")]
    NotATime {
        /// Its number, from 1.
        number: usize,
        /// Its sort key.
        found: SortKey,
    },
    /// A time is outside the years 0000 to 9999.
    #[error("the conversation reaches outside the years 0000 to 9999")]
    OutOfRange,
}

/// The times of all messages of a script, and what to write and remove.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The instant of each message, in order.
    pub times: Vec<Timestamp>,
    /// The missing messages, by their index in the script.
    pub absent: Vec<usize>,
    /// Surplus copies of messages: the index in the script, and the sort key. Runs at the same time leave them. Another
    /// copy of the same message stays or is put.
    pub surplus: Vec<(usize, SortKey)>,
    /// Whether existing messages determined the times.
    pub anchored: bool,
}

/// An existing copy of a message of the script.
struct Copy<'a> {
    index: usize,
    key: &'a SortKey,
    /// Its time, in microseconds since 1970.
    at: i64,
    /// The time of the first message according to this copy.
    start: i64,
}

/// Checks whether a message planned for `planned` may be at `at`: if another message has the key, a put moves to a
/// later key within 1 ms.
fn is_at(planned: i64, at: i64) -> bool {
    (planned..=planned.saturating_add(MAX_BUMP_MICROS)).contains(&at)
}

/// Plans the messages with the given ids.
///
/// `present` has every sort key of the partition, with the id if it is a message. An existing message of the script
/// determines the start: its time minus its index times the interval. If none exists, the last message is at `ends_at`
/// or `now`, and the whole plan moves back by 1 µs at a time until no planned key is taken.
///
/// If a message exists more than once, seeds ran at the same time, each with its own start. The plan uses the latest
/// start: every run that sees the same items makes the same plan, and the newest message never goes back. Copies at
/// other starts are surplus. A copy is surplus only if a later copy of the same message stays or is put first, so the
/// latest copy stays whatever runs do at the same time.
pub(super) fn plan(
    ids: &[MessageId],
    present: &[(SortKey, Option<MessageId>)],
    ends_at: Option<Timestamp>,
    now: Timestamp,
    interval: Duration,
) -> Result<Plan, PlanError> {
    let interval = i64::try_from(interval.as_micros()).map_err(|_| PlanError::OutOfRange)?;
    let copies = copies(ids, present, interval)?;
    if copies.is_empty() {
        let end = ends_at.unwrap_or(now);
        if end > now {
            return Err(PlanError::EndsInTheFuture(end));
        }
        let taken: BTreeSet<&str> = present.iter().map(|(key, _)| key.as_str()).collect();
        return Ok(Plan {
            times: free_times(ids.len(), end, interval, |_, key| taken.contains(key))?,
            absent: (0..ids.len()).collect(),
            surplus: Vec::new(),
            anchored: false,
        });
    }
    let own: HashSet<&MessageId> = ids.iter().collect();
    let foreign = present
        .iter()
        .filter(|(_, id)| id.as_ref().is_none_or(|id| !own.contains(id)))
        .map(|(key, _)| key.as_str())
        .collect();
    fit(ids.len(), interval, &copies, &foreign, now)
}

/// Finds the messages of the script among the existing items, in the order of the script.
fn copies<'a>(
    ids: &[MessageId],
    present: &'a [(SortKey, Option<MessageId>)],
    interval: i64,
) -> Result<Vec<Copy<'a>>, PlanError> {
    let indexes: HashMap<&MessageId, usize> = ids
        .iter()
        .enumerate()
        .map(|(index, id)| (id, index))
        .collect();
    let mut copies = Vec::new();
    for (key, id) in present {
        let Some(index) = id.as_ref().and_then(|id| indexes.get(id).copied()) else {
            continue;
        };
        let time = key.time().map_err(|_| PlanError::NotATime {
            number: index + 1,
            found: key.clone(),
        })?;
        let since_start = number(index)?.checked_mul(interval);
        let start = since_start.and_then(|micros| time.micros().checked_sub(micros));
        copies.push(Copy {
            index,
            key,
            at: time.micros(),
            start: start.ok_or(PlanError::OutOfRange)?,
        });
    }
    copies.sort_by_key(|copy| (copy.index, copy.at));
    Ok(copies)
}

fn number(n: usize) -> Result<i64, PlanError> {
    i64::try_from(n).map_err(|_| PlanError::OutOfRange)
}

/// Returns `count` instants at an interval. The first is at `start`, in microseconds since 1970.
fn times(count: usize, start: i64, interval: i64) -> Result<Vec<Timestamp>, PlanError> {
    (0..count)
        .map(|index| {
            let micros = number(index)?.checked_mul(interval);
            let micros = micros.and_then(|micros| start.checked_add(micros));
            micros
                .and_then(Timestamp::from_micros)
                .ok_or(PlanError::OutOfRange)
        })
        .collect()
}

fn free_times(
    count: usize,
    end: Timestamp,
    interval: i64,
    is_taken: impl Fn(usize, &str) -> bool,
) -> Result<Vec<Timestamp>, PlanError> {
    let length = number(count.saturating_sub(1))?.checked_mul(interval);
    let start = length.and_then(|length| end.micros().checked_sub(length));
    let mut planned = times(count, start.ok_or(PlanError::OutOfRange)?, interval)?;
    let any_taken = |planned: &[Timestamp]| {
        let mut all = planned.iter().enumerate();
        all.any(|(index, time)| is_taken(index, time.to_string().as_str()))
    };
    while any_taken(&planned) {
        for time in &mut planned {
            *time = time.plus_micros(-1).ok_or(PlanError::OutOfRange)?;
        }
    }
    Ok(planned)
}

/// Places all messages again, the last one at `end` or, if keys are taken, as little before it as possible. `is_taken`
/// returns whether a key is not available to the message with an index.
pub(super) fn place_anew(
    count: usize,
    end: Timestamp,
    now: Timestamp,
    interval: Duration,
    is_taken: impl Fn(usize, &str) -> bool,
) -> Result<Vec<Timestamp>, PlanError> {
    if end > now {
        return Err(PlanError::EndsInTheFuture(end));
    }
    let interval = i64::try_from(interval.as_micros()).map_err(|_| PlanError::OutOfRange)?;
    free_times(count, end, interval, is_taken)
}

/// Fits the missing messages of a script between the existing ones, and finds the surplus copies.
fn fit(
    count: usize,
    interval: i64,
    copies: &[Copy<'_>],
    foreign: &BTreeSet<&str>,
    now: Timestamp,
) -> Result<Plan, PlanError> {
    // The starts of runs at the same time: the starts of messages that exist more than once.
    let by_index: Vec<&[Copy<'_>]> = copies.chunk_by(|a, b| a.index == b.index).collect();
    let doubled = by_index.iter().filter(|copies| copies.len() > 1);
    let runs: Vec<i64> = doubled
        .flat_map(|copies| copies.iter().map(|copy| copy.start))
        .collect();
    let is_of_a_run = |copy: &Copy<'_>| runs.iter().any(|run| run.abs_diff(copy.start) <= NEAR);
    let top = runs.iter().copied().max();
    let about = top.or_else(|| copies.first().map(|copy| copy.start));
    let about = about.ok_or(PlanError::OutOfRange)?;
    // A message that had to move to a later key gives a start that is too late. The earliest start nearby is the true
    // one.
    let starts = copies.iter().map(|copy| copy.start);
    let start = starts.filter(|start| start.abs_diff(about) <= NEAR).min();
    let times = times(count, start.unwrap_or(about), interval)?;

    let mut plan = Plan {
        times,
        absent: Vec::new(),
        surplus: Vec::new(),
        anchored: true,
    };
    let mut present = by_index.into_iter().peekable();
    for (index, planned) in plan.times.iter().enumerate() {
        let number = index + 1;
        let copies = present.next_if(|copies| copies[0].index == index);
        let copies = copies.unwrap_or_default();
        let stays = copies
            .iter()
            .rposition(|copy| is_at(planned.micros(), copy.at));
        for (nth, copy) in copies.iter().enumerate() {
            if stays == Some(nth) {
                continue;
            }
            // A copy that is removed must be earlier than the copy that stays or is put.
            if !is_of_a_run(copy) || copy.at > planned.micros().saturating_add(MAX_BUMP_MICROS) {
                return Err(PlanError::WouldMove {
                    number,
                    found: copy.key.clone(),
                    planned: *planned,
                });
            }
            plan.surplus.push((index, copy.key.clone()));
        }
        if stays.is_some() {
            continue;
        }
        // Otherwise another run chose this time, and its clock may be ahead of ours.
        if copies.is_empty() && top.is_none() && *planned > now {
            let planned = *planned;
            return Err(PlanError::IntoTheFuture { number, planned });
        }
        if foreign.contains(planned.to_string().as_str()) {
            let planned = *planned;
            return Err(PlanError::Occupied { number, planned });
        }
        plan.absent.push(index);
    }
    Ok(plan)
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

    fn later(micros: i64) -> Timestamp {
        now().plus_micros(micros).unwrap()
    }

    fn ids(count: u128) -> Vec<MessageId> {
        (0..count)
            .map(|n| MessageId::new(Uuid::from_u128(n)))
            .collect()
    }

    fn written(
        plan: &Plan,
        ids: &[MessageId],
        indexes: &[usize],
    ) -> Vec<(SortKey, Option<MessageId>)> {
        indexes
            .iter()
            .map(|index| (plan.times[*index].into(), Some(ids[*index])))
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
    fn runs_at_the_same_time_come_to_the_latest_plan() {
        let script = ids(3);
        let first = plan(&script, &[], None, now(), MINUTE).unwrap();
        let second = plan(&script, &[], None, later(17_000), MINUTE).unwrap();
        // The first plan is complete. Of the second plan, the last message and one more exist.
        let mut there = written(&first, &script, &[0, 1, 2]);
        there.extend(written(&second, &script, &[0, 2]));
        let both = plan(&script, &there, None, later(20_000), MINUTE).unwrap();
        assert_eq!(both.times, second.times);
        assert_eq!(both.absent, [1]);
        let surplus: Vec<_> = (0..3).map(|n| (n, first.times[n].into())).collect();
        assert_eq!(both.surplus, surplus);
        // A run that sees the rest reaches the same result.
        let there = written(&second, &script, &[0, 1, 2]);
        let done = plan(&script, &there, None, later(20_000), MINUTE).unwrap();
        assert_eq!(
            (done.times, done.absent, done.surplus),
            (second.times, vec![], vec![])
        );
    }

    #[test]
    fn runs_within_a_millisecond_are_one_plan() {
        let script = ids(3);
        let first = plan(&script, &[], None, now(), MINUTE).unwrap();
        let second = plan(&script, &[], None, later(300), MINUTE).unwrap();
        let mut there = written(&first, &script, &[0, 2]);
        there.extend(written(&second, &script, &[2]));
        let both = plan(&script, &there, None, later(600), MINUTE).unwrap();
        assert_eq!(both.times, first.times);
        assert_eq!(both.absent, [1]);
        assert_eq!(
            both.surplus,
            [(2, first.times[2].into())],
            "the later one stays"
        );
    }

    #[test]
    fn a_message_that_moved_on_is_where_it_belongs() {
        let script = ids(3);
        let first = plan(&script, &[], None, now(), MINUTE).unwrap();
        let mut there = written(&first, &script, &[1]);
        let moved = first.times[0].plus_micros(7).unwrap();
        there.push((moved.into(), Some(script[0])));
        let again = plan(&script, &there, None, now(), MINUTE).unwrap();
        assert_eq!(again.times, first.times);
        assert_eq!((again.absent, again.surplus), (vec![2], vec![]));
    }

    #[test]
    fn what_no_run_at_the_same_time_explains_is_not_touched() {
        let script = ids(4);
        let first = plan(&script, &[], None, now(), MINUTE).unwrap();
        let second = plan(&script, &[], None, later(17_000), MINUTE).unwrap();
        let mut there = written(&first, &script, &[3]);
        there.extend(written(&second, &script, &[3]));
        let elsewhere = later(-500_000_000);
        there.push((elsewhere.into(), Some(script[1])));
        assert!(matches!(
            plan(&script, &there, None, later(20_000), MINUTE),
            Err(PlanError::WouldMove { number: 2, .. })
        ));
        let soon = [(SortKey::verbatim("soon"), Some(script[1]))];
        assert!(matches!(
            plan(&script, &soon, None, now(), MINUTE),
            Err(PlanError::NotATime { number: 2, .. })
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
        /// p14: whatever part of the messages a killed run left, the next run fits the rest around it, at any later
        /// time and with any other messages.
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
            let indexes: Vec<usize> = (0..count).filter(|index| left[*index]).collect();
            prop_assume!(!indexes.is_empty());
            let mut present = written(&first, &script, &indexes);
            present.extend(foreign);
            let again = now().plus_micros(later).unwrap();
            let second = plan(&script, &present, ends_at, again, MINUTE).unwrap();
            prop_assert_eq!(&second.times, &first.times);
            let absent: Vec<usize> = (0..count).filter(|index| !left[*index]).collect();
            prop_assert_eq!(second.absent, absent);
        }

        /// Runs at the same time, each with its own start and interrupted anywhere, reach one plan with each message
        /// once. No step removes the last copy of a message or the newest message.
        #[test]
        fn p14_runs_at_once_cut_anywhere_come_to_one_plan(
            count in 1usize..12,
            starts in prop::collection::vec(0i64..3_000_000, 1..4),
            left in prop::collection::vec(any::<bool>(), 40),
        ) {
            let script = ids(count as u128);
            let last = count - 1;
            let mut there = Vec::new();
            for (run, start) in starts.iter().enumerate() {
                let own = plan(&script, &[], None, later(*start), MINUTE).unwrap();
                // The last message is always written first.
                let indexes: Vec<usize> =
                    (0..count).filter(|n| *n == last || left[run * 12 + n]).collect();
                for found in written(&own, &script, &indexes) {
                    if !there.contains(&found) {
                        there.push(found);
                    }
                }
            }
            let newest = there.iter().map(|(key, _)| key.clone()).max();
            let again = plan(&script, &there, None, later(5_000_000), MINUTE).unwrap();
            there.extend(written(&again, &script, &again.absent));
            for (index, key) in &again.surplus {
                let gone = (key.clone(), Some(script[*index]));
                prop_assert!(there.contains(&gone));
                there.retain(|found| *found != gone);
            }
            prop_assert_eq!(there.len(), count);
            prop_assert!(script.iter().all(|id| there.iter().any(|found| found.1 == Some(*id))));
            prop_assert_eq!(there.iter().map(|(key, _)| key.clone()).max(), newest);
            let done = plan(&script, &there, None, later(5_000_000), MINUTE).unwrap();
            prop_assert_eq!((done.absent, done.surplus), (vec![], vec![]));
        }
    }
}
