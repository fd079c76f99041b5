//! Batches: all items arrive, an item that is too large stops all of them, and unprocessed items are counted.

use std::sync::atomic::{AtomicUsize, Ordering};

use ddb_core::Error;
use ddb_core::item::Message;
use ddb_core::rate_limit::ConcurrencyLimit;
use ddb_core::store::{Batch, Encoded, Writer};
use ddb_test_support::Sandbox;
use ddb_test_support::http::{Answer, Server, forward};
use serde_json::{Value, json};

use crate::data::{at, conversation, message, raw};

const T: &str = "2026-03-22T08:35:09.123456+00:00";

fn messages(count: i64, text: &str) -> Vec<Message> {
    (0..count)
        .map(|n| message(conversation(1), at(T).plus_micros(n).unwrap(), 1, text))
        .collect()
}

/// Splits messages into batches and puts them one after the other. Returns the number of items in each.
async fn put(writer: &Writer, messages: &[Message]) -> Result<Vec<u64>, Error> {
    let (mut batch, mut batches) = (Batch::default(), Vec::new());
    for message in messages {
        batches.extend(batch.put_message(message)?);
    }
    batches.extend(batch.take());
    let limit = ConcurrencyLimit::new(1);
    for batch in &batches {
        writer.put_batch(batch, &limit, None).await?;
    }
    Ok(batches.iter().map(Encoded::items).collect())
}

#[tokio::test]
async fn all_items_arrive() {
    let sandbox = Sandbox::with_table().await;
    let list = messages(106, "x");
    let batches = put(&sandbox.writer(), &list).await.unwrap();
    assert_eq!(batches, [25, 25, 25, 25, 6]);
    let arrived = sandbox.items().await;
    assert_eq!(arrived, list.iter().map(raw).collect::<Vec<_>>());
}

#[tokio::test]
async fn p12_an_item_over_the_limit_is_named_before_anything_is_sent() {
    let sandbox = Sandbox::with_table().await;
    let mut list = messages(60, "x");
    let large = message(
        conversation(1),
        at("2020-01-01T00:00:00Z"),
        1,
        &"x".repeat(410_000),
    );
    list.push(large);
    let error = put(&sandbox.writer(), &list).await.unwrap_err();
    assert!(matches!(&error, Error::ItemTooLarge { .. }));
    assert!(
        error
            .to_string()
            .contains("2020-01-01T00:00:00.000000+00:00"),
        "{error}"
    );
    assert!(sandbox.items().await.is_empty());
}

/// A full batch of the largest items is within the size limit of a request, and so is a batch of items that are six
/// times as large on the wire.
#[tokio::test]
async fn large_items_are_spread_over_batches() {
    let sandbox = Sandbox::with_table().await;
    for (text, batches) in [("x", vec![25, 1]), ("\u{1}", vec![7, 7, 7, 5])] {
        let list = messages(26, &text.repeat(390_000));
        assert_eq!(put(&sandbox.writer(), &list).await.unwrap(), batches);
    }
}

/// A key that comes again starts another batch: the service accepts no key twice.
#[tokio::test]
async fn p12_a_key_that_comes_again_is_put_after_the_first() {
    let sandbox = Sandbox::with_table().await;
    let list = [messages(3, "old"), messages(5, "new")].concat();
    let batches = put(&sandbox.writer(), &list).await.unwrap();
    assert_eq!(batches, [3, 5]);
    let expected: Vec<_> = list[3..].iter().map(raw).collect();
    assert_eq!(sandbox.items().await, expected);
}

#[tokio::test]
async fn a_missing_table_is_said_by_the_service() {
    let sandbox = Sandbox::new();
    let error = put(&sandbox.writer(), &messages(1, "x")).await.unwrap_err();
    let Error::Call(error) = error else {
        panic!("{error}");
    };
    assert!(error.is_missing());
    let said = error.to_string();
    assert!(said.starts_with("BatchWriteItem on local http"), "{said}");
    assert!(said.contains(sandbox.table().as_str()), "{said}");
}

/// Writes half of each batch and leaves the rest unprocessed, like a table with too little capacity. After `patience`
/// batches it answers with `last`.
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
    let writer = sandbox.writer_at(&server.url());
    let written = put(&writer, &messages(60, "x")).await.unwrap();
    assert_eq!(written, [25, 25, 10]);
    assert_eq!(sandbox.items().await.len(), 60);
    let batches = server.operations().len();
    assert!(
        (12..=21).contains(&batches),
        "halves of three batches: {batches}"
    );
}

/// The written items are counted, whatever ends the write.
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
        let writer = sandbox.writer_at(&server.url());
        let error = put(&writer, &messages(60, "x")).await.unwrap_err();
        let there = sandbox.items().await.len() as u64;
        assert_eq!(there, 18, "12 of 25, then 6 of 13");
        let text = error.to_string();
        let Error::PartlyWritten {
            written, unwritten, ..
        } = error
        else {
            panic!("{text}");
        };
        assert_eq!((written, unwritten), (there, 25 - there));
        assert!(text.contains("18 of 25 items written"), "{text}");
        assert!(text.contains(said), "{text}");
    }
}
