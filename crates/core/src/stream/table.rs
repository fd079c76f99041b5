//! The current stream of a table. It ends when the table is deleted or the stream is turned off. A
//! table that is created again has another stream.

use std::time::Duration;

use aws_sdk_dynamodb::types::{TableDescription, TableStatus};
use tokio::time::Instant;

use super::checkpoint::Checkpoint;
use super::client::Streams;
use super::follower::{Batch, Begin, Follower};
use crate::error::CallError;
use crate::store::Store;
use crate::timestamp::Timestamp;

/// The stream of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TableStream {
    /// There is no table, or it is being deleted.
    NoTable,
    /// The table has no stream, or it is turned off.
    Off,
    /// The ARN of the stream that the table writes to.
    On(String),
}

impl TableStream {
    /// Asks for the stream of a table, with one DescribeTable request.
    pub async fn of(store: &Store) -> Result<Self, CallError> {
        let table = store.description().await?;
        let table = table.filter(|table| table.table_status() != Some(&TableStatus::Deleting));
        Ok(table.as_ref().map_or(Self::NoTable, Self::from))
    }

    fn is(&self, arn: &str) -> bool {
        matches!(self, Self::On(own) if own == arn)
    }

    fn lost(&self) -> Option<Lost> {
        match self {
            Self::NoTable => Some(Lost::Table),
            Self::Off => Some(Lost::Stream),
            Self::On(_) => None,
        }
    }
}

impl From<&TableDescription> for TableStream {
    fn from(table: &TableDescription) -> Self {
        let enabled = table
            .stream_specification()
            .is_some_and(|stream| stream.stream_enabled());
        match table.latest_stream_arn() {
            Some(arn) if enabled => Self::On(arn.to_owned()),
            _ => Self::Off,
        }
    }
}

/// The intervals for describing the table and for treating a shard as read to its end.
#[derive(Debug, Clone, Copy)]
pub struct PollIntervals {
    /// The minimum time between two descriptions of the table.
    pub look: Duration,
    /// How long a shard has to return nothing until it counts as read.
    pub empty: Duration,
}

/// What can no longer be followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// The table is gone.
    Table,
    /// The table exists, but writes to no stream.
    Stream,
}

/// The result of one look at the stream of a table.
#[derive(Debug)]
pub enum News {
    /// The result of one round over the shards, often empty.
    Batch(Batch),
    /// Another stream is followed from now on, from its oldest record: the table was created again, or its stream
    /// was turned off and on. The remaining records of the stream before were read.
    Renewed,
    /// There is nothing to follow. This is returned once, then empty batches until there is a stream again.
    Lost(Lost),
}

/// A follower of the stream of a table, and of the next stream when that ends.
///
/// Engines differ in how they show that a stream ended: its shards close (AWS), it is not found, or it returns nothing
/// forever. So the table is asked for its stream when a stream is not found, and otherwise once per
/// [`PollIntervals::look`].
#[derive(Debug)]
pub struct TableFollower {
    store: Store,
    streams: Streams,
    intervals: PollIntervals,
    state: State,
    /// When the table was described last, or `None` if that is due.
    looked: Option<Instant>,
    /// Whether the stream was not found at the last look, although the table still had it.
    doubtful: bool,
}

#[derive(Debug)]
enum State {
    Reading {
        follower: Box<Follower>,
        /// Whether the table now has another stream or none. The remaining records of this one are read first.
        ending: bool,
    },
    Waiting(Lost),
}

impl TableFollower {
    /// Makes a follower that begins with a stream or without one. Nothing is contacted yet.
    pub fn new(
        store: Store,
        streams: Streams,
        stream: &TableStream,
        begin: Begin,
        intervals: PollIntervals,
    ) -> Self {
        let state = State::of(&streams, stream, begin);
        Self {
            store,
            streams,
            intervals,
            state,
            looked: Some(Instant::now()),
            doubtful: false,
        }
    }

