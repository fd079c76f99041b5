//! A conversation as a file for somebody else: plain text, Markdown, or one HTML page.

mod html;
mod md;
mod txt;

use std::io::{self, Write};

use ddb_core::timestamp::Timestamp;
use ddb_core::timezone::Zone;

use super::escape;
use super::format::Format;
use super::transcript::ChatLine;

/// Writes messages as they come. The text of a message never becomes markup.
#[derive(Debug)]
pub struct Handout {
    form: Form,
    /// The day of the last message.
    day: Option<String>,
    /// The people who have written, in the order of their first message.
    speakers: Vec<String>,
    messages: u64,
    /// The time zone of days and times.
    zone: Zone,
}

#[derive(Debug, Clone, Copy)]
enum Form {
    Text,
    Markdown,
    Html,
}

/// One message, ready to be written except for the escapes of the format.
struct Message<'a> {
    name: String,
    /// The number of the person, from 0.
    person: usize,
    /// `08:35`, if the stored time is valid.
    clock: Option<String>,
    stored_time: &'a str,
    /// The text, with its line breaks, and without anything else that could control a terminal or mislead a reader.
    text: String,
}

impl Handout {
    /// Starts a handout, or returns `None` if the format is not one of these.
    pub fn new(format: Format) -> Option<Self> {
        let form = match format {
            Format::Txt => Form::Text,
            Format::Md => Form::Markdown,
            Format::Html => Form::Html,
            _ => return None,
        };
        Some(Self {
            form,
            day: None,
            speakers: Vec::new(),
            messages: 0,
            zone: Zone::UTC,
        })
    }

    /// Sets the time zone of the times that are shown.
    pub fn in_zone(&mut self, zone: Zone) {
        self.zone = zone;
    }

    /// Writes the text before the first message.
    pub fn begin(&self, out: &mut impl Write) -> io::Result<()> {
        match self.form {
            Form::Html => out.write_all(html::HEAD.as_bytes()),
            Form::Text | Form::Markdown => Ok(()),
        }
    }

    /// Writes a message.
    pub fn take(&mut self, said: ChatLine<'_>, out: &mut impl Write) -> io::Result<()> {
        let time: Option<Timestamp> = said.at.parse().ok();
        if let Some(time) = time {
            let day = self.zone.shown(time).format("%A, %-d %B %Y");
            let day = format!("{day} ({})", self.zone);
            if self.day.as_ref() != Some(&day) {
                let day = self.day.insert(day);
                match self.form {
                    Form::Text => txt::day(day, self.messages == 0, out)?,
                    Form::Markdown => md::day(day, out)?,
                    Form::Html => html::day(day, out)?,
                }
            }
        }
        let message = Message {
            name: escape::line(said.name).into_owned(),
            person: self.person(said.speaker),
            clock: time.map(|time| self.zone.shown(time).format("%H:%M").to_string()),
            stored_time: said.at,
            text: lines(said.text),
        };
        self.messages += 1;
        match self.form {
            Form::Text => txt::message(&message, out),
            Form::Markdown => md::message(&message, out),
            Form::Html => html::message(&message, out),
        }
    }

    /// Writes the text after the last message.
    pub fn end(&self, out: &mut impl Write) -> io::Result<()> {
        let messages = match self.messages {
            1 => "1 message".to_owned(),
            messages => format!("{messages} messages"),
        };
        match self.form {
            Form::Html => html::end(&messages, out),
            Form::Text | Form::Markdown => Ok(()),
        }
    }

    fn person(&mut self, speaker: &str) -> usize {
        let known = self.speakers.iter().position(|known| known == speaker);
        known.unwrap_or_else(|| {
            self.speakers.push(speaker.to_owned());
            self.speakers.len() - 1
        })
    }
}

/// Escapes a text line by line.
fn lines(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    let lines: Vec<_> = text.split('\n').map(escape::line).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(format: Format, messages: &[(&str, &str, &str)]) -> String {
        let mut out = Vec::new();
        let mut handout = Handout::new(format).unwrap();
        handout.begin(&mut out).unwrap();
        for (name, at, text) in messages {
            let said = ChatLine {
                speaker: name,
                name,
                at,
                text,
            };
            handout.take(said, &mut out).unwrap();
        }
        handout.end(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    const TALK: [(&str, &str, &str); 3] = [
        (
            "andrewbrown",
            "2026-03-22T08:35:09.123456+00:00",
            "Cake?\nTwo *pieces* <3",
        ),
        (
            "bayko",
            "2026-03-22T08:36:00.000000+00:00",
            "1. yes\u{202e}\u{1b}[31m",
        ),
        ("bayko", "2026-03-23T09:00:00.000000+00:00", "# more"),
    ];

    #[test]
    fn text_keeps_lines_apart_from_messages() {
        assert_eq!(
            written(Format::Txt, &TALK),
            "Sunday, 22 March 2026 (UTC)\n\n\
             08:35  andrewbrown: Cake?\n       Two *pieces* <3\n\
             08:36  bayko: 1. yes\\u{202e}\\u{1b}[31m\n\n\
             Monday, 23 March 2026 (UTC)\n\n\
             09:00  bayko: # more\n"
        );
    }

    #[test]
    fn markdown_shows_what_was_written() {
        assert_eq!(
            written(Format::Md, &TALK),
            "## Sunday, 22 March 2026 (UTC)\n\n\
             **andrewbrown** 08:35\n\n> Cake?\\\n> Two \\*pieces\\* \\<3\n\n\
             **bayko** 08:36\n\n> 1\\. yes\\\\u{202e}\\\\u{1b}\\[31m\n\n\
             ## Monday, 23 March 2026 (UTC)\n\n\
             **bayko** 09:00\n\n> \\# more\n\n"
        );
    }

    #[test]
    fn a_page_stands_alone() {
        let page = written(Format::Html, &TALK);
        for reference in ["src=", "href=", "url(", "@import", "<script", "<link"] {
            assert!(!page.contains(reference), "{reference}");
        }
        for part in [
            "Content-Security-Policy",
            "name=\"viewport\"",
            "prefers-color-scheme: dark",
            "@media print",
            "Two *pieces* &lt;3",
            "3 messages",
        ] {
            assert!(page.contains(part), "{part}\n{page}");
        }
    }

    proptest! {
        /// No text becomes a tag, and every text appears once.
        #[test]
        fn no_text_becomes_part_of_a_page(text in ".{0,60}", name in "[<>&\"'a-z]{1,12}") {
            let at = "2026-03-22T08:35:09.123456+00:00";
            let page = written(Format::Html, &[(&name, at, &text)]);
            let plain = written(Format::Html, &[("name", at, "text")]);
            prop_assert_eq!(page.matches('<').count(), plain.matches('<').count());
            prop_assert_eq!(page.matches('"').count(), plain.matches('"').count());
            prop_assert!(!page.chars().any(|c| c != '\n' && escape::is_unsafe(c)));
        }
    }
}
