//! Pages of any content are read as the SDK and serde_json read them.

use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ddb_core::item::{ItemView, Kind, PageMeta, RawItem, read_page};
use proptest::prelude::*;
use serde_json::{Value as Json, json};
use std::sync::{Arc, Mutex};

/// Answers every request with the same body.
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

/// The SDK, which reads a page its own way: a map per item.
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

/// Damage to a page: some bytes at a place are replaced by others.
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

/// Items in JSON, of a few shapes, as a service returns them: many have the same names, in the same order. A name may
/// occur twice.
fn items() -> impl Strategy<Value = String> {
    let value = prop_oneof![2 => text().prop_map(|text| json!({"S": text})), 1 => value()];
    let shapes = prop::collection::vec(prop::collection::vec(name(), 0..6), 1..4);
    let values = prop::collection::vec(value, 5);
    let items = prop::collection::vec((any::<prop::sample::Index>(), values), 0..12);
    (shapes, items).prop_map(|(shapes, items)| {
        let items = items.iter().map(|(shape, values)| {
            let members = shape.get(&shapes).iter().zip(values);
            let members = members.map(|(name, value)| format!("{}:{value}", json!(name)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        });
        format!("[{}]", items.collect::<Vec<_>>().join(","))
    })
}

/// Escapes what it can in all strings, as a server may: `\u00e9`. Leaves out the characters of base64, where the SDK
/// accepts no escapes.
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

    /// The compact reader finds what serde_json finds, and refuses what serde_json refuses.
    #[test]
    fn a_damaged_page_is_read_as_any_json_or_refused(
        items in items(),
        is_first: bool,
        damages in prop::collection::vec(damage(), 0..4),
    ) {
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
        ddb_fuzz::read_as_any_json(&body);
    }

    #[test]
    fn a_page_is_what_the_sdk_reads_in_it(
        items in items(),
        count in 0..1000,
        last in prop::option::of(text()),
        scanned in 0..1000,
        units in prop::option::of(0..1000),
    ) {
        let meta = json!({
            "Count": count,
            "ScannedCount": scanned,
            "LastEvaluatedKey": last.map(|sk| json!({"pk": {"S": "p"}, "sk": {"S": sk}})),
            "ConsumedCapacity": units.map(|units| json!({"CapacityUnits": f64::from(units) / 2.0})),
            "More": {"of": ["the", "future"]},
        });
        let plain = format!(r#"{{"Items":{items},{}"#, &meta.to_string()[1..]);
        let page: Json = serde_json::from_str(&plain).unwrap();
        let spaced = serde_json::to_string_pretty(&page).unwrap();
        for body in [&plain, &escaped(&plain), &spaced] {
            let (maps, foot) = by_the_sdk(body);
            let mut wanted = maps.iter().map(ItemView::from);
            let mut kinds = Vec::new();
            let read = read_page(body.as_bytes(), |item| {
                assert_eq!(Some(item), wanted.next().as_ref());
                kinds.push(Kind::of(item));
            });
            prop_assert_eq!(read.unwrap(), foot);
            prop_assert!(wanted.next().is_none());
            let by_map: Vec<_> = maps.iter().map(Kind::of).collect();
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

/// The inputs that the fuzzer starts with, and those that it found.
#[test]
fn the_corpus_of_the_fuzzer_is_read_as_any_json() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus/page");
    let mut read = 0;
    for file in std::fs::read_dir(corpus).unwrap() {
        ddb_fuzz::read_as_any_json(&std::fs::read(file.unwrap().path()).unwrap());
        read += 1;
    }
    assert!(read >= 6, "{read}");
}
