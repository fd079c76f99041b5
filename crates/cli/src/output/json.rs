//! JSON: what serde_json writes, with every unsafe character escaped, and items in two notations.

use std::io::{self, Write};

use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ddb_core::item::{Kind, RawItem};
use ddb_core::schema::attribute;
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::ser::Formatter;
use serde_json::value::RawValue;

use super::escape::is_unsafe;

/// Writes a value as one line of JSON, without the line break.
pub fn write<W: Write>(out: W, value: &impl Serialize) -> io::Result<()> {
    let mut serializer = serde_json::Serializer::with_formatter(out, Safe);
    value.serialize(&mut serializer).map_err(io::Error::from)
}

/// Returns a value as one line of JSON.
pub fn text(value: &impl Serialize) -> String {
    let mut bytes = Vec::new();
    // Writing to a Vec cannot fail, and no value here has a key that is not a string.
    let _ = write(&mut bytes, value);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The compact form, with DEL, C1 and bidirectional controls escaped as `\u009b`. serde_json itself
/// escapes only C0, which is all that RFC 8259 asks for.
struct Safe;

impl Formatter for Safe {
    fn write_string_fragment<W>(&mut self, out: &mut W, fragment: &str) -> io::Result<()>
    where
        W: ?Sized + Write,
    {
        let mut rest = fragment;
        while let Some((at, c)) = rest.char_indices().find(|(_, c)| is_unsafe(*c)) {
            out.write_all(&rest.as_bytes()[..at])?;
            // All of them are in the basic plane: one escape is enough.
            write!(out, "\\u{:04x}", u32::from(c))?;
            rest = &rest[at + c.len_utf8()..];
        }
        out.write_all(rest.as_bytes())
    }
}

/// Orders the attributes of an item: `pk`, `sk`, then by name.
fn ordered(item: &RawItem) -> Vec<(&String, &AttributeValue)> {
    let rank = |name: &str| match name {
        attribute::PK => 0,
        attribute::SK => 1,
        _ => 2,
    };
    let mut attributes: Vec<_> = item.iter().collect();
    attributes.sort_by(|(a, _), (b, _)| (rank(a), a).cmp(&(rank(b), b)));
    attributes
}

/// An item in plain JSON: its kind, then every attribute under its own name. Numbers keep all their
/// digits, sets are arrays, binary is base64.
pub struct Plain<'a> {
    /// What the item is.
    pub kind: Kind,
    /// The item.
    pub item: &'a RawItem,
}

impl Serialize for Plain<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.item.len() + 1))?;
        map.serialize_entry("kind", self.kind.as_str())?;
        for (name, value) in ordered(self.item) {
            // An attribute named `kind` gives way, by an underscore; so does one that would be
            // mistaken for it then.
            if name.starts_with("kind") && name["kind".len()..].bytes().all(|b| b == b'_') {
                map.serialize_entry(&format!("{name}_"), &PlainValue(value))?;
            } else {
                map.serialize_entry(name, &PlainValue(value))?;
            }
        }
        map.end()
    }
}

/// An attribute value in plain JSON.
pub struct PlainValue<'a>(pub &'a AttributeValue);

/// A DynamoDB number as a JSON number with the same digits.
struct Number<'a>(&'a str);

impl Serialize for Number<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match RawValue::from_string(self.0.to_owned()) {
            Ok(number) => number.serialize(serializer),
            Err(_) => serializer.serialize_str(self.0),
        }
    }
}

fn sorted<T: Ord>(set: &[T]) -> Vec<&T> {
    let mut members: Vec<&T> = set.iter().collect();
    members.sort();
    members
}

impl Serialize for PlainValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            AttributeValue::S(text) => serializer.serialize_str(text),
            AttributeValue::N(number) => Number(number).serialize(serializer),
            AttributeValue::B(blob) => serializer.serialize_str(&STANDARD.encode(blob)),
            AttributeValue::Bool(value) => serializer.serialize_bool(*value),
            AttributeValue::L(values) => {
                let mut array = serializer.serialize_seq(Some(values.len()))?;
                for value in values {
                    array.serialize_element(&PlainValue(value))?;
                }
                array.end()
            }
            AttributeValue::M(map) => {
                let mut object = serializer.serialize_map(Some(map.len()))?;
                for (name, value) in ordered(map) {
                    object.serialize_entry(name, &PlainValue(value))?;
                }
                object.end()
            }
            AttributeValue::Ss(texts) => serializer.collect_seq(sorted(texts)),
            AttributeValue::Ns(numbers) => {
                serializer.collect_seq(sorted(numbers).into_iter().map(|n| Number(n)))
            }
            AttributeValue::Bs(blobs) => {
                let encoded: Vec<String> = blobs.iter().map(|blob| STANDARD.encode(blob)).collect();
                serializer.collect_seq(sorted(&encoded))
            }
            // NULL, and what a later version of the service may add.
            _ => serializer.serialize_unit(),
        }
    }
}

/// An item in DynamoDB JSON, `{"Item": {"pk": {"S": "…"}}}`: a line of an export to S3 or of an import
/// from there. See "DynamoDB table export output format" in the AWS developer guide.
pub struct Export<'a>(pub &'a RawItem);

impl Serialize for Export<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut line = serializer.serialize_map(Some(1))?;
        line.serialize_entry("Item", &TypedMap(self.0))?;
        line.end()
    }
}

struct TypedMap<'a>(&'a RawItem);

impl Serialize for TypedMap<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(
            ordered(self.0)
                .into_iter()
                .map(|(name, value)| (name, TypedValue(value))),
        )
    }
}

struct TypedValue<'a>(&'a AttributeValue);

impl Serialize for TypedValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut typed = serializer.serialize_map(Some(1))?;
        match self.0 {
            AttributeValue::S(text) => typed.serialize_entry("S", text)?,
            AttributeValue::N(number) => typed.serialize_entry("N", number)?,
            AttributeValue::B(blob) => typed.serialize_entry("B", &STANDARD.encode(blob))?,
            AttributeValue::Bool(value) => typed.serialize_entry("BOOL", value)?,
            AttributeValue::L(values) => {
                let values: Vec<TypedValue<'_>> = values.iter().map(TypedValue).collect();
                typed.serialize_entry("L", &values)?;
            }
            AttributeValue::M(map) => typed.serialize_entry("M", &TypedMap(map))?,
            AttributeValue::Ss(texts) => typed.serialize_entry("SS", &sorted(texts))?,
            AttributeValue::Ns(numbers) => typed.serialize_entry("NS", &sorted(numbers))?,
            AttributeValue::Bs(blobs) => {
                let encoded: Vec<String> = blobs.iter().map(|blob| STANDARD.encode(blob)).collect();
                typed.serialize_entry("BS", &sorted(&encoded))?;
            }
            _ => typed.serialize_entry("NULL", &true)?,
        }
        typed.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_dynamodb::primitives::Blob;
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
            item,
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
            text(&Export(&everything())),
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
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), raw);
        }
    }
}
