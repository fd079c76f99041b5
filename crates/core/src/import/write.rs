//! The passes after the first: each item is looked up, and put if its key is free.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures::{Stream, StreamExt, TryStreamExt, stream};

use super::check::Checked;
use super::reader::{self, Chunk, Piece, Reading, Turn};
use super::source::{LinesRead, Source, SourceError};
use crate::error::{CallError, Error};
use crate::guard::Guarded;
use crate::item::{Known, RawItem};
use crate::key::{ConversationId, PartitionKey, UserId};
use crate::rate_limit::{ConcurrencyLimit, Rate};
use crate::schema::attribute;
use crate::store::{Batch, Encoded, Partition, Query, Store, Writer, write_units};

/// The most chunks in flight.
const CHUNKS: usize = 8;
/// The most puts in flight.
const IN_FLIGHT: usize = 64;
/// The most left items that are named.
const NAMED: usize = 10;

/// The reason why an import ended early. What was written stays; a later run finds it and continues.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A file could not be read again, or was changed.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A request failed.
    #[error(transparent)]
    Store(#[from] Error),
}

impl From<CallError> for ImportError {
    fn from(error: CallError) -> Self {
        Self::Store(error.into())
    }
}

/// An item of the files that was not put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// The partition key.
    pub pk: String,
    /// The sort key.
    pub sk: String,
    /// Why it was left.
    pub why: WhyLeft,
}

/// The reason why an item was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WhyLeft {
    /// Its key has other content in the table.
    #[error("the key holds other content")]
    OtherContent,
    /// It is a row, and its owner has another row for that conversation.
    #[error("this person has another row for the conversation")]
    OtherRow,
}

/// The counts of an import. They can be read at any time.
#[derive(Debug, Default)]
pub struct Tally {
    unchanged: AtomicU64,
    written: AtomicU64,
    different: AtomicU64,
    left: Mutex<Vec<Left>>,
}

impl Tally {
    /// Returns the number of items that were already in the table, with the same content, or were copies in the files.
    pub fn unchanged(&self) -> u64 {
        self.unchanged.load(Ordering::Relaxed)
    }

    /// Returns the number of items that were put, or would be put.
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Returns the number of items that were left, because something else is in the table.
    pub fn different(&self) -> u64 {
        self.different.load(Ordering::Relaxed)
    }

    /// Returns the first items that were left.
    pub fn left(&self) -> Vec<Left> {
        self.left
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn leave(&self, piece: &Piece, why: WhyLeft) {
        self.different.fetch_add(1, Ordering::Relaxed);
        let mut named = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        if named.len() < NAMED {
            let [pk, sk] = piece.key().map(str::to_owned);
            named.push(Left { pk, sk, why });
        }
    }
}

/// An import of files into a table.
#[derive(Debug)]
pub struct Import<'a> {
    /// The table.
    pub store: &'a Store,
    /// The writer; `None` to only read the table.
    pub writer: Option<&'a Writer>,
    /// The files.
    pub source: &'a Arc<Source>,
    /// The result of checking them.
    pub checked: &'a Arc<Checked>,
    /// The limit of write capacity units per second.
    pub rate: Option<Rate>,
    /// The number of bytes read from the files so far.
    pub read: &'a Arc<LinesRead>,
    /// The counts so far.
    pub tally: &'a Tally,
}

impl Import<'_> {
    /// Puts the items that are missing in the table: first all except rows, then the rows, each only if its owner has
    /// no other row for that conversation. Existing items are never changed.
    ///
    /// In production, each item is put on condition that its key is free. A local table is written in batches, which
    /// have no conditions: there, a key counts as free if it was free when it was looked up just before.
    ///
    /// # Errors
    ///
    /// If a request fails, or the files have changed since they were checked.
    pub async fn write(&self) -> Result<(), ImportError> {
        let work = Work {
            import: self,
            limit: ConcurrencyLimit::new(IN_FLIGHT),
        };
        let (chunks, reading) = self.read(Turn::Others);
        let put = chunks.map(|chunk| work.put(chunk)).buffer_unordered(CHUNKS);
        put.try_for_each(|()| async { Ok(()) }).await?;
        let mut items = self.end(reading).await?;
        if self.checked.has_rows {
            let (chunks, reading) = self.read(Turn::Rows);
            // One chunk after the other, so that two rows of the same owner and conversation see each other.
            let put = chunks.then(|chunk| work.put_rows(chunk));
            put.try_for_each(|()| async { Ok(()) }).await?;
            items += self.end(reading).await?;
        }
        match items == self.checked.marks.items() {
            true => Ok(()),
            false => Err(self.source.shorter().into()),
        }
    }

    /// Starts to read the items of a turn.
    fn read(&self, turn: Turn) -> (impl Stream<Item = Chunk> + use<>, Reading) {
        reader::start(self.source, self.checked, self.read, turn)
    }

    /// Waits for the end of a pass, and returns the number of items that it read.
    async fn end(&self, reading: Reading) -> Result<u64, ImportError> {
        let counts = match reading.await {
            Ok(counts) => counts?,
            Err(fault) => std::panic::resume_unwind(fault.into_panic()),
        };
        self.tally
            .unchanged
            .fetch_add(counts.copies, Ordering::Relaxed);
        Ok(counts.items)
    }
}

