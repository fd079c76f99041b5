//! Carrying a plan out: what is there, what is missing, messages first and group rows last.

use std::collections::HashSet;
use std::time::Duration;

use futures::TryStreamExt;

use super::plan::{self, Plan, PlanError};
use super::script::{Script, Side};
use crate::conversation::{Doubled, Missing, Settled, Settlement, settle};
use crate::error::{CallError, Error};
use crate::guard::WriteToken;
use crate::item::{Item, Message, Person, RawItem};
use crate::key::{MessageGroupId, MessageId, PartitionKey, SortKey, UserId};
use crate::schema::attribute;
use crate::store::{Partition, Query, Store};
use crate::timestamp::Timestamp;
use crate::users::User;

/// Says why nothing was seeded.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// A request failed, or only part was written.
    #[error(transparent)]
    Store(#[from] Error),
    /// The script does not fit what is there.
    #[error("group {group}: {error}")]
    Plan {
        /// The conversation.
        group: MessageGroupId,
        /// What does not fit.
        error: PlanError,
    },
    /// The conversation belongs to somebody else.
    #[error("group {group} belongs to other users: {found} is in it")]
    OtherUsers {
        /// The conversation.
        group: MessageGroupId,
        /// A participant who is neither of the two.
        found: String,
    },
}

impl From<CallError> for SeedError {
    fn from(error: CallError) -> Self {
        Self::Store(error.into())
    }
}

/// Describes what to seed.
#[derive(Debug, Clone)]
pub struct Seed {
    /// The conversation.
    pub group: MessageGroupId,
    /// `Person 1`.
    pub me: User,
    /// `Person 2`.
    pub other: User,
    /// The time of the last message, where no message is there yet; `None` means now.
    pub ends_at: Option<Timestamp>,
    /// The time between two messages.
    pub interval: Duration,
}

impl Seed {
    fn people(&self) -> [Person; 2] {
        [self.me.person(), self.other.person()]
    }

    fn is_participant(&self, id: UserId) -> bool {
        [self.me.uuid, self.other.uuid].contains(&id)
    }
}

/// Holds a plan that fits what is there; nothing is written yet.
#[derive(Debug)]
pub struct Prepared<'a> {
    store: &'a Store,
    seed: &'a Seed,
    messages: Vec<Message>,
    plan: Plan,
    others: u64,
}

/// Says what a seeding did.
#[derive(Debug)]
pub struct Report {
    /// Messages that were written.
    pub written: u64,
    /// What became of the group rows.
    pub rows: Settled,
}

/// Reads the conversation's partition, consistently, and plans what is missing.
///
/// # Errors
///
/// [`SeedError`]; nothing was written.
pub async fn prepare<'a>(
    store: &'a Store,
    seed: &'a Seed,
    script: &Script,
    now: Timestamp,
) -> Result<Prepared<'a>, SeedError> {
    let people = seed.people();
    let speakers: Vec<&Person> = script
        .lines
        .iter()
        .map(|line| match line.side {
            Side::Me => &people[0],
            Side::Other => &people[1],
        })
        .collect();
    let ids: Vec<MessageId> = script
        .lines
        .iter()
        .zip(&speakers)
        .enumerate()
        .map(|(index, (line, speaker))| {
            MessageId::derive(&seed.group, index, &speaker.id, &line.text)
        })
        .collect();

    let present = look(store, seed).await?;
    let own: HashSet<&MessageId> = ids.iter().collect();
    let others = present.iter().filter_map(|(_, id)| id.as_ref());
    let others = others.filter(|id| !own.contains(id)).count() as u64;
    let plan = plan::plan(&ids, &present, seed.ends_at, now, seed.interval).map_err(|error| {
        SeedError::Plan {
            group: seed.group,
            error,
        }
    })?;
    let messages = script
        .lines
        .iter()
        .zip(ids)
        .zip(speakers)
        .zip(&plan.times)
        .map(|(((line, id), speaker), time)| Message {
            group: seed.group,
            created_at: (*time).into(),
            id,
            text: line.text.clone(),
            sender: speaker.clone(),
        })
        .collect();
    Ok(Prepared {
        store,
        seed,
        messages,
        plan,
        others,
    })
}

/// Reads every sort key of the partition, and refuses a conversation of other people.
async fn look(store: &Store, seed: &Seed) -> Result<Vec<(SortKey, Option<MessageId>)>, SeedError> {
    let foreign = |person: &Person| SeedError::OtherUsers {
        group: seed.group,
        found: format!("{} ({})", person.handle, person.id),
    };
    let messages = Query::new(Partition::Table(PartitionKey::Messages(seed.group))).consistent();
    let mut pages = std::pin::pin!(store.query(messages));
    let mut present = Vec::new();
    while let Some(page) = pages.try_next().await? {
        for raw in page.items {
            match Item::decode(raw) {
                Item::Message(message) if !seed.is_participant(message.sender.id) => {
                    return Err(foreign(&message.sender));
                }
                Item::Message(message) => present.push((message.created_at, Some(message.id))),
                Item::GroupRow(row) => present.push((row.last_message_at, None)),
                Item::Unknown { raw, .. } => {
                    if let Some(Ok(text)) = raw.get(attribute::SK).map(|value| value.as_s()) {
                        present.push((SortKey::verbatim(text), None));
                    }
                }
            }
        }
    }
    let rows = Query::new(Partition::GroupIndex(seed.group));
    let mut pages = std::pin::pin!(store.query(rows));
    while let Some(page) = pages.try_next().await? {
        for raw in page.items {
            if let Item::GroupRow(row) = Item::decode(raw) {
                if !seed.is_participant(row.other.id) {
                    return Err(foreign(&row.other));
                }
                if !seed.is_participant(row.owner) {
                    return Err(SeedError::OtherUsers {
                        group: seed.group,
                        found: row.owner.to_string(),
                    });
                }
            }
        }
    }
    Ok(present)
}

impl Prepared<'_> {
    /// Returns all messages of the script, with their times.
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// Returns how many messages are not there yet.
    pub fn absent(&self) -> u64 {
        self.plan.absent.len() as u64
    }

    /// Returns how many messages of the conversation are not of the script.
    pub fn others(&self) -> u64 {
        self.others
    }

    /// Tells whether messages that are there decided about the time, and not the caller.
    pub fn is_anchored(&self) -> bool {
        self.plan.anchored
    }

    /// Writes the absent messages, then moves the group rows to the newest message of the group.
    ///
    /// # Errors
    ///
    /// [`SeedError::Store`]. A run that failed or was killed anywhere can be run again: it ends in the
    /// same table.
    pub async fn write(self, token: &WriteToken) -> Result<Report, SeedError> {
        let items: Vec<RawItem> = self
            .plan
            .absent
            .iter()
            .map(|place| RawItem::from(&self.messages[*place]))
            .collect();
        let written = self.store.put_batches(token, items).await?;
        let settlement = Settlement {
            group: self.seed.group,
            missing: Missing::Create(Box::new(self.seed.people())),
            doubled: Doubled::Leave,
            never_back: true,
        };
        let rows = settle(self.store, token, &settlement).await?;
        Ok(Report {
            written: written.items,
            rows,
        })
    }
}
