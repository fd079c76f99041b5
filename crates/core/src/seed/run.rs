//! Carrying out a seed: reading what exists, then writing the missing messages, and the rows last.
//!
//! Nothing is locked. The last message of a script is written first. If another run has written to the same key, the
//! plan is made again. Each message is put conditionally, so that none overwrites another. After the last write, the
//! conversation is read again: runs at the same time may have begun with their own plans, and the last of them to read
//! sees what all of them wrote.

use std::collections::HashSet;
use std::time::Duration;

use futures::TryStreamExt;

use super::plan::{self, Plan, PlanError};
use super::script::{Script, Side};
use crate::conversation::{Doubled, Missing, SyncRequest, SyncedRows, sync_rows};
use crate::error::{CallError, Error};
use crate::item::{Item, Message, Person, RawItem};
use crate::key::{ConversationId, MessageId, PartitionKey, SortKey, UserId};
use crate::retry::Backoff;
use crate::schema::attribute;
use crate::store::{Partition, Query, Store, Writer, check_size};
use crate::timestamp::Timestamp;

/// The reason why a seed failed.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// A request failed, or only part was written.
    #[error(transparent)]
    Store(#[from] Error),
    /// The script does not fit the existing messages.
    #[error("conversation {conversation}: {error}")]
    Plan {
        /// The conversation.
        conversation: ConversationId,
        /// The reason.
        error: PlanError,
    },
    /// The conversation belongs to somebody else.
    #[error("conversation {conversation} belongs to other users: {found} is in it")]
    OtherUsers {
        /// The conversation.
        conversation: ConversationId,
        /// A participant who is neither of the two.
        found: String,
    },
    /// Others changed the conversation while it was seeded, and the script does not fit any more.
    #[error("{written} messages were written, then others changed the conversation: {error}")]
    ChangedMeanwhile {
        /// Messages that were written.
        written: u64,
        /// The reason.
        error: Box<SeedError>,
    },
}

impl From<CallError> for SeedError {
    fn from(error: CallError) -> Self {
        Self::Store(error.into())
    }
}

/// The description of a seed.
#[derive(Debug, Clone)]
pub struct Seed {
    /// The conversation.
    pub conversation: ConversationId,
    /// `Person 1`.
    pub me: Person,
    /// `Person 2`.
    pub other: Person,
    /// The time of the last message if no message of the script exists yet; `None` means now.
    pub ends_at: Option<Timestamp>,
    /// The time between two messages.
    pub interval: Duration,
}

impl Seed {
    /// Makes the messages of a script, without their times.
    pub(super) fn lines(&self, script: &Script) -> Vec<Message> {
        let lines = script.lines.iter().enumerate();
        lines
            .map(|(index, line)| {
                let sender = match line.side {
                    Side::Me => &self.me,
                    Side::Other => &self.other,
                };
                Message {
                    conversation: self.conversation,
                    created_at: SortKey::verbatim(""),
                    id: MessageId::derive(&self.conversation, index, &sender.id, &line.text),
                    text: line.text.clone(),
                    sender: sender.clone(),
                }
            })
            .collect()
    }

    pub(super) fn people(&self) -> [Person; 2] {
        [self.me.clone(), self.other.clone()]
    }

    fn is_participant(&self, id: UserId) -> bool {
        [self.me.id, self.other.id].contains(&id)
    }
}

/// A plan that fits the existing messages. Nothing has been written yet.
#[derive(Debug)]
pub struct Prepared<'a> {
    seed: &'a Seed,
    script: &'a Script,
    messages: Vec<Message>,
    plan: Plan,
    others: u64,
    now: Timestamp,
}

/// The result of a seed.
#[derive(Debug)]
pub struct Report {
    /// Messages that were written.
    pub written: u64,
    /// Second copies of messages that were removed. Runs at the same time had written them.
    pub removed: u64,
    /// The time of the first message; `None` if the script is empty.
    pub first_at: Option<SortKey>,
    /// The time of the last message.
    pub last_at: Option<SortKey>,
    /// The result for the rows.
    pub rows: SyncedRows,
}

/// Reads the conversation's partition consistently, and plans what is missing.
///
/// # Errors
///
/// [`SeedError`]; nothing was written.
pub async fn prepare<'a>(
    store: &Store,
    seed: &'a Seed,
    script: &'a Script,
    now: Timestamp,
) -> Result<Prepared<'a>, SeedError> {
    let lines = seed.lines(script);
    let ids: Vec<MessageId> = lines.iter().map(|line| line.id).collect();

    let present = look(store, seed, |_, message| message.id).await?;
    let own: HashSet<&MessageId> = ids.iter().collect();
    let others = present.iter().filter_map(|(_, id)| id.as_ref());
    let others = others.filter(|id| !own.contains(id)).count() as u64;
    let plan = plan::plan(&ids, &present, seed.ends_at, now, seed.interval).map_err(|error| {
        SeedError::Plan {
            conversation: seed.conversation,
            error,
        }
    })?;
    let lines = lines.into_iter().zip(&plan.times);
    let messages: Vec<Message> = lines
        .map(|(line, time)| Message {
            created_at: (*time).into(),
            ..line
        })
        .collect();
    for index in &plan.absent {
        check_size(&RawItem::from(&messages[*index]))?;
    }
    Ok(Prepared {
        seed,
        script,
        messages,
        plan,
        others,
        now,
    })
}

