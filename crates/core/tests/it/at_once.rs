//! Two writers at once: just before a chosen request of one, the other does all its work.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use ddb_core::conversation::{Doubled, Missing, SyncRequest, SyncedRows, sync_rows};
use ddb_core::item::{ConversationRow, Item, Message};
use ddb_core::seed::{Report, Script, Seed, Speakers, prepare};
use ddb_core::store::Writer;
use ddb_core::timestamp::Timestamp;
use ddb_test_support::Sandbox;
use ddb_test_support::http::{Request, Server, forward};

use crate::data::{at, conversation, message, person, raw, row};

const T: &str = "2026-03-22T08:35:09.123456+00:00";
const EARLIER: &str = "2026-03-22T08:00:00.000000+00:00";

/// Starts a server in front of the engine that runs something just before the first request of a kind.
fn just_before<F>(
    sandbox: &Sandbox,
    is_it: impl Fn(&Request) -> bool + Send + Sync + 'static,
    other: impl FnOnce(Writer) -> F + Send + 'static,
) -> Server
where
    F: Future<Output = ()>,
{
    let (engine, writer) = (sandbox.url(), sandbox.writer());
    let other = Mutex::new(Some(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(other(writer));
    }));
    Server::start(move |request| {
        if is_it(request) {
            let other = other.lock().unwrap().take();
            if let Some(other) = other {
                other();
            }
        }
        forward(request, &engine)
    })
}

fn operation(name: &'static str) -> impl Fn(&Request) -> bool {
    move |request| request.operation == name
}

/// Checks whether a request reads the index. Rows are read after the newest message.
fn is_of_index(request: &Request) -> bool {
    request.operation == "Query" && String::from_utf8_lossy(&request.body).contains("IndexName")
}

fn create() -> SyncRequest {
    SyncRequest {
        conversation: conversation(1),
        missing: Missing::Create(Box::new([person(1), person(2)])),
        doubled: Doubled::Leave,
        never_back: true,
    }
}

fn repair() -> SyncRequest {
    SyncRequest {
        doubled: Doubled::Delete,
        never_back: false,
        ..create()
    }
}

fn follow() -> SyncRequest {
    SyncRequest {
        missing: Missing::PassOver,
        never_back: false,
        ..create()
    }
}

async fn by_way_of(server: &Server, sandbox: &Sandbox, request: &SyncRequest) -> SyncedRows {
    let writer = sandbox.writer_at(&server.url());
    sync_rows(&writer, request).await.unwrap()
}

async fn table(sandbox: &Sandbox) -> (Vec<Message>, Vec<ConversationRow>) {
    let (mut messages, mut rows) = (Vec::new(), Vec::new());
    for item in sandbox.items().await {
        match Item::decode(item) {
            Item::Message(message) => messages.push(message),
            Item::ConversationRow(row) => rows.push(row),
            Item::Unknown { raw, reason } => panic!("{reason}: {raw:?}"),
        }
    }
    (messages, rows)
}

fn both_at(sk: &str, text: &str) -> [ConversationRow; 2] {
    [(1, 2), (2, 1)].map(|people| row(conversation(1), at(sk), people, text))
}

/// Each writer sees a different newest message and makes rows under a different key. The last to look repairs this.
#[tokio::test]
async fn p18_rows_that_two_make_at_once_are_one_each() {
    for mine in [create(), repair()] {
        for theirs in [create(), repair()] {
            let sandbox = Sandbox::with_table().await;
            let old = message(conversation(1), at(EARLIER), 1, "old");
            sandbox.put(raw(&old)).await;
            let server = just_before(
                &sandbox,
                operation("TransactWriteItems"),
                |writer| async move {
                    let new = message(conversation(1), at(T), 2, "new");
                    writer.put_message(new).await.unwrap();
                    let synced = sync_rows(&writer, &theirs).await.unwrap();
                    assert_eq!(synced.created.len(), 2);
                },
            );
            let synced = by_way_of(&server, &sandbox, &mine).await;
            assert_eq!(synced.created.len(), 2, "it made its own, too");
            assert_eq!(table(&sandbox).await.1, both_at(T, "new"));
        }
    }
}

