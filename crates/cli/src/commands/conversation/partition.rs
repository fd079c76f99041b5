//! Shared code of `get-conversation` and `list-conversations`: reading one partition, newest first.

use std::collections::{HashSet, VecDeque};
use std::marker::PhantomData;

use ddb_core::conversation::{self, Filter, Slice};
use ddb_core::item::{ItemView, Kind, RawItem, Value};
use ddb_core::key::PartitionKey;
use ddb_core::schema::attribute;
use ddb_core::store::{Direction, Store};
use futures::TryStreamExt;
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use crate::commands::explain::Explanation;
use crate::failure::{Failure, Outcome};
use crate::output::{Cell, ChatLine, Column, Printer, Record, Totals, json};
use crate::ui::Ui;
use crate::wording::{capacity, left_out, plural, short};

/// An item of a partition, with the fields of the contract: a message with its sender, or a conversation with the other
/// person and the last message. The layout decides which of the two.
#[derive(Debug, Clone)]
pub(super) struct Entry<L> {
    group_uuid: Option<String>,
    message_uuid: Option<String>,
    user_uuid: Option<String>,
    handle: Option<String>,
    display_name: Option<String>,
    message: Option<String>,
    at: Option<String>,
    item: RawItem,
    kind: Kind,
    layout: PhantomData<L>,
}

/// How a command shows an entry, and which kind of entry it is.
pub(super) trait Layout: Sized + 'static {
    /// Whether it is a message; otherwise it is a conversation.
    const MESSAGES: bool;
    /// The columns on a terminal.
    const TABLE: &'static [Column<Entry<Self>>];
    /// All columns.
    const COLUMNS: &'static [Column<Entry<Self>>];
    /// The columns of CSV, with the names of the JSON fields.
    const CSV: &'static [Column<Entry<Self>>];
    /// The name of the time in JSON.
    const TIME: &'static str;
}

impl<L: Layout> Entry<L> {
    /// Makes an entry from an item.
    pub fn new(item: RawItem) -> Self {
        // An item of unknown shape shows the attributes that it has.
        let shown = |name: &str| {
            item.get(name).map(|value| match Value::from(value) {
                Value::S(text) => text.into_owned(),
                Value::NotUnicode(text) => text.shown().into_owned(),
                value => json::text(&json::PlainValue(&value)),
            })
        };
        // A message has its conversation only in its key.
        let conversation = || match shown(attribute::PK)?.parse() {
            Ok(PartitionKey::Messages(conversation)) => Some(conversation.to_string()),
            _ => None,
        };
        Self {
            group_uuid: match L::MESSAGES {
                true => conversation(),
                false => shown(attribute::MESSAGE_GROUP_UUID),
            },
            message_uuid: shown(attribute::MESSAGE_UUID),
            user_uuid: shown(attribute::USER_UUID),
            handle: shown(attribute::USER_HANDLE),
            display_name: shown(attribute::USER_DISPLAY_NAME),
            message: shown(attribute::MESSAGE),
            at: shown(attribute::SK),
            kind: Kind::of(&item),
            item,
            layout: PhantomData,
        }
    }
}

impl<L: Layout> Serialize for Entry<L> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        const MOST: usize = 7;
        let mut entry = serializer.serialize_struct("Entry", MOST)?;
        entry.serialize_field("group_uuid", &self.group_uuid)?;
        if L::MESSAGES {
            entry.serialize_field("message_uuid", &self.message_uuid)?;
        }
        entry.serialize_field("user_uuid", &self.user_uuid)?;
        entry.serialize_field("handle", &self.handle)?;
        entry.serialize_field("display_name", &self.display_name)?;
        entry.serialize_field("message", &self.message)?;
        entry.serialize_field(L::TIME, &self.at)?;
        entry.end()
    }
}

