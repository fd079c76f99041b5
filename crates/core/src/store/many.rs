//! Writing many messages, each with its own condition: first with several statements in a request, then one by
//! one for the messages that are left.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_sdk_dynamodb::types::{AttributeValue, BatchStatementRequest};
use futures::{StreamExt, stream};

use super::Writer;
use crate::error::Error;
use crate::item::{Message, RawItem};
use crate::rate_limit::ConcurrencyLimit;

/// The maximum number of requests in flight.
const IN_FLIGHT: usize = 32;
/// The maximum number of statements in a request: BatchExecuteStatement in the API reference. It has no limit in
/// bytes; the one here is well below that of other batches.
const MAX_STATEMENTS: usize = 25;
const MAX_BYTES: usize = 1024 * 1024;

/// The result of many puts.
#[derive(Debug, Default)]
pub struct PutMany {
    /// The items that the service accepted.
    pub items: u64,
    /// The items whose keys were taken by others, if they may not move to a free key.
    pub refused: u64,
    /// The error that ended them before all were put.
    pub ended_by: Option<Error>,
}

/// The result of one request with many inserts.
struct Inserted {
    items: u64,
    /// The messages that the service did not accept, for whatever reason.
    left: Vec<Message>,
}

impl PutMany {
    /// Adds puts that were made or refused, and the error that ended them.
    fn count(&mut self, (made, ended_by): (Vec<bool>, Option<Error>)) {
        let taken = made.iter().filter(|made| **made).count() as u64;
        self.items += taken;
        self.refused += made.len() as u64 - taken;
        self.ended_by = ended_by;
    }
}

impl Writer {
    /// Writes many messages with many requests in flight, and never overwrites another one. No more requests are sent
    /// after the first one that fails.
    ///
    /// An INSERT succeeds only if the key is free. [`Writer::put_message`] handles the messages for which it fails: the
    /// key is taken (by another message, or by the same one after a lost reply), or the service is busy.
    pub async fn put_messages(&self, messages: Vec<Message>) -> PutMany {
        let many = Many::new();
        let (mut done, left) = self.insert_all(&many, messages).await;
        if done.ended_by.is_none() {
            let left = left.into_iter();
            let puts = left.map(|message| many.next(self.put_message(message)));
            let (put, ended_by) = Many::all(puts).await;
            done.items += put.len() as u64;
            done.ended_by = ended_by;
        }
        done
    }

    /// Writes many messages like [`Writer::put_messages`], but each under exactly its key or not at all.
    pub async fn put_messages_if_free(&self, messages: Vec<Message>) -> PutMany {
        let many = Many::new();
        let (mut done, left) = self.insert_all(&many, messages).await;
        if done.ended_by.is_none() {
            let puts = left.into_iter().map(|message| {
                many.next(async move { Ok(self.put_message_if_free(&message).await?) })
            });
            done.count(Many::all(puts).await);
        }
        done
    }

    /// Writes many items unchanged, each if its key is free, with many requests in flight. No more requests are sent
    /// after the first one that fails.
    pub async fn put_items_if_free(&self, items: Vec<RawItem>) -> PutMany {
        let many = Many::new();
        let mut done = PutMany::default();
        let puts = items
            .into_iter()
            .map(|item| many.next(async move { Ok(self.put_item_if_free(&item).await?) }));
        done.count(Many::all(puts).await);
        done
    }

    /// Inserts messages whose keys are free, and returns those that are left.
    async fn insert_all(&self, many: &Many, messages: Vec<Message>) -> (PutMany, Vec<Message>) {
        let batches = batches(messages).into_iter();
        let inserts = batches.map(|batch| many.next(self.insert(batch)));
        let (inserted, ended_by) = Many::all(inserts).await;
        let mut done = PutMany {
            ended_by,
            ..PutMany::default()
        };
        let mut left = Vec::new();
        for inserted in inserted {
            done.items += inserted.items;
            left.extend(inserted.left);
        }
        (done, left)
    }

