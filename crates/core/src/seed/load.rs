//! Writing a synthetic load, with many batches in flight. An interrupted run continues where it stopped.
//!
//! A conversation's rows are written after its messages, so rows show that it is complete. The newest message is
//! written first. If it exists without the rows, a run was interrupted, or the rows have been updated since: the same
//! messages are put again, and the rows are synced. All other conversations are new, so their rows are written in
//! batches, too.
//!
//! Batches have no conditions, and none are needed here: no other load has the same ids, and keys and contents are
//! derived from its arguments. Two runs at the same time put the same item under the same key.

use std::sync::atomic::{AtomicU64, Ordering};

use futures::{StreamExt, TryStreamExt, stream};

use super::generate::{Synthetic, SyntheticConversation};
use crate::conversation::{Doubled, Missing, SyncRequest, sync_rows};
use crate::error::{CallError, Error};
use crate::key::{PartitionKey, SortKey};
use crate::rate_limit::{ConcurrencyLimit, Rate};
use crate::store::{Batch, Encoded, Store, Writer};

/// The number of conversations that are looked up and written together: their rows fill a batch.
const CHUNK: u64 = 12;
/// The most batches in flight.
const IN_FLIGHT: usize = 32;

/// The counts of messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Messages that were written, or that [`survey`] did not find.
    pub written: u64,
    /// Messages that already existed.
    pub unchanged: u64,
}

/// The progress of a conversation.
enum State {
    Done,
    Begun,
    New,
}

type Key = (PartitionKey, SortKey);

/// Returns the keys that show the progress of a conversation: its newest message and its rows.
fn marks(conversation: &SyntheticConversation) -> Option<(Key, [Key; 2])> {
    let rows = conversation.rows()?;
    let newest = (
        PartitionKey::Messages(conversation.id),
        rows[0].last_message_at.clone(),
    );
    let rows = rows.map(|row| (PartitionKey::Rows(row.owner), row.last_message_at));
    Some((newest, rows))
}

fn chunks(load: &Synthetic) -> impl Iterator<Item = Vec<SyntheticConversation>> {
    let conversations = load.conversations();
    (0..conversations.div_ceil(CHUNK)).map(move |chunk| {
        let first = chunk * CHUNK;
        (first..conversations.min(first + CHUNK))
            .map(|number| load.conversation(number))
            .collect()
    })
}

async fn look(
    store: &Store,
    conversations: Vec<SyntheticConversation>,
) -> Result<Vec<(SyntheticConversation, State)>, CallError> {
    let marked: Vec<_> = conversations
        .into_iter()
        .filter_map(|conversation| marks(&conversation).map(|marks| (conversation, marks)))
        .collect();
    let keys: Vec<Key> = marked
        .iter()
        .flat_map(|(_, (newest, rows))| std::iter::once(newest).chain(rows).cloned())
        .collect();
    let there = store.which_are_there(&keys).await?;
    let states = marked.into_iter().map(|(conversation, (newest, rows))| {
        let state = if rows.iter().all(|row| there.contains(row)) {
            State::Done
        } else if there.contains(&newest) {
            State::Begun
        } else {
            State::New
        };
        (conversation, state)
    });
    Ok(states.collect())
}

/// Counts the existing and the missing messages of a load, and writes nothing.
pub async fn survey(store: &Store, load: &Synthetic) -> Result<Loaded, Error> {
    let looked = stream::iter(chunks(load).map(|conversations| look(store, conversations)));
    let mut looked = looked.buffer_unordered(IN_FLIGHT);
    let mut found = Loaded::default();
    while let Some(conversations) = looked.try_next().await? {
        for (conversation, state) in conversations {
            match state {
                State::Done => found.unchanged += conversation.messages,
                State::Begun | State::New => found.written += conversation.messages,
            }
        }
    }
    Ok(found)
}

/// The progress of a load. It can be read at any time.
#[derive(Debug, Default)]
pub struct Loading {
    written: AtomicU64,
    unchanged: AtomicU64,
}

impl Loading {
    /// Returns the counts so far.
    pub fn loaded(&self) -> Loaded {
        Loaded {
            written: self.written.load(Ordering::Relaxed),
            unchanged: self.unchanged.load(Ordering::Relaxed),
        }
    }
}

