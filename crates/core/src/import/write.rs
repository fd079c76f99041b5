//! The readings after the first one: each item is looked for, and put where its key is free.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_dynamodb::types::AttributeValue;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::check::{Checked, Line};
use super::source::{LinesRead, Source, SourceError};
use crate::error::{CallError, Error};
use crate::guard::Guarded;
use crate::item::{ItemView, Kind, Known, RawItem, Typed, Value};
use crate::key::{ConversationId, PartitionKey, UserId};
use crate::rate_limit::{ConcurrencyLimit, Rate};
use crate::schema::attribute;
use crate::store::{Batch, Encoded, Partition, Query, Store, Writer, write_units};

/// The most items that are looked for in one request: BatchGetItem in the API reference.
const CHUNK: usize = 100;
/// The most bytes of JSON in a chunk, so that those in flight are not large.
const CHUNK_BYTES: usize = 1024 * 1024;
/// The most chunks in flight.
const CHUNKS: usize = 8;
/// The most puts in flight.
const IN_FLIGHT: usize = 64;
/// How many items that were left are named.
const NAMED: usize = 10;

/// Says why an import ended early. What was written stays; a later run finds it, and goes on.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A file could not be read again as it was.
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

/// An item that was left as it is in the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Left {
    /// Its key has another content there.
    OtherContent {
        /// The partition key.
        pk: String,
        /// The sort key.
        sk: String,
    },
    /// It is a row, and its owner has another one of that conversation.
    OtherRow {
        /// The partition key.
        pk: String,
        /// The sort key.
        sk: String,
    },
}

/// Counts items; it can be asked at any time.
#[derive(Debug, Default)]
pub struct Tally {
    unchanged: AtomicU64,
    written: AtomicU64,
    different: AtomicU64,
    left: Mutex<Vec<Left>>,
}

impl Tally {
    /// Returns how many items were in the table as they are in the files.
    pub fn unchanged(&self) -> u64 {
        self.unchanged.load(Ordering::Relaxed)
    }

    /// Returns how many items were put, or would be.
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Returns how many items were left, since something else is there.
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

    fn leave(&self, left: Left) {
        self.different.fetch_add(1, Ordering::Relaxed);
        let mut named = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        if named.len() < NAMED {
            named.push(left);
        }
    }
}

/// Files whose items are brought into a table.
#[derive(Debug)]
pub struct Import<'a> {
    /// The table.
    pub store: &'a Store,
    /// What may write to it; `None` where it is only looked at.
    pub writer: Option<&'a Writer>,
    /// The files.
    pub source: &'a Arc<Source>,
    /// What was found in them.
    pub checked: &'a Arc<Checked>,
    /// Write capacity units a second.
    pub rate: Option<Rate>,
    /// How far the files are read.
    pub read: &'a Arc<LinesRead>,
    /// How far the import is.
    pub tally: &'a Tally,
}

/// An item on its way.
#[derive(Debug)]
struct Piece {
    pk: String,
    sk: String,
    /// As DynamoDB JSON.
    json: String,
    /// Its size as the service bills it.
    bytes: usize,
    /// Whose row of which conversation it is.
    row: Option<(UserId, ConversationId)>,
}

type Chunk = Vec<Piece>;

/// What a reading is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Others,
    Rows,
}

/// What a reading came to.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    items: u64,
    /// Items that were there before in the files, as they are.
    copies: u64,
}