/// The cells of an entry.
impl<L> Entry<L> {
    /// Returns the stored time, which a table shows in a time zone.
    pub fn time(&self) -> Cell {
        Cell::time(self.at.as_deref().unwrap_or_default())
    }

    /// Returns the time as it is stored.
    pub fn stored_time(&self) -> Cell {
        Cell::text_or_blank(self.at.as_deref())
    }

    pub fn conversation(&self) -> Cell {
        Cell::text_or_blank(self.group_uuid.as_deref())
    }

    /// Returns the first digits of the conversation's id.
    pub fn short_conversation(&self) -> Cell {
        Cell::text_or_blank(self.group_uuid.as_deref().map(short))
    }

    pub fn message_uuid(&self) -> Cell {
        Cell::text_or_blank(self.message_uuid.as_deref())
    }

    pub fn user_uuid(&self) -> Cell {
        Cell::text_or_blank(self.user_uuid.as_deref())
    }

    pub fn handle(&self) -> Cell {
        Cell::text_or_blank(self.handle.as_deref())
    }

    pub fn display_name(&self) -> Cell {
        Cell::text_or_blank(self.display_name.as_deref())
    }

    pub fn message(&self) -> Cell {
        Cell::text_or_blank(self.message.as_deref())
    }
}

impl<L: Layout> Record for Entry<L> {
    type Of<'a> = Self;
    const LIVE: bool = true;
    // Messages are shown as a transcript, or as a table in either order.
    const NEWEST_FIRST: bool = !L::MESSAGES;
    const TABLE: &'static [Column<Self>] = L::TABLE;
    const COLUMNS: &'static [Column<Self>] = L::COLUMNS;
    const CSV: &'static [Column<Self>] = L::CSV;

    fn said(entry: &Self) -> Option<ChatLine<'_>> {
        let speaker = entry.item.get(attribute::USER_UUID);
        Some(ChatLine {
            speaker: speaker.and_then(|id| id.as_s().ok()).map_or("", |id| id),
            name: entry.handle.as_deref().unwrap_or_default(),
            at: entry.at.as_deref().unwrap_or_default(),
            text: entry.message.as_deref().unwrap_or_default(),
        })
    }

    fn item<T>(entry: &Self, see: impl FnOnce(&ItemView<'_>) -> T) -> Option<T> {
        Some(see(&ItemView::from(&entry.item)))
    }
}

/// What to read of a partition, and the order in which to show it.
pub(super) struct Reading {
    pub partition: PartitionKey,
    pub filter: Filter,
    pub limit: Option<u32>,
    /// Whether to keep the sort keys that are shown, for the code that runs afterwards.
    pub remember: bool,
    pub shown: Direction,
}

/// What reading returns in addition to the entries.
#[derive(Debug)]
struct Read {
    totals: Totals,
    undated: u64,
    unknown: u64,
    shown: Option<HashSet<String>>,
}

