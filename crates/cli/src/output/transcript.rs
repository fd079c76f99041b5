//! Messages as people read them on a terminal: who wrote what, day by day.

use std::collections::HashMap;
use std::io::{self, Write};

use clap::builder::styling::{Ansi256Color, Style};
use ddb_core::timestamp::Timestamp;
use ddb_core::timezone::Zone;

use super::style::Tone;
use super::{escape, width};

/// One message.
#[derive(Debug, Clone, Copy)]
pub struct ChatLine<'a> {
    /// The sender's id, which decides the color.
    pub speaker: &'a str,
    /// The name that is shown.
    pub name: &'a str,
    /// The time, as it is stored.
    pub at: &'a str,
    /// The text.
    pub text: &'a str,
}

/// A message that waits for the next flush, when the width of the names is known.
#[derive(Debug)]
struct Held {
    speaker: String,
    name: String,
    style: Style,
    time: Option<Timestamp>,
    text: String,
}

/// Draws messages like a chat.
#[derive(Debug)]
pub struct Transcript {
    columns: usize,
    colored: bool,
    zone: Zone,
    held: Vec<Held>,
    speakers: HashMap<String, usize>,
    names: usize,
    day: Option<String>,
    last: Option<String>,
}

/// Names are cut to this many columns.
const WIDEST_NAME: usize = 16;
/// Longer lines are hard to read, even on a wide terminal.
const WIDEST_TEXT: usize = 80;
/// Narrower lines do not help, even on a narrow terminal.
const NARROWEST_TEXT: usize = 12;
/// The space between two columns.
const GAP: &str = "  ";
/// The width of `08:35`.
const CLOCK: usize = 5;

/// Those of the 256 colors that are readable on both white and black.
const PALETTE: [u8; 8] = [28, 130, 27, 163, 30, 161, 98, 100];
const FAINT: Style = Tone::Faint.style();

impl Transcript {
    /// Starts a transcript for a terminal with this many columns.
    pub fn new(columns: usize, colored: bool) -> Self {
        Self {
            columns,
            colored,
            zone: Zone::UTC,
            held: Vec::new(),
            speakers: HashMap::new(),
            names: 0,
            day: None,
            last: None,
        }
    }

    /// Sets the time zone of the times that are shown.
    pub fn in_zone(&mut self, zone: Zone) {
        self.zone = zone;
    }

    /// Takes a message.
    pub fn take(&mut self, said: ChatLine<'_>) {
        let name = width::cut(&escape::plain(said.name), WIDEST_NAME);
        self.names = self.names.max(width::of(&name));
        let color = PALETTE[self.color(said.speaker)];
        self.held.push(Held {
            speaker: said.speaker.to_owned(),
            name,
            style: Style::new()
                .bold()
                .fg_color(Some(Ansi256Color(color).into())),
            time: said.at.parse().ok(),
            text: escape::plain(said.text).into_owned(),
        });
    }

    /// Draws the messages that were taken.
    pub fn flush(&mut self, out: &mut impl Write) -> io::Result<()> {
        for held in std::mem::take(&mut self.held) {
            self.draw(&held, out)?;
        }
        Ok(())
    }

