//! A page of items as the service writes it: DynamoDB JSON, read without a map per item.
//!
//! The form of a value is in "DynamoDB low-level API" of the AWS developer guide: an object with one
//! member, whose name is the type: `{"S": "text"}`, `{"N": "1"}`, `{"M": {"name": {"BOOL": true}}}`.

use std::borrow::Cow;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::compact::{Cursor, Items};
use super::{ItemView, RawItem, Value};

/// What a page says beside its items.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PageMeta {
    /// `Count`: how many items matched.
    pub count: u64,
    /// `ScannedCount`: how many items the service read.
    pub scanned: u64,
    /// `ConsumedCapacity.CapacityUnits`.
    pub consumed: Option<f64>,
    /// `LastEvaluatedKey`: where the next page begins.
    pub last: Option<RawItem>,
}

/// Reads the answer to Scan or Query, and hands on item by item.
///
/// # Errors
///
/// Where it is not such an answer. Items before the fault may have been handed on.
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

/// Reads an item as a line of a scan or of an export has it: `{"Item":{"pk":{"S":"text"}}}`.
///
/// # Errors
///
/// Where the line is not an object with an `Item`, and nothing else.
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

/// A string, borrowed where JSON escapes nothing in it.
pub(super) struct Text<'a>(pub(super) Cow<'a, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct Borrow;

        impl<'de> Visitor<'de> for Borrow {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }

        json.deserialize_str(Borrow)
    }
}

