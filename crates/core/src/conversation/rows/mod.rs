//! Access pattern E: syncing the rows of a conversation to its newest message.
//!
//! The target, the newest message, is always read by a consistent query and never remembered. So it does not matter in
//! which order and how often syncs happen. One transaction updates all rows that are not at the target. Each row is
//! deleted on condition that it is unchanged since it was read, and put on condition that the key is free.

mod decide;
mod plan;

use std::collections::{BTreeSet, HashSet};

use futures::TryStreamExt;

use super::read::{conversation_rows, newest_message};
use crate::error::{CallError, Error};
use crate::item::{ConversationRow, Item, Message, Person, RawItem, sort_key};
use crate::key::{ConversationId, PartitionKey, SortKey, UserId};
use crate::retry::Backoff;
use crate::store::{Action, MAX_BUMP_MICROS, Partition, Query, Store, Transacted, Writer};
pub(super) use decide::{TakenKeys, is_ahead, is_at_target};
use decide::{decide, last_key};
pub use plan::RowRules;
pub(crate) use plan::row_changes_to;
pub(super) use plan::{PlannedRows, plan_rows, step_of};

/// What to do if a participant has no row.
#[derive(Debug, Clone)]
pub enum Missing {
    /// Counts it, and creates no row.
    PassOver,
    /// Creates it. These are the two participants.
    Create(Box<[Person; 2]>),
    /// Creates the listed rows if they are missing. Each has an owner and the other participant.
    CreateThese(Vec<(UserId, Person)>),
}

/// What to do if a participant has more than one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubled {
    /// Leaves and counts them.
    Leave,
    /// Deletes all but the row at the target, or else the latest. The first transaction moves the row that stays to the
    /// target. If there are more surplus rows than fit in it, more transactions follow.
    Delete,
}

/// A request to sync the rows of one conversation to its newest message.
#[derive(Debug, Clone)]
pub struct SyncRequest {
    /// The conversation.
    pub conversation: ConversationId,
    /// What to do if a row is missing.
    pub missing: Missing,
    /// What to do if a participant has several rows.
    pub doubled: Doubled,
    /// Whether a row that is later than the newest message stays where it is.
    pub never_back: bool,
}

/// The result of a sync.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SyncedRows {
    /// The newest message, which is the target; `None` if there is no message.
    pub newest: Option<Message>,
    /// Rows that were created.
    pub created: Vec<ConversationRow>,
    /// Rows that were updated, before and after.
    pub updated: Vec<(ConversationRow, ConversationRow)>,
    /// Rows that were already at the target.
    pub unchanged: Vec<ConversationRow>,
    /// Second and further rows of a participant. They are left, or deleted if the request says so.
    pub doubled: Vec<ConversationRow>,
    /// Rows that are later than the newest message, and were left.
    pub ahead: Vec<ConversationRow>,
    /// The number of participants without a row, out of two.
    pub missing: usize,
}

/// Syncs the rows of a conversation to its newest message. Does nothing if the conversation has no messages.
///
/// Rows that were created are read once more: another writer may have created them at the same time, for another newest
/// message and so under another key. In that case one of them is kept, by the rule of [`Doubled::Delete`]. The last
/// writer to read sees the rows of all writers.
///
/// # Errors
///
/// If a request fails; [`Error::Contended`] if other writers keep changing the rows; [`Error::NoFreeKey`] if other
/// conversations have taken every key within 1 ms.
pub async fn sync_rows(writer: &Writer, request: &SyncRequest) -> Result<SyncedRows, Error> {
    let mut backoff = Backoff::for_bulk();
    let mut taken = TakenKeys::default();
    let mut written = SyncedRows::default();
    let known: Vec<UserId> = match &request.missing {
        Missing::PassOver => Vec::new(),
        Missing::Create(people) => people.iter().map(|person| person.id).collect(),
        Missing::CreateThese(rows) => rows.iter().map(|(owner, _)| *owner).collect(),
    };
    loop {
        let search = if written.created.is_empty() {
            Search::Hinted
        } else {
            Search::Everywhere
        };
        let looked = look_for(writer, request.conversation, &known, search).await?;
        let Some((newest, rows)) = looked else {
            return Ok(written);
        };
        let made: BTreeSet<UserId> = written.created.iter().map(|row| row.owner).collect();
        let decision = decide(&newest, rows, request, &made, &taken)
            .map_err(|owner| no_free_key(writer, &newest, owner))?;
        let owners: BTreeSet<UserId> = decision.synced.writes_to().collect();
        let done = carry_out(writer, &decision.steps).await?;
        if done == decision.steps.len() {
            let made = !decision.synced.created.is_empty();
            written = written.then(decision.synced);
            if !made {
                return Ok(written);
            }
            continue;
        }
        if done > 0 {
            let part = decision.synced.after(&decision.steps[..done]);
            written = written.then(part);
        }
        if !backoff.again().await {
            return Err(Error::Contended {
                destination: writer.destination().to_owned(),
                conversation: request.conversation,
                attempts: backoff.made(),
            });
        }
        for owner in owners {
            let keys = keys_taken(writer, owner, &newest).await?;
            taken.0.insert(owner, keys);
        }
    }
}

