//! A page of items as the service writes it: DynamoDB JSON, read without a map per item.
//!
//! The form of a value is in "DynamoDB low-level API" of the AWS developer guide: an object with one
//! member, whose name is the type: `{"S": "text"}`, `{"N": "1"}`, `{"M": {"name": {"BOOL": true}}}`.

use std::borrow::Cow;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::{
    self, Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor,
};

use super::compact::{item as compact_item, list_of_items};
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

/// Reads the answer to Scan or Query, and hands on item by item. Items in the compact form are read as slices of the
/// page, all others as any JSON.
///
/// # Errors
///
/// Where it is not such an answer. Items before the fault were handed on.
pub fn read_page(
    body: &[u8],
    mut each: impl FnMut(&ItemView<'_>),
) -> Result<PageMeta, serde_json::Error> {
    let page = std::str::from_utf8(body).ok();
    let Some((page, begin)) = page.and_then(|page| Some((page, list_of_items(page)?))) else {
        return read_json(body, each);
    };
    let read = read_items(page, begin, &mut each).and_then(|end| {
        // What is around the items is read as if there were none.
        read_json(
            [&page[..begin], &page[end..]].concat().as_bytes(),
            &mut each,
        )
    });
    // A fault is found once more, for its place in the whole page.
    read.map_err(|fault| read_json(body, |_| {}).err().unwrap_or(fault))
}

/// Reads items up to the bracket that ends their list, and returns the place of the bracket.
fn read_items(
    page: &str,
    begin: usize,
    each: &mut impl FnMut(&ItemView<'_>),
) -> Result<usize, serde_json::Error> {
    let after_space = |at: usize| {
        let space = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        at + page.as_bytes()[at..].iter().take_while(space).count()
    };
    let no_item = || de::Error::custom("a list of items that ends in its middle");
    // One view for all of them: its room is used again.
    let mut view = ItemView::default();
    let mut at = after_space(begin);
    if page.as_bytes().get(at) == Some(&b']') {
        return Ok(at);
    }
    loop {
        if let Some(end) = compact_item(page, at, &mut view) {
            each(&view);
            at = end;
        } else {
            let mut items = serde_json::Deserializer::from_str(&page[at..]).into_iter();
            let item: ItemView<'_> = items.next().unwrap_or_else(|| Err(no_item()))?;
            each(&item);
            at += items.byte_offset();
        }
        at = after_space(at);
        match page.as_bytes().get(at) {
            Some(b',') => at = after_space(at + 1),
            Some(b']') => return Ok(at),
            _ => return Err(no_item()),
        }
    }
}

/// Reads an answer as any JSON, whatever its form.
fn read_json(
    body: &[u8],
    mut each: impl FnMut(&ItemView<'_>),
) -> Result<PageMeta, serde_json::Error> {
    let mut foot = PageMeta::default();
    let mut json = serde_json::Deserializer::from_slice(body);
    Page {
        foot: &mut foot,
        each: &mut each,
    }
    .deserialize(&mut json)?;
    json.end()?;
    Ok(foot)
}

struct Page<'f, F> {
    foot: &'f mut PageMeta,
    each: F,
}

impl<'de, F: FnMut(&ItemView<'_>)> DeserializeSeed<'de> for Page<'_, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de, F: FnMut(&ItemView<'_>)> Visitor<'de> for Page<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a page of items")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Capacity {
            capacity_units: Option<f64>,
        }
        while let Some(Text(name)) = map.next_key()? {
            match name.as_ref() {
                "Items" => map.next_value_seed(Items(&mut self.each))?,
                "Count" => self.foot.count = map.next_value()?,
                "ScannedCount" => self.foot.scanned = map.next_value()?,
                "ConsumedCapacity" => {
                    let capacity: Option<Capacity> = map.next_value()?;
                    self.foot.consumed = capacity.and_then(|capacity| capacity.capacity_units);
                }
                "LastEvaluatedKey" => {
                    let key: Option<ItemView<'de>> = map.next_value()?;
                    self.foot.last = key.map(|key| key.to_raw());
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

struct Items<F>(F);

impl<'de, F: FnMut(&ItemView<'_>)> DeserializeSeed<'de> for Items<F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de, F: FnMut(&ItemView<'_>)> Visitor<'de> for Items<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of items")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<(), A::Error> {
        // One view for all of them: its room is used again.
        let mut view = ItemView::default();
        while items.next_element_seed(Refill(&mut view))?.is_some() {
            (self.0)(&view);
        }
        Ok(())
    }
}

/// Reads an item into a view that is there.
struct Refill<'v, 'de>(&'v mut ItemView<'de>);

