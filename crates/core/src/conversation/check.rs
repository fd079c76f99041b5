//! Checking what holds between messages and group rows, in one pass whose memory grows with the
//! conversations, and mending what can be mended.
//!
//! The pass only raises suspicions: it reads without a lock, while others write. Each suspicion is read
//! again, consistently, before it is reported.

use std::collections::{BTreeMap, BTreeSet};

use futures::TryStreamExt;

use super::rows::{Doubled, Missing, Settled, Settlement, is_ahead, is_at_target, look, settle};
use crate::error::{CallError, Error};
use crate::guard::WriteToken;
use crate::item::{GroupRow, Item, Message, Person, RawItem, UnknownReason};
use crate::key::{MessageGroupId, PartitionKey, SortKey, UserId};
use crate::store::{Direction, Partition, Query, Store};
use crate::users::Users;

/// The rules that hold in a table that is as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Invariant {
    /// Every group row has its group's newest message, and a sort key within 1 ms after it.
    NewestMessage,
    /// One group row per participant and group.
    OneRow,
    /// Every group with messages has its two rows, and they name each other.
    TwoRows,
    /// A sort key is a time, and sorts as its time does.
    SortKey,
    /// Names and handles copied into items are those of the users.
    Names,
}

impl Invariant {
    /// Returns its number, from 1.
    pub const fn number(self) -> u8 {
        match self {
            Self::NewestMessage => 1,
            Self::OneRow => 2,
            Self::TwoRows => 3,
            Self::SortKey => 4,
            Self::Names => 5,
        }
    }
}

/// One thing that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule; `None` for an item of unknown shape, which no rule is about.
    pub invariant: Option<Invariant>,
    /// The partition key of the item it is about; of the row that should be there, where one is missing.
    pub pk: String,
    /// Its sort key; empty where there is no item.
    pub sk: String,
    /// The conversation.
    pub group: Option<MessageGroupId>,
    /// What is wrong.
    pub reason: String,
}

/// What a pass remembers of one conversation: enough to suspect something.
#[derive(Debug, Clone, Default)]
struct Group {
    newest: Option<(SortKey, String)>,
    rows: Vec<RowSeen>,
}

#[derive(Debug, Clone)]
struct RowSeen {
    owner: UserId,
    other: UserId,
    row: GroupRow,
}

/// Goes over the items of a table, in any order.
#[derive(Debug, Default)]
pub struct Pass {
    groups: BTreeMap<MessageGroupId, Group>,
    people: BTreeMap<UserId, BTreeMap<(String, String), Example>>,
}

/// Where a name was seen first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// The partition key.
    pub pk: String,
    /// The sort key.
    pub sk: String,
    /// How many items have the same.
    pub items: u64,
}

/// A name and a handle of somebody, as items have them, and where.
pub type Copied<'a> = (UserId, &'a (String, String), &'a Example);

impl Pass {
    /// Takes one item. What can be said about it alone is returned.
    pub fn take(&mut self, raw: RawItem) -> Option<Finding> {
        match Item::decode(raw) {
            Item::Message(message) => {
                let pk = PartitionKey::Messages(message.group);
                let finding = sort_key_finding(&pk, &message.created_at, message.group);
                self.see(&message.sender, &pk, &message.created_at);
                let group = self.groups.entry(message.group).or_default();
                if group
                    .newest
                    .as_ref()
                    .is_none_or(|(sk, _)| *sk < message.created_at)
                {
                    group.newest = Some((message.created_at, message.text));
                }
                finding
            }
            Item::GroupRow(row) => {
                let pk = PartitionKey::Groups(row.owner);
                let finding = sort_key_finding(&pk, &row.last_message_at, row.group);
                self.see(&row.other, &pk, &row.last_message_at);
                let seen = RowSeen {
                    owner: row.owner,
                    other: row.other.id,
                    row: row.clone(),
                };
                self.groups.entry(row.group).or_default().rows.push(seen);
                finding
            }
            Item::Unknown { raw, reason } => Some(unknown_finding(&raw, &reason)),
        }
    }

    fn see(&mut self, person: &Person, pk: &PartitionKey, sk: &SortKey) {
        let names = (person.display_name.clone(), person.handle.clone());
        let copies = self.people.entry(person.id).or_default();
        let example = copies.entry(names).or_insert_with(|| Example {
            pk: pk.to_string(),
            sk: sk.to_string(),
            items: 0,
        });
        example.items += 1;
    }

    /// Returns the conversations in which something seems to be wrong.
    pub fn suspects(&self) -> Vec<MessageGroupId> {
        let suspects = self.groups.iter().filter(|(_, group)| group.is_suspect());
        suspects.map(|(id, _)| *id).collect()
    }

    /// Returns the owners of the rows of a conversation, as the pass saw them.
    pub fn owners(&self, group: MessageGroupId) -> Vec<UserId> {
        let rows = self.groups.get(&group).map(|group| group.rows.as_slice());
        rows.unwrap_or_default()
            .iter()
            .map(|seen| seen.owner)
            .collect()
    }

