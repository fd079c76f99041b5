//! Markdown: a heading for each day, a quotation for each message. See <https://spec.commonmark.org>.

use std::io::{self, Write};

use super::Message;

pub(super) fn day(day: &str, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "## {day}\n")
}

pub(super) fn message(message: &Message<'_>, out: &mut impl Write) -> io::Result<()> {
    let name = escape(&message.name);
    match &message.clock {
        Some(clock) => writeln!(out, "**{name}** {clock}\n")?,
        None => writeln!(out, "**{name}**\n")?,
    }
    // A backslash at the end of a line keeps the lines apart.
    let lines: Vec<String> = message.text.split('\n').map(escape_line).collect();
    writeln!(out, "> {}\n", lines.join("\\\n> "))
}

/// Escapes a line, including characters that are only special at its start.
fn escape_line(line: &str) -> String {
    let trimmed = line.trim_start();
    let digits = trimmed.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = trimmed.split_at(digits);
    match rest.chars().next() {
        Some(mark @ ('.' | ')')) if digits > 0 => {
            format!("{number}\\{mark}{}", escape(&rest[1..]))
        }
        Some('+' | '-' | '=') if digits == 0 => format!("\\{}", escape(trimmed)),
        _ => escape(trimmed),
    }
}

/// Escapes characters that are special anywhere in a line.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if "\\`*_[]<>#|~!&$".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}