impl<'de> DeserializeSeed<'de> for Refill<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Refill<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("attributes")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        self.0.refill(|| {
            let attribute: Option<(Text<'de>, Value<'de>)> = map.next_entry()?;
            Ok(attribute.map(|(Text(name), value)| (name, value)))
        })
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for ItemView<'a> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        let mut view: ItemView<'de> = ItemView::default();
        Refill(&mut view).deserialize(json)?;
        Ok(view)
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
                        Value::Null
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
struct Text<'a>(Cow<'a, str>);

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

    /// Answers every request with one body.
    #[derive(Debug)]
    struct Canned(String);

    impl HttpConnector for Canned {
        fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
            let status = 200.try_into().expect("a status");
            let response = HttpResponse::new(status, SdkBody::from(self.0.as_str()));
            HttpConnectorFuture::ready(Ok(response))
        }
    }

    /// Reads a page as the SDK does: a map per item.
    fn by_the_sdk(body: &str) -> (Vec<RawItem>, PageMeta) {
        let connector = SharedHttpConnector::new(Canned(body.to_owned()));
        let config = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .credentials_provider(Credentials::new("a", "b", None, None, "test"))
            .region(Region::new("us-east-1"))
            .http_client(http_client_fn(move |_, _| connector.clone()))
            .build();
        let client = aws_sdk_dynamodb::Client::from_conf(config);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let page = runtime
            .block_on(client.scan().table_name("table").send())
            .unwrap();
        let foot = PageMeta {
            count: page.count.try_into().unwrap(),
            scanned: page.scanned_count.try_into().unwrap(),
            consumed: page.consumed_capacity.and_then(|used| used.capacity_units),
            last: page.last_evaluated_key,
        };
        (page.items.unwrap_or_default(), foot)
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
        prop_oneof![known(), Just("pk".to_owned()), "kind_?", text()]
    }

    fn known() -> impl Strategy<Value = String> {
        prop::sample::select(crate::item::compact::KNOWN.to_vec()).prop_map(str::to_owned)
    }

    fn item() -> impl Strategy<Value = Json> {
        let strings = text().prop_map(|text| json!({"S": text}));
        prop_oneof![
            prop::collection::hash_map(name(), value(), 0..6).prop_map(|item| json!(item)),
            prop::collection::hash_map(known(), strings, 0..9).prop_map(|item| json!(item)),
        ]
    }

    /// Reads a page, and returns its items as maps.
    type Read = Result<(Vec<RawItem>, PageMeta), String>;
    fn items_of(
        body: &[u8],
        read: fn(&[u8], &mut dyn FnMut(&ItemView<'_>)) -> Result<PageMeta, serde_json::Error>,
    ) -> Read {
        let mut items = Vec::new();
        let foot = read(body, &mut |item| items.push(item.to_raw()));
        foot.map(|foot| (items, foot))
            .map_err(|fault| fault.to_string())
    }

    /// What may happen to a page, at a place of it.
    fn damage() -> impl Strategy<Value = (prop::sample::Index, Vec<u8>, usize)> {
        let marks = prop::sample::select(
            [
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
            ]
            .map(|mark| mark.as_bytes().to_vec())
            .to_vec(),
        );
        let marks = prop_oneof![marks, prop::collection::vec(any::<u8>(), 1..3)];
        (any::<prop::sample::Index>(), marks, 0usize..4)
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
            for body in [&plain, &escaped(&plain), &spaced, &escaped(&spaced)] {
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

        /// The compact reader finds what the reader of any JSON finds, and refuses what that one refuses.
        #[test]
        fn a_damaged_page_is_read_as_any_json_or_refused(
            items in prop::collection::vec(item(), 0..4),
            before in any::<bool>(),
            damages in prop::collection::vec(damage(), 0..4),
        ) {
            let items = Json::from(items);
            let mut body = match before {
                true => format!(r#"{{"Items":{items},"Count":1,"LastEvaluatedKey":{{"pk":{{"S":"a"}}}}}}"#),
                false => format!(r#"{{"ConsumedCapacity":{{"CapacityUnits":0.5}},"Count":1,"Items":{items}}}"#),
            }
            .into_bytes();
            for (place, mark, taken) in damages {
                let at = place.index(body.len());
                let end = body.len().min(at + taken);
                body.splice(at..end, mark);
            }
            let own = items_of(&body, |body, each| read_page(body, each));
            let json = items_of(&body, |body, each| read_json(body, each));
            prop_assert_eq!(own, json, "{}", String::from_utf8_lossy(&body));
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