    /// Inserts the messages of a batch whose keys are free.
    async fn insert(&self, batch: Vec<Message>) -> Result<Inserted, Error> {
        if batch.len() == 1 {
            return Ok(Inserted {
                items: 0,
                left: batch,
            });
        }
        let statements = batch.iter().map(|message| self.statement(message));
        let request = self
            .client
            .batch_execute_statement()
            .set_statements(Some(statements.collect()));
        let sent = self.ask("BatchExecuteStatement", || request.clone().send());
        let said = match sent.await {
            Ok(answer) => answer.responses.unwrap_or_default(),
            // Early versions of DynamoDB Local do not support statements.
            Err(error) if error.code() == Some("UnknownOperationException") => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        let mut said = said.iter();
        let mut is_in = || said.next().is_some_and(|said| said.error().is_none());
        let count = batch.len();
        let left: Vec<Message> = batch.into_iter().filter(|_| !is_in()).collect();
        Ok(Inserted {
            items: (count - left.len()) as u64,
            left,
        })
    }

    /// Makes the statement that inserts a message.
    fn statement(&self, message: &Message) -> BatchStatementRequest {
        let attributes = message.attributes();
        let values = attributes
            .each_ref()
            .map(|(name, _)| format!("'{name}':?"))
            .join(",");
        let parameters = attributes.map(|(_, text)| AttributeValue::S(text.into_owned()));
        BatchStatementRequest::builder()
            .statement(format!("INSERT INTO \"{}\" VALUE {{{values}}}", self.table))
            .set_parameters(Some(parameters.into()))
            .build()
            .expect("all required fields are set")
    }
}

/// Groups messages in order, as many as fit in a request. No batch has a key twice, because the service refuses that.
fn batches(messages: Vec<Message>) -> Vec<Vec<Message>> {
    let mut batches = Vec::new();
    let mut batch: Vec<Message> = Vec::new();
    let (mut keys, mut bytes) = (HashSet::new(), 0);
    for message in messages {
        let key = (message.conversation, message.created_at.clone());
        let size = message
            .attributes()
            .iter()
            .map(|(_, text)| text.len())
            .sum::<usize>();
        let is_full = batch.len() == MAX_STATEMENTS || bytes + size > MAX_BYTES;
        if is_full || keys.contains(&key) {
            batches.push(std::mem::take(&mut batch));
            keys.clear();
            bytes = 0;
        }
        keys.insert(key);
        bytes += size;
        batch.push(message);
    }
    batches.push(batch);
    batches.retain(|batch| !batch.is_empty());
    batches
}

/// Many requests, several of them in flight at once. No more are started after the first one that fails.
struct Many {
    limit: ConcurrencyLimit,
    failed: AtomicBool,
}

impl Many {
    fn new() -> Self {
        Self {
            limit: ConcurrencyLimit::new(IN_FLIGHT),
            failed: AtomicBool::new(false),
        }
    }

    /// Does the next piece of work. Returns `None` if one failed before.
    async fn next<T>(
        &self,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<Option<T>, Error> {
        let permit = self.limit.acquire().await;
        if self.failed.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let done = work.await;
        match &done {
            Ok(_) => permit.accepted(),
            Err(_) => self.failed.store(true, Ordering::Relaxed),
        }
        done.map(Some)
    }

    /// Does all of the work. Returns the results, and the error that ended it.
    async fn all<T, F>(work: impl Iterator<Item = F>) -> (Vec<T>, Option<Error>)
    where
        F: Future<Output = Result<Option<T>, Error>>,
    {
        let mut under_way = stream::iter(work).buffer_unordered(IN_FLIGHT);
        let (mut all, mut ended_by) = (Vec::new(), None);
        while let Some(done) = under_way.next().await {
            match done {
                Ok(done) => all.extend(done),
                Err(error) => {
                    ended_by.get_or_insert(error);
                }
            }
        }
        (all, ended_by)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::Person;
    use crate::key::{ConversationId, MessageId, UserId};
    use crate::timestamp::Timestamp;
    use uuid::Uuid;

    fn message(micros: i64, bytes: usize) -> Message {
        Message {
            conversation: ConversationId::new(Uuid::nil()),
            created_at: Timestamp::from_micros(micros).unwrap().into(),
            id: MessageId::random(),
            text: "x".repeat(bytes),
            sender: Person {
                id: UserId::new(Uuid::nil()),
                display_name: "X".to_owned(),
                handle: "x".to_owned(),
            },
        }
    }

    fn lengths(messages: impl IntoIterator<Item = Message>) -> Vec<usize> {
        let batches = batches(messages.into_iter().collect());
        batches.iter().map(Vec::len).collect()
    }

    #[test]
    fn a_batch_ends_at_the_count_the_bytes_and_a_key_that_comes_again() {
        assert!(lengths([]).is_empty());
        assert_eq!(lengths((0..60).map(|n| message(n, 1))), [25, 25, 10]);
        assert_eq!(lengths((0..5).map(|n| message(n, 400_000))), [2, 2, 1]);
        assert_eq!(
            lengths([0, 1, 2, 1, 0, 1].map(|n| message(n, 1))),
            [3, 2, 1]
        );
    }
}
