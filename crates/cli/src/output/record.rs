//! What a command shows: records, their columns, and totals at the end.

use ddb_core::item::ItemView;
use ddb_core::timezone::Zone;

use super::cell::Cell;
use super::json::WriteJson;
use super::transcript::ChatLine;
use super::width::Rank;

/// One thing that a command shows. Its JSON form is its own, its table and CSV are made of columns.
pub trait Record: Sized + 'static {
    /// The value that is shown: the record itself, unless it borrows what it shows.
    type Of<'a>: WriteJson;

    /// All its columns.
    const COLUMNS: &'static [Column<Self>];
    /// The columns of its table at a terminal: what a person needs.
    const TABLE: &'static [Column<Self>] = Self::COLUMNS;
    /// The columns of its CSV.
    const CSV: &'static [Column<Self>] = Self::COLUMNS;
    /// Whether its table is only the bare value.
    const BARE: bool = false;
    /// Whether its table is shown as it grows, and not once it is known how wide it is.
    const LIVE: bool = false;
    /// Whether the first one stands out at a terminal, since it is the newest.
    const NEWEST_FIRST: bool = false;

    /// Returns the sentence that a person at a terminal is given in place of a table, where it is the one record of
    /// an answer, with its times in a zone.
    fn sentence(_record: &Self::Of<'_>, _zone: Zone) -> Option<String> {
        None
    }

    /// Returns what a transcript shows of it, where it is a message.
    fn said<'r>(_record: &'r Self::Of<'_>) -> Option<ChatLine<'r>> {
        None
    }

    /// Shows the item behind it, where it is one.
    fn item<T>(_record: &Self::Of<'_>, _see: impl FnOnce(&ItemView<'_>) -> T) -> Option<T> {
        None
    }
}

/// A column of a table, and how its cell is made of a record.
pub struct Column<R: Record> {
    pub(super) heading: Heading,
    pub(super) in_csv: &'static str,
    pub(super) cell: MakeCell<R>,
}

type MakeCell<R> = for<'a, 'r> fn(&'r <R as Record>::Of<'a>) -> Cell;

impl<R: Record> Column<R> {
    /// A column of text.
    pub const fn new(name: &'static str, cell: MakeCell<R>) -> Self {
        Self::ranked(name, Rank::Normal, cell)
    }

    /// A column that is cut last: people compare and copy what stands in it.
    pub const fn kept(name: &'static str, cell: MakeCell<R>) -> Self {
        Self::ranked(name, Rank::High, cell)
    }

    /// A column of times, each in a [`Cell::time`]; its heading names their zone. Cut last.
    pub const fn time(name: &'static str, cell: MakeCell<R>) -> Self {
        let mut column = Self::kept(name, cell);
        column.heading.time = true;
        column
    }

    /// A column of ids beside others that say more; cut first.
    pub const fn id(name: &'static str, cell: MakeCell<R>) -> Self {
        Self::ranked(name, Rank::Low, cell)
    }

    /// A column that is left out where nothing stands in it.
    pub const fn optional(name: &'static str, cell: MakeCell<R>) -> Self {
        let mut column = Self::new(name, cell);
        column.heading.optional = true;
        column
    }

    /// Puts the column on a line below the others, with its name, where there is no room for all of them.
    #[must_use]
    pub const fn below(mut self) -> Self {
        self.heading.place = Place::Below;
        self
    }

    /// Wraps the text of the column, so that none of it is cut. It has to be the last one.
    #[must_use]
    pub const fn wrapped(mut self) -> Self {
        self.heading.place = Place::Wrapped;
        self
    }

    /// Names the column in CSV, where it has another name there.
    #[must_use]
    pub const fn in_csv(mut self, name: &'static str) -> Self {
        self.in_csv = name;
        self
    }

    const fn ranked(name: &'static str, rank: Rank, cell: MakeCell<R>) -> Self {
        Self {
            heading: Heading {
                name,
                rank,
                optional: false,
                place: Place::Beside,
                time: false,
            },
            in_csv: name,
            cell,
        }
    }
}

/// What is known of a column before there is any record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heading {
    pub(super) name: &'static str,
    pub(super) rank: Rank,
    pub(super) optional: bool,
    pub(super) place: Place,
    /// Whether it has times, whose zone the heading names.
    pub(super) time: bool,
}

impl Heading {
    /// Returns what stands above the column.
    pub(super) fn text(&self, zone: Zone) -> String {
        match self.time {
            true => format!("{} ({zone})", self.name),
            false => self.name.to_owned(),
        }
    }
}

/// Where a column goes when there is little room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// It stays beside the others, and what does not fit is cut.
    Beside,
    /// It goes to a line below them.
    Below,
    /// It stays, and takes as many lines as it needs.
    Wrapped,
}

/// What is known at the end of an answer. `None` is `null`: it does not apply.
#[derive(Debug, Clone, Copy, Default)]
pub struct Totals {
    /// How many items, where that is not the number of those printed.
    pub count: Option<u64>,
    /// How many items the service read.
    pub scanned_count: Option<u64>,
    /// Capacity units over all pages.
    pub consumed_capacity: Option<f64>,
    /// Whether a limit ended the answer early.
    pub truncated: Option<bool>,
}

impl Totals {
    /// Adds what the service read for a page, and the units that it says this took. Returns how many items it read so far.
    pub fn add_page(&mut self, scanned: u64, consumed: Option<f64>) -> u64 {
        if let Some(units) = consumed {
            *self.consumed_capacity.get_or_insert(0.0) += units;
        }
        let all = self.scanned_count.get_or_insert(0);
        *all += scanned;
        *all
    }
}
