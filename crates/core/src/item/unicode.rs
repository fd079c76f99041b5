//! Text that is not Unicode, carried through types that can hold only Unicode.
//!
//! A JSON string can contain half of a surrogate pair, `"\ud800"`, and DynamoDB Local stores such text. A `str`
//! cannot hold it, and neither serde_json nor the SDK can read a page that contains it. So a response is rewritten
//! as it arrives: each such value is held in one that the service never sends, a number without digits:
//!
//! | the service has | held as |
//! | --- | --- |
//! | `{"S":"\ud800"}` | `{"N":"S\"\\ud800\""}` |
//! | `{"SS":["a","\ud800"]}` | `{"N":"SS[\"a\",\"\\ud800\"]"}` |
//! | an attribute `"\ud800":VALUE` | `"\\ud800":{"L":[{"N":"name\"\\ud800\""},VALUE]}` |
//! | any other text with `\ud800` | the same text with `\\ud800` |
//!
//! The number holds the JSON as the service wrote it, so nothing is lost. An item with such a value is unknown,
//! since the value is not a string, and the service would refuse to write it.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memchr;

/// A text, or a set of texts, that is not Unicode.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NotUnicode<'a> {
    kind: &'static str,
    json: Cow<'a, str>,
}

const NAME: &str = "name";

impl<'a> NotUnicode<'a> {
    /// Returns the type: `S` or `SS`.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// Returns the text or the set as JSON, as the service wrote it.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// Returns the form for display: a text with its surrogates spelled out, `a\ud800`; a set as JSON.
    pub fn shown(&self) -> Cow<'_, str> {
        let readable = readable(&self.json);
        match serde_json::from_str::<String>(&readable) {
            Ok(text) => Cow::Owned(text),
            Err(_) => Cow::Borrowed(&self.json),
        }
    }

    /// Returns the text or set that is held in the text of a number.
    pub(super) fn held_in(number: Cow<'a, str>) -> Result<Self, Cow<'a, str>> {
        let kind = match number.as_bytes() {
            [b'S', b'"', ..] => "S",
            [b'S', b'S', b'[', ..] => "SS",
            _ => return Err(number),
        };
        Ok(Self {
            kind,
            json: without(kind, number),
        })
    }

    /// Returns the text of the number that holds it.
    pub(super) fn held(&self) -> String {
        format!("{}{}", self.kind, self.json)
    }
}

/// Returns the attribute name that is held in the text of a number, as JSON.
pub(super) fn name_held_in(number: &str) -> Option<&str> {
    let json = number.strip_prefix(NAME)?;
    json.starts_with('"').then_some(json)
}

/// Returns the text of the number that holds a name.
pub(super) fn held_name(json: &str) -> String {
    format!("{NAME}{json}")
}

fn without<'a>(prefix: &str, text: Cow<'a, str>) -> Cow<'a, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(&text[prefix.len()..]),
        Cow::Owned(text) => Cow::Owned(text[prefix.len()..].to_owned()),
    }
}

/// Restores the values that are held in the keys of a request to the service's own form. Returns `None` if there are
/// none.
pub(crate) fn restore(body: &str, held: &super::RawItem) -> Option<String> {
    let mut restored = None;
    for value in held.values() {
        let number = value.as_n().map(String::as_str).unwrap_or_default();
        let Ok(text) = NotUnicode::held_in(Cow::Borrowed(number)) else {
            continue;
        };
        let number = format!("{{\"N\":{}}}", quoted(&text.held()));
        let own = format!("{{\"{}\":{}}}", text.kind, text.json);
        let body = restored.as_deref().unwrap_or(body);
        restored = Some(body.replace(&number, &own));
    }
    restored
}

/// Rewrites a response so that any JSON reader can read it. Returns `None` if it can be read unchanged, or if it is
/// not JSON.
pub(crate) fn hold(body: &[u8]) -> Option<String> {
    let spelled = spell_out(body);
    let body = spelled.as_deref().unwrap_or(body);
    surrogate(body, 0)?;
    let mut reader = Reader {
        json: std::str::from_utf8(body).ok()?,
        at: 0,
        depth: 0,
    };
    let mut held = String::with_capacity(body.len() + 256);
    reader.value(&mut held)?;
    reader.space();
    (reader.at == body.len()).then_some(held)
}