impl Reading {
    /// Reads and prints. With a limit, the newest entries are held back until all of them were read; there are at most
    /// as many as the limit. Without a limit, every page is printed as it arrives. If nothing was printed, `if_empty`
    /// decides whether that is a failure. `after` may print more before the end, and gets the sort keys that were
    /// shown.
    pub async fn show<L: Layout>(
        &self,
        store: &Store,
        mut printer: Printer<Entry<L>>,
        ui: &Ui,
        (one, many): (&str, &str),
        if_empty: impl AsyncFnOnce() -> Result<(), Failure>,
        after: impl AsyncFnOnce(&mut Printer<Entry<L>>, HashSet<String>) -> Result<(), Failure>,
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
                self.newest::<L>(store, limit, &mut printer, &mut read)
                    .await
            }
            None => self.all::<L>(store, &mut printer, &mut read).await,
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
        result?;
        let printed = printer.printed();
        printer.finish(read.totals)?;
        let shown = match printed {
            0 => format!("no {many}"),
            printed => plural(printed, one, many),
        };
        read.say(&shown, ui);
        Ok(())
    }

    /// Shows the request that reads it, without sending it.
    pub async fn explain(&self, store: &Store, ui: &Ui) -> Result<Outcome, Failure> {
        let direction = match self.limit {
            Some(_) => Direction::Descending,
            None => self.shown,
        };
        let query = conversation::query(self.partition, self.filter.range, direction);
        let mut explanation = Explanation::new(ui);
        // If items are left out, the number of items that have to be read is not known in advance.
        let most = self.limit.filter(|_| self.filter.is_everything());
        explanation.query(store, &query, most).await?;
        if self.filter.contains.is_some() || self.filter.by.is_some() {
            explanation.note(
                "left out here",
                "messages that --contains and --by do not match",
            );
        }
        if !self.filter.range.is_everything() {
            let said = "messages of the first and last dates that are outside the range";
            explanation.note("left out here", said);
        }
        if let Some(limit) = self.limit.filter(|_| most.is_none()) {
            explanation.note("ends", &format!("once {limit} are found"));
        }
        explanation.print(ui)
    }

    async fn newest<L: Layout>(
        &self,
        store: &Store,
        limit: u32,
        printer: &mut Printer<Entry<L>>,
        read: &mut Read,
    ) -> Result<(), Failure> {
        // One more than the limit shows whether the limit cut anything.
        let slices = conversation::read(
            store,
            self.partition,
            self.filter.clone(),
            Direction::Descending,
            Some(limit.saturating_add(1)),
        );
        let mut slices = std::pin::pin!(slices);
        let mut kept: VecDeque<Entry<L>> = VecDeque::new();
        'pages: while let Some(slice) = slices.try_next().await? {
            read.count(&slice);
            for item in slice.page.items {
                if kept.len() == limit as usize {
                    read.totals.truncated = Some(true);
                    break 'pages;
                }
                let entry = Entry::new(item);
                match self.shown {
                    Direction::Descending => kept.push_back(entry),
                    Direction::Ascending => kept.push_front(entry),
                }
            }
        }
        for entry in kept {
            read.show(entry, printer)?;
        }
        Ok(())
    }

    async fn all<L: Layout>(
        &self,
        store: &Store,
        printer: &mut Printer<Entry<L>>,
        read: &mut Read,
    ) -> Result<(), Failure> {
        let slices =
            conversation::read(store, self.partition, self.filter.clone(), self.shown, None);
        let mut slices = std::pin::pin!(slices);
        while let Some(slice) = slices.try_next().await? {
            read.count(&slice);
            for item in slice.page.items {
                read.show(Entry::new(item), printer)?;
            }
            printer.flush()?;
        }
        Ok(())
    }
}

impl Read {
    fn count(&mut self, slice: &Slice) {
        self.totals
            .add_page(slice.page.scanned, slice.page.consumed);
        self.undated += slice.undated;
    }

    fn show<L: Layout>(
        &mut self,
        entry: Entry<L>,
        printer: &mut Printer<Entry<L>>,
    ) -> Result<(), Failure> {
        self.unknown += u64::from(entry.kind == Kind::Unknown);
        if let Some(shown) = &mut self.shown {
            shown.extend(entry.at.clone());
        }
        printer.print(&entry)
    }

    /// Prints how much was shown, what was cut, and what is odd.
    fn say(&self, shown: &str, ui: &Ui) {
        ui.note(&format!(
            "{shown}{}",
            capacity(self.totals.consumed_capacity)
        ));
        if self.totals.truncated == Some(true) {
            ui.note("there are older ones: --all shows them, --limit N shows more");
        }
        if self.undated > 0 {
            ui.warn(&left_out(self.undated));
        }
        if self.unknown > 0 {
            ui.warn(&format!(
                "{} of unknown shape; `ddb scan --kind unknown` shows them",
                plural(self.unknown, "item is", "items are")
            ));
        }
    }
}