/// Binary, which JSON has as base64 (RFC 4648, section 4).
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
    use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
    use aws_smithy_runtime_api::client::http::{
        HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
    };
    use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
    use aws_smithy_types::body::SdkBody;
    use proptest::prelude::*;
    use serde_json::{Value as Json, json};
    use std::sync::{Arc, Mutex};

    /// Answers every request with one body.
    #[derive(Debug, Clone, Default)]
    struct Canned(Arc<Mutex<String>>);

    impl HttpConnector for Canned {
        fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
            let status = 200.try_into().expect("a status");
            let body = self.0.lock().unwrap().clone();
            let response = HttpResponse::new(status, SdkBody::from(body));
            HttpConnectorFuture::ready(Ok(response))
        }
    }

    /// The SDK, which reads a page as it does: a map per item.
    struct Sdk {
        answer: Canned,
        client: aws_sdk_dynamodb::Client,
        runtime: tokio::runtime::Runtime,
    }

    impl Sdk {
        fn new() -> Self {
            let answer = Canned::default();
            let connector = SharedHttpConnector::new(answer.clone());
            let config = aws_sdk_dynamodb::Config::builder()
                .behavior_version(BehaviorVersion::v2026_01_12())
                .credentials_provider(Credentials::new("a", "b", None, None, "test"))
                .region(Region::new("us-east-1"))
                .http_client(http_client_fn(move |_, _| connector.clone()))
                .build();
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            Self {
                answer,
                client: aws_sdk_dynamodb::Client::from_conf(config),
                runtime: runtime.unwrap(),
            }
        }

        fn read(&self, body: &str) -> (Vec<RawItem>, PageMeta) {
            body.clone_into(&mut self.answer.0.lock().unwrap());
            let scan = self.client.scan().table_name("table").send();
            let page = self.runtime.block_on(scan).unwrap();
            let foot = PageMeta {
                count: page.count.try_into().unwrap(),
                scanned: page.scanned_count.try_into().unwrap(),
                consumed: page.consumed_capacity.and_then(|used| used.capacity_units),
                last: page.last_evaluated_key,
            };
            (page.items.unwrap_or_default(), foot)
        }
    }

    fn by_the_sdk(body: &str) -> (Vec<RawItem>, PageMeta) {
        thread_local!(static SDK: Sdk = Sdk::new());
        SDK.with(|sdk| sdk.read(body))
    }

    /// What serde_json alone reads in a page.
    #[derive(Debug, Default, PartialEq)]
    struct Plain {
        items: Vec<RawItem>,
        count: u64,
        last: Option<RawItem>,
    }

    impl<'de> Deserialize<'de> for Plain {
        fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
            struct Members;

            impl<'de> Visitor<'de> for Members {
                type Value = Plain;

                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str("a page")
                }

                fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Plain, A::Error> {
                    let mut page = Plain::default();
                    while let Some(Text(name)) = map.next_key()? {
                        match name.as_ref() {
                            "Items" => {
                                let items: Vec<ItemView<'_>> = map.next_value()?;
                                page.items.extend(items.iter().map(ItemView::to_raw));
                            }
                            "Count" => page.count = map.next_value()?,
                            "LastEvaluatedKey" => {
                                let key: Option<ItemView<'_>> = map.next_value()?;
                                page.last = key.map(|key| key.to_raw());
                            }
                            _ => {
                                map.next_value::<IgnoredAny>()?;
                            }
                        }
                    }
                    Ok(page)
                }
            }

            json.deserialize_map(Members)
        }
    }

    /// What may happen to a page: so many bytes at a place are others.
    fn damage() -> impl Strategy<Value = (prop::sample::Index, Vec<u8>, usize)> {
        let pieces = prop::sample::select(vec![
            "",
            " ",
            "\n",
            "\"",
            "\\",
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "null",
            "\\u00e9",
            "\\ud800",
            "\u{1}",
            "é",
            "\"pk\":{\"S\":\"a\"},",
            "\"Items\":[",
            "{\"pk\":{\"S\":\"b\"}},",
            "\"S\":",
            "\"N\":",
        ]);
        let pieces = pieces.prop_map(|piece| piece.as_bytes().to_vec());
        let bytes = prop_oneof![pieces, prop::collection::vec(any::<u8>(), 1..3)];
        (any::<prop::sample::Index>(), bytes, 0usize..4)
    }

    fn cases() -> ProptestConfig {
        match ddb_test_support::is_deep() {
            true => ProptestConfig::with_cases(1_000_000),
            false => ProptestConfig::default(),
        }
    }

    fn text() -> impl Strategy<Value = String> {
        let any = prop_oneof![any::<char>(), prop::char::range('\0', '\u{a0}')];
        prop::collection::vec(any, 0..12).prop_map(|text| text.into_iter().collect())
    }

    fn number() -> impl Strategy<Value = String> {
        "-?[1-9][0-9]{0,37}(\\.[0-9]{1,5})?(E-?[0-9]{1,2})?"
    }

    fn value() -> impl Strategy<Value = Json> {
        let binary = || prop::collection::vec(any::<u8>(), 0..9).prop_map(|b| STANDARD.encode(b));
        let leaf = prop_oneof![
            text().prop_map(|text| json!({"S": text})),
            number().prop_map(|number| json!({"N": number})),
            binary().prop_map(|binary| json!({"B": binary})),
            any::<bool>().prop_map(|value| json!({"BOOL": value})),
            Just(json!({"NULL": true})),
            Just(json!({"LATER": [{"S": "x"}]})),
            prop::collection::vec(text(), 1..4).prop_map(|set| json!({"SS": set})),
            prop::collection::vec(number(), 1..4).prop_map(|set| json!({"NS": set})),
            prop::collection::vec(binary(), 1..4).prop_map(|set| json!({"BS": set})),
        ];
        leaf.prop_recursive(4, 16, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(|list| json!({"L": list})),
                prop::collection::hash_map(text(), inner, 0..4).prop_map(|map| json!({"M": map})),
            ]
        })
    }

    fn name() -> impl Strategy<Value = String> {
        prop_oneof![
            Just("pk".to_owned()),
            Just("sk".to_owned()),
            "kind_?",
            text()
        ]
    }

    fn item() -> impl Strategy<Value = Json> {
        prop::collection::hash_map(name(), value(), 0..6).prop_map(|item| json!(item))
    }

    /// Escapes what it can in all strings, as a server may: `\u00e9`. Not what base64 consists of, where the
    /// SDK knows no escapes.
    fn escaped(json: &str) -> String {
        let mut out = String::new();
        let mut inside = false;
        let mut chars = json.chars();
        while let Some(c) = chars.next() {
            match c {
                '"' => {
                    inside = !inside;
                    out.push(c);
                }
                '\\' => {
                    out.push(c);
                    let escape = chars.next();
                    out.extend(escape);
                    let digits = if escape == Some('u') { 4 } else { 0 };
                    out.extend(chars.by_ref().take(digits));
                }
                c if inside && !c.is_ascii_alphanumeric() && !"+/=".contains(c) => {
                    let mut units = [0; 2];
                    for unit in c.encode_utf16(&mut units) {
                        out.push_str(&format!("\\u{unit:04x}"));
                    }
                }
                c => out.push(c),
            }
        }
        out
    }

    proptest! {
        #![proptest_config(cases())]

        /// The compact reader finds what serde_json finds, and refuses what that refuses.
        #[test]
        fn a_damaged_page_is_read_as_any_json_or_refused(
            items in prop::collection::vec(item(), 0..4),
            is_first: bool,
            damages in prop::collection::vec(damage(), 0..4),
        ) {
            let items = Json::from(items);
            let mut body = match is_first {
                true => format!(r#"{{"Items":{items},"Count":1,"LastEvaluatedKey":{{"pk":{{"S":"a"}}}}}}"#),
                false => format!(r#"{{"More":{{"of":0.5}},"Count":1,"Items":{items}}}"#),
            }
            .into_bytes();
            for (place, bytes, taken) in damages {
                let at = place.index(body.len());
                let end = body.len().min(at + taken);
                body.splice(at..end, bytes);
            }
            let mut items = Vec::new();
            let own = read_page(&body, |item| items.push(item.to_raw()));
            let own = own.map(|foot| Plain { items, count: foot.count, last: foot.last });
            let plain = std::str::from_utf8(&body).ok();
            let plain = plain.and_then(|body| serde_json::from_str::<Plain>(body).ok());
            prop_assert_eq!(own.ok(), plain, "{}", String::from_utf8_lossy(&body));
        }

        #[test]
        fn a_page_is_what_the_sdk_reads_in_it(
            items in prop::collection::vec(item(), 0..5),
            last in prop::option::of(text()),
            scanned in 0..1000,
            units in prop::option::of(0..1000),
        ) {
            let page = json!({
                "Items": items,
                "Count": items.len(),
                "ScannedCount": scanned,
                "LastEvaluatedKey": last.map(|sk| json!({"pk": {"S": "p"}, "sk": {"S": sk}})),
                "ConsumedCapacity": units.map(|units| json!({"CapacityUnits": f64::from(units) / 2.0})),
                "More": {"of": ["the", "future"]},
            });
            let plain = page.to_string();
            let spaced = serde_json::to_string_pretty(&page).unwrap();
            for body in [&plain, &escaped(&plain), &spaced] {
                let (maps, foot) = by_the_sdk(body);
                let mut wanted = maps.iter().map(ItemView::from);
                let mut kinds = Vec::new();
                let read = read_page(body.as_bytes(), |item| {
                    assert_eq!(Some(item), wanted.next().as_ref());
                    kinds.push(crate::item::Kind::of(item));
                });
                prop_assert_eq!(read.unwrap(), foot);
                prop_assert!(wanted.next().is_none());
                let by_map: Vec<_> = maps.iter().map(crate::item::Kind::of).collect();
                prop_assert_eq!(kinds, by_map);
            }
        }

        #[test]
        fn no_answer_makes_the_reader_panic(body in ".*", cut in 0usize..200) {
            let page = r#"{"Items":[{"pk":{"S":"a\u00e9"},"n":{"NS":["1","2"]}}],"Count":1}"#;
            let _ = read_page(body.as_bytes(), |_| {});
            if cut < page.len() {
                let read = read_page(&page.as_bytes()[..cut], |_| {});
                prop_assert!(read.is_err());
            }
        }
    }

    #[test]
    fn of_attributes_with_one_name_the_last_counts() {
        let twice = r#"{"sk":{"S":"1"},"pk":{"S":"a"},"sk":{"N":"2"}}"#;
        let body = format!(r#"{{"Items":[{twice}, {twice},{{}}],"Count":3,"ScannedCount":3}}"#);
        let (maps, _) = by_the_sdk(&body);
        let mut wanted = maps.iter().map(ItemView::from);
        read_page(body.as_bytes(), |item| {
            assert_eq!(Some(item), wanted.next().as_ref())
        })
        .unwrap();
        assert!(wanted.next().is_none());
    }

    /// Items of more orders than are remembered, and again of each.
    #[test]
    fn any_order_of_attributes_comes_into_ours() {
        let names = ["pk", "sk", "a", "b", "c", "d"];
        let item = |turn: usize| {
            let mut names = names;
            names.rotate_left(turn % 6);
            let attributes = names.map(|name| format!(r#""{name}":{{"S":"{name}{turn}"}}"#));
            format!("{{{}}}", attributes.join(","))
        };
        let items: Vec<String> = (0..24).map(item).collect();
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
        assert_eq!(turn, 24);
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
