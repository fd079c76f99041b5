//! One HTML page without external references: for a phone, dark and light, and for paper.

use std::borrow::Cow;
use std::io::{self, Write};

use super::Message;

/// The page before the messages. The policy keeps the page from loading anything, whatever its contents.
pub(super) const HEAD: &str = r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>Conversation</title>
<style>
:root {
  color-scheme: light dark;
  --page: #f4f4f6; --text: #1b1b1f; --faint: #5c5c66; --one: #ffffff; --two: #dcebff; --line: #d3d3da;
}
@media (prefers-color-scheme: dark) {
  :root { --page: #141417; --text: #ececf0; --faint: #a0a0ab; --one: #26262b; --two: #173a63; --line: #3a3a42; }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; max-width: 44rem; padding: 1rem; background: var(--page); color: var(--text);
  font: 1rem/1.45 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
}
h1 { font-size: 1.25rem; margin: .5rem 0 0; }
h2 {
  font-size: .85rem; font-weight: 600; color: var(--faint); text-align: center; margin: 1.75rem 0 .75rem;
  padding-bottom: .35rem; border-bottom: 1px solid var(--line);
}
article { max-width: 85%; width: fit-content; margin: .5rem 0; }
article.p1 { margin-left: auto; }
article header { font-size: .8rem; color: var(--faint); margin: 0 .35rem .15rem; }
article.p1 header { text-align: right; }
article header b { color: var(--text); }
article p {
  margin: 0; padding: .5rem .75rem; border-radius: .9rem; background: var(--one); border: 1px solid var(--line);
  white-space: pre-wrap; overflow-wrap: anywhere;
}
article.p1 p { background: var(--two); border-color: transparent; }
footer { color: var(--faint); font-size: .8rem; text-align: center; margin: 2rem 0 1rem; }
@media print {
  :root { --page: #fff; --text: #000; --faint: #444; --one: #fff; --two: #fff; --line: #999; }
  body { max-width: none; padding: 0; font-size: 10.5pt; }
  article { break-inside: avoid; }
  article.p1 p { border-color: var(--line); }
  h2 { break-after: avoid; }
}
</style>
</head>
<body>
<h1>Conversation</h1>
"#;

pub(super) fn day(day: &str, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "<h2>{day}</h2>")
}

pub(super) fn message(message: &Message<'_>, out: &mut impl Write) -> io::Result<()> {
    let (name, text) = (escape(&message.name), escape(&message.text));
    write!(
        out,
        "<article class=\"p{}\"><header><b dir=\"auto\">{name}</b>",
        message.person % 2
    )?;
    if let Some(clock) = &message.clock {
        let stored = escape(message.stored_time);
        write!(out, " <time datetime=\"{stored}\">{clock}</time>")?;
    }
    writeln!(out, "</header><p dir=\"auto\">{text}</p></article>")
}

pub(super) fn end(messages: &str, out: &mut impl Write) -> io::Result<()> {
    write!(
        out,
        "<footer>{messages}, times in UTC</footer>\n</body>\n</html>\n"
    )
}

fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(['<', '>', '&', '"', '\'']) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    Cow::Owned(escaped)
}
