//! Older times are rewritten: whatever a reader looks at, and whenever, is complete.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::num::NonZeroU32;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use ddb_core::changes::{AT_ONCE, ChangesError, Keep, PlanWriter, StepSize, Tally};
use ddb_core::conversation::{Pass, Planned, RepairPlanner, RowRules, inspect};
use ddb_core::environment::Environment;
use ddb_core::item::{Item, Message, RawItem};
use ddb_core::key::SortKey;
use ddb_core::store::Writer;
use ddb_core::timezone::{Zone, ZoneName};
use ddb_test_support::http::{Server, forward};
use ddb_test_support::{Sandbox, is_deep};
use futures::StreamExt;
use serde_json::Value;

use crate::changes::{carry_out, head, undo};
use crate::data::{conversation, message, raw, row};
use crate::kills::killing;
use crate::storm::scan;

fn named(zone: &str) -> Zone {
    let zone: ZoneName = zone.parse().unwrap();
    zone.resolve(&Environment::default()).unwrap()
}

/// Updates the rows and times of a whole table, as `check-conversations --repair --times` does.
pub async fn migrate(writer: &Writer, zone: &str, keep: &Keep) -> Result<Tally, ChangesError> {
    migrate_by(writer, zone, keep, StepSize::new(None)).await
}

async fn migrate_by(
    writer: &Writer,
    zone: &str,
    keep: &Keep,
    size: StepSize,
) -> Result<Tally, ChangesError> {
    let zone = named(zone);
    let mut pass = Pass::default();
    let items = scan(writer).await.map_err(|_| writer_gone())?;
    items.iter().for_each(|item| pass.take(&item.into()));
    let planner = RepairPlanner::new(writer, &(), RowRules::ALL, size, HashMap::new());
    let mut planner = planner.with_times(zone);
    let mut plan = PlanWriter::begin(head(writer, &["migrate"]).await?)?;
    for id in pass.suspects() {
        let seen = inspect(writer, id, &pass.owners(id), &()).await?;
        if let (false, Ok(people)) = (seen.findings.is_empty(), seen.people) {
            for step in planner.rows(id, &people).await? {
                plan.push(&step)?;
            }
        }
    }
    let older = pass.with_older_times();
    let older: Vec<_> = older.map(|id| (id, pass.owners(id))).collect();
    let mut pieces = std::pin::pin!(planner.times(&older, zone));
    while let Some(piece) = pieces.next().await {
        match piece {
            Planned::Step(step) => plan.push(&step)?,
            Planned::Failed(_, error) => return Err(error.into()),
            Planned::Whole(_) | Planned::NeverWas { .. } => {}
        }
    }
    Box::pin(carry_out(writer, &plan.end()?, keep, Some(&planner))).await
}

fn writer_gone() -> ChangesError {
    ChangesError::Foreign {
        path: "gone".into(),
    }
}

fn key(sk: &str) -> SortKey {
    SortKey::verbatim(sk)
}

/// A message whose id is derived from its text, so that two sandboxes have the same.
pub fn said(n: u128, sk: &str, from: u128, text: &str) -> Message {
    let mut message = message(conversation(n), key(sk), from, text);
    let sender = message.sender.id;
    message.id = ddb_core::key::MessageId::derive(&conversation(n), 0, &sender, text);
    message
}

/// Two conversations as old scripts and the backend left them: naive times, one with microseconds, one with another
/// offset, filler rows a day in the future, a doubled row, and two messages at one instant.
pub fn old_table() -> Vec<RawItem> {
    let mut items = Vec::new();
    for (n, day) in [(1, "01"), (2, "02")] {
        for minute in 0..7 {
            let sk = format!("2023-05-{day}T10:{minute:02}:00.{minute:06}");
            items.push(raw(&said(
                n,
                &sk,
                1 + minute % 2,
                &format!("line {minute}"),
            )));
        }
        let future = format!("2023-06-{day}T12:00:00.000002");
        items.push(raw(&row(conversation(n), key(&future), (1, 2), "filler")));
        items.push(raw(&row(conversation(n), key(&future), (2, 1), "filler")));
    }
    items.push(raw(&said(
        1,
        "2023-05-01T10:30:00+01:00",
        1,
        "with an offset",
    )));
    items.push(raw(&said(
        1,
        "2023-05-01T10:06:00.000006Z",
        2,
        "at one instant",
    )));
    items.push(raw(&said(2, "2023-05-02T10:07:00.123456", 2, "the newest")));
    let doubled = key("2023-06-03T12:00:00.000002");
    items.push(raw(&row(conversation(2), doubled, (2, 1), "filler")));
    items
}

