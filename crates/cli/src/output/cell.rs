//! Columns of a table, and what stands in them.

use super::width::Rank;

/// A column of a table.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    pub(super) name: &'static str,
    pub(super) rank: Rank,
    pub(super) optional: bool,
}

impl Column {
    /// A column of text.
    pub const fn new(name: &'static str) -> Self {
        Self {
            name,
            rank: Rank::Normal,
            optional: false,
        }
    }

    /// A column that is cut last: people compare and copy what stands in it.
    pub const fn kept(name: &'static str) -> Self {
        Self {
            rank: Rank::High,
            ..Self::new(name)
        }
    }

    /// A column of ids beside others that say more; cut first.
    pub const fn id(name: &'static str) -> Self {
        Self {
            rank: Rank::Low,
            ..Self::new(name)
        }
    }

    /// A column that is left out where nothing stands in it.
    pub const fn optional(name: &'static str) -> Self {
        Self {
            optional: true,
            ..Self::new(name)
        }
    }
}

/// What stands in one column of one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    pub(super) text: String,
    pub(super) number: bool,
}

impl Cell {
    /// A cell with text.
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            number: false,
        }
    }

    /// A cell with a number: aligned to the right, and no formula.
    pub fn number(number: impl ToString) -> Self {
        Self {
            text: number.to_string(),
            number: true,
        }
    }

    /// A cell with a number, or with nothing.
    pub fn number_or_blank(number: Option<impl ToString>) -> Self {
        number.map_or_else(|| Self::text(""), Self::number)
    }
}
