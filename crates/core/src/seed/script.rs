//! Conversation files: one message per line, `Speaker: text`.

use std::collections::HashMap;

use crate::conversation::shows_nothing;

/// One of the two people of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The person who seeds: `Person 1`.
    Me,
    /// The other person: `Person 2`.
    Other,
}

/// One message of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The speaker.
    pub side: Side,
    /// The text, without the speaker's prefix.
    pub text: String,
}

/// The contents of a conversation file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// The messages, oldest first; at least one.
    pub lines: Vec<Line>,
}

/// A problem in a conversation file, and its location.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}, line {line}: {problem}")]
pub struct ScriptError {
    /// The name of the file.
    pub file: String,
    /// The number of the line, from 1.
    pub line: usize,
    /// The problem.
    pub problem: Problem,
}

/// A problem with a line of a conversation file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// There is no `Speaker:` at its start.
    #[error("no speaker; a line is `Speaker: text`")]
    NoSpeaker,
    /// The speaker is neither of the two.
    #[error("`{0}` is neither of the two people")]
    ThirdPerson(String),
    /// There is nothing after the speaker.
    #[error("no text after `{0}:`")]
    NoText(String),
    /// The bytes are not UTF-8.
    #[error("not UTF-8")]
    NotUtf8,
    /// The file has no message at all.
    #[error("the file has no messages")]
    Empty,
}

/// The names of the speakers.
///
/// Mapped names take precedence over `Person 1` and `Person 2`, and these over the two handles.
#[derive(Debug, Clone)]
pub struct Speakers(HashMap<String, Side>);

impl Speakers {
    /// Makes the names for a conversation between two handles.
    pub fn new(me: &str, other: &str) -> Self {
        let names = [
            (me, Side::Me),
            (other, Side::Other),
            ("Person 1", Side::Me),
            ("Person 2", Side::Other),
        ];
        Self(names.map(|(name, side)| (name.to_owned(), side)).into())
    }

    /// Adds a name. It replaces any other meaning of that name.
    pub fn map(&mut self, name: &str, side: Side) {
        self.0.insert(name.trim().to_owned(), side);
    }
}

impl Script {
    /// Parses a UTF-8 file, which may begin with a byte order mark. Skips blank lines and lines that start with `#`.
    /// Removes only the first `Speaker:` of a line.
    ///
    /// # Errors
    ///
    /// [`ScriptError`] for the first line with a problem.
    pub fn parse(file: &str, bytes: &[u8], speakers: &Speakers) -> Result<Self, ScriptError> {
        let error = |line: usize, problem: Problem| ScriptError {
            file: file.to_owned(),
            line,
            problem,
        };
        let text = std::str::from_utf8(bytes).map_err(|wrong| {
            let before = &bytes[..wrong.valid_up_to()];
            let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
            error(line, Problem::NotUtf8)
        })?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let lines = text
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.trim().is_empty() && !line.trim_start().starts_with('#'))
            .map(|(index, line)| {
                parse_line(line, speakers).map_err(|problem| error(index + 1, problem))
            })
            .collect::<Result<Vec<Line>, ScriptError>>()?;
        if lines.is_empty() {
            return Err(error(text.lines().count().max(1), Problem::Empty));
        }
        Ok(Self { lines })
    }
}

