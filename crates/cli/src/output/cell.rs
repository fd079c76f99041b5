//! What stands in one column of one row.

use ddb_core::timezone::Zone;

use super::escape;
use super::style::Tone;
use crate::wording::in_zone;

/// What stands in one column of one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    pub(super) text: String,
    pub(super) number: bool,
    pub(super) tone: Tone,
    /// Whether it is a stored time, which a table shows in the zone of whoever reads it.
    pub(super) time: bool,
}

impl Cell {
    /// A cell with text.
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            number: false,
            tone: Tone::Plain,
            time: false,
        }
    }

    /// A cell with a time as it is stored. A table shows it in a zone; elsewhere it stays as it is.
    pub fn time(stored: impl Into<String>) -> Self {
        Self {
            time: true,
            ..Self::text(stored)
        }
    }

    /// A cell with a number: aligned to the right, and no formula.
    pub fn number(number: impl ToString) -> Self {
        Self {
            number: true,
            ..Self::text(number.to_string())
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

    /// Says what it is to whoever reads it.
    #[must_use]
    pub fn tone(self, tone: Tone) -> Self {
        Self { tone, ..self }
    }

    /// Shows a time in a zone.
    pub(super) fn in_zone(mut self, zone: Zone) -> Self {
        if self.time {
            self.text = in_zone(&self.text, zone);
        }
        self
    }

    /// Escapes what a terminal would take for more than text.
    pub(super) fn escaped(self) -> Self {
        Self {
            text: escape::plain(&self.text).into_owned(),
            ..self
        }
    }
}