pub async fn old_sandbox() -> Sandbox {
    let sandbox = Sandbox::with_table().await;
    sandbox.fill(&old_table()).await;
    sandbox
}

/// The texts of the messages, by their ids, and the number of rows of each owner in each conversation.
pub type Contents = (BTreeMap<String, String>, BTreeMap<(String, String), usize>);

pub fn contents(items: &[RawItem]) -> Contents {
    let (mut messages, mut rows) = (BTreeMap::new(), BTreeMap::new());
    for item in items {
        match Item::decode(item.clone()) {
            Item::Message(message) => {
                let id = message.id.to_string();
                assert!(
                    messages.insert(id, message.text).is_none(),
                    "a message is there twice"
                );
            }
            Item::ConversationRow(row) => {
                let owner = (row.conversation.to_string(), row.owner.to_string());
                *rows.entry(owner).or_default() += 1;
            }
            Item::Unknown { raw, .. } => panic!("{raw:?}"),
        }
    }
    (messages, rows)
}

pub fn all_written(items: &[RawItem]) -> bool {
    let key = |item: &RawItem| key(item["sk"].as_s().unwrap());
    items.iter().all(|item| key(item).is_written_form())
}

/// Returns the message that a reader takes for the newest of a conversation.
fn newest(items: &[RawItem], n: u128) -> Message {
    let messages = items
        .iter()
        .filter_map(|item| match Item::decode(item.clone()) {
            Item::Message(message) if message.conversation == conversation(n) => Some(message),
            _ => None,
        });
    messages
        .max_by_key(|message| message.created_at.clone())
        .unwrap()
}

#[tokio::test]
async fn p35_a_table_of_old_times_is_brought_up_to_date_and_back() {
    for zone in ["UTC", "Europe/Berlin", "America/New_York"] {
        let sandbox = old_sandbox().await;
        let before = sandbox.items().await;
        let writer = sandbox.writer();
        let folder = tempfile::tempdir().unwrap();
        let receipt = folder.path().join("1.jsonl");
        let done = migrate(&writer, zone, &Keep::At(receipt.clone()))
            .await
            .unwrap();
        assert_eq!(done.left, 0, "{zone}");
        let after = sandbox.items().await;
        assert!(all_written(&after), "{zone}: {after:?}");
        let (messages, rows) = contents(&after);
        assert_eq!(messages, contents(&before).0);
        assert!(rows.values().all(|rows| *rows == 1) && rows.len() == 4);
        let mut pass = Pass::default();
        after.iter().for_each(|item| pass.take(&item.into()));
        assert!(pass.suspects().is_empty(), "{zone}");
        assert_eq!(pass.findings().count(), 0, "{zone}");
        assert_eq!(newest(&after, 2).text, "the newest");
        assert_eq!(
            migrate(&writer, zone, &Keep::Nowhere).await.unwrap(),
            Tally::default()
        );
        let undone = undo(&writer, &receipt, &Keep::Nowhere).await.unwrap();
        assert_eq!(undone.left, 0);
        assert_eq!(sandbox.items().await, before, "{zone}");
    }
}

#[tokio::test]
async fn p35_a_migration_that_is_ended_anywhere_loses_and_doubles_nothing() {
    let (texts, owners) = contents(&old_table());
    let whole = {
        let sandbox = old_sandbox().await;
        migrate(&sandbox.writer(), "Europe/Berlin", &Keep::Nowhere)
            .await
            .unwrap();
        sandbox.items().await
    };
    // The requests that plan change nothing: ended there, it starts again. Killing it at each of them takes minutes.
    let apart = if is_deep() { 1 } else { 11 };
    for (requests, next_is_seen) in (12..).step_by(apart).zip([false, true].into_iter().cycle()) {
        let sandbox = old_sandbox().await;
        let folder = tempfile::tempdir().unwrap();
        let keep = Keep::In(folder.path().to_owned());
        let server = killing(&sandbox, requests, next_is_seen);
        let writer = sandbox.writer_at(&server.url());
        let ended = migrate(&writer, "Europe/Berlin", &keep).await.is_ok();
        let (messages, rows) = contents(&sandbox.items().await);
        assert_eq!(messages, texts, "at {requests}");
        assert_eq!(rows.len(), 4);
        assert!(
            owners.iter().all(|(owner, before)| rows[owner] <= *before),
            "at {requests}"
        );
        migrate(&sandbox.writer(), "Europe/Berlin", &keep)
            .await
            .unwrap();
        assert_eq!(sandbox.items().await, whole, "at {requests}");
        if ended {
            break;
        }
    }
}

