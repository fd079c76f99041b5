//! A page of items as the service writes it: DynamoDB JSON, read without a map per item.
//!
//! The form of a value is in "DynamoDB low-level API" of the AWS developer guide: an object with one
//! member, whose name is the type: `{"S": "text"}`, `{"N": "1"}`, `{"M": {"name": {"BOOL": true}}}`.

use std::borrow::Cow;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::compact::{Cursor, Items, Text};
use super::{ItemView, RawItem, Value};

/// The data of a page other than its items.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PageMeta {
    /// `Count`: the number of items that matched.
    pub count: u64,
    /// `ScannedCount`: the number of items that the service read.
    pub scanned: u64,
    /// `ConsumedCapacity.CapacityUnits`.
    pub consumed: Option<f64>,
    /// `LastEvaluatedKey`: the key after which the next page begins.
    pub last: Option<RawItem>,
}

/// Reads the response to Scan or Query, and calls `each` with every item.
///
/// # Errors
///
/// If it is not such a response. `each` may have been called with the items before the fault.
pub fn read_page(
    body: &[u8],
    mut each: impl FnMut(&ItemView<'_>),
) -> Result<PageMeta, serde_json::Error> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Capacity {
        capacity_units: Option<f64>,
    }
    let mut meta = PageMeta::default();
    let mut page = Cursor::new(std::str::from_utf8(body).map_err(de::Error::custom)?);
    page.within("{}", |page| {
        let Text(name) = page.value()?;
        page.mark(b':')?;
        match name.as_ref() {
            "Items" => {
                let mut items = Items::default();
                page.within("[]", |page| {
                    each(items.next(page)?);
                    Ok(())
                })?;
            }
            "Count" => meta.count = page.value()?,
            "ScannedCount" => meta.scanned = page.value()?,
            "ConsumedCapacity" => {
                let capacity: Option<Capacity> = page.value()?;
                meta.consumed = capacity.and_then(|capacity| capacity.capacity_units);
            }
            "LastEvaluatedKey" => {
                let key: Option<ItemView<'_>> = page.value()?;
                meta.last = key.map(|key| key.to_raw());
            }
            _ => {
                page.value::<IgnoredAny>()?;
            }
        }
        Ok(())
    })?;
    page.end("a page")?;
    Ok(meta)
}

/// Reads an item from a line of a scan or of an export: `{"Item":{"pk":{"S":"text"}}}`.
///
/// # Errors
///
/// If the line is not an object with an `Item` and nothing else.
pub fn read_item(line: &str) -> Result<ItemView<'_>, serde_json::Error> {
    let mut page = Cursor::new(line);
    let mut item = None;
    page.within("{}", |page| {
        let Text(name) = page.value()?;
        page.mark(b':')?;
        match name.as_ref() {
            "Item" if item.is_none() => {
                item = Some(page.item()?);
                Ok(())
            }
            "Item" => Err(de::Error::custom("it has two of `Item`")),
            "Keys" | "NewImage" | "OldImage" | "Metadata" => Err(de::Error::custom(
                "it is of an incremental export, which says what changed and not what there is",
            )),
            name => Err(de::Error::custom(format!(
                "it has `{name}`, not only `Item`"
            ))),
        }
    })?;
    page.end("an item")?;
    item.ok_or_else(|| de::Error::custom("it has no `Item`"))
}

impl<'de: 'a, 'a> Deserialize<'de> for ItemView<'a> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct Attributes;

        impl<'de> Visitor<'de> for Attributes {
            type Value = ItemView<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("attributes")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ItemView<'de>, A::Error> {
                std::iter::from_fn(|| map.next_entry().transpose())
                    .map(|attribute| attribute.map(|(Text(name), value)| (name, value)))
                    .collect()
            }
        }

        json.deserialize_map(Attributes)
    }
}

impl<'de> Deserialize<'de> for Value<'de> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct Typed;

        impl<'de> Visitor<'de> for Typed {
            type Value = Value<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an attribute value")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value<'de>, A::Error> {
                let none = || de::Error::custom("an attribute value without a type");
                let Text(kind) = map.next_key()?.ok_or_else(none)?;
                let value = match kind.as_ref() {
                    "S" => Value::S(map.next_value::<Text<'de>>()?.0),
                    "N" => Value::number(map.next_value::<Text<'de>>()?.0),
                    "B" => Value::B(map.next_value::<Binary>()?.0.into()),
                    "BOOL" => Value::Bool(map.next_value()?),
                    "NULL" => {
                        map.next_value::<IgnoredAny>()?;
                        Value::Null
                    }
                    "L" => Value::list(map.next_value()?),
                    "M" => Value::M(map.next_value()?),
                    "SS" => Value::strings(texts(map.next_value()?)),
                    "NS" => Value::numbers(texts(map.next_value()?)),
                    "BS" => {
                        let set: Vec<Binary> = map.next_value()?;
                        Value::binaries(set.into_iter().map(|blob| blob.0.into()).collect())
                    }
                    _ => {
                        map.next_value::<IgnoredAny>()?;
                        Value::OtherType
                    }
                };
                match map.next_key::<IgnoredAny>()? {
                    None => Ok(value),
                    Some(_) => Err(de::Error::custom("an attribute value of two types")),
                }
            }
        }

        json.deserialize_map(Typed)
    }
}

