//! The output of a command: records, their columns, and totals at the end.

use ddb_core::item::ItemView;
use ddb_core::timezone::Zone;

use super::cell::Cell;
use super::json::WriteJson;
use super::transcript::ChatLine;
use super::width::Rank;

/// One thing that a command shows. It defines its own JSON; its table and its CSV consist of columns.
pub trait Record: Sized + 'static {
    /// The value that is shown: the record itself, unless it borrows its contents.
    type Of<'a>: WriteJson;

    /// All its columns.
    const COLUMNS: &'static [Column<Self>];
    /// The columns of its table on a terminal: those that a person needs.
    const TABLE: &'static [Column<Self>] = Self::COLUMNS;
    /// The columns of its CSV.
    const CSV: &'static [Column<Self>] = Self::COLUMNS;
    /// Whether its table is only the bare value.
    const BARE: bool = false;
    /// Whether its table is shown row by row, before all widths are known.
    const LIVE: bool = false;
    /// Whether the first record is highlighted on a terminal, because it is the newest.
    const NEWEST_FIRST: bool = false;

    /// Returns the sentence that a person at a terminal sees instead of a table if this is the only record, with its
    /// times in a zone.
    fn sentence(_record: &Self::Of<'_>, _zone: Zone) -> Option<String> {
        None
    }

    /// Returns the line of a transcript, if this is a message.
    fn said<'r>(_record: &'r Self::Of<'_>) -> Option<ChatLine<'r>> {
        None
    }

    /// Shows the item behind it, if it is one.
    fn item<T>(_record: &Self::Of<'_>, _see: impl FnOnce(&ItemView<'_>) -> T) -> Option<T> {
        None
    }
}

/// A column of a table, and how to make its cell from a record.
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

    /// A column that is cut last, because people compare and copy its contents.
    pub const fn kept(name: &'static str, cell: MakeCell<R>) -> Self {
        Self::ranked(name, Rank::High, cell)
    }

    /// A column of times, each in a [`Cell::time`]; its heading names the time zone. It is cut last.
    pub const fn time(name: &'static str, cell: MakeCell<R>) -> Self {
        let mut column = Self::kept(name, cell);
        column.heading.time = true;
        column
    }

    /// A column of ids beside columns that say more; it is cut first.
    pub const fn id(name: &'static str, cell: MakeCell<R>) -> Self {
        Self::ranked(name, Rank::Low, cell)
    }

    /// A column that is left out if it is empty.
    pub const fn optional(name: &'static str, cell: MakeCell<R>) -> Self {
        let mut column = Self::new(name, cell);
        column.heading.optional = true;
        column
    }

    /// Moves the column to a line below the others, with its name, if there is no room for all of them.
    #[must_use]
    pub const fn below(mut self) -> Self {
        self.heading.place = Place::Below;
        self
    }

    /// Wraps the text of the column, so that none of it is cut. It must be the last column.
    #[must_use]
    pub const fn wrapped(mut self) -> Self {
        self.heading.place = Place::Wrapped;
        self
    }

    /// Sets the name of the column in CSV, if it differs.
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

/// The properties of a column that do not depend on records.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heading {
    pub(super) name: &'static str,
    pub(super) rank: Rank,
    pub(super) optional: bool,
    pub(super) place: Place,
    /// Whether it contains times, whose zone the heading names.
    pub(super) time: bool,
}

impl Heading {
    /// Returns the heading above the column.
    pub(super) fn text(&self, zone: Zone) -> String {
        match self.time {
            true => format!("{} ({zone})", self.name),
            false => self.name.to_owned(),
        }
    }
}

/// Where a column goes if there is little room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// It stays beside the others, and is cut to fit.
    Beside,
    /// It goes to a line below them.
    Below,
    /// It stays, and takes as many lines as it needs.
    Wrapped,
}

/// What is known at the end of the output. `None` is `null`: it does not apply.
#[derive(Debug, Clone, Copy, Default)]
pub struct Totals {
    /// The number of items, if it differs from the number of those printed.
    pub count: Option<u64>,
    /// The number of items that the service read.
    pub scanned_count: Option<u64>,
    /// The capacity units of all pages.
    pub consumed_capacity: Option<f64>,
    /// Whether a limit ended the output early.
    pub truncated: Option<bool>,
}

impl Totals {
    /// Adds the number of items that the service read for a page, and the capacity units that it reported. Returns the
    /// number of items read so far.
    pub fn add_page(&mut self, scanned: u64, consumed: Option<f64>) -> u64 {
        if let Some(units) = consumed {
            *self.consumed_capacity.get_or_insert(0.0) += units;
        }
        let all = self.scanned_count.get_or_insert(0);
        *all += scanned;
        *all
    }
}