/// Carries out transactions one after the other, up to the first that is refused. Returns the number of those that were
/// done.
async fn carry_out(writer: &Writer, steps: &[Vec<Action>]) -> Result<usize, Error> {
    for (done, step) in steps.iter().enumerate() {
        if writer.transact(step).await? != Transacted::Done {
            return Ok(done);
        }
    }
    Ok(steps.len())
}

impl SyncedRows {
    fn writes_to(&self) -> impl Iterator<Item = UserId> {
        let updated = self.updated.iter().map(|(_, new)| new.owner);
        updated.chain(self.created.iter().map(|row| row.owner))
    }

    /// Checks whether a row was created or updated.
    pub fn changed(&self) -> bool {
        !self.created.is_empty() || !self.updated.is_empty()
    }

    /// Reduces the result to what these transactions did, after a later one was refused. The first transaction creates
    /// and updates all rows.
    fn after(mut self, steps: &[Vec<Action>]) -> Self {
        let is_deleted = |row: &ConversationRow| {
            let action = Action::DeleteRow(row.clone());
            steps.iter().any(|step| step.contains(&action))
        };
        self.doubled.retain(is_deleted);
        self
    }

    /// Merges what was written with what a later round found and wrote.
    fn then(mut self, later: Self) -> Self {
        let is_own = |row: &ConversationRow| self.created.contains(row);
        let unchanged = later.unchanged.into_iter().filter(|row| !is_own(row));
        let unchanged = unchanged.collect();
        self.created.extend(later.created);
        self.updated.extend(later.updated);
        self.doubled.extend(later.doubled);
        Self {
            newest: later.newest,
            unchanged,
            ahead: later.ahead,
            missing: later.missing,
            ..self
        }
    }
}

fn no_free_key(store: &Store, newest: &Message, owner: UserId) -> Error {
    let wanted = &newest.created_at;
    let last = last_key(wanted).map_or_else(|| wanted.clone(), SortKey::from);
    Error::NoFreeKey {
        destination: store.destination().to_owned(),
        partition: PartitionKey::Rows(owner).to_string(),
        first: wanted.to_string(),
        last: last.to_string(),
    }
}

/// Reads the newest message of a conversation and its rows, consistently. `known` are people who may have rows that
/// neither the index nor the messages hint at.
pub async fn look(
    store: &Store,
    conversation: ConversationId,
    known: &[UserId],
) -> Result<Option<(Message, Vec<ConversationRow>)>, CallError> {
    look_for(store, conversation, known, Search::Hinted).await
}

/// Where to search for rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Search {
    /// At the keys that the index hints at; everywhere only if these confirm fewer than two people.
    Hinted,
    /// In the partition of everybody who may take part, because the index may not have what was just written.
    Everywhere,
}

