//! Single messages: never written over one another, never written twice.

use ddb_core::Error;
use ddb_core::key::SortKey;
use ddb_test_support::Sandbox;

use crate::data::{at, conversation, message, raw};

const T: &str = "2026-03-22T08:35:09.123456+00:00";

#[tokio::test]
async fn p17_a_clash_moves_on_by_a_microsecond_and_a_retry_does_not() {
    let sandbox = Sandbox::with_table().await;
    let writer = sandbox.writer();
    let first = message(conversation(1), at(T), 1, "first");
    let second = message(conversation(1), at(T), 2, "second");
    for _ in 0..2 {
        let put = writer.put_message(first.clone()).await.unwrap();
        assert_eq!(put.created_at, SortKey::verbatim(T));
    }
    let put = writer.put_message(second).await.unwrap();
    assert_eq!(put.created_at, at(T).plus_micros(1).unwrap().into());
    assert_eq!(sandbox.items().await.len(), 2);
}

#[tokio::test]
async fn p17_a_thousand_messages_at_one_instant_all_stay() {
    let sandbox = Sandbox::with_table().await;
    let writer = sandbox.writer();
    // A thousand keys are taken; the next message has to go past all of them.
    let taken: Vec<_> = (0..1000)
        .map(|n| message(conversation(1), at(T).plus_micros(n).unwrap(), 1, "x"))
        .collect();
    let items: Vec<_> = taken.iter().map(raw).collect();
    sandbox.fill(&items).await;
    let last = writer
        .put_message(message(conversation(1), at(T), 1, "y"))
        .await
        .unwrap();
    assert_eq!(last.created_at, at(T).plus_micros(1000).unwrap().into());
    assert_eq!(sandbox.items().await.len(), 1001);
    let none = writer
        .put_message(message(conversation(1), at(T), 1, "z"))
        .await;
    assert!(matches!(none, Err(Error::NoFreeKey { .. })), "{none:?}");
    assert_eq!(sandbox.items().await.len(), 1001);
}

#[tokio::test]
async fn a_sort_key_that_is_no_time_cannot_move_on() {
    let sandbox = Sandbox::with_table().await;
    let writer = sandbox.writer();
    let soon = || message(conversation(1), SortKey::verbatim("soon"), 1, "x");
    writer.put_message(soon()).await.unwrap();
    let again = writer.put_message(soon()).await;
    assert!(matches!(again, Err(Error::NoFreeKey { .. })), "{again:?}");
}

/// `ddb_core::guard` has examples of what else the compiler refuses.
#[tokio::test]
async fn p45_a_writer_writes_where_it_was_allowed_and_nowhere_else() {
    let (allowed, other) = (Sandbox::with_table().await, Sandbox::with_table().await);
    let message = message(conversation(1), at(T), 1, "here");
    allowed.writer().put_message(message.clone()).await.unwrap();
    assert_eq!(allowed.items().await, [raw(&message)]);
    assert!(other.items().await.is_empty());
}
