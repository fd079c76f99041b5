//! Following a stream: parent shards first, several shards at once.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use aws_sdk_dynamodbstreams::types::{AttributeValue, OperationType, Record};
use futures::future::join_all;
use tokio::time::Instant;

use super::checkpoint::Checkpoint;
use super::client::Streams;
use super::shards::{Position, Shards};
use crate::error::CallError;
use crate::key::{ConversationId, PartitionKey, SortKey};
use crate::schema::attribute;
use crate::timestamp::Timestamp;

/// A reader of a stream that keeps track of its position.
#[derive(Debug)]
pub struct Follower {
    streams: Streams,
    stream_arn: String,
    begin: Begin,
    shards: Shards,
    /// Whether the shards have to be described again: at the start, and after one was read to its end.
    stale: bool,
    iterators: HashMap<String, String>,
    seen: HashMap<String, Seen>,
    since: Timestamp,
}

/// The position at which following begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begin {
    /// At the oldest record that the stream still has, up to 24 hours ago.
    Oldest,
    /// After the position in a checkpoint. Shards that are not in it begin at their oldest record.
    After(Checkpoint),
    /// With the next new record.
    Latest,
}

/// What is known about a shard apart from its position.
#[derive(Debug, Clone, Copy)]
struct Seen {
    /// Since when it has returned nothing.
    empty_since: Instant,
    /// Whether it returned a record that is newer than the start of following.
    young: bool,
}

/// The result of one round over the shards. It counts as read only after it is committed.
#[derive(Debug, Default)]
pub struct Batch {
    /// The inserted messages: conversation and sort key, in the order of their shards.
    pub inserted: Vec<(ConversationId, SortKey)>,
    /// The number of records.
    pub records: u64,
    /// Shards whose oldest records were deleted before they were read: messages may have been missed.
    pub trimmed: Vec<String>,
    /// Whether a whole shard was gone. The stream may be gone, too.
    pub(super) shard_gone: bool,
    positions: Vec<(String, Position)>,
}

/// One shard's part of a round.
enum Read {
    Records(Vec<Record>, Option<String>),
    /// Nothing this time. The iterator, if any, is still valid.
    Nothing,
    /// The iterator has expired. The next round gets another.
    Expired,
    /// The records after the position are gone. The next round begins at the oldest record.
    Trimmed,
    /// The shard itself is gone.
    Gone,
}

impl Follower {
    /// Makes a follower. Nothing is contacted yet. `since` is when following began.
    pub fn new(streams: Streams, stream_arn: &str, begin: Begin, since: Timestamp) -> Self {
        Self {
            streams,
            stream_arn: stream_arn.to_owned(),
            begin,
            shards: Shards::default(),
            stale: true,
            iterators: HashMap::new(),
            seen: HashMap::new(),
            since,
        }
    }

    /// Returns the ARN of the stream.
    pub fn stream_arn(&self) -> &str {
        &self.stream_arn
    }

    /// Makes [`Self::is_caught_up`] refer to the contents of the stream at a later moment than the start.
    pub(super) fn read_up_to(&mut self, moment: Timestamp) {
        self.since = moment;
        for seen in self.seen.values_mut() {
            seen.young = false;
        }
    }

    /// Requests a new description of the shards if one may be missing. The service may close a shard before it
    /// lists the next, and a new stream has none yet.
    pub(super) fn look_for_shards(&mut self) {
        self.stale |= self.shards.may_have_more();
    }

    /// Returns how far the stream was read and committed.
    pub fn checkpoint(&self) -> Checkpoint {
        let mut shards = match &self.begin {
            Begin::After(checkpoint) => checkpoint.shards.clone(),
            Begin::Oldest | Begin::Latest => BTreeMap::new(),
        };
        shards.extend(self.shards.sequence_numbers());
        Checkpoint {
            stream_arn: self.stream_arn.clone(),
            shards,
        }
    }

    /// Reads one batch of each shard that may be read now, all at once.
    ///
    /// # Errors
    ///
    /// If a request fails. An expired iterator and throttling are not errors, and trimmed records are
    /// reported in the batch.
    pub async fn next(&mut self) -> Result<Batch, CallError> {
        if self.stale {
            self.describe().await?;
        }
        let ready = self.shards.ready();
        let reads = ready.iter().map(|id| self.read(id));
        let reads: Vec<Result<(Option<String>, Read), CallError>> = join_all(reads).await;
        let mut batch = Batch::default();
        for (id, read) in ready.into_iter().zip(reads) {
            let (iterator, read) = read?;
            self.take(id, iterator, read, &mut batch);
        }
        Ok(batch)
    }

    /// Marks a batch as read. Everything that it requires has to be done before.
    pub fn commit(&mut self, batch: Batch) {
        for (id, position) in batch.positions {
            self.shards.set_position(&id, position);
        }
    }

    /// Checks whether everything that was in the stream has been read: every shard is closed and read, returned a
    /// record newer than the start, or has returned nothing for `empty`.
    pub fn is_caught_up(&self, empty: Duration) -> bool {
        !self.stale
            && self.shards.ready().iter().all(|id| {
                self.seen
                    .get(id)
                    .is_some_and(|seen| seen.young || seen.empty_since.elapsed() >= empty)
            })
    }