/// Replaces surrogates that were encoded like characters, which is not UTF-8, with escapes.
fn spell_out(body: &[u8]) -> Option<Vec<u8>> {
    let raw = |from: usize| {
        let mut at = from;
        while let Some(found) = memchr(0xed, &body[at..]) {
            at += found;
            match body.get(at..at + 3) {
                Some([_, high @ 0xa0..=0xbf, low @ 0x80..=0xbf]) => {
                    let unit = 0xd000 | u16::from(high & 0x3f) << 6 | u16::from(low & 0x3f);
                    return Some((at, unit));
                }
                _ => at += 1,
            }
        }
        None
    };
    let mut spelled = Vec::new();
    let mut done = 0;
    while let Some((at, unit)) = raw(done) {
        spelled.extend_from_slice(&body[done..at]);
        spelled.extend_from_slice(format!("\\u{unit:04x}").as_bytes());
        done = at + 3;
    }
    (done > 0).then(|| {
        spelled.extend_from_slice(&body[done..]);
        spelled
    })
}

/// Finds the first surrogate, from a position on, that is not half of a pair. Backslashes occur only in strings.
fn surrogate(json: &[u8], from: usize) -> Option<Range<usize>> {
    let unit = |at: usize| {
        let digits = json.get(at..at + 6)?.strip_prefix(b"\\u")?;
        u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    let mut at = from;
    while let Some(found) = memchr(b'\\', json.get(at..)?) {
        at += found;
        at += match (unit(at), unit(at + 6)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
            (Some(0xd800..=0xdfff), _) => return Some(at..at + 6),
            _ => 2,
        };
    }
    None
}

/// Spells out the surrogates of a string: `"\ud800"` becomes `"\\ud800"`.
fn readable(json: &str) -> Cow<'_, str> {
    let mut readable = String::new();
    let mut done = 0;
    while let Some(found) = surrogate(json.as_bytes(), done) {
        readable.push_str(&json[done..found.start]);
        readable.push('\\');
        readable.push_str(&json[found.clone()]);
        done = found.end;
    }
    if done == 0 {
        return Cow::Borrowed(json);
    }
    readable.push_str(&json[done..]);
    Cow::Owned(readable)
}

fn is_whole(json: &str) -> bool {
    surrogate(json.as_bytes(), 0).is_none()
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A reader that copies JSON and rewrites what cannot be read. Its methods return `None` if the text is not JSON.
struct Reader<'a> {
    json: &'a str,
    at: usize,
    depth: u32,
}

