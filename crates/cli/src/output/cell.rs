//! The contents of one column in one row.

use ddb_core::timezone::Zone;

use super::escape;
use super::style::Tone;
use crate::wording::in_zone;

/// The contents of one column in one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    pub(super) text: String,
    pub(super) number: bool,
    pub(super) tone: Tone,
    /// Whether it is a stored time, which a table shows in the reader's time zone.
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

    /// A cell with a stored time. A table shows it in a time zone; other formats leave it unchanged.
    pub fn time(stored: impl Into<String>) -> Self {
        Self {
            time: true,
            ..Self::text(stored)
        }
    }

    /// A cell with a number: aligned to the right, and not a formula.
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

    /// Sets its tone.
    #[must_use]
    pub fn tone(self, tone: Tone) -> Self {
        Self { tone, ..self }
    }

    /// Converts a time to a zone.
    pub(super) fn in_zone(mut self, zone: Zone) -> Self {
        if self.time {
            self.text = in_zone(&self.text, zone);
        }
        self
    }

    /// Escapes characters that a terminal would not treat as text.
    pub(super) fn escaped(self) -> Self {
        Self {
            text: escape::plain(&self.text).into_owned(),
            ..self
        }
    }
}
