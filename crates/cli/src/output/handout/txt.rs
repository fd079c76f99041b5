//! Plain text: a line a message, the lines of one text under each other.

use std::io::{self, Write};

use super::Message;

/// Texts of several lines stand under the name, so that no line of a text can be taken for a message.
const INDENT: &str = "       ";

pub(super) fn day(day: &str, is_first: bool, out: &mut impl Write) -> io::Result<()> {
    let gap = if is_first { "" } else { "\n" };
    writeln!(out, "{gap}{day}\n")
}

pub(super) fn message(message: &Message<'_>, out: &mut impl Write) -> io::Result<()> {
    let clock = message.clock.as_deref().unwrap_or("--:--");
    let text = message.text.replace('\n', &format!("\n{INDENT}"));
    writeln!(out, "{clock}  {}: {text}", message.name)
}
