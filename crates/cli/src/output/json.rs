//! JSON with every unsafe character escaped. serde_json writes any value; items are written by hand, since there may be
//! millions of them.

use std::io::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ddb_core::item::{ItemView, Kind, Value};
use serde::Serialize;
use serde_json::ser::Formatter;
use serde_json::value::RawValue;

use super::escape::is_unsafe;

/// A value that can be written as one line of JSON.
pub trait WriteJson {
    /// Appends the line, without the line break.
    fn write_json(&self, out: &mut Vec<u8>);
}

impl<T: Serialize> WriteJson for T {
    fn write_json(&self, out: &mut Vec<u8>) {
        let mut serializer = serde_json::Serializer::with_formatter(out, Safe);
        // Writing to a Vec cannot fail, and no value here has a key that is not a string.
        let _ = self.serialize(&mut serializer);
    }
}

/// Returns a value as one line of JSON.
pub fn text(value: &impl WriteJson) -> String {
    let mut bytes = Vec::new();
    value.write_json(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The compact form, with DEL, C1 and bidirectional controls escaped, as in `\u009b`. serde_json itself
/// escapes only C0, which is all that RFC 8259 requires.
struct Safe;

impl Formatter for Safe {
    fn write_string_fragment<W>(&mut self, out: &mut W, fragment: &str) -> io::Result<()>
    where
        W: ?Sized + Write,
    {
        if !fragment.bytes().any(suspicious) {
            return out.write_all(fragment.as_bytes());
        }
        let mut rest = fragment;
        while let Some((at, c)) = rest.char_indices().find(|(_, c)| is_unsafe(*c)) {
            out.write_all(&rest.as_bytes()[..at])?;
            // All of them are in the basic plane, so one escape is enough.
            write!(out, "\\u{:04x}", u32::from(c))?;
            rest = &rest[at + c.len_utf8()..];
        }
        out.write_all(rest.as_bytes())
    }
}

/// Checks whether an unsafe character may begin with this byte in UTF-8.
const fn suspicious(byte: u8) -> bool {
    (byte == 0x7f) | (byte == 0xc2) | (byte == 0xd8) | (byte == 0xe2)
}

/// Writes a string. Most have nothing to escape.
fn string(out: &mut Vec<u8>, text: &str) {
    if is_clean(text.as_bytes()) {
        out.reserve(text.len() + 2);
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    } else {
        text.write_json(out);
    }
}

/// Checks whether nothing has to be escaped, without a branch for each byte.
fn is_clean(text: &[u8]) -> bool {
    /// The number of bytes that are checked side by side.
    const LANES: usize = 16;
    // The last chunk may overlap the one before it.
    let Some(last) = text.last_chunk::<LANES>() else {
        return text
            .iter()
            .fold(0, |odd, byte| odd | ODD[usize::from(*byte)])
            == 0;
    };
    let mut odd = [0; LANES];
    for chunk in text.as_chunks::<LANES>().0.iter().chain([last]) {
        for (odd, byte) in odd.iter_mut().zip(chunk) {
            *odd |= is_odd(*byte);
        }
    }
    odd == [0; LANES]
}

/// Returns 1 for a byte that is escaped or may begin an escaped character, else 0.
const fn is_odd(byte: u8) -> u8 {
    ((byte < b' ') | (byte == b'"') | (byte == b'\\') | suspicious(byte)) as u8
}

/// The result of [`is_odd`] for each byte. In a short text, a lookup is faster than computing it.
const ODD: [u8; 256] = {
    let mut odd = [0; 256];
    let mut byte = 0;
    while byte < odd.len() {
        odd[byte] = is_odd(byte as u8);
        byte += 1;
    }
    odd
};

/// Writes things in brackets, with commas between them.
fn enclosed<T>(
    out: &mut Vec<u8>,
    [open, close]: [u8; 2],
    things: impl IntoIterator<Item = T>,
    mut write: impl FnMut(&mut Vec<u8>, T),
) {
    out.push(open);
    for (index, thing) in things.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write(out, thing);
    }
    out.push(close);
}

const OBJECT: [u8; 2] = *b"{}";
const ARRAY: [u8; 2] = *b"[]";

fn member(out: &mut Vec<u8>, name: &str) {
    string(out, name);
    out.push(b':');
}

/// Writes JSON as the service wrote it, but escapes unsafe characters, which can only be in strings.
fn as_it_is(out: &mut Vec<u8>, json: &str) {
    // Writing to a Vec cannot fail.
    let _ = Safe.write_string_fragment(out, json);
}

/// Writes the name of an attribute, and returns its value.
fn attribute<'v, 'a>(out: &mut Vec<u8>, name: &str, value: &'v Value<'a>) -> &'v Value<'a> {
    match value {
        Value::Renamed(own, value) => {
            as_it_is(out, own);
            out.push(b':');
            value
        }
        value => {
            member(out, name);
            value
        }
    }
}

fn base64(out: &mut Vec<u8>, bytes: &[u8]) {
    string(out, &STANDARD.encode(bytes));
}

/// An item in plain JSON: its kind, then every attribute under its own name. Numbers keep all their
/// digits, sets are arrays, binary is base64.
pub struct Plain<'a> {
    /// The kind of the item.
    pub kind: Kind,
    /// The item.
    pub item: &'a ItemView<'a>,
}

