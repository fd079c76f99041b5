//! Batches on a real engine: everything arrives, and an item that is too large stops all.

use ddb_core::Error;
use ddb_core::item::RawItem;
use ddb_test_support::Sandbox;

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