/// What was in flight: the most conversations at once, and the deleted messages, in order.
#[derive(Default)]
struct Flights {
    now: BTreeSet<String>,
    most: usize,
    deleted: BTreeMap<String, Vec<String>>,
}

/// Records the transactions that move messages. Each one waits until the maximum number is in flight, once.
fn watching(sandbox: &Sandbox, flights: &Arc<(Mutex<Flights>, Condvar)>) -> Server {
    let (engine, flights) = (sandbox.url(), Arc::clone(flights));
    Server::start(move |request| {
        let body = match request.operation.as_str() {
            "TransactWriteItems" => serde_json::from_slice(&request.body).unwrap(),
            _ => Value::Null,
        };
        let no_actions = Vec::new();
        let actions = body["TransactItems"].as_array().unwrap_or(&no_actions);
        let deleted: Vec<(String, String)> = actions
            .iter()
            .filter_map(|action| {
                let part = |name: &str| action["Delete"]["Key"][name]["S"].as_str();
                Some((part("pk")?.to_owned(), part("sk")?.to_owned()))
            })
            .filter(|(pk, _)| pk.starts_with("MSG#"))
            .collect();
        let Some((conversation, _)) = deleted.first().cloned() else {
            return forward(request, &engine);
        };
        let (state, more) = &*flights;
        {
            let mut flights = state.lock().unwrap();
            let is_new = flights.now.insert(conversation.clone());
            assert!(is_new, "two steps of one conversation at once");
            flights.most = flights.most.max(flights.now.len());
            let keys = deleted.into_iter().map(|(_, sk)| sk);
            flights
                .deleted
                .entry(conversation.clone())
                .or_default()
                .extend(keys);
            more.notify_all();
            // Fewer are in flight at the end of the work. If the maximum is never reached, the number fails the test.
            let patience = Duration::from_secs(2);
            let is_alone =
                |flights: &mut Flights| flights.most < AT_ONCE && flights.deleted.len() >= AT_ONCE;
            drop(
                more.wait_timeout_while(flights, patience, is_alone)
                    .unwrap(),
            );
        }
        let answer = forward(request, &engine);
        state.lock().unwrap().now.remove(&conversation);
        answer
    })
}

/// More conversations than are sent at once, each with several steps.
#[tokio::test]
async fn several_conversations_are_brought_up_to_date_at_once_each_in_its_order() {
    const CONVERSATIONS: u128 = AT_ONCE as u128 + 3;
    let mut items = Vec::new();
    for n in 1..=CONVERSATIONS {
        // Some conversations end before others.
        for minute in 0..6 + n % 3 {
            let sk = format!("2023-05-01T10:{minute:02}:00.{n:06}");
            items.push(raw(&said(
                n,
                &sk,
                1 + minute % 2,
                &format!("line {minute}"),
            )));
        }
        let newest = format!("2023-05-01T10:{:02}:00.{n:06}", 5 + n % 3);
        let text = format!("line {}", 5 + n % 3);
        for people in [(1, 2), (2, 1)] {
            items.push(raw(&row(conversation(n), key(&newest), people, &text)));
        }
    }
    let sandbox = Sandbox::with_table().await;
    sandbox.fill(&items).await;
    let before = sandbox.items().await;
    let folder = tempfile::tempdir().unwrap();
    let receipt = folder.path().join("r");
    // Two changes per step, which move one message.
    let size = StepSize::new(NonZeroU32::new(4));
    for is_undo in [false, true] {
        let flights = Arc::default();
        let server = watching(&sandbox, &flights);
        let writer = sandbox.writer_at(&server.url());
        let done = match is_undo {
            false => migrate_by(&writer, "UTC", &Keep::At(receipt.clone()), size).await,
            true => undo(&writer, &receipt, &Keep::Nowhere).await,
        };
        assert_eq!(done.unwrap().left, 0);
        let flights = flights.0.lock().unwrap();
        assert_eq!(flights.most, AT_ONCE, "undo: {is_undo}");
        assert_eq!(flights.deleted.len() as u128, CONVERSATIONS);
        // These times move later, so the newest messages go first. In the undo they go last.
        for (conversation, deleted) in &flights.deleted {
            let mut sorted = deleted.clone();
            sorted.sort_by(|a, b| if is_undo { a.cmp(b) } else { b.cmp(a) });
            assert!(deleted.len() >= 6, "{deleted:?}");
            assert_eq!(deleted, &sorted, "{conversation}");
        }
    }
    assert_eq!(sandbox.items().await, before);
}

