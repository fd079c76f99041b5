//! `seed --replace`: the table gets the content of an edited script, whatever was there and wherever it is ended.

use std::collections::BTreeMap;
use std::time::Duration;

use ddb_core::changes::{ChangesError, Executor, Keep, PlanWriter, Receipt, StepSize, Tally};
use ddb_core::item::{ConversationRow, Item, Message, RawItem};
use ddb_core::key::ConversationId;
use ddb_core::seed::{
    REPLACE, ReplaceAgain, Script, Seed, SeedError, Speakers, plan_replacement, prepare,
};
use ddb_core::store::Writer;
use ddb_core::timestamp::Timestamp;
use ddb_test_support::Sandbox;

use crate::changes::{head, undo};
use crate::data::{at, conversation, message, person, raw};
use crate::kills::killing;

const NOW: &str = "2026-03-22T12:00:00.000000+00:00";

fn seed() -> Seed {
    Seed {
        conversation: conversation(1),
        me: person(1),
        other: person(2),
        ends_at: None,
        interval: Duration::from_secs(60),
    }
}

/// A script whose lines alternate between two people.
fn script(lines: &[&str]) -> Script {
    let lines = lines.iter().enumerate();
    let text: String = lines
        .map(|(n, line)| format!("Person {}: {line}\n", n % 2 + 1))
        .collect();
    Script::parse("talk", text.as_bytes(), &Speakers::new("user1", "user2")).unwrap()
}

async fn write(sandbox: &Sandbox, script: &Script) {
    let writer = sandbox.writer();
    let seed = seed();
    let prepared = prepare(&writer, &seed, script, at(NOW)).await.unwrap();
    prepared.write(&writer).await.unwrap();
}

fn later() -> Timestamp {
    at(NOW).plus_micros(3_600_000_000).unwrap()
}

/// Replaces, as `seed --replace` does. Returns how many messages were put, were removed, and belong to others.
async fn replace(
    writer: &Writer,
    script: &Script,
    keep: &Keep,
) -> Result<((u64, u64, u64), Tally), ChangesError> {
    let seed = seed();
    let size = StepSize::new(None);
    let planned = plan_replacement(writer, &seed, script, later(), size).await;
    let planned = match planned {
        Ok(planned) => planned,
        Err(SeedError::Store(error)) => return Err(error.into()),
        Err(error) => panic!("{error}"),
    };
    let counts = (planned.written, planned.removed, planned.others);
    let mut plan = PlanWriter::begin(head(writer, &[REPLACE]).await?)?;
    for step in &planned.steps {
        plan.push(step)?;
    }
    let plan = plan.end()?;
    let receipt = match Receipt::find(keep, plan.head())? {
        Some(receipt) => receipt,
        None if planned.steps.is_empty() => return Ok((counts, Tally::default())),
        None => Receipt::begin(keep, plan.head())?,
    };
    let mut executor = Executor::new(writer, receipt, None);
    executor.finish_open().await?;
    let again = ReplaceAgain::new(writer, &seed, script, size);
    Box::pin(executor.carry_out(&plan, 0, &again, |_| {})).await?;
    Ok((counts, executor.end()?))
}

fn said_in(items: Vec<RawItem>) -> (Vec<Message>, Vec<ConversationRow>) {
    let (mut messages, mut rows) = (Vec::new(), Vec::new());
    for item in items {
        match Item::decode(item) {
            Item::Message(message) => messages.push(message),
            Item::ConversationRow(row) => rows.push(row),
            Item::Unknown { raw, .. } => panic!("{raw:?}"),
        }
    }
    messages.sort_by(|a, b| a.created_at.cmp(&b.created_at));
    (messages, rows)
}

fn texts(messages: &[Message]) -> Vec<&str> {
    messages
        .iter()
        .map(|message| message.text.as_str())
        .collect()
}

/// Returns the texts of a conversation, oldest first. Each participant must have one row, of the newest message.
async fn look(sandbox: &Sandbox) -> Vec<String> {
    let (messages, rows) = said_in(sandbox.items().await);
    let owners: Vec<_> = rows.iter().map(|row| row.owner).collect();
    assert!(owners.len() == 2 && owners[0] != owners[1], "{rows:?}");
    let newest = messages.last().unwrap();
    for row in &rows {
        assert_eq!(
            (&row.text, &row.last_message_at),
            (&newest.text, &newest.created_at)
        );
    }
    texts(&messages).into_iter().map(str::to_owned).collect()
}

