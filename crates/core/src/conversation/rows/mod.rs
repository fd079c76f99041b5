//! Access pattern E: moves the group rows of a conversation to its newest message.
//!
//! The target is read, never remembered: the newest message by a consistent query. So the order in
//! which moves happen, and how often, cannot matter. One transaction holds all rows that are not at
//! the target; each is deleted on condition that it is as it was read, and put where the key is free.

mod decide;

use std::collections::{BTreeSet, HashSet};

use futures::TryStreamExt;

use super::read::{group_rows, newest_message, sort_key};
use crate::error::{CallError, Error};
use crate::guard::WriteToken;
use crate::item::{GroupRow, Item, Message, Person};
use crate::key::{MessageGroupId, PartitionKey, SortKey, UserId};
use crate::pace::Backoff;
use crate::store::{Partition, Query, Store, Transacted};
use decide::{TakenKeys, decide, last_key};
pub(super) use decide::{is_ahead, is_at_target};

/// Tells what to do where a participant has no row.
#[derive(Debug, Clone)]
pub enum Missing {
    /// Counts it; a row is never invented.
    PassOver,
    /// Creates it: the two participants are known.
    Create(Box<[Person; 2]>),
}

/// Tells what to do where a participant has more than one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubled {
    /// Leaves and counts them.
    Leave,
    /// Deletes all but the one at the target, or else the latest, in the same transaction.
    Delete,
}

/// Asks for the rows of one conversation to be moved to its newest message.
#[derive(Debug, Clone)]
pub struct Settlement {
    /// The conversation.
    pub group: MessageGroupId,
    /// What happens where a row is missing.
    pub missing: Missing,
    /// What happens where a participant has several rows.
    pub doubled: Doubled,
    /// Whether a row that is later than the newest message stays where it is.
    pub never_back: bool,
}

/// Says what was done and what was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settled {
    /// The newest message: the target. `None` where there is no message.
    pub newest: Option<Message>,
    /// Rows that were made.
    pub created: Vec<GroupRow>,
    /// Rows that were moved: as they were, and as they are now.
    pub moved: Vec<(GroupRow, GroupRow)>,
    /// Rows that were at the target already.
    pub unchanged: Vec<GroupRow>,
    /// Second and further rows of a participant; left alone, or deleted where that was asked for.
    pub doubled: Vec<GroupRow>,
    /// Rows that are later than the newest message; left alone.
    pub ahead: Vec<GroupRow>,
    /// How many of the two participants have no row.
    pub missing: usize,
}

/// Moves the rows of a conversation to its newest message. A conversation without messages has no
/// target: nothing is done.
///
/// # Errors
///
/// When a request fails; [`Error::Contended`] where other writers keep changing the rows;
/// [`Error::NoFreeKey`] where other conversations hold every key within 1 ms.
pub async fn settle(
    store: &Store,
    token: &WriteToken,
    settlement: &Settlement,
) -> Result<Settled, Error> {
    let mut backoff = Backoff::for_bulk();
    let mut taken = TakenKeys::default();
    let known: Vec<UserId> = match &settlement.missing {
        Missing::PassOver => Vec::new(),
        Missing::Create(people) => people.iter().map(|person| person.id).collect(),
    };
    loop {
        let Some((newest, rows)) = look(store, settlement.group, &known).await? else {
            return Ok(Settled::default());
        };
        let decision = decide(&newest, rows, settlement, &taken)
            .map_err(|owner| no_free_key(store, &newest, owner))?;
        if decision.actions.is_empty() {
            return Ok(decision.settled);
        }
        match store.transact(token, &decision.actions).await? {
            Transacted::Done => return Ok(decision.settled),
            Transacted::Refused(_) => {
                if !backoff.again().await {
                    return Err(Error::Contended {
                        place: store.place().to_owned(),
                        group: settlement.group,
                        attempts: backoff.made(),
                    });
                }
                for owner in decision.settled.writes_to() {
                    taken
                        .0
                        .insert(owner, keys_taken(store, owner, &newest).await?);
                }
            }
        }
    }
}

impl Settled {
    fn writes_to(&self) -> impl Iterator<Item = UserId> {
        let moved = self.moved.iter().map(|(_, new)| new.owner);
        moved.chain(self.created.iter().map(|row| row.owner))
    }

