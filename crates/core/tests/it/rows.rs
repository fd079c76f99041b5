//! Access pattern E on an engine: rows follow the newest message.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ddb_core::changes::{Keep, Tally};
use ddb_core::conversation::{
    Doubled, Missing, SyncRequest, SyncedRows, newest_message, sync_rows,
};
use ddb_core::item::{ConversationRow, Item, MAX_SIZE, size};
use ddb_core::key::SortKey;
use ddb_core::store::Writer;
use ddb_test_support::Sandbox;
use ddb_test_support::proxy::Proxy;

use crate::changes::repair;
use crate::data::{at, conversation, message, person, raw, row};

const T: &str = "2026-03-22T08:35:09.123456+00:00";
const EARLIER: &str = "2026-03-22T08:00:00.000000+00:00";

async fn run(
    sandbox: &Sandbox,
    conversation_number: u128,
    missing: Missing,
    never_back: bool,
) -> SyncedRows {
    let request = SyncRequest {
        conversation: conversation(conversation_number),
        missing,
        doubled: Doubled::Leave,
        never_back,
    };
    sync_rows(&sandbox.writer(), &request).await.unwrap()
}

fn create(one: u128, two: u128) -> Missing {
    Missing::Create(Box::new([person(one), person(two)]))
}

async fn rows(sandbox: &Sandbox) -> Vec<ConversationRow> {
    let items = sandbox.items().await;
    items
        .into_iter()
        .filter_map(|item| match Item::decode(item) {
            Item::ConversationRow(row) => Some(row),
            _ => None,
        })
        .collect()
}

#[tokio::test]
async fn rows_move_to_the_newest_message_and_stay_there() {
    let sandbox = Sandbox::with_table().await;
    sandbox
        .put(raw(&message(conversation(1), at(EARLIER), 1, "old")))
        .await;
    sandbox
        .put(raw(&row(conversation(1), at(EARLIER), (1, 2), "old")))
        .await;
    sandbox
        .put(raw(&row(conversation(1), at(EARLIER), (2, 1), "old")))
        .await;
    sandbox
        .put(raw(&message(conversation(1), at(T), 2, "new")))
        .await;
    let synced = run(&sandbox, 1, Missing::PassOver, false).await;
    assert_eq!(synced.updated.len(), 2);
    let expected = [
        row(conversation(1), at(T), (1, 2), "new"),
        row(conversation(1), at(T), (2, 1), "new"),
    ];
    assert_eq!(rows(&sandbox).await, expected);
    // A replay, and a message that comes late, change nothing.
    sandbox
        .put(raw(&message(
            conversation(1),
            at("2020-01-01T00:00:00Z"),
            1,
            "late",
        )))
        .await;
    let again = run(&sandbox, 1, Missing::PassOver, false).await;
    assert!(!again.changed());
    assert_eq!(rows(&sandbox).await, expected);
}

#[tokio::test]
async fn missing_rows_are_made_only_where_both_people_are_known() {
    let sandbox = Sandbox::with_table().await;
    sandbox
        .put(raw(&message(conversation(1), at(T), 1, "hi")))
        .await;
    let passed = run(&sandbox, 1, Missing::PassOver, false).await;
    assert_eq!(passed.missing, 2);
    assert!(rows(&sandbox).await.is_empty());
    let created = run(&sandbox, 1, create(1, 2), true).await;
    assert_eq!(created.created.len(), 2);
    // One row is lost: only that one is made again.
    let lost = row(conversation(1), at(T), (2, 1), "hi");
    sandbox.delete(&raw(&lost)).await;
    let repaired = run(&sandbox, 1, create(1, 2), true).await;
    assert_eq!(repaired.created, [lost]);
    assert_eq!(rows(&sandbox).await.len(), 2);
}

#[tokio::test]
async fn a_group_without_messages_has_no_target() {
    let sandbox = Sandbox::with_table().await;
    let stray = row(conversation(1), at(T), (1, 2), "stray");
    sandbox.put(raw(&stray)).await;
    assert_eq!(
        run(&sandbox, 1, create(1, 2), false).await,
        SyncedRows::default()
    );
    assert_eq!(rows(&sandbox).await, [stray]);
}