    /// Returns every name that items have for somebody.
    pub fn copied(&self) -> impl Iterator<Item = Copied<'_>> {
        let people = self.people.iter();
        people.flat_map(|(id, copies)| copies.iter().map(|(names, at)| (*id, names, at)))
    }
}

impl Group {
    fn is_suspect(&self) -> bool {
        let Some((sk, text)) = &self.newest else {
            return true;
        };
        let [one, two] = self.rows.as_slice() else {
            return true;
        };
        let is_settled = |seen: &RowSeen| {
            seen.row.text == *text
                && (seen.row.last_message_at == *sk || is_within(&seen.row.last_message_at, sk))
        };
        one.owner != two.other || two.owner != one.other || !is_settled(one) || !is_settled(two)
    }
}

fn is_within(row: &SortKey, newest: &SortKey) -> bool {
    match (row.time(), newest.time()) {
        (Ok(row), Ok(newest)) => (0..=1_000).contains(&(row.micros() - newest.micros())),
        _ => false,
    }
}

fn sort_key_finding(pk: &PartitionKey, sk: &SortKey, group: MessageGroupId) -> Option<Finding> {
    if sk.is_written_form() {
        return None;
    }
    let reason = match sk.time() {
        Ok(time) => {
            format!("the time is written in another form than {time}, and may sort wrongly")
        }
        Err(_) => "the sort key is not a time".to_owned(),
    };
    Some(Finding {
        invariant: Some(Invariant::SortKey),
        pk: pk.to_string(),
        sk: sk.to_string(),
        group: Some(group),
        reason,
    })
}

fn unknown_finding(raw: &RawItem, reason: &UnknownReason) -> Finding {
    let text = |name: &str| match raw.get(name).map(|value| value.as_s()) {
        Some(Ok(text)) => text.clone(),
        _ => String::new(),
    };
    Finding {
        invariant: None,
        pk: text(crate::schema::attribute::PK),
        sk: text(crate::schema::attribute::SK),
        group: None,
        reason: format!("unknown shape: {reason}"),
    }
}

/// A conversation as a consistent look found it.
#[derive(Debug, Clone)]
pub struct Inspection {
    /// What does not hold.
    pub findings: Vec<Finding>,
    /// The two people, where they are known: then the rows can be mended.
    pub people: Result<Box<[Person; 2]>, &'static str>,
}

/// Looks at one conversation again, consistently. `owners` are those whose rows a pass saw; `users` know
/// whoever has lost a row and written nothing.
///
/// # Errors
///
/// When a request fails.
pub async fn inspect(
    store: &Store,
    group: MessageGroupId,
    owners: &[UserId],
    users: Option<&Users>,
) -> Result<Inspection, CallError> {
    let Some((newest, rows)) = look(store, group, owners).await? else {
        return Ok(stray(group, rows_of(store, group, owners).await?));
    };
    let mut findings = Vec::new();
    let mut by_owner: BTreeMap<UserId, Vec<&GroupRow>> = BTreeMap::new();
    for row in &rows {
        by_owner.entry(row.owner).or_default().push(row);
    }
    for own in by_owner.values_mut() {
        // As it is decided when rows are mended.
        own.sort_by_key(|row| (is_at_target(row, &newest), row.last_message_at.clone()));
        let Some((first, surplus)) = own.split_last() else {
            continue;
        };
        findings.extend(stale_finding(first, &newest));
        findings.extend(surplus.iter().map(|row| {
            row_finding(
                Invariant::OneRow,
                row,
                "the participant has another row for this group",
            )
        }));
    }
    let people = people_of(store, &newest, &rows, users).await?;
    findings.extend(pairing(group, &rows, &people));
    Ok(Inspection { findings, people })
}

fn row_finding(invariant: Invariant, row: &GroupRow, reason: impl Into<String>) -> Finding {
    Finding {
        invariant: Some(invariant),
        pk: PartitionKey::Groups(row.owner).to_string(),
        sk: row.last_message_at.to_string(),
        group: Some(row.group),
        reason: reason.into(),
    }
}

fn stale_finding(row: &GroupRow, newest: &Message) -> Option<Finding> {
    if is_at_target(row, newest) {
        return None;
    }
    let at = &newest.created_at;
    let reason = if is_ahead(row, newest) {
        format!("it is later than the newest message, at {at}")
    } else if row.text != newest.text {
        format!("it does not have the newest message, at {at}")
    } else {
        format!("it is not within 1 ms after the newest message, at {at}")
    };
    Some(row_finding(Invariant::NewestMessage, row, reason))
}

/// Rows of a conversation that has no message.
fn stray(group: MessageGroupId, rows: Vec<GroupRow>) -> Inspection {
    let of_group = rows.iter().filter(|row| row.group == group);
    let reason = "the group has no messages";
    Inspection {
        findings: of_group
            .map(|row| row_finding(Invariant::NewestMessage, row, reason))
            .collect(),
        people: Err("without a message there is nothing that a row could show"),
    }
}