fn parse_line(line: &str, speakers: &Speakers) -> Result<Line, Problem> {
    let (speaker, text) = line.split_once(':').ok_or(Problem::NoSpeaker)?;
    let speaker = speaker.trim();
    let Some(side) = speakers.0.get(speaker).copied() else {
        // `See https://…` has a colon, but no speaker.
        let looks_like_a_name = !speaker.is_empty() && !text.starts_with("//");
        return Err(if looks_like_a_name {
            Problem::ThirdPerson(speaker.to_owned())
        } else {
            Problem::NoSpeaker
        });
    };
    let text = text.trim();
    if shows_nothing(text) {
        return Err(Problem::NoText(speaker.to_owned()));
    }
    Ok(Line {
        side,
        text: text.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Result<Vec<(Side, String)>, ScriptError> {
        parse_bytes(text.as_bytes())
    }

    fn parse_bytes(bytes: &[u8]) -> Result<Vec<(Side, String)>, ScriptError> {
        let mut speakers = Speakers::new("andrewbrown", "bayko");
        speakers.map("The Captain", Side::Other);
        let script = Script::parse("talk.txt", bytes, &speakers)?;
        Ok(script
            .lines
            .into_iter()
            .map(|line| (line.side, line.text))
            .collect())
    }

    fn problem(text: &str) -> (usize, Problem) {
        let error = parse(text).unwrap_err();
        assert_eq!(error.file, "talk.txt");
        (error.line, error.problem)
    }

    #[test]
    fn speakers_go_by_number_by_handle_and_by_a_mapped_name() {
        let lines = parse(
            "\u{feff}# a comment\r\nPerson 1: one\r\n\r\nbayko: two\n  The Captain :three\nandrewbrown: Person 1: four\n",
        )
        .unwrap();
        assert_eq!(
            lines,
            [
                (Side::Me, "one".to_owned()),
                (Side::Other, "two".to_owned()),
                (Side::Other, "three".to_owned()),
                (Side::Me, "Person 1: four".to_owned()),
            ]
        );
    }

    #[test]
    fn a_mapped_name_comes_before_the_known_ones() {
        let mut speakers = Speakers::new("andrewbrown", "bayko");
        speakers.map("Person 1", Side::Other);
        let script = Script::parse("f", b"Person 1: hi", &speakers).unwrap();
        assert_eq!(script.lines[0].side, Side::Other);
    }

    #[test]
    fn what_is_wrong_is_said_with_the_line() {
        assert_eq!(
            problem("Person 1: a\nno speaker here"),
            (2, Problem::NoSpeaker)
        );
        assert_eq!(problem("https://example.org"), (1, Problem::NoSpeaker));
        assert_eq!(problem(": text"), (1, Problem::NoSpeaker));
        assert_eq!(
            problem("Person 1: a\n\n# b\nPerson 3: c"),
            (4, Problem::ThirdPerson("Person 3".into()))
        );
        assert_eq!(
            problem("Person 1:  "),
            (1, Problem::NoText("Person 1".into()))
        );
        assert_eq!(problem(""), (1, Problem::Empty));
        assert_eq!(problem("# only\n# comments\n"), (2, Problem::Empty));
        let error = parse_bytes(b"Person 1: a\nPerson 2: \xff\n").unwrap_err();
        assert_eq!((error.line, error.problem), (2, Problem::NotUtf8));
        assert_eq!(
            parse("Person 1: a\nPerson 3: c").unwrap_err().to_string(),
            "talk.txt, line 2: `Person 3` is neither of the two people"
        );
    }

    #[test]
    fn a_text_that_shows_nothing_is_none() {
        let error = parse("Person 1: \u{200b}").unwrap_err();
        assert_eq!(error.problem, Problem::NoText("Person 1".into()));
    }

    fn text_that_shows() -> impl Strategy<Value = String> {
        let text = "[^\\r\\n]{1,40}".prop_map(|text| text.trim().to_owned());
        text.prop_filter("it shows nothing", |text| !shows_nothing(text))
    }

    proptest! {
        #[test]
        fn any_text_after_the_prefix_is_kept(texts in prop::collection::vec(text_that_shows(), 1..20)) {
            let file: String = texts.iter().map(|text| format!("Person 2: {text}\n")).collect();
            let parsed: Vec<String> = parse(&file).unwrap().into_iter().map(|(_, text)| text).collect();
            prop_assert_eq!(parsed, texts);
        }

        #[test]
        fn no_bytes_make_the_parser_panic(bytes: Vec<u8>) {
            let _ = parse_bytes(&bytes);
        }

        /// Every line of a file is a message, is skipped, or is named in the error.
        #[test]
        fn every_line_is_taken_skipped_or_named(
            lines in prop::collection::vec(
                prop_oneof![
                    "(Person [1-3]|me|other|https?|): ?[ -~]{0,6}",
                    "[ \\t]*#?[^\\n\\r]{0,6}",
                ],
                0..8,
            ),
            end in prop::sample::select(vec!["\n", "\r\n"]),
        ) {
            let skipped = |line: &&String| line.trim().is_empty() || line.trim_start().starts_with('#');
            let file: String = lines.iter().map(|line| format!("{line}{end}")).collect();
            // A byte order mark at the start of a file is no part of its first line.
            let mut lines = lines;
            if let Some(first) = lines.first_mut() && let Some(rest) = first.strip_prefix('\u{feff}') {
                *first = rest.to_owned();
            }
            let messages = lines.len() - lines.iter().filter(skipped).count();
            match parse(&file) {
                Ok(parsed) => {
                    prop_assert_eq!(parsed.len(), messages);
                    prop_assert!(parsed.iter().all(|(_, text)| !text.is_empty()));
                }
                Err(ScriptError { problem: Problem::Empty, .. }) => prop_assert_eq!(messages, 0),
                Err(error) => {
                    let line = &lines[error.line - 1];
                    prop_assert!(!skipped(&line), "{}", line);
                }
            }
        }
    }
}