/// Forty conversations of one user that end at the same instant all stay listed.
#[tokio::test]
async fn p17_rows_of_one_user_at_one_instant_never_overwrite_each_other() {
    const GROUPS: u128 = 40;
    let sandbox = Sandbox::with_table().await;
    for n in 1..=GROUPS {
        sandbox
            .put(raw(&message(conversation(n), at(T), 1, &format!("hi {n}"))))
            .await;
        run(&sandbox, n, create(1, 100 + n), true).await;
    }
    let first = rows(&sandbox).await;
    let own: Vec<&ConversationRow> = first
        .iter()
        .filter(|row| row.owner == person(1).id)
        .collect();
    assert_eq!(own.len() as u128, GROUPS);
    let mut conversations: Vec<_> = own.iter().map(|row| row.conversation).collect();
    conversations.sort();
    conversations.dedup();
    assert_eq!(conversations.len() as u128, GROUPS);
    for row in &own {
        let micros = row.last_message_at.time().unwrap().micros() - at(T).micros();
        assert!((0..=1000).contains(&micros));
    }
    // A second round finds every row at its target.
    for n in 1..=GROUPS {
        assert!(!run(&sandbox, n, create(1, 100 + n), true).await.changed());
    }
    assert_eq!(rows(&sandbox).await, first);
}

#[tokio::test]
async fn a_stale_text_under_the_right_key_is_replaced() {
    let sandbox = Sandbox::with_table().await;
    sandbox
        .put(raw(&message(conversation(1), at(T), 1, "right")))
        .await;
    sandbox
        .put(raw(&row(conversation(1), at(T), (1, 2), "wrong")))
        .await;
    sandbox
        .put(raw(&row(conversation(1), at(T), (2, 1), "right")))
        .await;
    let synced = run(&sandbox, 1, Missing::PassOver, false).await;
    assert_eq!((synced.updated.len(), synced.unchanged.len()), (1, 1));
    assert!(rows(&sandbox).await.iter().all(|row| row.text == "right"));
}

#[tokio::test]
async fn a_row_in_the_future_goes_back_only_where_that_is_wanted() {
    let sandbox = Sandbox::with_table().await;
    let future = "2099-01-01T00:00:00.000000+00:00";
    sandbox
        .put(raw(&message(conversation(1), at(T), 1, "now")))
        .await;
    sandbox
        .put(raw(&row(conversation(1), at(future), (1, 2), "filler")))
        .await;
    sandbox
        .put(raw(&row(conversation(1), at(T), (2, 1), "now")))
        .await;
    let kept = run(&sandbox, 1, Missing::PassOver, true).await;
    assert_eq!(kept.ahead.len(), 1);
    assert!(!kept.changed());
    let synced = run(&sandbox, 1, Missing::PassOver, false).await;
    assert_eq!(synced.updated.len(), 1);
    assert!(
        rows(&sandbox)
            .await
            .iter()
            .all(|row| row.last_message_at == at(T).into())
    );
}

#[tokio::test]
async fn doubled_rows_are_reported_and_left() {
    let sandbox = Sandbox::with_table().await;
    sandbox
        .put(raw(&message(conversation(1), at(T), 1, "now")))
        .await;
    sandbox
        .put(raw(&row(conversation(1), at(T), (1, 2), "now")))
        .await;
    sandbox
        .put(raw(&row(conversation(1), at(EARLIER), (1, 2), "old")))
        .await;
    sandbox
        .put(raw(&row(conversation(1), at(T), (2, 1), "now")))
        .await;
    let synced = run(&sandbox, 1, create(1, 2), true).await;
    assert!(!synced.changed());
    assert_eq!(
        synced.doubled,
        [row(conversation(1), at(EARLIER), (1, 2), "old")]
    );
    assert_eq!(rows(&sandbox).await.len(), 3);
}