/// Two writers remove doubled rows at once, and each would keep a different row. One of them does it.
#[tokio::test]
async fn p18_rows_that_two_remove_at_once_are_one_each() {
    let sandbox = Sandbox::with_table().await;
    sandbox
        .put(raw(&message(conversation(1), at(EARLIER), 1, "old")))
        .await;
    for row in both_at(EARLIER, "old").iter().chain(&both_at(T, "new")) {
        sandbox.put(raw(row)).await;
    }
    // The first writer would keep the rows at the old message. Then the new one comes, and the rows at it are kept.
    let server = just_before(
        &sandbox,
        operation("TransactWriteItems"),
        |writer| async move {
            let new = message(conversation(1), at(T), 2, "new");
            writer.put_message(new).await.unwrap();
            sync_rows(&writer, &repair()).await.unwrap();
        },
    );
    by_way_of(&server, &sandbox, &repair()).await;
    assert_eq!(table(&sandbox).await.1, both_at(T, "new"));
}

/// A message comes within 1 ms after the one that was read, and the rows have already moved to it.
#[tokio::test]
async fn p18_rows_synced_within_a_millisecond_do_not_go_back() {
    const SOON: &str = "2026-03-22T08:35:09.123956+00:00";
    for mine in [create(), repair(), follow()] {
        let sandbox = Sandbox::with_table().await;
        sandbox
            .put(raw(&message(conversation(1), at(T), 1, "m0")))
            .await;
        for row in both_at(T, "m0") {
            sandbox.put(raw(&row)).await;
        }
        let server = just_before(&sandbox, is_of_index, |writer| async move {
            let soon = message(conversation(1), at(SOON), 2, "m1");
            writer.put_message(soon).await.unwrap();
            sync_rows(&writer, &follow()).await.unwrap();
        });
        let synced = by_way_of(&server, &sandbox, &mine).await;
        assert!(!synced.changed());
        assert_eq!(table(&sandbox).await.1, both_at(SOON, "m1"));
    }
}

fn script(of: &str, lines: usize) -> Script {
    let text: String = (0..lines)
        .map(|n| format!("Person {}: {of} {n}\n", n % 2 + 1))
        .collect();
    Script::parse("talk", text.as_bytes(), &Speakers::new("user1", "user2")).unwrap()
}

fn seed(ends_at: Option<Timestamp>) -> Seed {
    Seed {
        conversation: conversation(1),
        me: person(1),
        other: person(2),
        ends_at,
        interval: Duration::from_secs(60),
    }
}

async fn run(writer: Writer, of: &str, seed: Seed, now: Timestamp) -> Report {
    let script = script(of, 40);
    let prepared = prepare(&writer, &seed, &script, now).await.unwrap();
    prepared.write(&writer).await.unwrap()
}

/// Matches a put, statements and transactions, in the order in which a seed makes them.
fn writes() -> [fn(&Request) -> bool; 3] {
    [
        |request| request.operation == "PutItem",
        |request| request.operation == "BatchExecuteStatement",
        |request| request.operation == "TransactWriteItems",
    ]
}