/// The depth to which serde_json reads.
const MAX_DEPTH: u32 = 128;

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.json[self.at..]
    }

    fn space(&mut self) {
        let rest = self.rest();
        let blank = |c| matches!(c, ' ' | '\t' | '\n' | '\r');
        self.at += rest.len() - rest.trim_start_matches(blank).len();
    }

    /// Skips white space, then a mark if it is next. Returns whether it was.
    fn takes(&mut self, mark: char) -> bool {
        self.space();
        let there = self.rest().starts_with(mark);
        self.at += usize::from(there);
        there
    }

    /// Reads a string with its quotes.
    fn string(&mut self) -> Option<&'a str> {
        let rest = self.rest().strip_prefix('"')?;
        let mut end = 0;
        loop {
            end += rest.get(end..)?.find(['"', '\\'])?;
            match rest.as_bytes()[end] {
                b'"' => break,
                _ => end += 2,
            }
        }
        let string = &self.rest()[..end + 2];
        self.at += string.len();
        Some(string)
    }

    fn value(&mut self, out: &mut String) -> Option<()> {
        self.space();
        match self.rest().bytes().next()? {
            b'{' => self.within("{}", out, Self::member),
            b'[' => self.within("[]", out, Self::value),
            b'"' => {
                out.push_str(&readable(self.string()?));
                Some(())
            }
            _ => {
                let rest = self.rest();
                let end = rest.find([',', ']', '}', ' ', '\t', '\n', '\r']);
                let scalar = &rest[..end.unwrap_or(rest.len())];
                out.push_str(scalar);
                self.at += scalar.len();
                (!scalar.is_empty()).then_some(())
            }
        }
    }

    /// Copies a comma-separated list in brackets.
    fn within(
        &mut self,
        brackets: &str,
        out: &mut String,
        each: impl Fn(&mut Self, &mut String) -> Option<()>,
    ) -> Option<()> {
        let (open, close) = (brackets.chars().next()?, brackets.chars().last()?);
        self.takes(open).then_some(())?;
        self.depth += 1;
        (self.depth <= MAX_DEPTH).then_some(())?;
        out.push(open);
        if !self.takes(close) {
            loop {
                each(self, out)?;
                if self.takes(close) {
                    break;
                }
                self.takes(',').then_some(())?;
                out.push(',');
            }
        }
        out.push(close);
        self.depth -= 1;
        Some(())
    }

    fn member(&mut self, out: &mut String) -> Option<()> {
        self.space();
        let name = self.string()?;
        self.takes(':').then_some(())?;
        self.space();
        let start = self.at;
        let mut value = String::new();
        self.value(&mut value)?;
        let own = &self.json[start..self.at];
        let held = match (name, own.as_bytes().first()) {
            ("\"S\"", Some(b'"')) | ("\"SS\"", Some(b'[')) if !is_whole(own) => {
                let kind = name.trim_matches('"');
                format!("\"N\":{}", quoted(&format!("{kind}{own}")))
            }
            _ if is_whole(name) => format!("{name}:{value}"),
            _ => format!(
                "{}:{{\"L\":[{{\"N\":{}}},{value}]}}",
                readable(name),
                quoted(&held_name(name))
            ),
        };
        out.push_str(&held);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_read_is_left_alone() {
        for body in [
            r#"{"Items":[{"pk":{"S":"a\\ud800\ud83d\ude00é"}}]}"#,
            r#"{"a":"\\\\ud800"}"#,
            "",
            "{",
        ] {
            assert_eq!(hold(body.as_bytes()), None, "{body}");
        }
    }

    #[test]
    fn each_place_of_a_surrogate_is_held() {
        for (body, held) in [
            (r#"{"S":"\ud800"}"#, r#"{"N":"S\"\\ud800\""}"#),
            (r#"{ "S" : "x\uDFFF\n" }"#, r#"{"N":"S\"x\\uDFFF\\n\""}"#),
            (
                r#"{"SS":["a","\udc00\ud800"]}"#,
                r#"{"N":"SS[\"a\",\"\\udc00\\ud800\"]"}"#,
            ),
            (
                r#"{"\ud800":{"BOOL":true},"b":{"L":[{"S":"\ud800"},{"S":"c"}]}}"#,
                r#"{"\\ud800":{"L":[{"N":"name\"\\ud800\""},{"BOOL":true}]},"b":{"L":[{"N":"S\"\\ud800\""},{"S":"c"}]}}"#,
            ),
            (
                r#"{"message":"\\\ud83d","n":-1.5e3}"#,
                r#"{"message":"\\\\ud83d","n":-1.5e3}"#,
            ),
            // An escaped backslash before what looks like a pair.
            (r#"["\\ud83d\ude00"]"#, r#"["\\ud83d\\ude00"]"#),
        ] {
            assert_eq!(hold(body.as_bytes()).as_deref(), Some(held), "{body}");
        }
    }

    #[test]
    fn surrogates_that_came_as_bytes_are_escapes() {
        let body = b"{\"S\":\"\xed\xa0\x80\xed\x95\x9c\"}";
        let held = hold(body).unwrap();
        assert_eq!(held, "{\"N\":\"S\\\"\\\\ud800한\\\"\"}");
    }

    #[test]
    fn what_is_no_json_is_left_to_whoever_reads_it() {
        let deep = "[".repeat(100_000) + r#""\ud800""#;
        for body in [
            r#"{"a":"\ud800""#,
            r#"["\ud800"] x"#,
            r#"{"\ud800"}"#,
            &deep,
        ] {
            assert_eq!(hold(body.as_bytes()), None, "{:.20}", body);
        }
        assert_eq!(hold(b"[\"\\ud800\xff\"]"), None);
    }

    #[test]
    fn people_see_the_surrogate_spelled_out() {
        let text = NotUnicode::held_in(r#"S"a\ud800\n\u00e9""#.into()).unwrap();
        assert_eq!(text.shown(), "a\\ud800\né");
        assert!(NotUnicode::held_in("12".into()).is_err());
    }
}