    /// Chooses the color of a person. It depends on the id, so it is always the same, unless another person in this
    /// transcript already has it: then the next free one is used.
    fn color(&mut self, speaker: &str) -> usize {
        if let Some(color) = self.speakers.get(speaker) {
            return *color;
        }
        // FNV-1a, 64 bits: short, and the same on every machine and in every version.
        let hash = speaker
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            });
        // The upper half: the low bits of this hash depend only on the low bits of the text.
        let own = ((hash >> 32) % PALETTE.len() as u64) as usize;
        let free = (own..own + PALETTE.len())
            .map(|color| color % PALETTE.len())
            .find(|color| !self.speakers.values().any(|taken| taken == color));
        let color = free.unwrap_or(own);
        self.speakers.insert(speaker.to_owned(), color);
        color
    }

    fn draw(&mut self, held: &Held, out: &mut impl Write) -> io::Result<()> {
        let indent = CLOCK + GAP.len() + self.names + GAP.len();
        let room = self.columns.saturating_sub(indent);
        let room = room.clamp(NARROWEST_TEXT, WIDEST_TEXT);
        if let Some(time) = held.time {
            self.separate(time, indent + room, out)?;
        }
        let clock = match held.time {
            Some(time) => self.zone.shown(time).format("%H:%M").to_string(),
            None => "--:--".to_owned(),
        };
        let again = self.last.as_ref() == Some(&held.speaker);
        let name = if again { "" } else { &held.name };
        let blank = " ".repeat(self.names - width::of(name));
        let (clock, name) = (self.styled(FAINT, &clock), self.styled(held.style, name));
        for (index, line) in width::wrap(&held.text, room).iter().enumerate() {
            let whole = match index {
                0 => format!("{clock}{GAP}{name}{blank}{GAP}{line}"),
                _ => format!("{:indent$}{line}", ""),
            };
            writeln!(out, "{}", whole.trim_end())?;
        }
        self.last = Some(held.speaker.clone());
        Ok(())
    }

    /// Draws a line at the start of another day.
    fn separate(&mut self, time: Timestamp, room: usize, out: &mut impl Write) -> io::Result<()> {
        let day = self.zone.shown(time).format("%A, %-d %B %Y").to_string();
        if self.day.as_ref() == Some(&day) {
            return Ok(());
        }
        if self.day.is_some() {
            writeln!(out)?;
        }
        let room = room.min(self.columns);
        let line = format!("── {day}, {} ", self.zone);
        let rest = "─".repeat(room.saturating_sub(width::of(&line)));
        let line = width::cut(&format!("{line}{rest}"), self.columns);
        writeln!(out, "{}", self.styled(FAINT, &line))?;
        self.day = Some(day);
        self.last = None;
        Ok(())
    }

    fn styled(&self, style: Style, text: &str) -> String {
        if self.colored && !text.is_empty() {
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::style;
    use ddb_core::environment::Environment;
    use ddb_core::timezone::ZoneName;
    use proptest::prelude::*;

    fn drawn(columns: usize, colored: bool, messages: &[(&str, &str, &str)]) -> String {
        drawn_in(Zone::UTC, columns, colored, messages)
    }

    fn drawn_in(
        zone: Zone,
        columns: usize,
        colored: bool,
        messages: &[(&str, &str, &str)],
    ) -> String {
        let mut transcript = Transcript::new(columns, colored);
        transcript.in_zone(zone);
        let mut out = Vec::new();
        for (name, at, text) in messages {
            transcript.take(ChatLine {
                speaker: name,
                name,
                at,
                text,
            });
        }
        transcript.flush(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn it_reads_like_a_chat() {
        let shown = drawn(
            40,
            false,
            &[
                (
                    "ann",
                    "2026-03-22T08:35:09Z",
                    "Are you on the 18:42 or the one after it?",
                ),
                ("bo", "2026-03-22T08:36:00Z", "Yes."),
                ("bo", "2026-03-22T08:36:30Z", "\u{1b}[31mNo.\n"),
                ("bo", "2026-03-23T00:00:00Z", "Late."),
                ("ann", "soon", "?"),
            ],
        );
        assert_eq!(
            shown,
            "\
── Sunday, 22 March 2026, UTC ──────────
08:35  ann  Are you on the 18:42 or the
            one after it?
08:36  bo   Yes.
08:36       \\u{1b}[31mNo.\\n

── Monday, 23 March 2026, UTC ──────────
00:00  bo   Late.
--:--  ann  ?
"
        );
    }

    #[test]
    fn days_and_times_are_those_of_the_zone() {
        let zone: ZoneName = "Europe/Berlin".parse().unwrap();
        let zone = zone.resolve(&Environment::default()).unwrap();
        let messages = [
            ("ann", "2026-03-22T22:59:00Z", "Late."),
            ("ann", "2026-03-22T23:01:00Z", "Early."),
        ];
        assert_eq!(
            drawn_in(zone, 48, false, &messages),
            "\
── Sunday, 22 March 2026, Europe/Berlin ────────
23:59  ann  Late.

── Monday, 23 March 2026, Europe/Berlin ────────
00:01  ann  Early.
"
        );
    }

    #[test]
    fn a_wide_terminal_has_no_long_lines_and_a_narrow_one_no_short_ones() {
        let long = "word ".repeat(60);
        let message = [("ann", "2026-03-22T08:35:09Z", &*long)];
        let widest = |columns| {
            let shown = drawn(columns, false, &message);
            shown.lines().map(width::of).max().unwrap_or_default()
        };
        assert_eq!(widest(200), 12 + WIDEST_TEXT);
        assert!(widest(80) <= 80);
        assert!(widest(10) <= 12 + NARROWEST_TEXT);
    }

    #[test]
    fn a_person_has_one_color_and_nobody_else_has_it() {
        let mut transcript = Transcript::new(80, true);
        let first = transcript.color("ann");
        assert_eq!(transcript.color("ann"), first);
        assert_eq!(Transcript::new(20, true).color("ann"), first);
        let others: Vec<usize> = (1..PALETTE.len())
            .map(|n| transcript.color(&format!("person {n}")))
            .collect();
        let mut all = [others, vec![first]].concat();
        all.sort_unstable();
        assert_eq!(all, (0..PALETTE.len()).collect::<Vec<_>>());
        assert!(transcript.color("one too many") < PALETTE.len());
    }

    /// Contrast as defined by WCAG 2, on black and on white: it requires 3 for bold text.
    #[test]
    fn every_color_can_be_read_on_dark_and_on_light() {
        for color in PALETTE {
            for contrast in style::contrasts(color) {
                assert!(contrast > 3.7, "{color}: {contrast}");
            }
        }
    }

    #[test]
    fn colors_only_where_they_are_wanted() {
        let message = [("ann", "2026-03-22T08:35:09Z", "Hello")];
        let plain = drawn(40, false, &message);
        assert!(!plain.contains('\u{1b}'));
        let colored = drawn(40, true, &message);
        assert!(colored.contains("\u{1b}[1m\u{1b}[38;5;"), "{colored:?}");
        assert!(colored.contains("ann\u{1b}[0m"), "{colored:?}");
    }

    proptest! {
        #[test]
        fn p28_p29_whatever_is_said_stays_in_its_place(
            name in "[a-z漢👍]{1,20}",
            text in prop::collection::vec(prop_oneof![any::<char>(), prop::char::range('\0', '\u{a0}')], 0..80),
            columns in 40usize..120,
        ) {
            let text: String = text.into_iter().collect();
            let shown = drawn(columns, false, &[(&name, "2026-03-22T08:35:09Z", &text)]);
            for line in shown.lines() {
                prop_assert!(!line.chars().any(escape::is_unsafe));
                prop_assert!(width::of(line) <= columns, "{}: {:?}", columns, line);
            }
        }
    }
}
