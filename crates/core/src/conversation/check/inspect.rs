//! Inspecting one conversation with consistent reads.

use std::collections::{BTreeMap, BTreeSet};

use futures::TryStreamExt;

use super::super::read::conversation_rows;
use super::super::rows::{is_ahead, is_at_target, look};
use super::{FindPerson, Finding, Rule, fold};
use crate::error::CallError;
use crate::item::{ConversationRow, Item, Message, Person};
use crate::key::{ConversationId, PartitionKey, UserId};
use crate::store::{Direction, Partition, Query, Store};

/// The result of inspecting a conversation.
#[derive(Debug, Clone)]
pub struct Inspection {
    /// The breaches of rules that were found.
    pub findings: Vec<Finding>,
    /// The two people, or why they are not known. The rows can be repaired only if they are known.
    pub people: Result<Box<[Person; 2]>, &'static str>,
}

impl Inspection {
    fn new(findings: Vec<Finding>, people: Result<Box<[Person; 2]>, &'static str>) -> Self {
        let mut findings = fold(findings);
        for finding in &mut findings {
            finding.can_be_repaired = people.is_ok();
        }
        Self { findings, people }
    }
}

/// Reads one conversation again, consistently. `owners` are the owners of the rows that a pass saw. `users` finds a
/// person whose row is missing and who has written nothing.
pub async fn inspect(
    store: &Store,
    conversation: ConversationId,
    owners: &[UserId],
    users: &impl FindPerson,
) -> Result<Inspection, CallError> {
    let Some((newest, rows)) = look(store, conversation, owners).await? else {
        return Ok(stray(
            conversation,
            rows_of(store, conversation, owners).await?,
        ));
    };
    let mut findings = Vec::new();
    let mut by_owner: BTreeMap<UserId, Vec<&ConversationRow>> = BTreeMap::new();
    for row in &rows {
        by_owner.entry(row.owner).or_default().push(row);
    }
    for own in by_owner.values_mut() {
        // The same order as when rows are repaired.
        own.sort_by_key(|row| (is_at_target(row, &newest), row.last_message_at.clone()));
        let Some((first, surplus)) = own.split_last() else {
            continue;
        };
        findings.extend(stale_finding(first, &newest));
        findings.extend(surplus.iter().map(|row| {
            row_finding(
                Rule::RowDoubled,
                row,
                "the participant has another row for this conversation",
            )
        }));
    }
    let people = people_of(store, &newest, &rows, users).await?;
    findings.extend(pairing(conversation, &rows, &people));
    Ok(Inspection::new(findings, people))
}

fn row_finding(rule: Rule, row: &ConversationRow, reason: impl Into<String>) -> Finding {
    Finding {
        rule: Some(rule),
        pk: PartitionKey::Rows(row.owner).to_string(),
        sk: row.last_message_at.to_string(),
        conversation: Some(row.conversation),
        items: 1,
        reason: reason.into(),
        can_be_repaired: true,
    }
}

fn stale_finding(row: &ConversationRow, newest: &Message) -> Option<Finding> {
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
    Some(row_finding(Rule::RowBehind, row, reason))
}

/// Returns the findings for the rows of a conversation without messages.
fn stray(conversation: ConversationId, rows: Vec<ConversationRow>) -> Inspection {
    let of_conversation = rows.iter().filter(|row| row.conversation == conversation);
    let reason = "the conversation has no messages";
    let findings = of_conversation.map(|row| row_finding(Rule::RowStray, row, reason));
    let why = "there is no message for a row to show";
    Inspection::new(findings.collect(), Err(why))
}

/// Reads the rows that some people have for a conversation.
pub(in crate::conversation) async fn rows_of(
    store: &Store,
    conversation: ConversationId,
    owners: &[UserId],
) -> Result<Vec<ConversationRow>, CallError> {
    let mut rows = Vec::new();
    for owner in owners.iter().collect::<BTreeSet<_>>() {
        let query = Query::new(Partition::Table(PartitionKey::Rows(*owner)));
        let query = query.of_conversation(conversation).consistent();
        rows.extend(conversation_rows(store, query).await?);
    }
    Ok(rows)
}

/// Finds the two people of a conversation: from two rows that name each other, from one row and the messages of its
/// owner, or from messages of exactly two senders.
async fn people_of(
    store: &Store,
    newest: &Message,
    rows: &[ConversationRow],
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
    let senders = senders(store, newest.conversation).await?;
    let mut people: BTreeMap<UserId, Person> = senders.into_iter().collect();
    for (id, person) in others {
        people.entry(id).or_insert_with(|| person.clone());
    }
    // With one row, its owner's name is in one of their messages, and the other's name is in the row.
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
        (_, 2) => Err("whose row is missing has written no message, and is not among the users"),
        _ => Err("its messages do not have exactly two senders"),
    })
}

/// Makes a pair of an iterator over two people.
fn pair(mut people: impl Iterator<Item = Person>) -> Box<[Person; 2]> {
    let mut next = || people.next().expect("two people were counted");
    Box::new([next(), next()])
}

/// Reads the senders of a conversation, each as named in their newest message. Stops at the third.
async fn senders(
    store: &Store,
    conversation: ConversationId,
) -> Result<Vec<(UserId, Person)>, CallError> {
    let query = Query::new(Partition::Table(PartitionKey::Messages(conversation)))
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

/// Finds missing rows, and rows that do not name each other.
fn pairing(
    conversation: ConversationId,
    rows: &[ConversationRow],
    people: &Result<Box<[Person; 2]>, &'static str>,
) -> Vec<Finding> {
    let missing = |pk: String, reason: String| Finding {
        rule: Some(Rule::RowMissing),
        pk,
        sk: String::new(),
        conversation: Some(conversation),
        items: 1,
        reason,
        can_be_repaired: true,
    };
    match people {
        Ok(people) => people
            .iter()
            .filter(|person| !rows.iter().any(|row| row.owner == person.id))
            .map(|person| {
                let pk = PartitionKey::Rows(person.id).to_string();
                missing(
                    pk,
                    format!("{} has no row for this conversation", person.handle),
                )
            })
            .collect(),
        Err(why) => match rows {
            [] => {
                let pk = PartitionKey::Messages(conversation).to_string();
                vec![missing(
                    pk,
                    format!("the conversation has messages and no rows; {why}"),
                )]
            }
            rows => rows
                .iter()
                .map(|row| row_finding(Rule::RowMissing, row, *why))
                .collect(),
        },
    }
}
