//! Access pattern E: syncs the rows of a conversation to its newest message.
//!
//! The target is read, never remembered: the newest message by a consistent query. So the order in
//! which syncs happen, and how often, cannot matter. One transaction holds all rows that are not at
//! the target; each is deleted on condition that it is as it was read, and put where the key is free.

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

/// Tells what to do where a participant has no row.
#[derive(Debug, Clone)]
pub enum Missing {
    /// Counts it; a row is never invented.
    PassOver,
    /// Creates it: the two participants are known.
    Create(Box<[Person; 2]>),
    /// Creates the rows that are listed, where they are missing: whose each is, and who the other participant is.
    CreateThese(Vec<(UserId, Person)>),
}

/// Tells what to do where a participant has more than one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubled {
    /// Leaves and counts them.
    Leave,
    /// Deletes all but the one at the target, or else the latest. The first transaction moves the one that
    /// stays to the target; where there are more surplus rows than fit in it, others follow.
    Delete,
}

/// Asks for the rows of one conversation to be synced to its newest message.
#[derive(Debug, Clone)]
pub struct SyncRequest {
    /// The conversation.
    pub conversation: ConversationId,
    /// What happens where a row is missing.
    pub missing: Missing,
    /// What happens where a participant has several rows.
    pub doubled: Doubled,
    /// Whether a row that is later than the newest message stays where it is.
    pub never_back: bool,
}

/// Says what was done and what was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SyncedRows {
    /// The newest message: the target. `None` where there is no message.
    pub newest: Option<Message>,
    /// Rows that were made.
    pub created: Vec<ConversationRow>,
    /// Rows that were updated: as they were, and as they are now.
    pub updated: Vec<(ConversationRow, ConversationRow)>,
    /// Rows that were at the target already.
    pub unchanged: Vec<ConversationRow>,
    /// Second and further rows of a participant; left alone, or deleted where that was asked for.
    pub doubled: Vec<ConversationRow>,
    /// Rows that are later than the newest message; left alone.
    pub ahead: Vec<ConversationRow>,
    /// How many of the two participants have no row.
    pub missing: usize,
}

/// Syncs the rows of a conversation to its newest message. A conversation without messages has no
/// target: nothing is done.
///
/// Rows that were made are looked at once more: another writer may have made them at the same time, for
/// another newest message and so under another key. Then one of them stays, by the rule of
/// [`Doubled::Delete`]; the last of the writers to look sees the rows of all.
///
/// # Errors
///
/// When a request fails; [`Error::Contended`] where other writers keep changing the rows;
/// [`Error::NoFreeKey`] where other conversations hold every key within 1 ms.
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

/// Carries out one transaction after the other, up to the first that is refused. Returns how many were
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

    /// Tells whether something was written.
    pub fn changed(&self) -> bool {
        !self.created.is_empty() || !self.updated.is_empty()
    }

    /// Leaves what the first transactions did, where a later one was refused. All rows are made and updated
    /// by the first.
    fn after(mut self, steps: &[Vec<Action>]) -> Self {
        let is_deleted = |row: &ConversationRow| {
            let action = Action::DeleteRow(row.clone());
            steps.iter().any(|step| step.contains(&action))
        };
        self.doubled.retain(is_deleted);
        self
    }

    /// Joins what was written with what a later look found and wrote.
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

/// Reads the newest message of a conversation and its rows, consistently. `known` are people who may have
/// rows that neither the index nor the messages hint at.
pub async fn look(
    store: &Store,
    conversation: ConversationId,
    known: &[UserId],
) -> Result<Option<(Message, Vec<ConversationRow>)>, CallError> {
    look_for(store, conversation, known, Search::Hinted).await
}

/// Tells where rows are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Search {
    /// At the keys that the index hints at, and everywhere only where these confirm fewer than two people.
    Hinted,
    /// In the partition of everybody who may take part: the index may not have what was just written.
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
    // Another writer may have synced the rows for a message that came after our look. The newest message
    // that is read after the rows is never older than the one that they were synced for.
    let newest = newest_message(store, conversation).await?;
    Ok(newest.map(|newest| (newest, rows)))
}

/// Finds the rows of a conversation. The index only hints at them: each is read consistently, and
/// where fewer than two participants are confirmed, their partitions are searched.
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

/// Finds the key of a row for a message: that of the message, or the first one at most 1 ms after it that is neither held
/// by another row nor taken otherwise.
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

/// Finds the keys within reach of a message that other rows of a person hold: its own key, as it is
/// written, and those up to 1 ms after it, in the one form that this crate writes.
async fn keys_taken(
    store: &Store,
    owner: UserId,
    newest: &Message,
) -> Result<BTreeSet<SortKey>, CallError> {
    let partition = PartitionKey::Rows(owner);
    // A row of this very conversation is no obstacle but its own key.
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
    // The bounds are compared as text, so both are in one form: the message's may be an older one.
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