impl Import<'_> {
    /// Puts what is not there: all but rows first, then the rows, each of them only where its owner has no other one of that
    /// conversation. What is there is never changed.
    ///
    /// In production each item is put on condition that its key is free. A local table takes batches, which have no
    /// condition: a key is free there that was free when it was looked at, just before.
    ///
    /// # Errors
    ///
    /// When a request fails, or the files have changed since they were checked.
    pub async fn write(&self) -> Result<(), ImportError> {
        let work = Work {
            import: self,
            limit: ConcurrencyLimit::new(IN_FLIGHT),
        };
        let (chunks, reading) = self.chunks(Turn::Others);
        let put = chunks.map(|chunk| work.put(chunk)).buffer_unordered(CHUNKS);
        put.try_for_each(|()| async { Ok(()) }).await?;
        let mut items = self.end(reading).await?;
        if self.checked.has_rows {
            let (chunks, reading) = self.chunks(Turn::Rows);
            // One after the other, so that two rows of one owner and conversation see each other.
            let put = chunks.then(|chunk| work.put_rows(chunk));
            put.try_for_each(|()| async { Ok(()) }).await?;
            items += self.end(reading).await?;
        }
        match items == self.checked.marks.items() {
            true => Ok(()),
            false => Err(self.source.shorter().into()),
        }
    }

    /// Reads the items that a turn is about, on a thread of its own, which ends where nobody takes them any more.
    fn chunks(
        &self,
        turn: Turn,
    ) -> (
        impl Stream<Item = Chunk> + use<>,
        JoinHandle<Result<Counts, SourceError>>,
    ) {
        let (sender, receiver) = mpsc::channel(2);
        let reader = Reader {
            checked: Arc::clone(self.checked),
            turn,
            chunks: sender,
            chunk: Chunk::new(),
            bytes: 0,
            copies: HashSet::new(),
            counts: Counts::default(),
        };
        let (source, read) = (Arc::clone(self.source), Arc::clone(self.read));
        let reading = tokio::task::spawn_blocking(move || reader.run(&source, &read));
        let chunks = stream::unfold(receiver, |mut chunks| async {
            chunks.recv().await.map(|chunk| (chunk, chunks))
        });
        (chunks, reading)
    }

    /// Waits for the end of a reading; returns how many items it came upon.
    async fn end(
        &self,
        reading: JoinHandle<Result<Counts, SourceError>>,
    ) -> Result<u64, ImportError> {
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

/// Reads items into chunks.
struct Reader {
    checked: Arc<Checked>,
    turn: Turn,
    chunks: mpsc::Sender<Chunk>,
    chunk: Chunk,
    bytes: usize,
    /// The marks of keys with several equal items, of which one was read.
    copies: HashSet<u64>,
    counts: Counts,
}

/// Ends a reading.
enum End {
    /// Nobody takes chunks any more: why is known there.
    Alone,
    By(SourceError),
}

impl From<SourceError> for End {
    fn from(error: SourceError) -> Self {
        Self::By(error)
    }
}

impl Reader {
    fn run(mut self, source: &Source, read: &LinesRead) -> Result<Counts, SourceError> {
        let ended = source.each_line(read, |place, line| {
            // What is wrong with lines was counted before.
            let Ok(line) = Line::read(line, &self.checked.marker) else {
                return Ok(());
            };
            let is_row = line.kind == Kind::Group;
            if is_row != (self.turn == Turn::Rows) || self.checked.marks.is_doubled(line.mark.key) {
                return Ok(());
            }
            match self.checked.marks.find(line.mark) {
                Some((_, true)) => {}
                _ => return Err(source.changed(place).into()),
            }
            self.counts.items += 1;
            let has_copies = self.checked.marks.has_copies(line.mark.key);
            if has_copies && !self.copies.insert(line.mark.key) {
                self.counts.copies += 1;
                return Ok(());
            }
            self.take(&line.item)
        });
        match ended.and_then(|()| self.send()) {
            Ok(()) | Err(End::Alone) => Ok(self.counts),
            Err(End::By(error)) => Err(error),
        }
    }

    fn take(&mut self, item: &ItemView<'_>) -> Result<(), End> {
        let piece = Piece::of(item, self.turn);
        self.bytes += piece.json.len();
        self.chunk.push(piece);
        match self.chunk.len() == CHUNK || self.bytes >= CHUNK_BYTES {
            true => self.send(),
            false => Ok(()),
        }
    }

    fn send(&mut self) -> Result<(), End> {
        self.bytes = 0;
        let chunk = std::mem::take(&mut self.chunk);
        if chunk.is_empty() {
            return Ok(());
        }
        self.chunks.blocking_send(chunk).map_err(|_| End::Alone)
    }
}

impl Piece {
    fn of(item: &ItemView<'_>, turn: Turn) -> Self {
        let text = |name: &str| match item.get(name) {
            Some(Value::S(text)) => text.clone().into_owned(),
            _ => String::new(),
        };
        let row = match (turn, Known::of(item)) {
            (Turn::Rows, Ok(Known::ConversationRow(row))) => Some((row.owner, row.conversation)),
            _ => None,
        };
        Self {
            pk: text(attribute::PK),
            sk: text(attribute::SK),
            // Only a map whose keys are no strings cannot be written.
            json: serde_json::to_string(&Typed(item)).unwrap_or_default(),
            bytes: item.size(),
            row,
        }
    }

    fn item(&self) -> ItemView<'_> {
        serde_json::from_str(&self.json).unwrap_or_default()
    }

    fn is(&self, there: &RawItem) -> bool {
        self.item().normalized() == ItemView::from(there).normalized()
    }

    fn key(&self) -> [&str; 2] {
        [&self.pk, &self.sk]
    }

    fn raw_key(&self) -> RawItem {
        let names = [attribute::PK, attribute::SK].map(str::to_owned);
        let texts = self.key().map(str::to_owned).map(AttributeValue::S);
        names.into_iter().zip(texts).collect()
    }

    fn left_for_content(&self) -> Left {
        let [pk, sk] = self.key().map(str::to_owned);
        Left::OtherContent { pk, sk }
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
    /// Takes out of a chunk what is there, and counts it.
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
                Some(_) => tally.leave(piece.left_for_content()),
            }
            false
        });
        Ok(chunk)
    }

    async fn put(&self, chunk: Chunk) -> Result<(), ImportError> {
        let chunk = self.absent(chunk).await?;
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
        // The very same item is there after a lost reply. It was not there before, so it was written.
        let is_there = is_put || {
            let there = self.import.store.get_many(vec![piece.raw_key()]).await?;
            there.iter().any(|there| piece.is(there))
        };
        match is_there {
            true => self.count(1),
            false => self.import.tally.leave(piece.left_for_content()),
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
                    let Piece { pk, sk, .. } = piece;
                    self.import.tally.leave(Left::OtherRow { pk, sk });
                    continue;
                }
            }
            free.push(piece);
        }
        match free.is_empty() {
            true => Ok(()),
            false => self.put(free).await,
        }
    }

    /// Returns the conversations of which somebody has a row, strongly consistent.
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