async fn look_for(
    store: &Store,
    conversation: ConversationId,
    known: &[UserId],
    search: Search,
) -> Result<Option<(Message, Vec<ConversationRow>)>, CallError> {
    let Some(newest) = newest_message(store, conversation).await? else {
        return Ok(None);
    };
    let rows = find_rows(store, conversation, &newest, known, search).await?;
    if rows.iter().all(|row| is_at_target(row, &newest)) {
        return Ok(Some((newest, rows)));
    }
    // Another writer may have synced the rows to a message that was written after our read. The newest message read
    // after the rows is never older than the message that they were synced to.
    let newest = newest_message(store, conversation).await?;
    Ok(newest.map(|newest| (newest, rows)))
}

/// Finds the rows of a conversation. The index is only a hint: each row is read consistently, and if fewer than two
/// participants are confirmed, their partitions are searched.
async fn find_rows(
    store: &Store,
    conversation: ConversationId,
    newest: &Message,
    known: &[UserId],
    search: Search,
) -> Result<Vec<ConversationRow>, CallError> {
    let hinted = Query::new(Partition::ConversationIndex(conversation));
    let hints = conversation_rows(store, hinted).await?;
    let mut rows: Vec<ConversationRow> = Vec::new();
    let mut seen: HashSet<(UserId, SortKey)> = HashSet::new();
    for hint in &hints {
        if !seen.insert((hint.owner, hint.last_message_at.clone())) {
            continue;
        }
        let key = PartitionKey::Rows(hint.owner);
        let item = store.get(&key, &hint.last_message_at).await?;
        if let Some(Item::ConversationRow(row)) = item.map(Item::decode)
            && row.conversation == conversation
        {
            rows.push(row);
        }
    }

    let confirmed: HashSet<UserId> = rows.iter().map(|row| row.owner).collect();
    if confirmed.len() >= 2 && search == Search::Hinted {
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
        let query = Query::new(Partition::Table(PartitionKey::Rows(owner)))
            .of_conversation(conversation)
            .consistent();
        rows.retain(|row| row.owner != owner);
        for row in conversation_rows(store, query).await? {
            to_search.push(row.other.id);
            rows.push(row);
        }
    }
    Ok(rows)
}

/// Finds the key of a row for a message: the message's key, or the first free key at most 1 ms after it. A key is free
/// if no other row has it and `is_taken` returns `false`.
pub(super) async fn free_row_key(
    store: &Store,
    owner: UserId,
    newest: &Message,
    is_taken: impl Fn(&SortKey) -> bool,
) -> Result<SortKey, Error> {
    let held = keys_taken(store, owner, newest).await?;
    let is_free = |key: &SortKey| !held.contains(key) && !is_taken(key);
    let wanted = newest.created_at.clone();
    if is_free(&wanted) {
        return Ok(wanted);
    }
    let time = wanted.time().ok();
    let found = time.and_then(|time| {
        let later = (1..=MAX_BUMP_MICROS).filter_map(|micros| time.plus_micros(micros));
        later.map(SortKey::from).find(is_free)
    });
    found.ok_or_else(|| no_free_key(store, newest, owner))
}

/// Finds the keys for a message that other rows of a person have: the message's own key as written, and keys up to 1 ms
/// after it in the form that this crate writes.
async fn keys_taken(
    store: &Store,
    owner: UserId,
    newest: &Message,
) -> Result<BTreeSet<SortKey>, CallError> {
    let partition = PartitionKey::Rows(owner);
    // A row of this same conversation does not block a key.
    let is_other = |item: &RawItem| !matches!(Item::decode(item.clone()), Item::ConversationRow(row) if row.conversation == newest.conversation);
    let mut keys = BTreeSet::new();
    let wanted = &newest.created_at;
    if !wanted.is_written_form() {
        let item = store.get(&partition, wanted).await?;
        keys.extend(item.filter(is_other).map(|_| wanted.clone()));
    }
    let (Ok(first), Some(last)) = (wanted.time(), last_key(wanted)) else {
        return Ok(keys);
    };
    // The bounds are compared as text, so both are in the written form, although the message's key may not be.
    let within = Query::new(Partition::Table(partition))
        .range(Some(first.to_string()), Some(last.to_string()))
        .consistent();
    let mut pages = std::pin::pin!(store.query(within));
    while let Some(page) = pages.try_next().await? {
        keys.extend(
            page.items
                .iter()
                .filter(|item| is_other(item))
                .map(sort_key),
        );
    }
    Ok(keys)
}
