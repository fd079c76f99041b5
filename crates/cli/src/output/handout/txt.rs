//! Plain text: one line for each message, and the lines of one text below each other.

use std::io::{self, Write};

use super::Message;

/// The further lines of a text are indented below the name, so that none of them looks like a message.
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
