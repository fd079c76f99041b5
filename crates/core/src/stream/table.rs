//! The stream that a table has just now: it ends where the table is dropped or the stream turned off, and
//! a table made anew has another.

use std::time::Duration;

use aws_sdk_dynamodb::types::{TableDescription, TableStatus};
use tokio::time::Instant;

use super::checkpoint::Checkpoint;
use super::client::Streams;
use super::follower::{Batch, Begin, Follower};
use crate::error::CallError;
use crate::store::Store;
use crate::timestamp::Timestamp;

/// Tells which stream a table has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TableStream {
    /// There is no table, or it is being deleted.
    NoTable,
    /// The table has none, or it is turned off.
    Off,
    /// The ARN of the stream that the table writes to.
    On(String),
}

impl TableStream {
    /// Asks for it: one DescribeTable.
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

/// How often is looked, and how long silence has to last.
#[derive(Debug, Clone, Copy)]
pub struct PollIntervals {
    /// At most how often the table is described.
    pub look: Duration,
    /// How long a shard has to give nothing to be at its end.
    pub empty: Duration,
}

/// What there is to follow no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// The table is gone.
    Table,
    /// The table is there, and writes to no stream.
    Stream,
}

/// What a look at the stream of a table gave.
#[derive(Debug)]
pub enum News {
    /// One round over the shards; often nothing.
    Batch(Batch),
    /// Another stream is followed from now on, from its oldest record: the table was made anew, or its stream
    /// was turned off and on. What the one before still had was read.
    Renewed,
    /// There is nothing to follow; said once. Until there is again, batches are empty.
    Lost(Lost),
}

/// Follows the stream of a table, and the next one where that ends.
///
/// An engine shows in three ways that a stream ended: its shards close (AWS), it is not found, or it gives nothing
/// for ever. So the table is asked which stream it has: when a stream is not found, and else once in [`PollIntervals::look`].
#[derive(Debug)]
pub struct TableFollower {
    store: Store,
    streams: Streams,
    intervals: PollIntervals,
    state: State,
    /// When the table was described last; `None` where that is due.
    looked: Option<Instant>,
    /// Whether the stream was not found at the last look, while the table still named it.
    doubtful: bool,
}

#[derive(Debug)]
enum State {
    Reading {
        follower: Box<Follower>,
        /// Whether the table has another stream or none by now; what this one still holds is read first.
        ending: bool,
    },
    Waiting(Lost),
}

impl TableFollower {
    /// Makes a follower that begins with a stream, or without one; nothing is contacted yet.
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
    /// When a request fails, and where the stream stays missing while the table names it.
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
                // A description may be behind, so it is asked for twice.
                None if !std::mem::replace(&mut self.doubtful, true) => Ok(News::nothing()),
                None => Err(error),
            },
            Err(error) => Err(error),
        }
    }

    /// Takes a batch for read: whatever it asked for was done.
    pub fn commit(&mut self, batch: Batch) {
        if let State::Reading { follower, .. } = &mut self.state {
            follower.commit(batch);
        }
    }

    /// Returns how far was read and committed; `None` while there is nothing to follow.
    pub fn checkpoint(&self) -> Option<Checkpoint> {
        match &self.state {
            State::Reading { follower, .. } => Some(follower.checkpoint()),
            State::Waiting(_) => None,
        }
    }

    /// Tells whether all that was in the stream has been read: see [`Follower::is_caught_up`]. One that ended is not
    /// caught up with: what came after it is told first.
    pub fn is_caught_up(&self) -> bool {
        match &self.state {
            State::Reading {
                follower,
                ending: false,
            } => follower.is_caught_up(self.intervals.empty),
            _ => false,
        }
    }

    /// Tells whether the table that records were read from is gone: what they asked for cannot be done then, and need
    /// not be. [`Self::next`] tells what there is in its place.
    pub async fn has_lost_its_table(&mut self) -> Result<bool, CallError> {
        self.looked = None;
        let stream = TableStream::of(&self.store).await?;
        Ok(match &self.state {
            State::Reading { follower, .. } => !stream.is(follower.stream_arn()),
            State::Waiting(_) => true,
        })
    }

    /// Asks the table for its stream, and turns to it where it is another one and there is nothing left to read of the
    /// one before; `gone`: that was not found.
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
            // Without its table there is nothing to be done for a record.
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
