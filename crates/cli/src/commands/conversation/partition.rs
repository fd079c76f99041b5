//! What `get-conversation` and `list-conversations` share: reading one partition, newest first.

use std::collections::{HashSet, VecDeque};
use std::io::{self, BufWriter, Write};
use std::marker::PhantomData;

use ddb_core::conversation::{self, Slice};
use ddb_core::item::{Kind, RawItem, Value, View};
use ddb_core::key::PartitionKey;
use ddb_core::schema::attribute;
use ddb_core::store::{Direction, Store};
use ddb_core::timestamp::TimeRange;
use futures::TryStreamExt;
use serde::{Serialize, Serializer};

use super::{add, capacity, counted, utc};
use crate::failure::Failure;
use crate::output::{Cell, Column, Printer, Record, Said, Totals, json};
use crate::ui::Ui;

/// An entry in the application's shape: a message with its sender, or a conversation with the other
/// person and the last message.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Entry {
    pub uuid: Option<String>,
    pub display_name: Option<String>,
    pub handle: Option<String>,
    pub message: Option<String>,
    pub created_at: Option<String>,
    #[serde(skip)]
    pub item: RawItem,
    #[serde(skip)]
    pub kind: Kind,
}

impl Entry {
    fn new(id: &str, item: RawItem) -> Self {
        // An item of unknown shape shows what it has.
        let shown = |name: &str| {
            item.get(name).map(|value| match Value::from(value) {
                Value::S(text) => text.into_owned(),
                Value::NotUnicode(text) => text.shown().into_owned(),
                value => json::text(&json::PlainValue(&value)),
            })
        };
        Self {
            uuid: shown(id),
            display_name: shown(attribute::USER_DISPLAY_NAME),
            handle: shown(attribute::USER_HANDLE),
            message: shown(attribute::MESSAGE),
            created_at: shown(attribute::SK),
            kind: Kind::of(&item),
            item,
        }
    }

    /// Returns a cell with a field, or with nothing.
    pub fn cell(field: &Option<String>) -> Cell {
        Cell::text(field.as_deref().unwrap_or_default())
    }

    /// Returns it as a message of a transcript.
    fn said(&self) -> Said<'_> {
        let speaker = self.item.get(attribute::USER_UUID);
        Said {
            speaker: speaker.and_then(|id| id.as_s().ok()).map_or("", |id| id),
            name: self.handle.as_deref().unwrap_or_default(),
            at: self.created_at.as_deref().unwrap_or_default(),
            text: self.message.as_deref().unwrap_or_default(),
        }
    }

    /// Returns the time for people, in UTC; as it is stored where it is no time.
    pub fn time(&self) -> String {
        utc(self.created_at.as_deref().unwrap_or_default())
    }
}

/// The printer of a command.
pub(super) type Stdout = Printer<BufWriter<io::Stdout>>;

/// How a command lays an entry out in a table. All other forms are the same for all commands.
pub(super) trait Layout {
    const COLUMNS: &'static [Column];

    fn row(entry: &Entry) -> Vec<Cell>;
}

/// An entry in the layout of a command.
pub(super) struct Row<L> {
    entry: Entry,
    layout: PhantomData<L>,
}

impl<L> Serialize for Row<L> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.entry.serialize(serializer)
    }
}

impl<L> Row<L> {
    /// Lays an item of a partition of messages out.
    pub fn of_message(item: RawItem) -> Self {
        Self {
            entry: Entry::new(attribute::MESSAGE_UUID, item),
            layout: PhantomData,
        }
    }
}

impl<L: Layout> Record for Row<L> {
    const LIVE: bool = true;
    const COLUMNS: &'static [Column] = L::COLUMNS;
    const CSV: Option<&'static [&'static str]> =
        Some(&["uuid", "display_name", "handle", "message", "created_at"]);

    fn rows(&self) -> Vec<Vec<Cell>> {
        vec![L::row(&self.entry)]
    }

    fn csv_rows(&self) -> Vec<Vec<Cell>> {
        let entry = &self.entry;
        let fields = [
            &entry.uuid,
            &entry.display_name,
            &entry.handle,
            &entry.message,
            &entry.created_at,
        ];
        vec![fields.map(Entry::cell).to_vec()]
    }

    fn said(&self) -> Option<Said<'_>> {
        Some(self.entry.said())
    }

    fn item<T>(&self, see: impl FnOnce(&View<'_>) -> T) -> Option<T> {
        Some(see(&View::from(&self.entry.item)))
    }
}

/// What to read of a partition, and in which order it is shown.
pub(super) struct Reading {
    pub partition: PartitionKey,
    pub range: TimeRange,
    pub limit: Option<u32>,
    /// Whether the sort keys that are shown are kept for what goes on after the end.
    pub remember: bool,
    pub shown: Direction,
}

/// What was read beside the entries.
#[derive(Debug)]
struct Read {
    totals: Totals,
    undated: u64,
    unknown: u64,
    shown: Option<HashSet<String>>,
}

