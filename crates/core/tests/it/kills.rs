//! Work is ended at any request, before or after the engine saw it, and run again: nothing is lost or doubled.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ddb_core::conversation::{Doubled, Missing, SyncRequest, sync_rows};
use ddb_core::item::{ConversationRow, Item, RawItem};
use ddb_core::seed::{Script, Seed, Speakers, prepare};
use ddb_core::store::Writer;
use ddb_test_support::Sandbox;
use ddb_test_support::http::{Answer, Server, forward};

use crate::data::{at, conversation, message, person, raw, row};

const EARLIER: &str = "2026-03-22T08:00:00.000000+00:00";
const T: &str = "2026-03-22T08:35:09.123456+00:00";

/// Lets `whole` requests through. The engine may see the next request, but the client gets no reply. After that
/// nothing gets through, as if the client had been killed there.
pub fn killing(sandbox: &Sandbox, whole: usize, next_is_seen: bool) -> Server {
    let engine = sandbox.url();
    let asked = AtomicUsize::new(0);
    Server::start(move |request| {
        let nth = asked.fetch_add(1, Ordering::SeqCst);
        if nth < whole {
            return forward(request, &engine);
        }
        if nth == whole && next_is_seen {
            forward(request, &engine);
        }
        Answer::Raw(Vec::new())
    })
}

fn rows(items: Vec<RawItem>) -> Vec<ConversationRow> {
    items
        .into_iter()
        .filter_map(|item| match Item::decode(item) {
            Item::ConversationRow(row) => Some(row),
            _ => None,
        })
        .collect()
}

async fn synced(writer: &Writer) -> bool {
    let request = SyncRequest {
        conversation: conversation(1),
        missing: Missing::PassOver,
        doubled: Doubled::Leave,
        never_back: false,
    };
    sync_rows(writer, &request).await.is_ok()
}

#[tokio::test]
async fn p18_a_move_that_is_killed_anywhere_leaves_one_row_each() {
    for next_is_seen in [false, true] {
        let mut ended = false;
        for whole in 0.. {
            let sandbox = Sandbox::with_table().await;
            for item in [
                raw(&message(conversation(1), at(EARLIER), 1, "old")),
                raw(&message(conversation(1), at(T), 2, "new")),
                raw(&row(conversation(1), at(EARLIER), (1, 2), "old")),
                raw(&row(conversation(1), at(EARLIER), (2, 1), "old")),
            ] {
                sandbox.put(item).await;
            }
            let server = killing(&sandbox, whole, next_is_seen);
            ended = synced(&sandbox.writer_at(&server.url())).await;
            let between = rows(sandbox.items().await);
            let mut owners: Vec<_> = between.iter().map(|row| row.owner).collect();
            owners.dedup();
            assert_eq!(
                (between.len(), owners.len()),
                (2, 2),
                "killed at request {whole}"
            );
            assert!(synced(&sandbox.writer()).await);
            let after = rows(sandbox.items().await);
            let expected = [
                row(conversation(1), at(T), (1, 2), "new"),
                row(conversation(1), at(T), (2, 1), "new"),
            ];
            assert_eq!(after, expected, "killed at request {whole}");
            if ended {
                break;
            }
        }
        assert!(ended);
    }
}

#[tokio::test]
async fn p14_a_seed_that_is_killed_anywhere_ends_in_the_same_table() {
    let text: String = (0..14)
        .map(|n| format!("Person {}: line {n}\n", n % 2 + 1))
        .collect();
    let speakers = Speakers::new("user1", "user2");
    let script = Script::parse("talk", text.as_bytes(), &speakers).unwrap();
    let seed = Seed {
        conversation: conversation(1),
        me: person(1),
        other: person(2),
        ends_at: Some(at(T)),
        interval: Duration::from_secs(60),
    };
    let now = at("2026-06-01T00:00:00Z");
    let run = async |writer: Writer| {
        let prepared = prepare(&writer, &seed, &script, now).await?;
        prepared.write(&writer).await
    };
    let whole_table = {
        let sandbox = Sandbox::with_table().await;
        run(sandbox.writer()).await.unwrap();
        sandbox.items().await
    };
    assert_eq!(whole_table.len(), 16);
    for next_is_seen in [false, true] {
        let mut ended = false;
        for whole in 0.. {
            let sandbox = Sandbox::with_table().await;
            let server = killing(&sandbox, whole, next_is_seen);
            ended = run(sandbox.writer_at(&server.url())).await.is_ok();
            run(sandbox.writer()).await.unwrap();
            assert_eq!(
                sandbox.items().await,
                whole_table,
                "killed at request {whole}"
            );
            if ended {
                break;
            }
        }
        assert!(ended);
    }
}
