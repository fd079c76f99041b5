//! What a command shows: records, their columns, and totals at the end.

use ddb_core::item::ItemView;

use super::cell::Cell;
use super::json::WriteJson;
use super::transcript::ChatLine;
use super::width::Rank;

/// One thing that a command shows. Its JSON form is its own, its table and CSV are made of columns.
pub trait Record: Sized + 'static {
    /// The value that is shown: the record itself, unless it borrows what it shows.
    type Of<'a>: WriteJson;

    /// The columns of its table.
    const COLUMNS: &'static [Column<Self>];
    /// The columns of its CSV.
    const CSV: &'static [Column<Self>] = Self::COLUMNS;
    /// Whether its table is only the bare value.
    const BARE: bool = false;
    /// Whether its table is shown as it grows, and not once it is known how wide it is.
    const LIVE: bool = false;

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
    /// Whether a limit cut the answer.
    pub truncated: Option<bool>,
}

impl Totals {
    /// Adds what a page consumed, where the service said so.
    pub fn consume(&mut self, units: Option<f64>) {
        if let Some(units) = units {
            *self.consumed_capacity.get_or_insert(0.0) += units;
        }
    }
}