/// A replacement makes the table match the edited file, and undo restores the table.
#[tokio::test]
async fn an_edit_of_any_kind_is_what_is_in_the_table_then() {
    let first = ["one", "two", "three", "four"];
    for (edited, counts) in [
        // Edits in the middle, at either end, and of every line.
        (&["one", "TWO", "three", "four"][..], (1, 1, 1)),
        (&["ONE", "two", "three", "four"], (1, 1, 1)),
        (&["one", "two", "three", "FOUR"], (1, 1, 1)),
        (&["ONE", "TWO", "THREE", "FOUR"], (4, 4, 1)),
        // Longer and shorter scripts.
        (&["one", "two", "three", "four", "five"], (1, 0, 1)),
        (&["one", "two"], (0, 2, 1)),
        (&["zero", "one", "two", "three", "four"], (5, 4, 1)),
        (&["two", "three"], (2, 4, 1)),
        (&["one", "two", "three", "four"], (0, 0, 1)),
    ] {
        let sandbox = Sandbox::with_table().await;
        write(&sandbox, &script(&first)).await;
        // A person's message, older than the last of the seed.
        let theirs = at(NOW).plus_micros(-90_000_000).unwrap();
        sandbox
            .put(raw(&message(conversation(1), theirs, 2, "of a person")))
            .await;
        let before = sandbox.items().await;
        let (writer, script) = (sandbox.writer(), script(edited));
        let folder = tempfile::tempdir().unwrap();
        let receipt = folder.path().join("1.jsonl");
        let keep = Keep::At(receipt.clone());
        let (found, tally) = replace(&writer, &script, &keep).await.unwrap();
        assert_eq!((found, tally.left), (counts, 0), "{edited:?}");
        let mut after = look(&sandbox).await;
        let people = after.iter().position(|text| text == "of a person");
        after.remove(people.expect("what a person wrote stays"));
        assert_eq!(after, edited);
        // A second run, and a seed without `--replace`, find nothing to do.
        let table = sandbox.items().await;
        let (again, tally) = replace(&writer, &script, &Keep::Nowhere).await.unwrap();
        assert_eq!(
            (again.0, again.1, tally),
            (0, 0, Tally::default()),
            "{edited:?}"
        );
        write(&sandbox, &script).await;
        assert_eq!(sandbox.items().await, table, "{edited:?}");
        if before != table {
            undo(&writer, &receipt, &Keep::Nowhere).await.unwrap();
        }
        assert_eq!(sandbox.items().await, before, "{edited:?}");
    }
}

/// A message is a seed's only if its id is derived from its own index, sender and text.
#[tokio::test]
async fn what_people_wrote_stays_even_where_it_looks_like_the_file() {
    let sandbox = Sandbox::with_table().await;
    write(&sandbox, &script(&["one", "two", "three"])).await;
    let (messages, _) = said_in(sandbox.items().await);
    // Somebody edits the text of a seeded message: its id is no longer derived from it.
    let changed = Message {
        text: "two, as they put it".to_owned(),
        ..messages[1].clone()
    };
    sandbox.put(raw(&changed)).await;
    // The same words, but with an id of the application, and a message of another conversation's seed.
    let of_application = message(conversation(1), at(NOW), 2, "two");
    let elsewhere = Message {
        id: ddb_core::key::MessageId::derive(&conversation(2), 1, &person(2).id, "two"),
        ..message(conversation(1), later(), 2, "two")
    };
    let of_application = Message {
        created_at: at(NOW).plus_micros(7).unwrap().into(),
        ..of_application
    };
    for theirs in [&of_application, &elsewhere] {
        sandbox.put(raw(theirs)).await;
    }
    let edited = script(&["eins", "zwei"]);
    let (counts, _) = replace(&sandbox.writer(), &edited, &Keep::Nowhere)
        .await
        .unwrap();
    assert_eq!(counts, (2, 2, 3));
    let there = said_in(sandbox.items().await).0;
    for theirs in [&changed, &of_application, &elsewhere] {
        assert!(there.contains(theirs), "{theirs:?}");
    }
    let there = look(&sandbox).await;
    assert_eq!(there.len(), 5);
    assert!(there.contains(&"eins".to_owned()) && there.contains(&"zwei".to_owned()));
}

