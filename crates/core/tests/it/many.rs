//! Many messages at once: each on its own condition in statements, and one by one if the statements leave them.

use ddb_core::Error;
use ddb_core::item::Message;
use ddb_test_support::Sandbox;
use ddb_test_support::proxy::{Fault, Proxy};

use crate::data::{at, conversation, message, raw};

const T: &str = "2026-03-22T08:35:09.123456+00:00";
const STATEMENTS: &str = "BatchExecuteStatement";

/// Messages a second apart.
fn messages(count: i64, text: &str) -> Vec<Message> {
    let time = |n: i64| at(T).plus_micros(n * 1_000_000).unwrap();
    (0..count)
        .map(|n| {
            message(
                conversation(1),
                time(n),
                1,
                &format!("{text} '{n}' \"? {{}} \u{1f642}"),
            )
        })
        .collect()
}

/// Asserts the number of requests, on the embedded engine only: an early DynamoDB Local has no statements.
fn assert_asked(sandbox: &Sandbox, proxy: &Proxy, statements: usize, puts: usize) {
    if sandbox.is_embedded() {
        let asked = [STATEMENTS, "PutItem"].map(|operation| count(proxy, operation));
        assert_eq!(asked, [statements, puts]);
    }
}

fn count(proxy: &Proxy, operation: &str) -> usize {
    let asked = proxy.operations();
    asked.iter().filter(|asked| *asked == operation).count()
}

#[tokio::test]
async fn many_messages_take_one_request_for_twenty_five() {
    let sandbox = Sandbox::with_table().await;
    let proxy = Proxy::start(&sandbox.url(), |_, _| None);
    let list = messages(51, "it's");
    let put = sandbox
        .writer_at(&proxy.url())
        .put_messages(list.clone())
        .await;
    assert_eq!((put.items, put.ended_by.is_none()), (51, true));
    let expected: Vec<_> = list.iter().map(raw).collect();
    assert_eq!(sandbox.items().await, expected);
    assert_asked(&sandbox, &proxy, 2, 1);
}

/// A third of the keys are taken by the messages themselves, another third by others. One key is in the list twice.
#[tokio::test]
async fn p17_many_messages_take_the_place_of_none() {
    let sandbox = Sandbox::with_table().await;
    let mut list = messages(60, "mine");
    let theirs: Vec<_> = messages(60, "theirs").into_iter().step_by(3).collect();
    let held: Vec<_> = list
        .iter()
        .skip(1)
        .step_by(3)
        .chain(&theirs)
        .map(raw)
        .collect();
    sandbox.fill(&held).await;
    list.insert(
        3,
        message(conversation(1), list[2].created_at.clone(), 2, "beside it"),
    );
    let put = sandbox.writer().put_messages(list.clone()).await;
    assert_eq!((put.items, put.ended_by.is_none()), (61, true));
    let there = sandbox.items().await;
    assert_eq!(there.len(), 60 + 20 + 1);
    for message in &theirs {
        assert!(there.contains(&raw(message)), "{message:?}");
    }
    for message in &list {
        let id = &raw(message)["message_uuid"];
        let copies = there.iter().filter(|item| &item["message_uuid"] == id);
        assert_eq!(copies.count(), 1, "{message:?}");
    }
}

/// Nothing is written twice, and only what the statements left is put.
#[tokio::test]
async fn p11_what_statements_leave_is_put_one_by_one() {
    let sandbox = Sandbox::with_table().await;
    let proxy = Proxy::start(&sandbox.url(), |_, _| Some(Fault::Unprocessed));
    let list = messages(60, "x");
    let put = sandbox
        .writer_at(&proxy.url())
        .put_messages(list.clone())
        .await;
    assert_eq!((put.items, put.ended_by.is_none()), (60, true));
    let expected: Vec<_> = list.iter().map(raw).collect();
    assert_eq!(sandbox.items().await, expected);
    assert_eq!(count(&proxy, STATEMENTS), 3);
    if sandbox.is_embedded() {
        assert!((3..60).contains(&count(&proxy, "PutItem")));
    }
}

#[tokio::test]
async fn p17_statements_whose_reply_is_lost_write_nothing_twice() {
    let sandbox = Sandbox::with_table().await;
    let proxy = Proxy::start(&sandbox.url(), |nth, _| {
        (nth == 0).then_some(Fault::ReplyLost)
    });
    let list = messages(25, "x");
    let put = sandbox
        .writer_at(&proxy.url())
        .put_messages(list.clone())
        .await;
    assert_eq!((put.items, put.ended_by.is_none()), (25, true));
    let expected: Vec<_> = list.iter().map(raw).collect();
    assert_eq!(sandbox.items().await, expected);
    // The second attempt finds all of them there, and each put finds that it is its own.
    assert_asked(&sandbox, &proxy, 2, 25);
}

#[tokio::test]
async fn p11_statements_that_are_always_throttled_are_sent_ten_times() {
    let sandbox = Sandbox::with_table().await;
    let proxy = Proxy::failing_from(&sandbox.url(), 0, Fault::Throttled);
    let put = sandbox
        .writer_at(&proxy.url())
        .put_messages(messages(2, "x"))
        .await;
    assert_eq!(put.items, 0);
    let Some(Error::Call(error)) = put.ended_by else {
        panic!("{put:?}");
    };
    assert!(error.is_throttling(), "{error}");
    assert_eq!(proxy.operations(), [STATEMENTS; 10]);
}

/// Messages written before a request fails are counted, and no more are sent after it.
#[tokio::test]
async fn p11_messages_before_a_failure_are_counted() {
    let sandbox = Sandbox::with_table().await;
    let failing = |nth: usize| (nth >= 2).then_some(Fault::Garbage);
    let proxy = Proxy::start(&sandbox.url(), move |nth, _| failing(nth));
    let put = sandbox
        .writer_at(&proxy.url())
        .put_messages(messages(500, "x"))
        .await;
    let there = sandbox.items().await.len() as u64;
    let first = if sandbox.is_embedded() { 50 } else { 0 };
    assert_eq!(
        (put.items, there, put.ended_by.is_some()),
        (first, first, true)
    );
    assert!(proxy.operations().len() < 20);
}