/// A reader looks at the table after every transaction.
#[tokio::test]
async fn p35_what_a_reader_takes_for_the_newest_never_goes_back() {
    for zone in ["UTC", "Europe/Berlin", "America/New_York"] {
        let sandbox = Arc::new(old_sandbox().await);
        let before = sandbox.items().await;
        let last = Arc::new(Mutex::new([1, 2].map(|n| newest(&before, n))));
        let (engine, reader, seen) = (sandbox.url(), Arc::clone(&sandbox), Arc::clone(&last));
        let texts = contents(&before).0;
        let looks = Arc::new(Mutex::new(0));
        let count = Arc::clone(&looks);
        let server = Server::start(move |request| {
            let answer = forward(request, &engine);
            if request.operation == "TransactWriteItems" {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build();
                let items = runtime.unwrap().block_on(reader.items());
                let (messages, rows) = contents(&items);
                assert_eq!(messages, texts);
                assert_eq!(rows.len(), 4);
                for (n, last) in (1..).zip(seen.lock().unwrap().iter_mut()) {
                    let now = newest(&items, n);
                    if now.id != last.id {
                        // Another message becomes the newest only if its time is not earlier.
                        assert!(now.created_at.time().unwrap() >= last.created_at.time().unwrap());
                    }
                    *last = now;
                }
                *count.lock().unwrap() += 1;
            }
            answer
        });
        let writer = sandbox.writer_at(&server.url());
        migrate(&writer, zone, &Keep::Nowhere).await.unwrap();
        assert!(*looks.lock().unwrap() >= 6, "{zone}");
    }
}

/// Somebody writes between the plan and each of its first four transactions.
#[tokio::test]
async fn p35_writers_beside_a_migration_lose_nothing() {
    let sandbox = Arc::new(old_sandbox().await);
    let (engine, other) = (sandbox.url(), Arc::clone(&sandbox));
    let written = Arc::new(Mutex::new(0_i64));
    let count = Arc::clone(&written);
    let server = Server::start(move |request| {
        let nth = {
            let mut count = count.lock().unwrap();
            *count += i64::from(request.operation == "TransactWriteItems");
            *count
        };
        if request.operation == "TransactWriteItems" && nth <= 4 {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.unwrap().block_on(async {
                let at = crate::data::at("2026-03-22T08:35:09Z")
                    .plus_micros(nth)
                    .unwrap();
                let from = crate::data::person(1);
                let text: ddb_core::conversation::Text = format!("beside {nth}").parse().unwrap();
                let beside = other.writer();
                let created = ddb_core::conversation::create_message(
                    &beside,
                    conversation(1),
                    from,
                    &text,
                    at,
                );
                created.await.unwrap();
            });
        }
        forward(request, &engine)
    });
    let writer = sandbox.writer_at(&server.url());
    let done = migrate(&writer, "UTC", &Keep::Nowhere).await.unwrap();
    assert_eq!(done.left, 0);
    migrate(&sandbox.writer(), "UTC", &Keep::Nowhere)
        .await
        .unwrap();
    let items = sandbox.items().await;
    assert!(all_written(&items));
    let (messages, rows) = contents(&items);
    let beside = messages
        .values()
        .filter(|text| text.starts_with("beside"))
        .count();
    assert_eq!(
        (beside, messages.len()),
        (4, contents(&old_table()).0.len() + 4)
    );
    assert!(rows.values().all(|rows| *rows == 1), "{rows:?}");
    let mut pass = Pass::default();
    items.iter().for_each(|item| pass.take(&item.into()));
    assert!(pass.suspects().is_empty());
}

