//! Escapes text from users on output, so that it cannot control a terminal, run in a spreadsheet or mislead a reader.

use std::borrow::Cow;
use std::fmt::Write;

/// Checks whether a character must never be printed raw: the control characters C0, DEL and C1 (Unicode general
/// category Cc), the characters that reorder or hide the text around them (the bidirectional controls of Unicode UAX
/// #9), and the line and paragraph separators, which split a line in two.
pub fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

/// Escapes text for anything but JSON: `\n`, `\r`, `\t`, `\u{1b}`, and a doubled backslash, so that the result can be
/// read back.
pub fn plain(text: &str) -> Cow<'_, str> {
    if !text.chars().any(|c| c == '\\' || is_unsafe(c)) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\\' => escaped.push_str("\\\\"),
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\t' => escaped.push_str("\\t"),
            c if is_unsafe(c) => {
                // Writing to a String cannot fail.
                let _ = write!(escaped, "\\u{{{:x}}}", u32::from(c));
            }
            c => escaped.push(c),
        }
    }
    Cow::Owned(escaped)
}

/// Escapes a message for people, as [`plain`] does, but without doubling the backslash, since nobody parses a message.
pub fn line(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_unsafe(c) {
            escaped.push_str(&plain(c.encode_utf8(&mut [0; 4])));
        } else {
            escaped.push(c);
        }
    }
    Cow::Owned(escaped)
}

/// Hides the part of a URL before the host, which may contain a password: `postgres://***@host/db`. Everything up to
/// the last `@` is hidden, since a password may contain any character.
pub fn without_passwords(text: &str) -> Cow<'_, str> {
    const MARK: &str = "://";
    let Some(start) = text.find(MARK).map(|at| at + MARK.len()) else {
        return Cow::Borrowed(text);
    };
    match text[start..].rfind('@') {
        Some(end) => Cow::Owned(format!("{}***{}", &text[..start], &text[start + end..])),
        None => Cow::Borrowed(text),
    }
}

/// Neutralises a cell that a spreadsheet would run as a formula, with a leading `'`. The first characters are those
/// that OWASP lists under "CSV Injection".
pub fn spreadsheet(cell: Cow<'_, str>) -> Cow<'_, str> {
    let runs = |c: char| {
        matches!(
            c,
            '=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠'
        )
    };
    if cell.starts_with(runs) {
        Cow::Owned(format!("'{cell}"))
    } else {
        cell
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn controls_are_spelled_out() {
        assert_eq!(
            plain("a\u{1b}[31mb\\c\n\t\r\u{7f}\u{9b}\u{202e}\u{2028}\u{2029}"),
            "a\\u{1b}[31mb\\\\c\\n\\t\\r\\u{7f}\\u{9b}\\u{202e}\\u{2028}\\u{2029}"
        );
        assert!(matches!(plain("é 👩‍👩‍👧 漢"), Cow::Borrowed(_)));
    }

    #[test]
    fn messages_keep_their_backslash() {
        assert_eq!(line("a\\b\nc\u{1b}d"), "a\\b\\nc\\u{1b}d");
    }

    #[test]
    fn p26_passwords_are_hidden_wherever_they_stand() {
        for (text, shown) in [
            (
                "error: 'postgres://me:pw@h/db' found",
                "error: 'postgres://***@h/db' found",
            ),
            ("postgres://me:p @:/?#%w@h/db", "postgres://***@h/db"),
            (
                "http://localhost:8000 is there",
                "http://localhost:8000 is there",
            ),
            ("mail me@example.org", "mail me@example.org"),
        ] {
            assert_eq!(without_passwords(text), shown);
        }
    }

    #[test]
    fn p30_formulas_are_neutralised() {
        for cell in ["=1+1", "+1", "-1", "@x", "＝1"] {
            assert_eq!(spreadsheet(cell.into()), format!("'{cell}"));
        }
        assert_eq!(spreadsheet("a=1".into()), "a=1");
        assert_eq!(spreadsheet("".into()), "");
    }

    /// Reads the escaped text back, to show that nothing is lost.
    fn unescape(text: &str) -> String {
        let mut chars = text.chars();
        let mut read = String::new();
        while let Some(c) = chars.next() {
            read.push(match c {
                '\\' => match chars.next().unwrap() {
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    '\\' => '\\',
                    'u' => {
                        let hex: String =
                            chars.by_ref().skip(1).take_while(|c| *c != '}').collect();
                        char::from_u32(u32::from_str_radix(&hex, 16).unwrap()).unwrap()
                    }
                    other => panic!("{other}"),
                },
                c => c,
            });
        }
        read
    }

    proptest! {
        #[test]
        fn p28_no_control_goes_out_raw_and_nothing_is_lost(
            text in prop::collection::vec(prop_oneof![any::<char>(), prop::char::range('\0', '\u{a0}'),
                prop::char::range('\u{2000}', '\u{2070}')], 0..40)
        ) {
            let text: String = text.into_iter().collect();
            let escaped = plain(&text);
            prop_assert!(!escaped.chars().any(is_unsafe));
            prop_assert_eq!(unescape(&escaped), text.clone());
            prop_assert!(!line(&text).chars().any(is_unsafe));
        }
    }
}
