//! What stands in one column of one row.

use super::escape;
use super::style::Tone;

/// What stands in one column of one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    pub(super) text: String,
    pub(super) number: bool,
    pub(super) tone: Tone,
}

impl Cell {
    /// A cell with text.
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            number: false,
            tone: Tone::Plain,
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

    /// Escapes what a terminal would take for more than text.
    pub(super) fn escaped(self) -> Self {
        Self {
            text: escape::plain(&self.text).into_owned(),
            ..self
        }
    }
}
