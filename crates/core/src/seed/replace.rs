//! Replacing a seeded conversation with an edited script. Messages that a seed wrote and that are no longer in the
//! script are deleted; messages that people wrote stay.
//!
//! A message was written by a seed if its id is derived from an index, its sender and its text. Existing messages of
//! the script stay, and the others are placed around them. If they do not fit, the whole script is placed again, ending
//! where the seeded messages ended. The step that changes the newest message is the last, together with the rows, so
//! that no row ever shows a deleted message. If a run is killed at any point, the next run reaches the same result.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::plan::{self, PlanError};
use super::run::{Seed, SeedError, look};
use super::script::Script;
use crate::changes::{Packer, Replan, Step, StepSize};
use crate::conversation::row_changes_to;
use crate::error::Error;
use crate::item::{Message, RawItem};
use crate::key::{MessageId, SortKey};
use crate::store::{ItemChange, Store, check_size};
use crate::timestamp::Timestamp;

/// The reason of the steps of a replacement.
pub const REPLACE: &str = "seed-replace";

/// The number of indexes that are tried even if there are fewer messages: messages of a longer file may have been
/// deleted.
const MIN_INDEXES: usize = 10_000;

const KEYED: &str = "both images of a message have its key";

/// A planned replacement.
#[derive(Debug)]
pub struct Replacement {
    /// All messages of the script, with their times.
    pub messages: Vec<Message>,
    /// The number of these messages that are put.
    pub written: u64,
    /// The number of messages that are deleted because they are no longer in the file.
    pub removed: u64,
    /// The number of messages that others wrote, which stay.
    pub others: u64,
    /// The steps, in order.
    pub steps: Vec<Step>,
}

/// A message that a seed wrote.
struct Seeded {
    raw: RawItem,
    message: Message,
    /// Whether it is in the script.
    is_of_script: bool,
}

/// Finds the index that an id is derived from. Messages are mostly in the order of their script.
struct Indexes {
    next: usize,
    most: usize,
}

impl Indexes {
    fn follow(&mut self, message: &Message) -> bool {
        let of = |index: usize| {
            let (conversation, sender) = (&message.conversation, &message.sender.id);
            MessageId::derive(conversation, index, sender, &message.text) == message.id
        };
        if !message.id.may_be_derived() {
            return false;
        }
        let found = match of(self.next) {
            true => Some(self.next),
            false => (0..self.most).find(|index| of(*index)),
        };
        self.next = found.map_or(self.next, |index| index + 1);
        found.is_some()
    }
}

/// The times of the script's messages, and the seeded messages that stay.
struct Places {
    times: Vec<Timestamp>,
    /// The keys of messages that stay, by their index in the script.
    stay: HashMap<usize, SortKey>,
}

/// Reads the conversation consistently, and plans the changes that make it match the script. Writes nothing.
///
/// # Errors
///
/// If a request fails, the conversation belongs to other people, or the script cannot be placed in time.
pub async fn plan_replacement(
    store: &Store,
    seed: &Seed,
    script: &Script,
    now: Timestamp,
    size: StepSize,
) -> Result<Replacement, SeedError> {
    let mut lines = seed.lines(script);
    let ids: Vec<MessageId> = lines.iter().map(|line| line.id).collect();
    let present = look(store, seed, |raw, message| (raw, message)).await?;
    let mut indexes = Indexes {
        next: 0,
        most: present.len().max(MIN_INDEXES),
    };
    let of_script: HashSet<MessageId> = ids.iter().copied().collect();
    let mut seeded: BTreeMap<SortKey, Seeded> = BTreeMap::new();
    let mut others: Vec<(SortKey, Option<Message>)> = Vec::new();
    for (key, found) in present {
        match found {
            Some((raw, message)) if indexes.follow(&message) => {
                let is_of_script = of_script.contains(&message.id);
                let own = Seeded {
                    raw,
                    message,
                    is_of_script,
                };
                seeded.insert(key, own);
            }
            found => others.push((key, found.map(|(_, message)| message))),
        }
    }
    let places = place(seed, &ids, &seeded, &others, now);
    let places = places.map_err(|error| SeedError::Plan {
        conversation: seed.conversation,
        error,
    })?;
    for (index, (line, time)) in lines.iter_mut().zip(&places.times).enumerate() {
        let stays = places.stay.get(&index).cloned();
        line.created_at = stays.unwrap_or_else(|| (*time).into());
        if !places.stay.contains_key(&index) {
            check_size(&RawItem::from(&*line))?;
        }
    }
    let theirs = others.iter().filter_map(|(_, message)| message.as_ref());
    let newest = lines.iter().chain(theirs.clone());
    let newest = newest.max_by(|a, b| a.created_at.cmp(&b.created_at));
    let removed = seeded.values().filter(|own| !own.is_of_script).count() as u64;
    let stay: BTreeSet<&SortKey> = places.stay.values().collect();
    let puts = lines.iter().enumerate();
    let puts = puts.filter(|(index, _)| !places.stay.contains_key(index));
    let puts: Vec<&Message> = puts.map(|(_, line)| line).collect();
    let groups = groups(&puts, &seeded, &stay);
    let newest_before = seeded.keys().next_back().map(|key| key.as_str().to_owned());
    let newest_then = newest.map(|newest| newest.created_at.as_str().to_owned());
    let marks = [newest_before, newest_then];
    let is_last = |change: &ItemChange| {
        let marks = marks.iter().flatten();
        marks.into_iter().any(|mark| mark == change.sk())
    };
    let (mut last, mut packer, mut steps) = (Vec::new(), Packer::new(size), Vec::new());
    let conversation = Some(seed.conversation);
    for group in groups {
        match group.iter().any(is_last) {
            true => last.extend(group),
            false => steps.extend(packer.add(conversation, REPLACE, group)),
        }
    }
    steps.extend(packer.finish());
    if let Some(newest) = newest {
        last.extend(row_changes_to(store, newest, &seed.people()).await?);
    }
    if !last.is_empty() {
        steps.push(Step {
            conversation,
            why: REPLACE.into(),
            changes: last,
        });
    }
    Ok(Replacement {
        written: puts.len() as u64,
        removed,
        others: theirs.count() as u64,
        steps,
        messages: lines,
    })
}