    /// Reads one batch of each shard, or finds that the stream is another one.
    ///
    /// # Errors
    ///
    /// If a request fails, or if the stream stays missing although the table has it.
    pub async fn next(&mut self) -> Result<News, CallError> {
        let looked = self.looked;
        let due = looked.is_none_or(|looked| looked.elapsed() >= self.intervals.look);
        if due && let Some(news) = self.look(false).await? {
            return Ok(news);
        }
        let State::Reading { follower, .. } = &mut self.state else {
            return Ok(News::nothing());
        };
        if self.doubtful && !due {
            return Ok(News::nothing());
        }
        match follower.next().await {
            Ok(batch) => {
                self.doubtful = false;
                if batch.shard_gone
                    && let Some(news) = self.look(false).await?
                {
                    return Ok(news);
                }
                Ok(News::Batch(batch))
            }
            Err(error) if error.is_missing() => match self.look(true).await? {
                Some(news) => Ok(news),
                // A description may be out of date, so the table is described a second time.
                None if !std::mem::replace(&mut self.doubtful, true) => Ok(News::nothing()),
                None => Err(error),
            },
            Err(error) => Err(error),
        }
    }

    /// Marks a batch as read. Everything that it requires has to be done before.
    pub fn commit(&mut self, batch: Batch) {
        if let State::Reading { follower, .. } = &mut self.state {
            follower.commit(batch);
        }
    }

    /// Returns how far the stream was read and committed, or `None` while there is nothing to follow.
    pub fn checkpoint(&self) -> Option<Checkpoint> {
        match &self.state {
            State::Reading { follower, .. } => Some(follower.checkpoint()),
            State::Waiting(_) => None,
        }
    }

    /// Checks whether everything in the stream has been read: see [`Follower::is_caught_up`]. This is `false` for a
    /// stream that ended: [`Self::next`] first returns what replaced it.
    pub fn is_caught_up(&self) -> bool {
        match &self.state {
            State::Reading {
                follower,
                ending: false,
            } => follower.is_caught_up(self.intervals.empty),
            _ => false,
        }
    }

    /// Checks whether the table that records were read from is gone, or no longer has that stream. If so, what the
    /// records require cannot be done, and need not be. [`Self::next`] returns what replaced it.
    pub async fn has_lost_its_table(&mut self) -> Result<bool, CallError> {
        self.looked = None;
        let stream = TableStream::of(&self.store).await?;
        Ok(match &self.state {
            State::Reading { follower, .. } => !stream.is(follower.stream_arn()),
            State::Waiting(_) => true,
        })
    }

    /// Asks the table for its stream, and switches to it if it is another one and nothing is left to read of the one
    /// before. `gone` means that the one before was not found.
    async fn look(&mut self, gone: bool) -> Result<Option<News>, CallError> {
        let stream = TableStream::of(&self.store).await?;
        self.looked = Some(Instant::now());
        let stays = match &mut self.state {
            State::Waiting(lost) => stream.lost() == Some(*lost),
            State::Reading { follower, ending } if stream.is(follower.stream_arn()) => {
                *ending = false;
                follower.look_for_shards();
                true
            }
            // Without the table nothing can be done for a record.
            State::Reading { .. } if gone || stream == TableStream::NoTable => false,
            State::Reading { follower, ending } => {
                if !std::mem::replace(ending, true) {
                    follower.read_up_to(Timestamp::now());
                }
                !follower.is_caught_up(self.intervals.empty)
            }
        };
        Ok((!stays).then(|| self.turn_to(stream)))
    }

    fn turn_to(&mut self, stream: TableStream) -> News {
        self.doubtful = false;
        self.state = State::of(&self.streams, &stream, Begin::Oldest);
        match stream.lost() {
            Some(lost) => News::Lost(lost),
            None => News::Renewed,
        }
    }
}

impl State {
    fn of(streams: &Streams, stream: &TableStream, begin: Begin) -> Self {
        match stream {
            TableStream::On(arn) => Self::Reading {
                follower: Box::new(Follower::new(streams.clone(), arn, begin, Timestamp::now())),
                ending: false,
            },
            TableStream::Off => Self::Waiting(Lost::Stream),
            TableStream::NoTable => Self::Waiting(Lost::Table),
        }
    }
}

impl News {
    fn nothing() -> Self {
        Self::Batch(Batch::default())
    }
}
