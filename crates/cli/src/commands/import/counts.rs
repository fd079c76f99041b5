//! The results of an import, as they are shown.

use ddb_core::import::{Checked, Compared, Tally};
use ddb_core::timezone::Zone;
use serde::Serialize;

use crate::output::{Cell, Column, Record};
use crate::wording::plural;

/// What the numbers mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Wrote,
    WouldWrite,
    Compared,
}

/// The numbers.
#[derive(Debug, Serialize)]
pub(super) struct Counts {
    #[serde(skip)]
    what: What,
    read: u64,
    written: u64,
    unchanged: u64,
    different: u64,
    refused: u64,
    #[serde(flatten)]
    both_ways: Option<BothWays>,
}

/// The additional numbers of a comparison.
#[derive(Debug, Serialize)]
struct BothWays {
    missing: u64,
    extra: u64,
}

impl Counts {
    pub(super) fn of(what: What, checked: &Checked, tally: &Tally) -> Self {
        Self {
            what,
            read: checked.read,
            written: tally.written(),
            unchanged: tally.unchanged(),
            different: tally.different(),
            refused: checked.refused,
            both_ways: None,
        }
    }

    pub(super) fn compared(checked: &Checked, compared: Compared) -> Self {
        Self {
            what: What::Compared,
            read: checked.read,
            written: 0,
            unchanged: compared.unchanged,
            different: compared.different,
            refused: checked.refused,
            both_ways: Some(BothWays {
                missing: compared.missing,
                extra: compared.extra,
            }),
        }
    }

    /// Checks whether a comparison found no difference.
    pub(super) fn are_equal(&self) -> bool {
        let one_way = self.both_ways.as_ref();
        let one_way = one_way.map_or(0, |both| both.missing + both.extra);
        self.different + self.refused + one_way == 0
    }

    /// Formats the numbers as a sentence.
    pub(super) fn sentence(&self) -> String {
        let read = plural(self.read, "item", "items");
        if let Some(BothWays { missing, extra }) = self.both_ways {
            if self.are_equal() {
                return format!("the table has all {read} of the files, and nothing else");
            }
            return format!(
                "{read} read: {} as in the table, {} different, {missing} missing there{}; {extra} only there",
                self.unchanged,
                self.different,
                self.bad()
            );
        }
        let wrote = match self.what {
            What::WouldWrite => "would be written",
            _ => "written",
        };
        format!(
            "{read} read: {} {wrote}, {} unchanged, {} different",
            self.written, self.unchanged, self.different
        ) + &self.bad()
    }

    /// Returns a number of a comparison, or a blank if there was none.
    fn other_way(&self, count: impl Fn(&BothWays) -> u64) -> Cell {
        let both = self.both_ways.as_ref();
        both.map_or_else(|| Cell::text(""), |both| Cell::number(count(both)))
    }

    fn bad(&self) -> String {
        match self.refused {
            0 => String::new(),
            refused => format!(", {refused} refused"),
        }
    }
}

impl Record for Counts {
    type Of<'a> = Self;
    const COLUMNS: &'static [Column<Self>] = &[
        Column::kept("read", |row| Cell::number(row.read)),
        Column::kept("written", |row| Cell::number(row.written)),
        Column::kept("unchanged", |row| Cell::number(row.unchanged)),
        Column::kept("different", |row| Cell::number(row.different)),
        Column::kept("refused", |row| Cell::number(row.refused)),
        Column::kept("missing", |row| row.other_way(|both| both.missing)),
        Column::kept("extra", |row| row.other_way(|both| both.extra)),
    ];

    fn sentence(row: &Self, _: Zone) -> Option<String> {
        Some(row.sentence())
    }
}
