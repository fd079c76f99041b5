//! The text of a message, as an argument or from stdin.

use std::io::{self, IsTerminal, Read};
use std::str::FromStr;

use ddb_core::conversation::{Text, TextError};

use crate::failure::{Exit, Failure};
use crate::ui::Ui;

/// A given text, or `-` for the contents of stdin, without the line break at the end.
#[derive(Debug, Clone)]
pub(super) enum TextArg {
    /// The contents of stdin.
    Stdin,
    /// The text itself.
    Given(Text),
}

impl FromStr for TextArg {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        match text {
            "-" => Ok(Self::Stdin),
            text => text.parse().map(Self::Given),
        }
    }
}

impl TextArg {
    /// Returns the text.
    ///
    /// # Errors
    ///
    /// Stdin does not contain a valid message.
    pub fn read(&self, ui: &Ui) -> Result<Text, Failure> {
        /// Much longer than any message.
        const MOST: u64 = 1 << 20;
        let stdin = match self {
            Self::Given(text) => return Ok(text.clone()),
            Self::Stdin => io::stdin(),
        };
        if stdin.is_terminal() {
            ui.note("type the message, then press Ctrl-D on an empty line");
        }
        let mut bytes = Vec::new();
        stdin
            .lock()
            .take(MOST)
            .read_to_end(&mut bytes)
            .map_err(|error| Failure::new(Exit::Failed, format!("stdin: {error}")))?;
        let text = String::from_utf8(bytes)
            .map_err(|_| Failure::refused("stdin: the message is not UTF-8"))?;
        let line = text.strip_suffix('\n').unwrap_or(&text);
        let line = line.strip_suffix('\r').unwrap_or(line);
        line.parse()
            .map_err(|error| Failure::refused(format!("stdin: {error}")))
    }
}