/// Writes the missing conversations of a load.
///
/// # Errors
///
/// If a request fails for a reason other than throttling, or is throttled for too long. The error is
/// [`Error::PartlyWritten`] if messages were written, or after throttling. A later run continues from there.
pub async fn load(
    writer: &Writer,
    load: &Synthetic,
    rate: Option<Rate>,
    loading: &Loading,
) -> Result<(), Error> {
    let loader = Loader {
        writer,
        limit: ConcurrencyLimit::new(IN_FLIGHT),
        rate,
        loading,
    };
    let done = stream::iter(chunks(load).map(|conversations| loader.write(conversations)))
        .buffer_unordered(IN_FLIGHT)
        .try_collect::<()>();
    let error = match done.await {
        Ok(()) => return Ok(()),
        Err(error) => error,
    };
    let Loaded { written, unchanged } = loading.loaded();
    match error {
        error @ (Error::Contended { .. } | Error::NoFreeKey { .. }) => Err(error),
        Error::Call(error) if written == 0 && !error.is_throttling() => Err(error.into()),
        error => Err(Error::PartlyWritten {
            destination: writer.destination().to_owned(),
            written,
            unwritten: load.messages().saturating_sub(written + unchanged),
            cause: error.into_cause(),
        }),
    }
}

struct Loader<'a> {
    writer: &'a Writer,
    limit: ConcurrencyLimit,
    rate: Option<Rate>,
    loading: &'a Loading,
}

impl Loader<'_> {
    async fn write(&self, conversations: Vec<SyntheticConversation>) -> Result<(), Error> {
        let conversations = look(self.writer, conversations).await?;
        let mut batch = Batch::default();
        for (conversation, state) in &conversations {
            if let State::Done = state {
                self.loading
                    .unchanged
                    .fetch_add(conversation.messages, Ordering::Relaxed);
                continue;
            }
            for message in conversation.messages() {
                if let Some(full) = batch.put_message(&message)? {
                    self.send_messages(&full).await?;
                }
            }
        }
        if let Some(last) = batch.take() {
            self.send_messages(&last).await?;
        }
        for (conversation, state) in &conversations {
            match state {
                State::Done => {}
                State::Begun => self.sync_rows(conversation).await?,
                State::New => {
                    for row in conversation.rows().iter().flatten() {
                        if let Some(full) = batch.put_row(row)? {
                            self.send(&full).await?;
                        }
                    }
                }
            }
        }
        match batch.take() {
            Some(last) => self.send(&last).await,
            None => Ok(()),
        }
    }

    async fn sync_rows(&self, conversation: &SyntheticConversation) -> Result<(), Error> {
        let request = SyncRequest {
            conversation: conversation.id,
            missing: Missing::Create(Box::new(conversation.people.clone())),
            doubled: Doubled::Leave,
            never_back: true,
        };
        sync_rows(self.writer, &request).await?;
        Ok(())
    }

    async fn send_messages(&self, batch: &Encoded) -> Result<(), Error> {
        let sent = self.send(batch).await;
        let written = match &sent {
            Ok(()) => batch.items(),
            Err(Error::PartlyWritten { written, .. }) => *written,
            Err(_) => 0,
        };
        self.loading.written.fetch_add(written, Ordering::Relaxed);
        sent
    }

    async fn send(&self, batch: &Encoded) -> Result<(), Error> {
        let rate = self.rate.as_ref();
        self.writer.put_batch(batch, &self.limit, rate).await
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::time::Duration;

    use super::*;
    use crate::aws_client;
    use crate::connect::{Local, TargetOptions, fake};
    use crate::environment::Environment;
    use crate::guard;
    use crate::store::DynamoDb;

    /// Answers for an empty table that accepts every batch and reports that it cost 200 units.
    fn answer(operation: &str) -> String {
        match operation {
            "BatchGetItem" => r#"{"Responses": {}, "UnprocessedKeys": {}}"#,
            "BatchWriteItem" => {
                r#"{"UnprocessedItems": {}, "ConsumedCapacity": [{"TableName": "the-table", "CapacityUnits": 200.0}]}"#
            }
            _ => "{}",
        }
        .to_owned()
    }

    /// The rate counts the capacity that the service reports, not the expected capacity.
    #[tokio::test(start_paused = true)]
    async fn a_load_keeps_to_its_rate() {
        let local = Local::resolve(&TargetOptions::default(), &Environment::default()).unwrap();
        let (http_client, _) = fake::answering(answer);
        let client = aws_client!(aws_sdk_dynamodb, &local.connection_by(http_client));
        let store = DynamoDb::local(client, "test".to_owned(), Duration::ZERO);
        let writer = guard::allow_function(store.store("the-table".parse().unwrap()));
        let ends_at = "2026-03-22T08:00:00.000000+00:00".parse().unwrap();
        let load = Synthetic::new(125, 10, 6, 1, ends_at, Duration::from_secs(60)).unwrap();
        let rate = Rate::new(NonZeroU32::new(1_000).unwrap());
        let loading = Loading::default();
        let start = tokio::time::Instant::now();
        super::load(&writer, &load, Some(rate), &loading)
            .await
            .unwrap();
        let took = start.elapsed();
        assert_eq!(loading.loaded().written, 125);
        // Seven batches of 0.2 s each. The last ones are sent before their capacity is available.
        assert!(took >= Duration::from_millis(200) * (7 - 1 - 4), "{took:?}");
    }
}
