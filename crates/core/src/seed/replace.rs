//! Making an edited script what is in the table: what a seed wrote and the script does not have any more goes, what
//! people wrote stays.
//!
//! A message is a seed's own where its id follows from an index, its sender and its text. Where messages of the script
//! are there, they stay, and the others come around them; where that does not fit, all of the script is placed anew, to
//! end where the seeded messages ended. The step that changes the newest message comes last, together with the rows, so
//! that no row is ever of a message that is gone, and a run that was killed anywhere comes to the same end.

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

/// Why the steps of a replacement are made.
pub const REPLACE: &str = "seed-replace";

/// Indexes that are tried, even where fewer messages are there: some of a longer file may have been deleted.
const MIN_INDEXES: usize = 10_000;

const KEYED: &str = "both images of a message have its key";

/// What a replacement does.
#[derive(Debug)]
pub struct Replacement {
    /// All messages of the script, with their times.
    pub messages: Vec<Message>,
    /// How many of them are put.
    pub written: u64,
    /// How many messages of the file as it was are taken out.
    pub removed: u64,
    /// How many messages others wrote; they stay.
    pub others: u64,
    /// The steps, in order.
    pub steps: Vec<Step>,
}

/// A message that a seed wrote.
struct Seeded {
    raw: RawItem,
    message: Message,
    /// Whether the script has it.
    is_of_script: bool,
}

/// Finds the index that an id follows from. Messages come in the order of their script, mostly.
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

/// Where each message of the script is to be, and which of the seeded messages stay.
struct Places {
    times: Vec<Timestamp>,
    /// The keys of messages that stay, by their index in the script.
    stay: HashMap<usize, SortKey>,
}

/// Reads the conversation consistently, and plans what makes it that of the script. Nothing is written.
///
/// # Errors
///
/// When a request fails, the conversation is of other people, or the script cannot be placed in time.
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

/// Finds the places of the script's messages: around those that are there, or all anew.
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
    // Somebody changed the text of a seeded message: it is theirs now, and holds the place.
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

/// Makes changes that belong together: a message is put where one of the old script was, and gone from where it was
/// itself, in one transaction. So none is ever lost or there twice.
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

/// Plans a replacement again where items changed.
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
            // It does not fit any more: the step is left, and named.
            Err(_) => Ok(None),
        }
    }
}
