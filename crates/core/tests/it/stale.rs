//! With an index that is behind or returns empty pages, no row is lost or doubled.

use ddb_core::conversation::{Doubled, Missing, SyncRequest, look, sync_rows};
use ddb_core::item::{ConversationRow, Item, RawItem};
use ddb_test_support::Sandbox;
use ddb_test_support::http::{Answer, Server, forward};
use ddb_test_support::proxy::{Fault, Proxy};
use serde_json::{Value, json};

use crate::data::{at, conversation, message, person, raw, row};

const OLD: &str = "2026-03-22T08:00:00.000000+00:00";
const NOW: &str = "2026-03-22T08:10:00.000000+00:00";
const NEW: &str = "2026-03-22T08:35:09.123456+00:00";

fn conversation_rows(items: Vec<RawItem>) -> Vec<ConversationRow> {
    let rows = items.into_iter().map(Item::decode);
    rows.filter_map(|item| match item {
        Item::ConversationRow(row) => Some(row),
        _ => None,
    })
    .collect()
}

fn both_at(time: &str, text: &str) -> [ConversationRow; 2] {
    [(1, 2), (2, 1)].map(|pair| row(conversation(1), at(time), pair, text))
}

/// A conversation whose rows are at NOW and whose newest message is at NEW.
async fn sandbox() -> Sandbox {
    let sandbox = Sandbox::with_table().await;
    for (n, time) in [OLD, NOW, NEW].into_iter().enumerate() {
        let sender = n as u128 % 2 + 1;
        sandbox
            .put(raw(&message(conversation(1), at(time), sender, time)))
            .await;
    }
    for row in both_at(NOW, NOW) {
        sandbox.put(raw(&row)).await;
    }
    sandbox
}

fn wire(row: &ConversationRow) -> Value {
    let item = raw(row);
    let texts = item.iter().map(|(name, value)| {
        let text = value.as_s().unwrap();
        (name.clone(), json!({"S": text}))
    });
    Value::Object(texts.collect())
}

/// Makes the index contain these rows, page by page, whatever the table contains.
fn index_of(sandbox: &Sandbox, pages: Vec<Vec<ConversationRow>>) -> Server {
    let engine = sandbox.url();
    Server::start(move |request| {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        if request.operation != "Query" || body["IndexName"].is_null() {
            return forward(request, &engine);
        }
        let place = body["ExclusiveStartKey"]["pk"]["S"].as_str();
        let place: usize = place.map_or(0, |place| place.parse().unwrap());
        let items: Vec<Value> = pages.get(place).into_iter().flatten().map(wire).collect();
        let mut page = json!({"Items": items, "Count": items.len(), "ScannedCount": items.len()});
        if place + 1 < pages.len() {
            page["LastEvaluatedKey"] = json!({"pk": {"S": (place + 1).to_string()}});
        }
        Answer::json(200, page.to_string())
    })
}

fn requests() -> [SyncRequest; 3] {
    let follow = SyncRequest {
        conversation: conversation(1),
        missing: Missing::PassOver,
        doubled: Doubled::Leave,
        never_back: false,
    };
    let seed = SyncRequest {
        missing: Missing::Create(Box::new([person(1), person(2)])),
        never_back: true,
        ..follow.clone()
    };
    let repair = SyncRequest {
        doubled: Doubled::Delete,
        ..follow.clone()
    };
    [follow, seed, repair]
}

#[tokio::test]
async fn p20_a_stale_index_neither_loses_nor_doubles_a_row() {
    let [old, now, new] = [OLD, NOW, NEW].map(|time| both_at(time, time));
    let views: Vec<Vec<Vec<ConversationRow>>> = vec![
        vec![],
        vec![vec![]],
        vec![old.to_vec()],
        vec![now.to_vec()],
        // Rows that are not there yet: an index may even be ahead of what was read.
        vec![new.to_vec()],
        vec![old.to_vec(), now.to_vec()],
        vec![vec![], now.to_vec(), vec![]],
        vec![vec![], vec![], old[..1].to_vec(), vec![]],
        vec![now[..1].to_vec()],
        vec![now[1..].to_vec()],
        vec![vec![old[0].clone(), now[1].clone()]],
        vec![vec![now[0].clone(), now[0].clone()], vec![now[0].clone()]],
    ];
    for view in views {
        for request in requests() {
            let sandbox = sandbox().await;
            let server = index_of(&sandbox, view.clone());
            let writer = sandbox.writer_at(&server.url());
            for _ in 0..2 {
                sync_rows(&writer, &request).await.unwrap();
                let rows = conversation_rows(sandbox.items().await);
                assert_eq!(rows, new, "{request:?} sees {view:?}");
            }
            let seen = look(&writer, conversation(1), &[]).await.unwrap().unwrap();
            assert_eq!(seen.1.len(), 2, "{view:?}");
        }
    }
}

/// Every page of every query is preceded by an empty one, and the index stays as it was first seen.
#[tokio::test]
async fn p20_empty_pages_hide_nothing() {
    for request in requests() {
        let sandbox = sandbox().await;
        let proxy = Proxy::start(&sandbox.url(), |nth, request| {
            let first = !String::from_utf8_lossy(&request.body).contains("ExclusiveStartKey");
            match nth {
                _ if first => Some(Fault::EmptyPage),
                _ => Some(Fault::StaleIndex),
            }
        });
        let writer = sandbox.writer_at(&proxy.url());
        for _ in 0..2 {
            sync_rows(&writer, &request).await.unwrap();
            assert_eq!(conversation_rows(sandbox.items().await), both_at(NEW, NEW));
        }
        assert!(proxy.injected()[&Fault::EmptyPage] >= 4);
        assert!(proxy.injected()[&Fault::StaleIndex] >= 2);
    }
}
