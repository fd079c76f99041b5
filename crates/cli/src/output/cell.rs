//! What stands in one column of one row.

use super::escape;

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

    /// A cell with text, or with nothing.
    pub fn text_or_blank(text: Option<impl Into<String>>) -> Self {
        text.map_or_else(|| Self::text(""), Self::text)
    }

    /// A cell with a number, or with nothing.
    pub fn number_or_blank(number: Option<impl ToString>) -> Self {
        number.map_or_else(|| Self::text(""), Self::number)
    }

    /// Escapes what a terminal would take for more than text.
    pub(super) fn escaped(self) -> Self {
        Self {
            text: escape::plain(&self.text).into_owned(),
            number: self.number,
        }
    }
}