impl Reading {
    /// Reads and prints. With a limit the newest entries are held back until all are there, at most
    /// that many; without one, every page is printed as it comes. `if_empty` decides, before anything
    /// is printed, whether an empty answer is a failure; `after` may go on printing before the end, and is
    /// given the sort keys that were shown.
    pub async fn show<L: Layout>(
        &self,
        store: &Store,
        mut printer: Stdout,
        ui: &Ui,
        (one, many): (&str, &str),
        if_empty: impl AsyncFnOnce() -> Result<(), Failure>,
        after: impl AsyncFnOnce(&mut Stdout, HashSet<String>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut read = Read {
            totals: Totals {
                scanned_count: Some(0),
                truncated: Some(false),
                ..Totals::default()
            },
            undated: 0,
            unknown: 0,
            shown: self.remember.then(HashSet::new),
        };
        let mut result = match self.limit {
            Some(limit) => {
                self.newest::<L, _>(store, limit, &mut printer, &mut read)
                    .await
            }
            None => self.all::<L, _>(store, &mut printer, &mut read).await,
        };
        let printed = printer.printed();
        if result.is_ok() && printed == 0 {
            result = if_empty().await;
        }
        if result.is_ok() {
            printer.flush()?;
            let shown = read.shown.take().unwrap_or_default();
            result = after(&mut printer, shown).await;
        }
        if let Err(failure) = result {
            printer.abandon();
            return Err(failure);
        }
        let printed = printer.printed();
        printer.finish(read.totals)?;
        let shown = match printed {
            0 => format!("no {many}"),
            printed => counted(printed, one, many),
        };
        read.say(&shown, ui);
        Ok(())
    }

    /// The attribute that holds the id of an entry.
    fn id(&self) -> &'static str {
        match self.partition {
            PartitionKey::Messages(_) => attribute::MESSAGE_UUID,
            PartitionKey::Groups(_) => attribute::MESSAGE_GROUP_UUID,
        }
    }

    async fn newest<L: Layout, W: Write>(
        &self,
        store: &Store,
        limit: u32,
        printer: &mut Printer<W>,
        read: &mut Read,
    ) -> Result<(), Failure> {
        // One more than the limit tells whether the limit cut anything.
        let page_size = self.range.is_everything().then(|| limit.saturating_add(1));
        let slices = conversation::read(
            store,
            self.partition,
            self.range,
            Direction::Descending,
            page_size,
        );
        let mut slices = std::pin::pin!(slices);
        let mut kept: VecDeque<Entry> = VecDeque::new();
        'pages: while let Some(slice) = slices.try_next().await? {
            read.count(&slice);
            for item in slice.page.items {
                if kept.len() == limit as usize {
                    read.totals.truncated = Some(true);
                    break 'pages;
                }
                let entry = Entry::new(self.id(), item);
                match self.shown {
                    Direction::Descending => kept.push_back(entry),
                    Direction::Ascending => kept.push_front(entry),
                }
            }
        }
        for entry in kept {
            read.show::<L, W>(entry, printer)?;
        }
        Ok(())
    }

    async fn all<L: Layout, W: Write>(
        &self,
        store: &Store,
        printer: &mut Printer<W>,
        read: &mut Read,
    ) -> Result<(), Failure> {
        let slices = conversation::read(store, self.partition, self.range, self.shown, None);
        let mut slices = std::pin::pin!(slices);
        while let Some(slice) = slices.try_next().await? {
            read.count(&slice);
            for item in slice.page.items {
                read.show::<L, W>(Entry::new(self.id(), item), printer)?;
            }
            printer.flush()?;
        }
        Ok(())
    }
}

impl Read {
    fn count(&mut self, slice: &Slice) {
        add(&mut self.totals.consumed_capacity, slice.page.consumed);
        *self.totals.scanned_count.get_or_insert(0) += slice.page.scanned;
        self.undated += slice.undated;
    }

    fn show<L: Layout, W: Write>(
        &mut self,
        entry: Entry,
        printer: &mut Printer<W>,
    ) -> Result<(), Failure> {
        self.unknown += u64::from(entry.kind == Kind::Unknown);
        if let Some(shown) = &mut self.shown {
            shown.extend(entry.created_at.clone());
        }
        printer.print(&Row {
            entry,
            layout: PhantomData::<L>,
        })
    }

    /// Says how much was shown, what was cut, and what is odd.
    fn say(&self, shown: &str, ui: &Ui) {
        ui.note(&format!(
            "{shown}{}",
            capacity(self.totals.consumed_capacity)
        ));
        if self.totals.truncated == Some(true) {
            ui.note("there are older ones: --all shows them, --limit N shows more");
        }
        if self.undated > 0 {
            ui.warn(&format!(
                "{} left out: the sort key is not a time",
                counted(self.undated, "item was", "items were")
            ));
        }
        if self.unknown > 0 {
            ui.warn(&format!(
                "{} of unknown shape; `ddb scan --kind unknown` shows all of it",
                counted(self.unknown, "item is", "items are")
            ));
        }
    }
}