/// Reads every sort key of the partition, for messages with the result of `keep`. Refuses a conversation of other
/// people.
pub(super) async fn look<T>(
    store: &Store,
    seed: &Seed,
    keep: impl Fn(RawItem, Message) -> T,
) -> Result<Vec<(SortKey, Option<T>)>, SeedError> {
    let foreign = |person: &Person| SeedError::OtherUsers {
        conversation: seed.conversation,
        found: format!("{} ({})", person.handle, person.id),
    };
    let messages =
        Query::new(Partition::Table(PartitionKey::Messages(seed.conversation))).consistent();
    let mut pages = std::pin::pin!(store.query(messages));
    let mut present = Vec::new();
    while let Some(page) = pages.try_next().await? {
        for item in page.items {
            match Item::decode(item.clone()) {
                Item::Message(message) if !seed.is_participant(message.sender.id) => {
                    return Err(foreign(&message.sender));
                }
                Item::Message(message) => {
                    present.push((message.created_at.clone(), Some(keep(item, message))));
                }
                Item::ConversationRow(row) => present.push((row.last_message_at, None)),
                Item::Unknown { raw, .. } => {
                    if let Some(Ok(text)) = raw.get(attribute::SK).map(|value| value.as_s()) {
                        present.push((SortKey::verbatim(text), None));
                    }
                }
            }
        }
    }
    let rows = Query::new(Partition::ConversationIndex(seed.conversation));
    let mut pages = std::pin::pin!(store.query(rows));
    while let Some(page) = pages.try_next().await? {
        for raw in page.items {
            if let Item::ConversationRow(row) = Item::decode(raw) {
                if !seed.is_participant(row.other.id) {
                    return Err(foreign(&row.other));
                }
                if !seed.is_participant(row.owner) {
                    return Err(SeedError::OtherUsers {
                        conversation: seed.conversation,
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

    /// Returns the number of missing messages.
    pub fn absent(&self) -> u64 {
        self.plan.absent.len() as u64
    }

    /// Returns the number of messages in the conversation that are not in the script.
    pub fn others(&self) -> u64 {
        self.others
    }

    /// Checks whether existing messages, not the caller, determined the times.
    pub fn is_anchored(&self) -> bool {
        self.plan.anchored
    }

    /// Returns the number of second copies of messages, which runs at the same time wrote.
    pub fn surplus(&self) -> u64 {
        self.plan.surplus.len() as u64
    }

    fn is_done(&self) -> bool {
        self.plan.absent.is_empty() && self.plan.surplus.is_empty()
    }

    /// Writes the missing messages, then syncs the rows to the newest message.
    ///
    /// # Errors
    ///
    /// [`SeedError::Store`], or [`SeedError::ChangedMeanwhile`] if others changed the conversation so that the script
    /// does not fit any more. If a run fails or is killed at any point, run it again: the resulting table is the same.
    pub async fn write(mut self, writer: &Writer) -> Result<Report, SeedError> {
        let mut backoff = Backoff::for_bulk();
        let (mut written, mut removed) = (0, 0);
        while !self.is_done() {
            written += self.write_absent(writer, written).await?;
            removed += self.remove_surplus(writer).await?;
            let now = self.now.max(Timestamp::now());
            self = match prepare(writer, self.seed, self.script, now).await {
                Ok(next) => next,
                Err(SeedError::Store(error)) => return Err(SeedError::Store(error)),
                Err(error) => {
                    return Err(SeedError::ChangedMeanwhile {
                        written,
                        error: Box::new(error),
                    });
                }
            };
            if !self.is_done() && !backoff.again().await {
                return Err(SeedError::Store(Error::Contended {
                    destination: writer.destination().to_owned(),
                    conversation: self.seed.conversation,
                    attempts: backoff.made(),
                }));
            }
        }
        let request = SyncRequest {
            conversation: self.seed.conversation,
            missing: Missing::Create(Box::new(self.seed.people())),
            doubled: Doubled::Leave,
            never_back: true,
        };
        let rows = sync_rows(writer, &request).await?;
        let at = |message: &Message| message.created_at.clone();
        Ok(Report {
            written,
            removed,
            first_at: self.messages.first().map(at),
            last_at: self.messages.last().map(at),
            rows,
        })
    }

    /// Writes the missing messages. If no message of the script exists, writes the last message first and alone,
    /// because it determines the plan. If another message has its key, writes nothing.
    async fn write_absent(&self, writer: &Writer, before: u64) -> Result<u64, SeedError> {
        let mut absent = self.plan.absent.as_slice();
        let mut written = 0;
        if !self.plan.anchored
            && let Some((last, rest)) = absent.split_last()
        {
            let last = self.messages[*last].clone();
            let put = writer.put_message_if_free(&last);
            if !put
                .await
                .map_err(|error| self.cut(writer, error.into(), before))?
            {
                return Ok(0);
            }
            written += 1;
            absent = rest;
        }
        let absent = absent.iter().map(|index| self.messages[*index].clone());
        let put = writer.put_messages(absent.collect()).await;
        written += put.items;
        match put.ended_by {
            None => Ok(written),
            Some(error) => Err(self.cut(writer, error, before + written)),
        }
    }

    /// Adds to an error how far the run came.
    fn cut(&self, store: &Store, error: Error, written: u64) -> SeedError {
        let throttled = matches!(&error, Error::Call(error) if error.is_throttling());
        SeedError::Store(match error {
            Error::Call(cause) if written > 0 || throttled => Error::PartlyWritten {
                destination: store.destination().to_owned(),
                written,
                unwritten: (self.messages.len() as u64).saturating_sub(written),
                cause: Some(Box::new(cause)),
            },
            error => error,
        })
    }

    /// Removes second copies of messages. Everything that stays has been written before.
    async fn remove_surplus(&self, writer: &Writer) -> Result<u64, SeedError> {
        let mut removed = 0;
        for (index, key) in &self.plan.surplus {
            let message = &self.messages[*index];
            let deleted = writer.delete_message(message.conversation, key, message.id);
            removed += u64::from(deleted.await?);
        }
        Ok(removed)
    }
}