    /// Tells whether something was written.
    pub fn changed(&self) -> bool {
        !self.created.is_empty() || !self.moved.is_empty()
    }
}

fn no_free_key(store: &Store, newest: &Message, owner: UserId) -> Error {
    let wanted = &newest.created_at;
    let last = last_key(wanted).map_or_else(|| wanted.clone(), SortKey::from);
    Error::NoFreeKey {
        place: store.place().to_owned(),
        partition: PartitionKey::Groups(owner).to_string(),
        first: wanted.to_string(),
        last: last.to_string(),
    }
}

/// Reads the newest message of a conversation and its rows, consistently. `known` are people who may have
/// rows that neither the index nor the messages hint at.
///
/// # Errors
///
/// When a request fails.
pub async fn look(
    store: &Store,
    group: MessageGroupId,
    known: &[UserId],
) -> Result<Option<(Message, Vec<GroupRow>)>, CallError> {
    let Some(newest) = newest_message(store, group).await? else {
        return Ok(None);
    };
    let rows = find_rows(store, group, &newest, known).await?;
    if !rows.iter().any(|row| is_ahead(row, &newest)) {
        return Ok(Some((newest, rows)));
    }
    // A row may be ahead only because another writer moved it, for a message that came after our
    // look: a second look, after the rows, cannot miss that message.
    let newest = newest_message(store, group).await?;
    Ok(newest.map(|newest| (newest, rows)))
}

/// Finds the rows of a conversation. The index only hints at them: each is read consistently, and
/// where fewer than two participants are confirmed, their partitions are searched.
async fn find_rows(
    store: &Store,
    group: MessageGroupId,
    newest: &Message,
    known: &[UserId],
) -> Result<Vec<GroupRow>, CallError> {
    let hints = group_rows(store.query(Query::new(Partition::GroupIndex(group)))).await?;
    let mut rows: Vec<GroupRow> = Vec::new();
    let mut seen: HashSet<(UserId, SortKey)> = HashSet::new();
    for hint in &hints {
        if !seen.insert((hint.owner, hint.last_message_at.clone())) {
            continue;
        }
        let key = PartitionKey::Groups(hint.owner);
        let item = store.get(&key, &hint.last_message_at).await?;
        if let Some(Item::GroupRow(row)) = item.map(Item::decode)
            && row.group == group
        {
            rows.push(row);
        }
    }

    let confirmed: HashSet<UserId> = rows.iter().map(|row| row.owner).collect();
    if confirmed.len() >= 2 {
        return Ok(rows);
    }
    let mut searched: HashSet<UserId> = HashSet::new();
    let mut to_search: Vec<UserId> = vec![newest.sender.id];
    to_search.extend(hints.iter().map(|hint| hint.owner));
    to_search.extend(rows.iter().map(|row| row.other.id));
    to_search.extend(known);
    while let Some(owner) = to_search.pop() {
        if !searched.insert(owner) {
            continue;
        }
        let query = Query::new(Partition::Table(PartitionKey::Groups(owner)))
            .of_group(group)
            .consistent();
        rows.retain(|row| row.owner != owner);
        for row in group_rows(store.query(query)).await? {
            to_search.push(row.other.id);
            rows.push(row);
        }
    }
    Ok(rows)
}

async fn keys_taken(
    store: &Store,
    owner: UserId,
    newest: &Message,
) -> Result<BTreeSet<SortKey>, CallError> {
    let first = newest.created_at.to_string();
    let last = last_key(&newest.created_at).map_or_else(|| first.clone(), |last| last.to_string());
    let query = Query::new(Partition::Table(PartitionKey::Groups(owner)))
        .range(Some(first), Some(last))
        .consistent();
    store
        .query(query)
        .try_fold(BTreeSet::new(), |mut keys, page| async move {
            // A row of this very conversation is no obstacle but its own place.
            let others = page.items.into_iter().filter(|item| {
                !matches!(Item::decode(item.clone()), Item::GroupRow(row) if row.group == newest.group)
            });
            keys.extend(others.map(|item| sort_key(&item)));
            Ok(keys)
        })
        .await
}