fn texts(set: Vec<Text<'_>>) -> Vec<Cow<'_, str>> {
    set.into_iter().map(|Text(text)| text).collect()
}

/// Binary, which is base64 in JSON (RFC 4648, section 4).
struct Binary(Vec<u8>);

impl<'de> Deserialize<'de> for Binary {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        let Text(text) = Text::deserialize(json)?;
        let bytes = STANDARD.decode(text.as_bytes());
        bytes.map(Self).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Items with their attributes in ten orders, and each order again: more than a reader keeps.
    #[test]
    fn any_order_of_attributes_comes_into_ours() {
        let names = ["pk", "sk", "a", "b", "c", "d", "e", "f", "g", "h"];
        let item = |turn: usize| {
            let mut names = names;
            names.rotate_left(turn % 10);
            let attributes = names.map(|name| format!(r#""{name}":{{"S":"{name}{turn}"}}"#));
            format!("{{{}}}", attributes.join(","))
        };
        let items: Vec<String> = (0..40).map(item).collect();
        let body = format!(r#"{{"Items":[{}]}}"#, items.join(","));
        let mut turn = 0;
        read_page(body.as_bytes(), |item| {
            let found: Vec<_> = item.iter().collect();
            let wanted = names.map(|name| (name, Value::S(format!("{name}{turn}").into())));
            assert!(
                found
                    .iter()
                    .zip(&wanted)
                    .all(|(found, wanted)| *found == (wanted.0, &wanted.1))
            );
            assert_eq!(found.len(), wanted.len());
            turn += 1;
        })
        .unwrap();
        assert_eq!(turn, 40);
    }

    #[test]
    fn what_is_no_page_is_refused() {
        for body in [
            r#"{"Items":[{"pk":{"S":"a"}}]"#,
            r#"{"Items":[{"pk":{"S":"a"}},]}"#,
            r#"{"Items":[{"pk":{"S":"a"},}]}"#,
            r#"{"Items":[{"pk":{"S":"a"}} {"pk":{"S":"b"}}]}"#,
            r#"{"Items":[{"pk":{"S":"a"}}]} x"#,
            r#"{"Items":[{"pk":{"S":"a}}]}"#,
            r#"{"Items":[{"pk":{"S":"a"]}}"#,
            r#"{"Items":[{"pk":{"S":"a"}x}]}"#,
            r#"{"Items":{}}"#,
            r#"{"Count":1.5}"#,
            "{\"Items\":[{\"pk\":{\"S\":\"a\nb\"}}]}",
            "[]",
            "",
        ] {
            assert!(read_page(body.as_bytes(), |_| {}).is_err(), "{body}");
        }
        assert!(read_page(b"{\"Items\":[{\"pk\":{\"S\":\"\xff\"}}]}", |_| {}).is_err());
    }

    #[test]
    fn what_is_no_attribute_value_is_refused() {
        for value in [
            r#"{}"#,
            r#"{"S":1}"#,
            r#"{"B":"?"}"#,
            r#"{"S":"a","N":"1"}"#,
            r#"[]"#,
        ] {
            let body = format!(r#"{{"Items":[{{"pk":{value}}}]}}"#);
            assert!(read_page(body.as_bytes(), |_| {}).is_err(), "{value}");
        }
    }

    #[test]
    fn an_order_of_attributes_and_sets() {
        let body = r#"{"Items":[{"b":{"SS":["y","x"]},"sk":{"S":"2"},"a":{"BS":["/w==","AA=="]},"pk":{"S":"1"}}]}"#;
        let mut seen = Vec::new();
        read_page(body.as_bytes(), |item| {
            seen = item
                .iter()
                .map(|(name, value)| format!("{name}: {value:?}"))
                .collect();
        })
        .unwrap();
        assert_eq!(
            seen,
            [
                r#"pk: S("1")"#,
                r#"sk: S("2")"#,
                "a: Bs([[0], [255]])",
                r#"b: Ss(["x", "y"])"#
            ]
        );
    }
}