/// Three to five surplus rows of one person, as old scripts left them, and none, one or five of the other.
#[tokio::test]
async fn surplus_rows_go_with_one_repair_and_one_stays() {
    for (mine, theirs) in [(3, 0), (4, 1), (5, 5)] {
        let sandbox = Sandbox::with_table().await;
        sandbox
            .put(raw(&message(conversation(1), at(T), 1, "now")))
            .await;
        for (owner, other, surplus) in [(1, 2, mine), (2, 1, theirs)] {
            for n in 1..=surplus {
                let old = at(EARLIER).plus_micros(n).unwrap();
                let surplus = row(conversation(1), old, (owner, other), "old");
                sandbox.put(raw(&surplus)).await;
            }
            let own = row(conversation(1), at(T), (owner, other), "now");
            sandbox.put(raw(&own)).await;
        }
        let writer = sandbox.writer();
        let owners = [1, 2].map(|n| person(n).id).to_vec();
        let found = [(conversation(1), owners)];
        let repaired = repair(&writer, &found, &Keep::Nowhere).await.unwrap();
        assert_eq!(repaired.changes as i64, mine + theirs);
        let expected = [
            row(conversation(1), at(T), (1, 2), "now"),
            row(conversation(1), at(T), (2, 1), "now"),
        ];
        assert_eq!(rows(&sandbox).await, expected, "{mine} and {theirs}");
        let again = repair(&writer, &found, &Keep::Nowhere).await.unwrap();
        assert_eq!(again, Tally::default());
    }
}

/// Returns a writer behind a proxy that runs `meanwhile` before the engine sees the first transaction.
fn with_meanwhile(
    sandbox: &Arc<Sandbox>,
    meanwhile: impl AsyncFn(&Sandbox) + Send + Sync + 'static,
) -> (Proxy, Writer) {
    let (inside, is_done) = (Arc::clone(sandbox), AtomicBool::new(false));
    let proxy = Proxy::start(&sandbox.url(), move |_, request| {
        if request.operation == "TransactWriteItems" && !is_done.swap(true, Ordering::SeqCst) {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.unwrap().block_on(meanwhile(&inside));
        }
        None
    });
    let writer = sandbox.writer_at(&proxy.url());
    (proxy, writer)
}

async fn run_by(writer: &Writer, missing: Missing) -> SyncedRows {
    let request = SyncRequest {
        conversation: conversation(1),
        missing,
        doubled: Doubled::Leave,
        never_back: true,
    };
    sync_rows(writer, &request).await.unwrap()
}

/// Two writers make the rows of one conversation. A message comes between their reads, so each wants a different key.
#[tokio::test]
async fn p18_rows_that_two_make_at_once_are_one_each() {
    let sandbox = Arc::new(Sandbox::with_table().await);
    sandbox
        .put(raw(&message(conversation(1), at(EARLIER), 1, "old")))
        .await;
    let (_proxy, writer) = with_meanwhile(&sandbox, async |sandbox| {
        sandbox
            .put(raw(&message(conversation(1), at(T), 2, "new")))
            .await;
        run(sandbox, 1, create(1, 2), true).await;
    });
    run_by(&writer, create(1, 2)).await;
    let made = rows(&sandbox).await;
    assert_eq!(made.len(), 2, "one row each: {made:?}");
    let expected = [
        row(conversation(1), at(T), (1, 2), "new"),
        row(conversation(1), at(T), (2, 1), "new"),
    ];
    run(&sandbox, 1, Missing::PassOver, false).await;
    assert_eq!(rows(&sandbox).await, expected);
}

/// Many writers move the rows of one conversation at once, and a message comes before each of their transactions, so
/// hardly any two of them see the same newest message.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p18_syncs_at_once_leave_one_row_each() {
    let sandbox = Arc::new(Sandbox::with_table().await);
    sandbox
        .put(raw(&message(conversation(1), at(EARLIER), 1, "first")))
        .await;
    run(&sandbox, 1, create(1, 2), true).await;
    for round in 0..20 {
        // In every other round all messages are within 1 ms.
        let step = [5_000, 100][round % 2];
        let begin = at(T).plus_micros(round as i64 * 50_000).unwrap();
        sandbox
            .put(raw(&message(
                conversation(1),
                begin,
                1,
                &format!("m{round}"),
            )))
            .await;
        let moves = (1..=4).map(|mover| {
            let time = begin.plus_micros(mover * step).unwrap();
            let sandbox = Arc::clone(&sandbox);
            async move {
                let (_proxy, writer) = with_meanwhile(&sandbox, async move |sandbox| {
                    let text = format!("m{round}, {mover}");
                    sandbox
                        .put(raw(&message(conversation(1), time, 1, &text)))
                        .await;
                });
                run_by(&writer, create(1, 2)).await;
            }
        });
        futures::future::join_all(moves).await;
        let now = rows(&sandbox).await;
        assert_eq!(now.len(), 2, "{now:?}");
        assert_ne!(now[0].owner, now[1].owner, "{now:?}");
        assert!(
            now.iter()
                .all(|row| row.last_message_at >= SortKey::from(begin)),
            "{now:?}"
        );
        run(&sandbox, 1, Missing::PassOver, false).await;
        let newest = newest_message(&sandbox.store(), conversation(1))
            .await
            .unwrap();
        let newest = newest.unwrap().created_at;
        let now = rows(&sandbox).await;
        assert_eq!(now.len(), 2, "{now:?}");
        assert!(
            now.iter().all(|row| row.last_message_at == newest),
            "{now:?}"
        );
    }
}

