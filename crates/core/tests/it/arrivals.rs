//! What is new in a conversation of a table without a stream.

use ddb_core::conversation::Arrivals;
use ddb_core::schema::attribute;
use ddb_test_support::Sandbox;
use ddb_test_support::proxy::Proxy;

use crate::data::{at, conversation, message, raw};

const NOON: &str = "2026-03-22T12:00:00.000000+00:00";

async fn put(sandbox: &Sandbox, sk: &str) {
    let message = message(conversation(1), at(sk), 1, sk);
    sandbox.put(raw(&message)).await;
}

/// Returns the times of what is new.
async fn new(arrivals: &mut Arrivals, now: &str) -> Vec<String> {
    let items = arrivals.next(at(now)).await.unwrap();
    items
        .iter()
        .map(|item| {
            at(item[attribute::SK].as_s().unwrap())
                .for_people()
                .to_string()
        })
        .collect()
}

#[tokio::test]
async fn what_was_not_seen_is_new_wherever_its_time_lies() {
    let sandbox = Sandbox::with_table().await;
    for sk in [
        "2026-03-22T11:00:00Z",
        "2026-03-22T11:59:30Z",
        "2200-01-01T00:00:00Z",
    ] {
        put(&sandbox, sk).await;
    }
    let mut arrivals = Arrivals::begin(&sandbox.store(), conversation(1), at(NOON))
        .await
        .unwrap();
    let nothing = [""; 0];
    assert_eq!(new(&mut arrivals, NOON).await, nothing);
    // Messages now, less than a minute late, and in the future before another one.
    for (sk, shown) in [
        ("2026-03-22T12:00:01Z", "2026-03-22 12:00:01"),
        ("2026-03-22T11:59:10Z", "2026-03-22 11:59:10"),
        ("2100-01-01T00:00:00Z", "2100-01-01 00:00:00"),
        ("2300-01-01T00:00:00Z", "2300-01-01 00:00:00"),
        ("2026-03-22T12:00:00Z", "2026-03-22 12:00:00"),
    ] {
        put(&sandbox, sk).await;
        assert_eq!(new(&mut arrivals, NOON).await, [shown]);
        assert_eq!(new(&mut arrivals, NOON).await, nothing, "{sk}");
    }
    // If nothing came for a long time, everything later than the newest is new: clocks may differ by hours.
    let evening = "2026-03-22T20:00:00Z";
    assert_eq!(new(&mut arrivals, evening).await, nothing);
    put(&sandbox, "2026-03-22T17:00:00Z").await;
    assert_eq!(new(&mut arrivals, evening).await, ["2026-03-22 17:00:00"]);
    assert_eq!(new(&mut arrivals, evening).await, nothing);

    arrivals.forget();
    assert_eq!(new(&mut arrivals, evening).await.len(), 9);
}

/// However long a conversation is, only its end is read again and again.
#[tokio::test]
async fn only_the_end_is_read() {
    let sandbox = Sandbox::with_table().await;
    for second in 0..60 {
        put(&sandbox, &format!("2026-03-22T11:00:{second:02}Z")).await;
    }
    let read = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let kept = std::sync::Arc::clone(&read);
    let proxy = Proxy::start(&sandbox.url(), move |_, request| {
        let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
        kept.lock().unwrap().push(body);
        None
    });
    let mut arrivals = Arrivals::begin(&sandbox.store_at(&proxy.url()), conversation(1), at(NOON))
        .await
        .unwrap();
    assert_eq!(new(&mut arrivals, NOON).await, [""; 0]);
    let read = read.lock().unwrap();
    assert_eq!(read.len(), 2, "{read:?}");
    assert_eq!(read[0]["Limit"], 20);
    let low = &read[1]["ExpressionAttributeValues"][":low"]["S"];
    assert_eq!(low, "2026-03-22T11:00:59.000000+00:00");
}