    /// Records when a shard returned records, and whether one of them was new.
    fn see(&mut self, id: &str, records: &[Record]) {
        let now = Instant::now();
        // The service cuts the time of a record to seconds.
        let since = self.since.micros().div_euclid(1_000_000);
        let seen = self.seen.entry(id.to_owned()).or_insert(Seen {
            empty_since: now,
            young: false,
        });
        if records.is_empty() {
            return;
        }
        seen.empty_since = now;
        seen.young |= records.iter().any(|record| {
            let written = record
                .dynamodb()
                .and_then(|change| change.approximate_creation_date_time());
            written.is_some_and(|written| written.secs() > since)
        });
    }

    async fn describe(&mut self) -> Result<(), CallError> {
        let described = self.streams.shards(&self.stream_arn).await?;
        let begin = match &self.begin {
            // The children of a followed shard are read from their oldest record.
            Begin::Latest if self.shards.is_empty() => &Begin::Latest,
            Begin::Latest => &Begin::Oldest,
            begin => begin,
        };
        self.shards.learn(described, |id| match begin {
            Begin::Oldest => Position::Oldest,
            Begin::Latest => Position::Latest,
            Begin::After(checkpoint) => match checkpoint.shards.get(id) {
                Some(number) => Position::After(number.clone()),
                None => Position::Oldest,
            },
        });
        self.stale = false;
        Ok(())
    }

    /// Reads a shard with its iterator, or with a new one.
    async fn read(&self, id: &str) -> Result<(Option<String>, Read), CallError> {
        let iterator = match self.iterators.get(id) {
            Some(iterator) => Some(iterator.clone()),
            None => {
                let position = self.shards.position(id);
                match self.streams.iterator(&self.stream_arn, id, &position).await {
                    Ok(iterator) => iterator,
                    Err(error) => return Ok((None, judge(error)?)),
                }
            }
        };
        let Some(iterator) = iterator else {
            return Ok((None, Read::Records(Vec::new(), None)));
        };
        match self.streams.records(&iterator).await {
            Ok((records, next)) => Ok((None, Read::Records(records, next))),
            Err(error) => Ok((Some(iterator), judge(error)?)),
        }
    }

    fn take(&mut self, id: String, iterator: Option<String>, read: Read, batch: &mut Batch) {
        match read {
            Read::Records(records, next) => {
                self.see(&id, &records);
                batch.take(&id, &records, next.is_none(), &self.shards.position(&id));
                match next {
                    Some(next) => {
                        self.iterators.insert(id, next);
                    }
                    None => {
                        // Describe the shards again to find its children.
                        self.iterators.remove(&id);
                        self.stale = true;
                    }
                }
            }
            Read::Nothing => {
                if let Some(iterator) = iterator {
                    self.iterators.insert(id, iterator);
                }
            }
            Read::Expired => {
                self.iterators.remove(&id);
            }
            Read::Trimmed => {
                self.iterators.remove(&id);
                batch.positions.push((id.clone(), Position::Oldest));
                batch.trimmed.push(id);
            }
            Read::Gone => {
                self.iterators.remove(&id);
                batch.positions.push((id.clone(), Position::Done(None)));
                batch.trimmed.push(id);
                batch.shard_gone = true;
                self.stale = true;
            }
        }
    }
}

fn judge(error: CallError) -> Result<Read, CallError> {
    match error.code() {
        Some("ExpiredIteratorException") => Ok(Read::Expired),
        Some("TrimmedDataAccessException") => Ok(Read::Trimmed),
        Some("ResourceNotFoundException") => Ok(Read::Gone),
        _ if error.is_throttling() => Ok(Read::Nothing),
        _ => Err(error),
    }
}

impl Batch {
    /// Returns the conversations that got messages, each once.
    pub fn conversations(&self) -> BTreeSet<ConversationId> {
        self.inserted
            .iter()
            .map(|(conversation, _)| *conversation)
            .collect()
    }

    fn take(&mut self, id: &str, records: &[Record], closed: bool, before: &Position) {
        self.records += records.len() as u64;
        self.inserted.extend(records.iter().filter_map(inserted));
        let last = records
            .iter()
            .rev()
            .find_map(|record| record.dynamodb()?.sequence_number())
            .or(before.sequence_number())
            .map(str::to_owned);
        let position = match last {
            last if closed => Position::Done(last),
            Some(last) => Position::After(last),
            None => before.clone(),
        };
        if position != *before {
            self.positions.push((id.to_owned(), position));
        }
    }
}

/// Returns the key of the new message in a record. Only the INSERT of an item in a partition of messages
/// has one. A MODIFY, a REMOVE and changes to rows have none.
fn inserted(record: &Record) -> Option<(ConversationId, SortKey)> {
    if record.event_name() != Some(&OperationType::Insert) {
        return None;
    }
    let keys = record.dynamodb()?.keys()?;
    let text = |name: &str| match keys.get(name)? {
        AttributeValue::S(text) => Some(text),
        _ => None,
    };
    match text(attribute::PK)?.parse() {
        Ok(PartitionKey::Messages(conversation)) => {
            Some((conversation, SortKey::verbatim(text(attribute::SK)?)))
        }
        _ => None,
    }
}