impl WriteJson for Plain<'_> {
    fn write_json(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"kind\":");
        string(out, self.kind.as_str());
        for (name, value) in self.item.iter() {
            out.push(b',');
            // An attribute named `kind` gets an underscore, and so does one whose name would then
            // be the same.
            if name.starts_with("kind") && name["kind".len()..].bytes().all(|b| b == b'_') {
                member(out, &format!("{name}_"));
                PlainValue(value).write_json(out);
            } else {
                let value = attribute(out, name, value);
                PlainValue(value).write_json(out);
            }
        }
        out.push(b'}');
    }
}

/// Attributes in plain JSON.
pub struct PlainMap<'a>(pub &'a ItemView<'a>);

impl WriteJson for PlainMap<'_> {
    fn write_json(&self, out: &mut Vec<u8>) {
        enclosed(out, OBJECT, self.0.iter(), |out, (name, value)| {
            let value = attribute(out, name, value);
            PlainValue(value).write_json(out);
        });
    }
}

/// An attribute value in plain JSON.
pub struct PlainValue<'a>(pub &'a Value<'a>);

impl WriteJson for PlainValue<'_> {
    fn write_json(&self, out: &mut Vec<u8>) {
        match self.0 {
            Value::S(text) => string(out, text),
            Value::N(number) => plain_number(out, number),
            Value::B(bytes) => base64(out, bytes),
            Value::Bool(true) => out.extend_from_slice(b"true"),
            Value::Bool(false) => out.extend_from_slice(b"false"),
            Value::Null | Value::OtherType => out.extend_from_slice(b"null"),
            Value::L(list) => enclosed(out, ARRAY, list, |out, value| {
                PlainValue(value).write_json(out);
            }),
            Value::M(map) => PlainMap(map).write_json(out),
            Value::Ss(set) => enclosed(out, ARRAY, set, |out, text| string(out, text)),
            Value::Ns(set) => enclosed(out, ARRAY, set, |out, number| plain_number(out, number)),
            Value::Bs(set) => enclosed(out, ARRAY, set, |out, bytes| base64(out, bytes)),
            Value::NotUnicode(text) => as_it_is(out, text.json()),
            Value::Renamed(_, value) => PlainValue(value).write_json(out),
        }
    }
}

/// Writes a DynamoDB number as a JSON number with the same digits.
fn plain_number(out: &mut Vec<u8>, number: &str) {
    match serde_json::from_str::<&RawValue>(number) {
        Ok(json) if json.get() == number => out.extend_from_slice(number.as_bytes()),
        _ => string(out, number),
    }
}

/// An item in DynamoDB JSON, `{"Item": {"pk": {"S": "…"}}}`: a line of an export to S3 or of an import
/// from there. See "DynamoDB table export output format" in the AWS developer guide.
pub struct Export<'a>(pub &'a ItemView<'a>);

impl WriteJson for Export<'_> {
    fn write_json(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"Item\":");
        typed_map(out, self.0);
        out.push(b'}');
    }
}

fn typed_map(out: &mut Vec<u8>, map: &ItemView<'_>) {
    enclosed(out, OBJECT, map.iter(), |out, (name, value)| {
        let value = attribute(out, name, value);
        typed_value(out, value);
    });
}

