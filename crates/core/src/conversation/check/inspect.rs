//! One conversation, looked at consistently, and mended.

use std::collections::{BTreeMap, BTreeSet};

use futures::TryStreamExt;

use super::super::read::group_rows;
use super::super::rows::{
    Doubled, Missing, Settled, Settlement, is_ahead, is_at_target, look, settle,
};
use super::{FindPerson, Finding, Invariant};
use crate::error::{CallError, Error};
use crate::item::{GroupRow, Item, Message, Person};
use crate::key::{MessageGroupId, PartitionKey, UserId};
use crate::store::{Direction, Partition, Query, Store, Writer};

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
    users: &impl FindPerson,
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
        rows.extend(group_rows(store.query(query.of_group(group).consistent())).await?);
    }
    Ok(rows)
}

/// Finds the two people of a conversation: by two rows that name each other, by one row and the messages
/// of its owner, or by messages of exactly two senders.
async fn people_of(
    store: &Store,
    newest: &Message,
    rows: &[GroupRow],
    users: &impl FindPerson,
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
    for id in wanted.iter().filter(|_| wanted.len() == 2) {
        if !people.contains_key(id)
            && let Some(person) = users.find_person(*id).await
        {
            people.insert(*id, person);
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
    writer: &Writer,
    group: MessageGroupId,
    people: Box<[Person; 2]>,
) -> Result<Settled, Error> {
    let settlement = Settlement {
        group,
        missing: Missing::Create(people),
        doubled: Doubled::Delete,
        never_back: false,
    };
    settle(writer, &settlement).await
}