/// Older tools wrote times in other forms, which do not sort correctly as text next to the current form.
#[tokio::test]
async fn p17_conversations_that_end_at_one_time_in_an_older_form_both_move() {
    for time in [
        "2026-03-22T08:35:09.123456Z",
        "2026-03-22T10:35:09.123456+02:00",
        "2026-03-22T08:35:09.123456",
        "2026-03-22T08:35:09Z",
        "soon",
    ] {
        let sandbox = Sandbox::with_table().await;
        let time = SortKey::verbatim(time);
        for n in [1, 2] {
            let newest = message(conversation(n), time.clone(), 1, &format!("hi {n}"));
            sandbox.put(raw(&newest)).await;
            for people in [(1, 2), (2, 1)] {
                let old = format!("2026-03-22T08:00:0{n}.000000+00:00");
                sandbox
                    .put(raw(&row(
                        conversation(n),
                        SortKey::verbatim(old),
                        people,
                        "old",
                    )))
                    .await;
            }
        }
        let first = run(&sandbox, 1, Missing::PassOver, false).await;
        assert_eq!(first.updated.len(), 2, "{time}");
        if time.time().is_err() {
            continue;
        }
        let second = run(&sandbox, 2, Missing::PassOver, false).await;
        assert_eq!(second.updated.len(), 2, "{time}");
        let rows = rows(&sandbox).await;
        assert_eq!(rows.len(), 4, "{time}");
        assert!(
            rows.iter().all(|row| row.text.starts_with("hi")),
            "{rows:?}"
        );
        for n in [1, 2] {
            assert!(!run(&sandbox, n, Missing::PassOver, false).await.changed());
        }
    }
}

/// Old scripts only put rows, so a person may have any number of them.
#[tokio::test]
async fn any_number_of_surplus_rows_goes() {
    const ROWS: i64 = 141;
    let sandbox = Sandbox::with_table().await;
    sandbox
        .put(raw(&message(conversation(1), at(T), 1, "new")))
        .await;
    for n in 1..=ROWS {
        let old = at(T).plus_micros(n * -60_000_000).unwrap();
        sandbox
            .put(raw(&row(conversation(1), old, (1, 2), "old")))
            .await;
    }
    sandbox
        .put(raw(&row(conversation(1), at(EARLIER), (2, 1), "old")))
        .await;
    let request = SyncRequest {
        conversation: conversation(1),
        missing: Missing::PassOver,
        doubled: Doubled::Delete,
        never_back: false,
    };
    let synced = sync_rows(&sandbox.writer(), &request).await.unwrap();
    assert_eq!((synced.updated.len(), synced.doubled.len()), (2, 140));
    let expected = [(1, 2), (2, 1)].map(|people| row(conversation(1), at(T), people, "new"));
    assert_eq!(rows(&sandbox).await, expected);
}

/// The row of a message that just fits is too large. This is reported before anything is sent.
#[tokio::test]
async fn a_row_that_would_be_too_large_is_a_lasting_error() {
    let sandbox = Sandbox::with_table().await;
    let mut newest = message(conversation(1), at(T), 1, "");
    newest.text = "x".repeat(MAX_SIZE - size(&raw(&newest)));
    sandbox.put(raw(&newest)).await;
    let request = SyncRequest {
        conversation: conversation(1),
        missing: create(1, 2),
        doubled: Doubled::Leave,
        never_back: true,
    };
    let error = sync_rows(&sandbox.writer(), &request).await;
    let error = error.unwrap_err();
    assert!(
        error.is_lasting() && error.is_of_one_conversation(),
        "{error}"
    );
    assert!(rows(&sandbox).await.is_empty());
}
