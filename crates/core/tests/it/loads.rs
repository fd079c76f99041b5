//! Synthetic loads: complete, cut off anywhere and continued, throttled.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ddb_core::Error;
use ddb_core::conversation::{Doubled, Missing, SyncRequest, sync_rows};
use ddb_core::item::{Item, Kind, RawItem};
use ddb_core::seed::{self, Loaded, Loading, Synthetic};
use ddb_core::store::Writer;
use ddb_test_support::Sandbox;
use ddb_test_support::http::{Answer, Server, forward};
use serde_json::{Value, json};

use crate::data::{at, raw};
use crate::kills::killing;

const T: &str = "2026-03-22T08:00:00.000000+00:00";

/// 13 conversations in two chunks. The last conversation is cut short.
fn load(messages: u64) -> Synthetic {
    Synthetic::new(messages, 10, 6, 1, at(T), Duration::from_secs(60)).unwrap()
}

async fn run(writer: &Writer, load: &Synthetic) -> Result<Loaded, Error> {
    let loading = Loading::default();
    seed::load(writer, load, None, &loading).await?;
    Ok(loading.loaded())
}

fn counts(items: &[RawItem]) -> [usize; 3] {
    [Kind::Message, Kind::Group, Kind::Unknown]
        .map(|kind| items.iter().filter(|item| Kind::of(item) == kind).count())
}

#[tokio::test]
async fn a_load_is_written_once() {
    let sandbox = Sandbox::with_table().await;
    let writer = sandbox.writer();
    let loaded = |written, unchanged| Loaded { written, unchanged };
    assert_eq!(
        seed::survey(&writer, &load(125)).await.unwrap(),
        loaded(125, 0)
    );
    assert_eq!(run(&writer, &load(125)).await.unwrap(), loaded(125, 0));
    let whole = sandbox.items().await;
    assert_eq!(counts(&whole), [125, 26, 0]);
    for conversation in (0..13).map(|number| load(125).conversation(number)) {
        for message in conversation.messages() {
            assert!(whole.contains(&raw(&message)));
        }
        for row in conversation.rows().unwrap() {
            assert!(whole.contains(&raw(&row)));
        }
    }
    assert_eq!(run(&writer, &load(125)).await.unwrap(), loaded(0, 125));
    assert_eq!(
        seed::survey(&writer, &load(125)).await.unwrap(),
        loaded(0, 125)
    );
    assert_eq!(sandbox.items().await, whole);
    // A larger load continues after the complete conversations.
    assert_eq!(run(&writer, &load(240)).await.unwrap(), loaded(120, 120));
}

#[tokio::test]
async fn p14_a_load_that_is_killed_anywhere_is_continued() {
    let whole = {
        let sandbox = Sandbox::with_table().await;
        run(&sandbox.writer(), &load(125)).await.unwrap();
        sandbox.items().await
    };
    for next_is_seen in [false, true] {
        let mut ended = false;
        for requests in 0.. {
            let sandbox = Sandbox::with_table().await;
            let server = killing(&sandbox, requests, next_is_seen);
            let killed = run(&sandbox.writer_at(&server.url()), &load(125)).await;
            let before = counts(&sandbox.items().await)[0];
            match killed {
                Ok(_) => ended = true,
                Err(Error::PartlyWritten {
                    written, unwritten, ..
                }) => {
                    assert_eq!(written + unwritten, 125);
                    assert!(written as usize <= before, "{written} of {before}");
                }
                Err(Error::Call(_)) => {}
                Err(error) => panic!("{error}"),
            }
            run(&sandbox.writer(), &load(125)).await.unwrap();
            assert_eq!(sandbox.items().await, whole, "killed at request {requests}");
            if ended {
                break;
            }
        }
        assert!(ended);
    }
}

/// Rows that have moved since still show that their conversation is there: none is made twice.
#[tokio::test]
async fn what_went_on_is_left_alone() {
    let sandbox = Sandbox::with_table().await;
    let writer = sandbox.writer();
    run(&writer, &load(125)).await.unwrap();
    let conversation = load(125).conversation(3);
    let mut message = conversation.messages().next().unwrap();
    message.created_at = at("2026-05-01T00:00:00Z").into();
    message.text = "later".to_owned();
    sandbox.put(raw(&message)).await;
    let request = SyncRequest {
        conversation: conversation.id,
        missing: Missing::PassOver,
        doubled: Doubled::Leave,
        never_back: false,
    };
    sync_rows(&writer, &request).await.unwrap();
    let before = sandbox.items().await;
    run(&writer, &load(125)).await.unwrap();
    assert_eq!(sandbox.items().await, before);
    let moved = before.into_iter().filter(
        |item| matches!(Item::decode(item.clone()), Item::ConversationRow(row) if row.text == "later"),
    );
    assert_eq!(moved.count(), 2);
}

/// Throttles every second batch as a whole, and leaves a part of every third one unprocessed.
fn throttling(sandbox: &Sandbox) -> Server {
    let engine = sandbox.url();
    let asked = AtomicUsize::new(0);
    Server::start(move |request| {
        if request.operation != "BatchWriteItem" {
            return forward(request, &engine);
        }
        let nth = asked.fetch_add(1, Ordering::SeqCst);
        if !nth.is_multiple_of(2) {
            let code = "ProvisionedThroughputExceededException";
            return Answer::json(
                400,
                json!({"__type": code, "message": "slower"}).to_string(),
            );
        }
        if !nth.is_multiple_of(3) {
            return forward(request, &engine);
        }
        let mut body: Value = serde_json::from_slice(&request.body).unwrap();
        let mut left = json!({});
        for (table, puts) in body["RequestItems"].as_object_mut().unwrap() {
            let puts = puts.as_array_mut().unwrap();
            let taken = puts.len() / 2;
            left[table] = puts.split_off(taken.max(1)).into();
            if left[table].as_array().unwrap().is_empty() {
                left = json!({});
                break;
            }
        }
        forward(&request.with_body(body.to_string()), &engine);
        Answer::json(200, json!({"UnprocessedItems": left}).to_string())
    })
}

#[tokio::test]
async fn p11_a_throttled_load_is_whole_in_the_end() {
    let sandbox = Sandbox::with_table().await;
    let server = throttling(&sandbox);
    run(&sandbox.writer_at(&server.url()), &load(125))
        .await
        .unwrap();
    assert_eq!(counts(&sandbox.items().await), [125, 26, 0]);
}