fn typed_value(out: &mut Vec<u8>, value: &Value<'_>) {
    let kind = match value {
        Value::S(_) => "S",
        Value::N(_) => "N",
        Value::B(_) => "B",
        Value::Bool(_) => "BOOL",
        Value::Null | Value::OtherType => "NULL",
        Value::L(_) => "L",
        Value::M(_) => "M",
        Value::Ss(_) => "SS",
        Value::Ns(_) => "NS",
        Value::Bs(_) => "BS",
        Value::NotUnicode(text) => text.kind(),
        Value::Renamed(_, value) => return typed_value(out, value),
    };
    out.push(b'{');
    member(out, kind);
    match value {
        Value::N(number) => string(out, number),
        Value::Null | Value::OtherType => out.extend_from_slice(b"true"),
        Value::L(list) => enclosed(out, ARRAY, list, typed_value),
        Value::M(map) => typed_map(out, map),
        Value::Ns(set) => enclosed(out, ARRAY, set, |out, number| string(out, number)),
        // The rest is as in plain JSON.
        Value::S(_)
        | Value::B(_)
        | Value::Bool(_)
        | Value::Ss(_)
        | Value::Bs(_)
        | Value::NotUnicode(_)
        | Value::Renamed(..) => PlainValue(value).write_json(out),
    }
    out.push(b'}');
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_dynamodb::primitives::Blob;
    use aws_sdk_dynamodb::types::AttributeValue;
    use ddb_core::item::RawItem;
    use proptest::prelude::*;

    fn item(attributes: Vec<(&str, AttributeValue)>) -> RawItem {
        attributes
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }

    fn plain(item: &RawItem) -> String {
        text(&Plain {
            kind: Kind::Unknown,
            item: &item.into(),
        })
    }

    fn everything() -> RawItem {
        let s = |text: &str| AttributeValue::S(text.to_owned());
        let n = "-12345678901234567890123456789012345678e-120";
        item(vec![
            ("zeta", AttributeValue::Null(true)),
            ("sk", s("2")),
            ("alpha", AttributeValue::N(n.to_owned())),
            ("pk", s("1")),
            ("b", AttributeValue::B(Blob::new([0, 255]))),
            ("ss", AttributeValue::Ss(vec!["y".into(), "x".into()])),
            ("ns", AttributeValue::Ns(vec!["2".into(), "1".into()])),
            ("bs", AttributeValue::Bs(vec![Blob::new([1])])),
            (
                "l",
                AttributeValue::L(vec![AttributeValue::Bool(true), s("x")]),
            ),
            ("m", AttributeValue::M(item(vec![("k", s("v"))]))),
        ])
    }

    #[test]
    fn p30_plain_json_has_every_attribute_and_every_digit() {
        assert_eq!(
            plain(&everything()),
            r#"{"kind":"unknown","pk":"1","sk":"2","alpha":-12345678901234567890123456789012345678e-120,"#
                .to_owned()
                + r#""b":"AP8=","bs":["AQ=="],"l":[true,"x"],"m":{"k":"v"},"ns":[1,2],"ss":["x","y"],"zeta":null}"#
        );
    }

    #[test]
    fn p30_the_export_form_has_every_type() {
        assert_eq!(
            text(&Export(&ItemView::from(&everything()))),
            r#"{"Item":{"pk":{"S":"1"},"sk":{"S":"2"},"alpha":{"N":"-12345678901234567890123456789012345678e-120"},"#
                .to_owned()
                + r#""b":{"B":"AP8="},"bs":{"BS":["AQ=="]},"l":{"L":[{"BOOL":true},{"S":"x"}]},"m":{"M":{"k":{"S":"v"}}},"#
                + r#""ns":{"NS":["1","2"]},"ss":{"SS":["x","y"]},"zeta":{"NULL":true}}}"#
        );
    }

    #[test]
    fn an_attribute_named_kind_gives_way_and_none_is_lost() {
        let s = |text: &str| AttributeValue::S(text.to_owned());
        let item = item(vec![
            ("kind", s("a")),
            ("kind_", s("b")),
            ("kindly", s("c")),
        ]);
        assert_eq!(
            plain(&item),
            r#"{"kind":"unknown","kind_":"a","kind__":"b","kindly":"c"}"#
        );
    }

    #[test]
    fn a_number_that_is_no_json_number_stays_text() {
        let item = item(vec![("n", AttributeValue::N("+5".to_owned()))]);
        assert_eq!(plain(&item), r#"{"kind":"unknown","n":"+5"}"#);
    }

    proptest! {
        #[test]
        fn p28_json_escapes_every_control_and_loses_nothing(
            raw in prop::collection::vec(prop_oneof![any::<char>(), prop::char::range('\0', '\u{a0}'),
                prop::char::range('\u{2000}', '\u{2070}')], 0..40)
        ) {
            let raw: String = raw.into_iter().collect();
            let json = text(&raw);
            prop_assert!(!json.chars().any(is_unsafe), "{}", json);
            let mut by_hand = Vec::new();
            string(&mut by_hand, &raw);
            prop_assert_eq!(String::from_utf8(by_hand).unwrap(), json.as_str());
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), raw);
        }
    }
}