#[tokio::test]
async fn p13_the_same_seed_at_once_is_one_conversation() {
    let now = at(T);
    for (is_it, micros) in writes()
        .into_iter()
        .flat_map(|w| [-17_000, -300, 0, 450, 17_000].map(|m| (w, m)))
    {
        let sandbox = Sandbox::with_table().await;
        let other = now.plus_micros(micros).unwrap();
        let server = just_before(&sandbox, is_it, move |writer| async move {
            run(writer, "line", seed(None), other).await;
        });
        let writer = sandbox.writer_at(&server.url());
        run(writer, "line", seed(None), now).await;
        let (messages, rows) = table(&sandbox).await;
        let ids: BTreeSet<_> = messages.iter().map(|m| m.id.to_string()).collect();
        assert_eq!((messages.len(), ids.len()), (40, 40), "{micros}");
        let newest = messages
            .iter()
            .max_by_key(|m| m.created_at.clone())
            .unwrap();
        assert_eq!(rows.len(), 2, "{micros}");
        assert!(
            rows.iter()
                .all(|row| row.last_message_at == newest.created_at)
        );
        // From now on, seeding changes nothing.
        let report = run(
            sandbox.writer(),
            "line",
            seed(None),
            at("2026-06-01T00:00:00Z"),
        )
        .await;
        assert_eq!((report.written, report.removed), (0, 0));
        assert!(!report.rows.changed());
    }
}

/// A table in which runs of earlier versions left the conversation twice.
#[tokio::test]
async fn p13_a_conversation_that_is_there_twice_is_repaired_by_the_next_seed() {
    let sandbox = Sandbox::with_table().await;
    let (first, second) = (at(EARLIER), at(T));
    run(sandbox.writer(), "line", seed(None), second).await;
    let expected = sandbox.items().await;
    for message in table(&sandbox).await.0 {
        let back = second.micros() - first.micros();
        let created_at = message
            .created_at
            .time()
            .unwrap()
            .plus_micros(-back)
            .unwrap()
            .into();
        sandbox
            .put(raw(&Message {
                created_at,
                ..message
            }))
            .await;
    }
    assert_eq!(sandbox.items().await.len(), 82);
    let report = run(sandbox.writer(), "line", seed(None), second).await;
    assert_eq!((report.written, report.removed), (0, 40));
    assert_eq!(sandbox.items().await, expected);
}

#[tokio::test]
async fn p17_two_seeds_of_one_conversation_lose_no_message() {
    for ends_at in [Some(at(EARLIER)), None] {
        let sandbox = Sandbox::with_table().await;
        let now = at(T);
        let server = just_before(&sandbox, operation("PutItem"), move |writer| async move {
            run(writer, "theirs", seed(ends_at), now).await;
        });
        let writer = sandbox.writer_at(&server.url());
        let report = run(writer, "mine", seed(ends_at), now).await;
        assert_eq!(report.written, 40);
        let (messages, rows) = table(&sandbox).await;
        for of in ["theirs", "mine"] {
            let said = messages
                .iter()
                .filter(|message| message.text.starts_with(of));
            assert_eq!(said.count(), 40, "{of}");
        }
        assert_eq!(rows.len(), 2);
        for of in ["theirs", "mine"] {
            let report = run(sandbox.writer(), of, seed(ends_at), now).await;
            assert_eq!((report.written, report.removed), (0, 0), "{of}");
        }
    }
}

/// After the seed has read the table, a message of the application takes a place of the script, and keeps it.
#[tokio::test]
async fn p17_a_seed_moves_on_where_a_message_came_between() {
    let sandbox = Sandbox::with_table().await;
    // The last message is written first. At that time the place of this one, in the middle, is free.
    let place = at(T).plus_micros(-60_000_000 * 10).unwrap();
    let is_it = operation("PutItem");
    let server = just_before(&sandbox, is_it, move |writer| async move {
        let other = message(conversation(1), place, 1, "from the application");
        writer.put_message(other).await.unwrap();
    });
    let writer = sandbox.writer_at(&server.url());
    let report = run(writer, "line", seed(None), at(T)).await;
    assert_eq!(report.written, 40);
    let (messages, _) = table(&sandbox).await;
    assert_eq!(messages.len(), 41);
    let next = place.plus_micros(1).unwrap().into();
    let moved = messages.iter().find(|message| message.created_at == next);
    assert_eq!(moved.unwrap().text, "line 29");
    let before = sandbox.items().await;
    let again = run(sandbox.writer(), "line", seed(None), at(T)).await;
    assert_eq!((again.written, again.removed), (0, 0));
    assert_eq!(sandbox.items().await, before);
}