/// A replacement is ended at any request and run again: it makes the same table, in one receipt, and undo reverts all
/// of it. In between no person's message is lost, none is there twice, and no row is of a message that is not there.
#[tokio::test]
async fn p33_a_replacement_that_is_ended_anywhere_goes_on_in_its_receipt() {
    let lines: Vec<String> = (0..25).map(|n| format!("line {n}")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let mut edited = lines.clone();
    edited.insert(3, "a new one");
    edited.remove(20);
    let (first, edited) = (script(&lines), script(&edited));
    let ready = async || {
        let sandbox = Sandbox::with_table().await;
        write(&sandbox, &first).await;
        let mut theirs = message(
            conversation(1),
            at("2026-03-22T11:50:30Z"),
            2,
            "of a person",
        );
        theirs.id = ddb_core::key::MessageId::new(uuid::Uuid::from_u128(4 << 76 | 7));
        sandbox.put(raw(&theirs)).await;
        sandbox
    };
    let whole = {
        let sandbox = ready().await;
        replace(&sandbox.writer(), &edited, &Keep::Nowhere)
            .await
            .unwrap();
        look(&sandbox).await;
        sandbox.items().await
    };
    for next_is_seen in [false, true] {
        for requests in 0.. {
            let sandbox = ready().await;
            let before = sandbox.items().await;
            let folder = tempfile::tempdir().unwrap();
            let keep = Keep::In(folder.path().join("receipts"));
            let server = killing(&sandbox, requests, next_is_seen);
            let writer = sandbox.writer_at(&server.url());
            let ended = replace(&writer, &edited, &keep).await.is_ok();
            let (messages, rows) = said_in(sandbox.items().await);
            let mut ids = BTreeMap::new();
            for message in &messages {
                assert!(ids.insert(message.id, ()).is_none(), "twice, at {requests}");
            }
            assert!(texts(&messages).contains(&"of a person"), "at {requests}");
            assert_eq!(rows.len(), 2, "at {requests}");
            for row in &rows {
                let is_of = |message: &&Message| message.created_at == row.last_message_at;
                let of = messages.iter().find(is_of);
                assert_eq!(of.map(|of| &of.text), Some(&row.text), "at {requests}");
            }
            replace(&sandbox.writer(), &edited, &keep).await.unwrap();
            assert_eq!(sandbox.items().await, whole, "at {requests}");
            let receipts = std::fs::read_dir(folder.path().join("receipts")).unwrap();
            let receipts: Vec<_> = receipts.map(|file| file.unwrap().path()).collect();
            assert_eq!(receipts.len(), 1, "at {requests}");
            let undone = undo(&sandbox.writer(), &receipts[0], &Keep::Nowhere).await;
            assert_eq!(undone.unwrap().left, 0, "at {requests}");
            assert_eq!(sandbox.items().await, before, "at {requests}");
            if ended {
                break;
            }
        }
    }
}

/// A message moves the rows between the plan and its last step.
#[tokio::test]
async fn a_message_that_comes_meanwhile_stays() {
    let sandbox = Sandbox::with_table().await;
    write(&sandbox, &script(&["one", "two", "three"])).await;
    let writer = sandbox.writer();
    let (seed, edited) = (seed(), script(&["one", "two", "THREE", "four"]));
    let size = StepSize::new(None);
    let planned = plan_replacement(&writer, &seed, &edited, later(), size);
    let planned = planned.await.unwrap();
    let mut plan = PlanWriter::begin(head(&writer, &[REPLACE]).await.unwrap()).unwrap();
    for step in &planned.steps {
        plan.push(step).unwrap();
    }
    let plan = plan.end().unwrap();
    // It moves both rows, so the last step no longer fits.
    let text = "meanwhile".parse().unwrap();
    let beside = ddb_core::conversation::create_message(
        &writer,
        conversation(1),
        person(2),
        &text,
        at("2026-03-22T12:00:30Z"),
    );
    beside.await.unwrap();
    let receipt = Receipt::begin(&Keep::Nowhere, plan.head()).unwrap();
    let mut executor = Executor::new(&writer, receipt, None);
    let again = ReplaceAgain::new(&writer, &seed, &edited, size);
    Box::pin(executor.carry_out(&plan, 0, &again, |_| {}))
        .await
        .unwrap();
    assert_eq!(executor.end().unwrap().left, 0);
    assert_eq!(
        look(&sandbox).await,
        ["one", "two", "THREE", "meanwhile", "four"]
    );
}

#[test]
fn a_file_has_the_same_id_whoever_is_named_first() {
    let of: ConversationId = "5ae290ed-55d1-47a0-bc6d-fe2bc2700399".parse().unwrap();
    let [one, two] = [
        "9c1a1c1e-0000-4000-8000-000000000002",
        "1b1a1c1e-0000-4000-8000-000000000001",
    ]
    .map(|id| id.parse().unwrap());
    let id = ConversationId::derive(&of, [one, two], "tea.txt");
    assert_eq!(id, ConversationId::derive(&of, [two, one], "tea.txt"));
    assert_ne!(id, ConversationId::derive(&of, [one, two], "coffee.txt"));
    // The id that another implementation of UUIDv5 gives.
    assert_eq!(id.to_string(), "bc45e2b5-f85e-5509-923e-9b4bdbdbf091");
}