/// What the course's own Lambda function does at each record of a table's stream: if a message was put, it deletes
/// the rows that the index shows, and puts both at the key of that message.
pub async fn course_lambda(sandbox: &Sandbox, inserted: &Message) {
    let index = sandbox.items().await.into_iter();
    let rows: Vec<_> = index
        .filter_map(|item| match Item::decode(item) {
            Item::ConversationRow(row) if row.conversation == inserted.conversation => Some(row),
            _ => None,
        })
        .collect();
    for row in rows {
        sandbox.delete(&raw(&row)).await;
        let moved = ddb_core::item::ConversationRow {
            last_message_at: inserted.created_at.clone(),
            text: inserted.text.clone(),
            ..row
        };
        sandbox.put(raw(&moved)).await;
    }
}

/// Returns the messages whose keys an earlier table does not have: those are INSERT records.
pub fn inserted(before: &[RawItem], after: &[RawItem]) -> Vec<Message> {
    let keys = |item: &RawItem| [item["pk"].clone(), item["sk"].clone()];
    let is_new = |item: &&RawItem| !before.iter().any(|old| keys(old) == keys(item));
    let messages = after.iter().filter(is_new);
    let messages = messages.filter_map(|item| match Item::decode(item.clone()) {
        Item::Message(message) => Some(message),
        _ => None,
    });
    messages.collect()
}

pub fn suspects(items: &[RawItem]) -> usize {
    let mut pass = Pass::default();
    items.iter().for_each(|item| pass.take(&item.into()));
    pass.suspects().len()
}

/// The how-to stops the course's function, migrates, and starts it again at LATEST. The table is clean then, and
/// after the next message. If the function starts where it stopped, it puts the rows at the message that was put
/// last.
#[tokio::test]
async fn p35_a_foreign_function_is_stopped_first_and_starts_again_at_latest() {
    for starts_at_latest in [true, false] {
        let sandbox = old_sandbox().await;
        let before = sandbox.items().await;
        migrate(&sandbox.writer(), "America/Toronto", &Keep::Nowhere)
            .await
            .unwrap();
        let after = sandbox.items().await;
        assert_eq!(suspects(&after), 0);
        let records = inserted(&before, &after);
        assert!(records.len() > 10, "each message is put anew");
        if !starts_at_latest {
            // Records of one partition come in the order of the work, in which the newest message is put first.
            for message in records.iter().rev() {
                course_lambda(&sandbox, message).await;
            }
            assert!(suspects(&sandbox.items().await) > 0, "its rows are behind");
            continue;
        }
        let next = said(1, "2026-05-01T10:00:00.000000+00:00", 1, "after it");
        sandbox.put(raw(&next)).await;
        course_lambda(&sandbox, &next).await;
        assert_eq!(suspects(&sandbox.items().await), 0);
    }
}

#[tokio::test]
async fn a_time_that_never_was_is_named_and_left() {
    let sandbox = Sandbox::with_table().await;
    let gap = "2026-03-29T02:30:00";
    sandbox.put(raw(&said(1, gap, 1, "in the gap"))).await;
    sandbox
        .put(raw(&said(1, "2026-03-29T01:30:00", 2, "before it")))
        .await;
    let writer = sandbox.writer();
    let size = StepSize::new(None);
    let zone = named("Europe/Berlin");
    let planner = RepairPlanner::new(&writer, &(), RowRules::ALL, size, HashMap::new());
    let planner = planner.with_times(zone);
    let older = [(conversation(1), Vec::new())];
    let pieces: Vec<Planned> = planner.times(&older, zone).collect().await;
    let is_gap = |piece: &&Planned| matches!(piece, Planned::NeverWas { sk, .. } if sk == gap);
    assert_eq!(pieces.iter().filter(is_gap).count(), 1);
    let is_step = |piece: &&Planned| matches!(piece, Planned::Step(_));
    assert_eq!(pieces.iter().filter(is_step).count(), 1);
    assert!(matches!(pieces.last(), Some(Planned::Whole(_))));
    assert_eq!(pieces.len(), 3);
}
