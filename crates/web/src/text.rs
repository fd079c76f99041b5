//! Users' text in a page. maud escapes markup; this escapes characters that would reorder or hide the text around them.

use std::fmt::Write;

use ddb_core::conversation::Needle;
use maud::{Markup, Render, html};
use unicode_segmentation::UnicodeSegmentation;

/// Checks whether a character is not allowed in a page: control characters, and those that reorder or break lines
/// (UAX #9).
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

/// Returns text on one line, for attributes and names. Unsafe characters are escaped: `\n`, `\u{202e}`.
pub(crate) fn line(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        push(&mut shown, c);
    }
    shown
}

fn push(shown: &mut String, c: char) {
    match c {
        '\n' => shown.push_str("\\n"),
        '\r' => shown.push_str("\\r"),
        '\t' => shown.push_str("\\t"),
        c if is_unsafe(c) => {
            // Writing to a String cannot fail.
            let _ = write!(shown, "\\u{{{:x}}}", u32::from(c));
        }
        c => shown.push(c),
    }
}

/// Returns the first graphemes of a text on one line.
pub(crate) fn preview(text: &str) -> String {
    const MOST: usize = 120;
    let words: Vec<&str> = text.split_whitespace().collect();
    let flat = words.join(" ");
    let mut graphemes = flat.graphemes(true);
    let mut short: String = graphemes.by_ref().take(MOST).collect();
    // A grapheme may be of any length.
    if short.len() > 4 * MOST {
        short = short.chars().take(MOST).collect();
    }
    if graphemes.next().is_some() {
        short.push('…');
    }
    line(&short)
}

/// Returns a person's initial: the first grapheme of the name.
pub(crate) fn initial(name: &str) -> String {
    let first = name.trim().graphemes(true).next().unwrap_or("?");
    let first: String = first.chars().take(8).collect();
    line(&first.to_uppercase())
}

/// Escapes everything except letters, digits and `-._~` for the query of a URL (RFC 3986, section 2.3).
pub(crate) fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// The text of a message, with its line breaks, and with the search text marked.
pub(crate) struct Body<'a> {
    pub text: &'a str,
    pub needle: Option<&'a Needle>,
}

impl Render for Body<'_> {
    fn render(&self) -> Markup {
        let parts = marked(self.text, self.needle);
        html! {
            @for (part, is_found) in parts {
                @if is_found { mark { (Lines(part)) } } @else { (Lines(part)) }
            }
        }
    }
}

/// Text that keeps its line breaks, and whose unsafe characters are shown escaped.
struct Lines<'a>(&'a str);

impl Render for Lines<'_> {
    fn render(&self) -> Markup {
        let mut parts: Vec<(String, bool)> = Vec::new();
        for c in self.0.chars() {
            let stays = c == '\n' || c == '\t' || !is_unsafe(c);
            if parts.last().is_none_or(|(_, raw)| *raw != stays) {
                parts.push((String::new(), stays));
            }
            if let Some((part, _)) = parts.last_mut() {
                match stays {
                    true => part.push(c),
                    false => push(part, c),
                }
            }
        }
        html! {
            @for (part, stays) in &parts {
                @if *stays { (part) } @else { span.control { (part) } }
            }
        }
    }
}

/// Splits a text at the places that contain the search text, in any case, but never within a grapheme.
fn marked<'a>(text: &'a str, needle: Option<&Needle>) -> Vec<(&'a str, bool)> {
    let Some(needle) = needle else {
        return vec![(text, false)];
    };
    let bounds: Vec<usize> = text
        .grapheme_indices(true)
        .map(|(at, _)| at)
        .chain([text.len()])
        .collect();
    let mut parts = Vec::new();
    let (mut plain, mut from) = (0, 0);
    while from + 1 < bounds.len() {
        // The shortest run of graphemes from here that contains it. It then begins as late as possible.
        let found = (from + 1..bounds.len())
            .take(200)
            .find(|to| needle.is_in(&text[bounds[from]..bounds[*to]]));
        let Some(to) = found else {
            from += 1;
            continue;
        };
        let begin = (from..to)
            .rev()
            .find(|begin| needle.is_in(&text[bounds[*begin]..bounds[to]]))
            .unwrap_or(from);
        parts.push((&text[plain..bounds[begin]], false));
        parts.push((&text[bounds[begin]..bounds[to]], true));
        plain = bounds[to];
        from = to;
    }
    parts.push((&text[plain..], false));
    parts.retain(|(part, _)| !part.is_empty());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(text: &str, needle: Option<&str>) -> String {
        let needle = needle.map(|needle| needle.parse().unwrap());
        let needle = needle.as_ref();
        Body { text, needle }.render().into_string()
    }

    #[test]
    fn p42_markup_is_text_and_what_reorders_is_shown() {
        assert_eq!(
            body("<script>alert('x')</script>\n\"&", None),
            "&lt;script&gt;alert('x')&lt;/script&gt;\n&quot;&amp;"
        );
        assert_eq!(
            body("a\u{202e}b\u{0}\r", None),
            "a<span class=\"control\">\\u{202e}</span>b<span class=\"control\">\\u{0}\\r</span>"
        );
        assert_eq!(line("a\n\u{2066}\u{9b}b"), "a\\n\\u{2066}\\u{9b}b");
    }

    #[test]
    fn what_was_looked_for_is_marked_in_any_case() {
        assert_eq!(
            body("Cake? cAKE!", Some("cake")),
            "<mark>Cake</mark>? <mark>cAKE</mark>!"
        );
        // Only in lower case, a sigma at the end of a word is another letter.
        assert_eq!(body("ΑΣ and İ", Some("ας")), "<mark>ΑΣ</mark> and İ");
        assert_eq!(body("a<b", Some("<")), "a<mark>&lt;</mark>b");
        assert_eq!(body("nothing", Some("x")), "nothing");
        assert_eq!(body("ab", Some("ab")), "<mark>ab</mark>");
    }

    #[test]
    fn a_preview_never_splits_a_grapheme() {
        let family = "👨‍👩‍👧‍👦";
        let long = family.repeat(200);
        let short = preview(&long);
        assert!(short.ends_with('…'), "{short}");
        assert!(short.chars().count() < 200, "{short}");
        assert_eq!(preview(" a\n b "), "a b");
        assert_eq!(initial("ångström"), "Å");
        assert_eq!(initial("  "), "?");
        assert_eq!(
            encoded("2026-03-22T08:35:09+00:00\r\n"),
            "2026-03-22T08%3A35%3A09%2B00%3A00%0D%0A"
        );
    }
}