async fn rows_of(
    store: &Store,
    group: MessageGroupId,
    owners: &[UserId],
) -> Result<Vec<GroupRow>, CallError> {
    let mut rows = Vec::new();
    for owner in owners.iter().collect::<BTreeSet<_>>() {
        let query = Query::new(Partition::Table(PartitionKey::Groups(*owner)));
        rows.extend(
            super::read::group_rows(store.query(query.of_group(group).consistent())).await?,
        );
    }
    Ok(rows)
}

/// Finds the two people of a conversation: by two rows that name each other, by one row and the messages
/// of its owner, or by messages of exactly two senders.
async fn people_of(
    store: &Store,
    newest: &Message,
    rows: &[GroupRow],
    users: Option<&Users>,
) -> Result<Result<Box<[Person; 2]>, &'static str>, CallError> {
    let owners: BTreeSet<UserId> = rows.iter().map(|row| row.owner).collect();
    let others: BTreeMap<UserId, &Person> =
        rows.iter().map(|row| (row.other.id, &row.other)).collect();
    let named: BTreeSet<UserId> = others.keys().copied().collect();
    let everybody: BTreeSet<UserId> = owners.union(&named).copied().collect();
    if everybody.len() > 2 {
        return Ok(Err("its rows name more than two people"));
    }
    if owners.len() == 2 {
        return Ok(match owners == named {
            true => Ok(pair(others.values().map(|person| (*person).clone()))),
            false => Err("its rows do not name each other"),
        });
    }
    let senders = senders(store, newest.group).await?;
    let mut people: BTreeMap<UserId, Person> = senders.into_iter().collect();
    for (id, person) in others {
        people.entry(id).or_insert_with(|| person.clone());
    }
    // One row: its owner's name is in a message of theirs, the other's in the row.
    let wanted = match owners.len() {
        1 => everybody,
        _ => people.keys().copied().collect(),
    };
    people.retain(|id, _| wanted.contains(id));
    if let Some(users) = users {
        for id in wanted.iter().filter(|_| wanted.len() == 2) {
            if let (false, Ok(user)) = (people.contains_key(id), users.by_id(*id).await) {
                people.insert(*id, user.person());
            }
        }
    }
    Ok(match (people.len(), wanted.len()) {
        (2, 2) => Ok(pair(people.into_values())),
        (_, 2) => Err("whose row is lost has written no message, and is not among the users"),
        _ => Err("its messages do not have exactly two senders"),
    })
}

/// Takes two people, of whom there are two.
fn pair(mut people: impl Iterator<Item = Person>) -> Box<[Person; 2]> {
    let mut next = || people.next().expect("two people were counted");
    Box::new([next(), next()])
}

/// Reads who wrote in a conversation, each as their newest message has them; it stops at the third.
async fn senders(store: &Store, group: MessageGroupId) -> Result<Vec<(UserId, Person)>, CallError> {
    let query = Query::new(Partition::Table(PartitionKey::Messages(group)))
        .direction(Direction::Descending)
        .consistent();
    let mut pages = std::pin::pin!(store.query(query));
    let mut senders: Vec<(UserId, Person)> = Vec::new();
    while let Some(page) = pages.try_next().await? {
        for item in page.items {
            if let Item::Message(message) = Item::decode(item)
                && !senders.iter().any(|(id, _)| *id == message.sender.id)
            {
                senders.push((message.sender.id, message.sender));
                if senders.len() > 2 {
                    return Ok(senders);
                }
            }
        }
    }
    Ok(senders)
}

/// Says whose row is missing, and which rows do not name each other.
fn pairing(
    group: MessageGroupId,
    rows: &[GroupRow],
    people: &Result<Box<[Person; 2]>, &'static str>,
) -> Vec<Finding> {
    let missing = |pk: String, reason: String| Finding {
        invariant: Some(Invariant::TwoRows),
        pk,
        sk: String::new(),
        group: Some(group),
        reason,
    };
    match people {
        Ok(people) => people
            .iter()
            .filter(|person| !rows.iter().any(|row| row.owner == person.id))
            .map(|person| {
                let pk = PartitionKey::Groups(person.id).to_string();
                missing(pk, format!("{} has no row for this group", person.handle))
            })
            .collect(),
        Err(why) => match rows {
            [] => {
                let pk = PartitionKey::Messages(group).to_string();
                vec![missing(
                    pk,
                    format!("the group has messages and no rows; {why}"),
                )]
            }
            rows => rows
                .iter()
                .map(|row| row_finding(Invariant::TwoRows, row, *why))
                .collect(),
        },
    }
}

/// Mends the rows of a conversation whose two people are known, in one transaction: lost rows are made,
/// rows that are not at the newest message are moved there, surplus ones go.
///
/// # Errors
///
/// As [`settle`].
pub async fn repair(
    store: &Store,
    token: &WriteToken,
    group: MessageGroupId,
    people: Box<[Person; 2]>,
) -> Result<Settled, Error> {
    let settlement = Settlement {
        group,
        missing: Missing::Create(people),
        doubled: Doubled::Delete,
        never_back: false,
    };
    settle(store, token, &settlement).await
}
