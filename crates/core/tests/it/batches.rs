//! Batches: everything arrives, an item that is too large stops all, and leftovers are counted.

use std::sync::atomic::{AtomicUsize, Ordering};

use ddb_core::Error;
use ddb_core::item::RawItem;
use ddb_test_support::Sandbox;
use ddb_test_support::http::{Answer, Server, forward};
use serde_json::{Value, json};

use crate::data::{at, group, message, raw};

const T: &str = "2026-03-22T08:35:09.123456+00:00";

fn items(count: i64, text: &str) -> Vec<RawItem> {
    (0..count)
        .map(|n| raw(&message(group(1), at(T).plus_micros(n).unwrap(), 1, text)))
        .collect()
}

#[tokio::test]
async fn all_items_arrive() {
    let sandbox = Sandbox::with_table().await;
    let written = sandbox
        .store()
        .put_batches(&sandbox.write_token(), items(106, "x"))
        .await
        .unwrap();
    assert_eq!(written.items, 106);
    assert_eq!(sandbox.items().await.len(), 106);
}

#[tokio::test]
async fn p12_an_item_over_the_limit_is_named_before_anything_is_sent() {
    let sandbox = Sandbox::with_table().await;
    let mut list = items(60, "x");
    let large = message(
        group(1),
        at("2020-01-01T00:00:00Z"),
        1,
        &"x".repeat(410_000),
    );
    list.push(raw(&large));
    let error = sandbox
        .store()
        .put_batches(&sandbox.write_token(), list)
        .await
        .unwrap_err();
    assert!(matches!(&error, Error::ItemTooLarge { .. }));
    assert!(
        error
            .to_string()
            .contains("2020-01-01T00:00:00.000000+00:00"),
        "{error}"
    );
    assert!(sandbox.items().await.is_empty());
}

/// A full batch of the largest items is within what the service takes at once.
#[tokio::test]
async fn large_items_are_spread_over_batches() {
    let sandbox = Sandbox::with_table().await;
    let text = "x".repeat(390_000);
    let written = sandbox
        .store()
        .put_batches(&sandbox.write_token(), items(26, &text))
        .await
        .unwrap();
    assert_eq!(written.items, 26);
}

#[tokio::test]
async fn a_missing_table_is_said_by_the_service() {
    let sandbox = Sandbox::new();
    let error = sandbox
        .store()
        .put_batches(&sandbox.write_token(), items(1, "x"))
        .await
        .unwrap_err();
    let Error::Call(error) = error else {
        panic!("{error}");
    };
    assert!(error.is_missing());
    let said = error.to_string();
    assert!(said.starts_with("BatchWriteItem on local http"), "{said}");
    assert!(said.contains(sandbox.table().as_str()), "{said}");
}

/// Takes half of each batch and leaves the rest unprocessed, as a table short of capacity does; after
/// `patience` batches it answers as `last` says.
fn reluctant(sandbox: &Sandbox, patience: usize, last: fn() -> Answer) -> Server {
    let engine = sandbox.url();
    let asked = AtomicUsize::new(0);
    Server::start(move |request| {
        if asked.fetch_add(1, Ordering::SeqCst) >= patience {
            return last();
        }
        let mut body: Value = serde_json::from_slice(&request.body).unwrap();
        let tables = body["RequestItems"].as_object().unwrap();
        let table = tables.keys().next().unwrap().clone();
        let requests = body["RequestItems"][&table].as_array().unwrap().clone();
        let taken = (requests.len() / 2).max(1);
        body["RequestItems"][&table] = requests[..taken].into();
        forward(&request.with_body(body.to_string()), &engine);
        let left = &requests[taken..];
        let left = match left {
            [] => json!({}),
            left => json!({table: left}),
        };
        Answer::json(200, json!({"UnprocessedItems": left}).to_string())
    })
}

fn denied() -> Answer {
    Answer::json(
        400,
        r#"{"__type":"x#AccessDeniedException","Message":"no more"}"#,
    )
}

fn throttled() -> Answer {
    Answer::json(
        400,
        r#"{"__type":"x#ProvisionedThroughputExceededException","message":"slow down"}"#,
    )
}

#[tokio::test]
async fn p11_leftovers_are_sent_again_until_none_is_left() {
    let sandbox = Sandbox::with_table().await;
    let server = reluctant(&sandbox, usize::MAX, denied);
    let store = sandbox.store_at(&server.url());
    let token = sandbox.write_token();
    let written = store.put_batches(&token, items(60, "x")).await.unwrap();
    assert_eq!(written.items, 60);
    assert_eq!(sandbox.items().await.len(), 60);
    let batches = server.operations().len();
    assert!(
        (12..=21).contains(&batches),
        "halves of three batches: {batches}"
    );
}

/// What was written is counted, whatever ends it.
#[tokio::test]
async fn p11_what_remains_is_counted_truthfully() {
    for (last, said) in [
        (denied as fn() -> Answer, "AccessDeniedException: no more"),
        (
            throttled,
            "ProvisionedThroughputExceededException: slow down",
        ),
    ] {
        let sandbox = Sandbox::with_table().await;
        let server = reluctant(&sandbox, 2, last);
        let store = sandbox.store_at(&server.url());
        let token = sandbox.write_token();
        let error = store.put_batches(&token, items(60, "x")).await.unwrap_err();
        let there = sandbox.items().await.len() as u64;
        assert_eq!(there, 18, "12 of 25, then 6 of 13");
        let text = error.to_string();
        let Error::PartlyWritten {
            written, unwritten, ..
        } = error
        else {
            panic!("{text}");
        };
        assert_eq!((written, unwritten), (there, 60 - there));
        assert!(text.contains("18 of 60 items written"), "{text}");
        assert!(text.contains(said), "{text}");
    }
}
