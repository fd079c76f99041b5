//! Reading items from the files for the table.

use std::collections::HashSet;
use std::sync::Arc;

use aws_sdk_dynamodb::types::AttributeValue;
use futures::{Stream, stream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::check::{Checked, Line};
use super::source::{LinesRead, Source, SourceError};
use crate::item::{ItemView, Kind, Known, RawItem, Typed, Value};
use crate::key::{ConversationId, UserId};
use crate::schema::attribute;

/// The most items that are looked up in one request: BatchGetItem in the API reference.
const CHUNK: usize = 100;
/// The most bytes of JSON in a chunk, so that chunks in flight are not large.
const CHUNK_BYTES: usize = 1024 * 1024;

/// An item on its way to the table.
#[derive(Debug)]
pub(super) struct Piece {
    pub pk: String,
    pub sk: String,
    /// The item as DynamoDB JSON.
    pub json: String,
    /// Its size as DynamoDB bills it.
    pub bytes: usize,
    /// The owner and the conversation, if it is a row.
    pub row: Option<(UserId, ConversationId)>,
}

pub(super) type Chunk = Vec<Piece>;

/// The items that a pass reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    Others,
    Rows,
}

/// The counts of a pass.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    pub items: u64,
    /// Items that equal an earlier item in the files.
    pub copies: u64,
}

/// A running pass, on its own thread.
pub(super) type Reading = JoinHandle<Result<Counts, SourceError>>;

/// Starts to read the items of a turn. Reading ends when the stream of chunks is dropped.
pub(super) fn start(
    source: &Arc<Source>,
    checked: &Arc<Checked>,
    read: &Arc<LinesRead>,
    turn: Turn,
) -> (impl Stream<Item = Chunk> + use<>, Reading) {
    let (sender, receiver) = mpsc::channel(2);
    let reader = Reader {
        checked: Arc::clone(checked),
        turn,
        chunks: sender,
        chunk: Chunk::new(),
        bytes: 0,
        copies: HashSet::new(),
        counts: Counts::default(),
    };
    let (source, read) = (Arc::clone(source), Arc::clone(read));
    let reading = tokio::task::spawn_blocking(move || reader.run(&source, &read));
    let chunks = stream::unfold(receiver, |mut chunks| async {
        chunks.recv().await.map(|chunk| (chunk, chunks))
    });
    (chunks, reading)
}

/// Reads items into chunks.
struct Reader {
    checked: Arc<Checked>,
    turn: Turn,
    chunks: mpsc::Sender<Chunk>,
    chunk: Chunk,
    bytes: usize,
    /// The marks of keys with several equal items, one of which was read.
    copies: HashSet<u64>,
    counts: Counts,
}

/// Why a pass ended.
enum End {
    /// The receiver of the chunks is gone; it knows why.
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
            // Bad lines were counted before.
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
            // Cannot fail: only a map with keys that are not strings cannot be written.
            json: serde_json::to_string(&Typed(item)).unwrap_or_default(),
            bytes: item.size(),
            row,
        }
    }

    pub fn item(&self) -> ItemView<'_> {
        serde_json::from_str(&self.json).unwrap_or_default()
    }

    pub fn is(&self, there: &RawItem) -> bool {
        self.item().normalized() == ItemView::from(there).normalized()
    }

    pub fn key(&self) -> [&str; 2] {
        [&self.pk, &self.sk]
    }

    pub fn raw_key(&self) -> RawItem {
        let names = [attribute::PK, attribute::SK].map(str::to_owned);
        let texts = self.key().map(str::to_owned).map(AttributeValue::S);
        names.into_iter().zip(texts).collect()
    }
}