/// Returns the parts of an item's key.
fn key_of(item: &RawItem) -> Option<[&str; 2]> {
    let text = |name: &str| item.get(name)?.as_s().ok().map(String::as_str);
    Some([text(attribute::PK)?, text(attribute::SK)?])
}

struct Work<'a> {
    import: &'a Import<'a>,
    limit: ConcurrencyLimit,
}

impl Work<'_> {
    /// Removes the items of a chunk that are already in the table, and counts them.
    async fn absent(&self, mut chunk: Chunk) -> Result<Chunk, ImportError> {
        let keys = chunk.iter().map(Piece::raw_key).collect();
        let there = self.import.store.get_many(keys).await?;
        let there: HashMap<_, _> = there
            .iter()
            .filter_map(|item| Some((key_of(item)?, item)))
            .collect();
        let tally = self.import.tally;
        chunk.retain(|piece| {
            match there.get(&piece.key()) {
                None => return true,
                Some(item) if piece.is(item) => {
                    tally.unchanged.fetch_add(1, Ordering::Relaxed);
                }
                Some(_) => tally.leave(piece, WhyLeft::OtherContent),
            }
            false
        });
        Ok(chunk)
    }

    /// Puts the items of a chunk that are not in the table.
    async fn put(&self, chunk: Chunk) -> Result<(), ImportError> {
        self.put_absent(self.absent(chunk).await?).await
    }

    /// Puts the items of a chunk, whose keys were free just before.
    async fn put_absent(&self, chunk: Chunk) -> Result<(), ImportError> {
        let Some(writer) = self.import.writer else {
            self.count(chunk.len() as u64);
            return Ok(());
        };
        if writer.is_production() {
            let puts = chunk.into_iter().map(|piece| self.put_one(writer, piece));
            let puts = stream::iter(puts).buffer_unordered(IN_FLIGHT);
            return puts.try_for_each(|()| async { Ok(()) }).await;
        }
        let mut batch = Batch::default();
        for piece in &chunk {
            if let Some(full) = batch.put_json(piece.key(), piece.bytes, &piece.json)? {
                self.send(writer, &full).await?;
            }
        }
        match batch.take() {
            Some(last) => self.send(writer, &last).await,
            None => Ok(()),
        }
    }

    async fn send(&self, writer: &Writer, batch: &Encoded) -> Result<(), ImportError> {
        let rate = self.import.rate.as_ref();
        let put = writer.put_batch(batch, &self.limit, rate).await;
        self.count(match &put {
            Ok(()) => batch.items(),
            Err(Error::PartlyWritten { written, .. }) => *written,
            Err(_) => 0,
        });
        Ok(put?)
    }

    /// Puts one item on condition that its key is free.
    async fn put_one(&self, writer: &Writer, piece: Piece) -> Result<(), ImportError> {
        let permit = self.limit.acquire().await;
        if let Some(rate) = &self.import.rate {
            rate.reserve(write_units(piece.bytes)).await;
        }
        let is_put = writer.put_if_free(&piece.item().to_raw()).await?;
        permit.accepted();
        // After a lost reply, the same item is there. It was not there before, so this import wrote it.
        let is_there = is_put || {
            let there = self.import.store.get_many(vec![piece.raw_key()]).await?;
            there.iter().any(|there| piece.is(there))
        };
        match is_there {
            true => self.count(1),
            false => self.import.tally.leave(&piece, WhyLeft::OtherContent),
        }
        Ok(())
    }

    fn count(&self, written: u64) {
        self.import
            .tally
            .written
            .fetch_add(written, Ordering::Relaxed);
    }

    /// Puts the rows of a chunk whose owners have no other row of their conversation.
    async fn put_rows(&self, chunk: Chunk) -> Result<(), ImportError> {
        let chunk = self.absent(chunk).await?;
        let mut of: HashMap<UserId, HashSet<ConversationId>> = HashMap::new();
        let mut free = Chunk::new();
        for piece in chunk {
            if let Some((owner, conversation)) = piece.row {
                let rows = match of.entry(owner) {
                    Entry::Occupied(entry) => entry.into_mut(),
                    Entry::Vacant(entry) => entry.insert(self.conversations_of(owner).await?),
                };
                if !rows.insert(conversation) {
                    self.import.tally.leave(&piece, WhyLeft::OtherRow);
                    continue;
                }
            }
            free.push(piece);
        }
        self.put_absent(free).await
    }

    /// Returns the conversations for which a user has a row, with strongly consistent reads.
    async fn conversations_of(&self, owner: UserId) -> Result<HashSet<ConversationId>, CallError> {
        let query = Query::new(Partition::Table(PartitionKey::Rows(owner))).consistent();
        let pages = self.import.store.query(query);
        pages
            .try_fold(HashSet::new(), |mut all, page| async move {
                all.extend(page.items.iter().filter_map(|item| match Known::of(item) {
                    Ok(Known::ConversationRow(row)) => Some(row.conversation),
                    _ => None,
                }));
                Ok(all)
            })
            .await
    }
}