/// Finds the times of the script's messages: around the existing messages, or all of them again.
fn place(
    seed: &Seed,
    ids: &[MessageId],
    seeded: &BTreeMap<SortKey, Seeded>,
    others: &[(SortKey, Option<Message>)],
    now: Timestamp,
) -> Result<Places, PlanError> {
    let own = seeded.iter().filter(|(_, own)| own.is_of_script);
    let theirs = others.iter();
    let theirs = theirs.map(|(key, message)| (key.clone(), message.as_ref().map(|m| m.id)));
    let present = own.map(|(key, own)| (key.clone(), Some(own.message.id)));
    let present: Vec<(SortKey, Option<MessageId>)> = present.chain(theirs).collect();
    let around = plan::plan(ids, &present, seed.ends_at, now, seed.interval);
    let indexes: HashMap<&MessageId, usize> = ids.iter().zip(0..).collect();
    let error = match around {
        Ok(plan) if plan.anchored && plan.surplus.is_empty() => {
            let stay = present.into_iter().filter_map(|(key, id)| {
                let index = indexes.get(&id?)?;
                Some((*index, key))
            });
            return Ok(Places {
                stay: stay.collect(),
                times: plan.times,
            });
        }
        Ok(_) => None,
        Err(error) => Some(error),
    };
    // If somebody changed the text of a seeded message, it is theirs now and keeps its time.
    let ids_of_others = others.iter().filter_map(|(_, message)| message.as_ref());
    if let Some(error) = error
        && ids_of_others
            .into_iter()
            .any(|m| indexes.contains_key(&m.id))
    {
        return Err(error);
    }
    let ended = seeded.keys().rev().find_map(|key| key.time().ok());
    let end = seed.ends_at.or(ended.filter(|ended| *ended <= now));
    let taken: BTreeSet<&str> = others.iter().map(|(key, _)| key.as_str()).collect();
    let holds_other = |index: usize, key: &str| {
        let own = seeded.get(&SortKey::verbatim(key));
        own.is_some_and(|own| own.is_of_script && own.message.id != ids[index])
    };
    let is_taken = |index: usize, key: &str| taken.contains(key) || holds_other(index, key);
    let count = ids.len();
    let times = plan::place_anew(count, end.unwrap_or(now), now, seed.interval, is_taken)?;
    let stay = times.iter().enumerate().filter_map(|(index, time)| {
        let key = SortKey::from(*time);
        let own = seeded.get(&key)?;
        (own.message.id == ids[index]).then_some((index, key))
    });
    Ok(Places {
        stay: stay.collect(),
        times,
    })
}

/// Groups the changes that belong together: a message is put in place of one of the old script, and deleted at its own
/// old key, in one transaction. So no message is ever lost or doubled.
fn groups(
    puts: &[&Message],
    seeded: &BTreeMap<SortKey, Seeded>,
    stay: &BTreeSet<&SortKey>,
) -> Vec<Vec<ItemChange>> {
    let mut gone: BTreeMap<&SortKey, &Seeded> = seeded.iter().collect();
    gone.retain(|key, _| !stay.contains(*key));
    let mut copies: HashMap<MessageId, Vec<&SortKey>> = HashMap::new();
    for (key, own) in &gone {
        copies.entry(own.message.id).or_default().push(key);
    }
    let mut groups = Vec::new();
    for put in puts {
        let before = gone.remove(&put.created_at).map(|own| own.raw.clone());
        let moved = copies.remove(&put.id).unwrap_or_default();
        let mut group = vec![ItemChange::new(before, Some(RawItem::from(*put))).expect(KEYED)];
        let moved = moved.into_iter().filter_map(|key| gone.remove(key));
        group.extend(moved.map(deleted));
        groups.push(group);
    }
    groups.extend(gone.into_values().map(|own| vec![deleted(own)]));
    groups
}

fn deleted(own: &Seeded) -> ItemChange {
    ItemChange::new(Some(own.raw.clone()), None).expect(KEYED)
}

/// Plans a replacement again after items changed.
#[derive(Debug)]
pub struct ReplaceAgain<'a> {
    store: &'a Store,
    seed: &'a Seed,
    script: &'a Script,
    size: StepSize,
}

impl<'a> ReplaceAgain<'a> {
    /// Plans with the same seed and script.
    pub fn new(store: &'a Store, seed: &'a Seed, script: &'a Script, size: StepSize) -> Self {
        Self {
            store,
            seed,
            script,
            size,
        }
    }
}

impl Replan for ReplaceAgain<'_> {
    async fn again(&self, _step: &Step) -> Result<Option<Vec<Step>>, Error> {
        let now = Timestamp::now();
        let planned = plan_replacement(self.store, self.seed, self.script, now, self.size).await;
        match planned {
            Ok(planned) => Ok(Some(planned.steps)),
            Err(SeedError::Store(error)) => Err(error),
            // The script does not fit any more, so the step is left and reported.
            Err(_) => Ok(None),
        }
    }
}
