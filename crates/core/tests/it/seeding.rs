//! Seeding on an engine: a second run changes nothing, whatever the first one left.

use std::time::Duration;

use ddb_core::item::{Item, Kind};
use ddb_core::key::MessageId;
use ddb_core::seed::{Prepared, Report, Script, Seed, SeedError, Speakers, prepare};
use ddb_core::timestamp::Timestamp;
use ddb_test_support::Sandbox;

use crate::data::{at, conversation, message, person, raw, row};

const NOW: &str = "2026-03-22T12:00:00.000000+00:00";

fn seed(number: u128) -> Seed {
    Seed {
        conversation: conversation(number),
        me: person(1),
        other: person(2),
        ends_at: None,
        interval: Duration::from_secs(60),
    }
}

fn script(lines: usize) -> Script {
    let text: String = (0..lines)
        .map(|n| format!("Person {}: line {n}\n", n % 2 + 1))
        .collect();
    Script::parse("talk", text.as_bytes(), &Speakers::new("user1", "user2")).unwrap()
}

async fn run(
    sandbox: &Sandbox,
    seed: &Seed,
    script: &Script,
    now: Timestamp,
) -> Result<Report, SeedError> {
    let writer = sandbox.writer();
    prepare(&writer, seed, script, now)
        .await?
        .write(&writer)
        .await
}

#[tokio::test]
async fn p13_two_seeds_are_one_seed() {
    let sandbox = Sandbox::with_table().await;
    let (seed, script) = (seed(1), script(57));
    let first = run(&sandbox, &seed, &script, at(NOW)).await.unwrap();
    assert_eq!((first.written, first.rows.created.len()), (57, 2));
    let table = sandbox.items().await;
    assert_eq!(table.len(), 59);
    let later = at(NOW).plus_micros(86_400_000_000).unwrap();
    let second = run(&sandbox, &seed, &script, later).await.unwrap();
    assert_eq!(second.written, 0);
    assert!(!second.rows.changed());
    assert_eq!(sandbox.items().await, table);
}

#[tokio::test]
async fn messages_carry_their_sender_and_rows_the_last_message() {
    let sandbox = Sandbox::with_table().await;
    run(&sandbox, &seed(1), &script(3), at(NOW)).await.unwrap();
    let items: Vec<Item> = sandbox
        .items()
        .await
        .into_iter()
        .map(Item::decode)
        .collect();
    let mut messages = Vec::new();
    for item in items {
        match item {
            Item::Message(message) => messages.push((message.sender.handle, message.text)),
            Item::ConversationRow(row) => {
                assert_eq!(row.text, "line 2");
                assert_eq!(row.last_message_at, at(NOW).into());
                assert_ne!(row.owner, row.other.id);
            }
            Item::Unknown { raw, reason } => panic!("{reason}: {raw:?}"),
        }
    }
    let said = |handle: &str, text: &str| (handle.to_owned(), text.to_owned());
    assert_eq!(
        messages,
        [
            said("user1", "line 0"),
            said("user2", "line 1"),
            said("user1", "line 2")
        ]
    );
}

/// Returns the ids of all messages, each as often as it occurs.
async fn ids(sandbox: &Sandbox) -> Vec<MessageId> {
    let items = sandbox.items().await.into_iter().map(Item::decode);
    let messages = items.filter_map(|item| match item {
        Item::Message(message) => Some(message.id),
        _ => None,
    });
    let mut ids: Vec<MessageId> = messages.collect();
    ids.sort_unstable();
    ids
}

/// Both runs read the table before either writes. Then each seed is run once more, without interference.
async fn seeds_at_once(one: (&Seed, &Script), two: (&Seed, &Script)) -> Vec<MessageId> {
    let sandbox = Sandbox::with_table().await;
    let writer = sandbox.writer();
    let later = at(NOW).plus_micros(1_234).unwrap();
    let first = prepare(&writer, one.0, one.1, at(NOW)).await.unwrap();
    let second = prepare(&writer, two.0, two.1, later).await.unwrap();
    let of = |prepared: &Prepared<'_>| {
        prepared
            .messages()
            .iter()
            .map(|message| message.id)
            .collect()
    };
    let wanted: [Vec<MessageId>; 2] = [of(&first), of(&second)];
    second.write(&writer).await.unwrap();
    first.write(&writer).await.unwrap();
    let there = ids(&sandbox).await;
    let is_lost = |id: &&MessageId| !there.contains(id);
    assert_eq!(
        wanted.iter().flatten().filter(is_lost).count(),
        0,
        "none lost"
    );
    let peace = at(NOW).plus_micros(86_400_000_000).unwrap();
    for (seed, script) in [one, two] {
        run(&sandbox, seed, script, peace).await.unwrap();
    }
    let rows = sandbox.items().await;
    let rows = rows.iter().filter(|item| Kind::of(item) == Kind::Group);
    assert_eq!(rows.count(), 2, "one row each");
    ids(&sandbox).await
}

/// Neither seed has an end time, so each takes its own current time.
#[tokio::test]
async fn p13_the_same_seed_twice_at_once_is_one_seed() {
    let (seed, script) = (seed(1), script(57));
    let mut found = seeds_at_once((&seed, &script), (&seed, &script)).await;
    assert_eq!(found.len(), 57, "each once");
    found.dedup();
    assert_eq!(found.len(), 57, "each once");
}

/// Two scripts for one conversation, with the same end: each message wants the key of a message of the other script.
#[tokio::test]
async fn p13_two_seeds_of_one_group_at_once_lose_nothing() {
    let seed = Seed {
        ends_at: Some(at(NOW)),
        ..seed(1)
    };
    let mut other = script(57);
    for line in &mut other.lines {
        line.text.push('!');
    }
    let mut found = seeds_at_once((&seed, &script(57)), (&seed, &other)).await;
    found.dedup();
    assert_eq!(found.len(), 114, "each once");
}

/// If any single item is lost, seeding again restores the same table.
#[tokio::test]
async fn p14_any_lost_item_comes_back_where_it_was() {
    let sandbox = Sandbox::with_table().await;
    let (seed, script) = (seed(1), script(9));
    run(&sandbox, &seed, &script, at(NOW)).await.unwrap();
    let table = sandbox.items().await;
    let later = at(NOW).plus_micros(1_234_567).unwrap();
    for lost in &table {
        sandbox.delete(lost).await;
        run(&sandbox, &seed, &script, later).await.unwrap();
        assert_eq!(sandbox.items().await, table);
    }
}

#[tokio::test]
async fn messages_of_the_application_are_respected() {
    let sandbox = Sandbox::with_table().await;
    let (seed, script) = (seed(1), script(9));
    run(&sandbox, &seed, &script, at(NOW)).await.unwrap();
    let newer = at(NOW).plus_micros(500).unwrap();
    sandbox
        .put(raw(&message(
            conversation(1),
            newer,
            2,
            "from the application",
        )))
        .await;
    let later = at(NOW).plus_micros(1_000_000).unwrap();
    let second = run(&sandbox, &seed, &script, later).await.unwrap();
    assert_eq!(second.written, 0);
    // The rows move to the newest message of the conversation, not of the script.
    assert_eq!(second.rows.updated.len(), 2);
    let third = run(&sandbox, &seed, &script, later).await.unwrap();
    assert!(!third.rows.changed());
}

#[tokio::test]
async fn a_taken_key_moves_the_whole_conversation_back() {
    let sandbox = Sandbox::with_table().await;
    let mut seed = seed(1);
    seed.ends_at = Some(at(NOW));
    let odd = message(conversation(1), at(NOW), 1, "here first");
    sandbox.put(raw(&odd)).await;
    for _ in 0..2 {
        run(&sandbox, &seed, &script(3), at(NOW)).await.unwrap();
        let items = sandbox.items().await;
        let messages = items
            .iter()
            .filter(|item| Kind::of(item) == Kind::Message)
            .count();
        assert_eq!(messages, 4);
        assert!(items.contains(&raw(&odd)));
    }
}

#[tokio::test]
async fn an_edited_script_writes_nothing() {
    let sandbox = Sandbox::with_table().await;
    run(&sandbox, &seed(1), &script(9), at(NOW)).await.unwrap();
    let table = sandbox.items().await;
    let mut edited = script(9);
    edited.lines[4].text.push('!');
    let later = at(NOW).plus_micros(1).unwrap();
    let error = run(&sandbox, &seed(1), &edited, later).await.unwrap_err();
    assert!(
        error.to_string().contains("message 5 of the script"),
        "{error}"
    );
    let error = run(&sandbox, &seed(1), &script(10), later)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("later than now"), "{error}");
    assert_eq!(sandbox.items().await, table);
}

#[tokio::test]
async fn a_conversation_of_other_people_is_refused() {
    let sandbox = Sandbox::with_table().await;
    sandbox
        .put(raw(&message(conversation(1), at(NOW), 7, "mine")))
        .await;
    sandbox
        .put(raw(&row(conversation(2), at(NOW), (1, 7), "mine")))
        .await;
    sandbox
        .put(raw(&row(conversation(3), at(NOW), (7, 1), "mine")))
        .await;
    for number in 1..=3 {
        let error = run(&sandbox, &seed(number), &script(3), at(NOW))
            .await
            .unwrap_err();
        assert!(matches!(error, SeedError::OtherUsers { .. }), "{error}");
    }
    assert_eq!(sandbox.items().await.len(), 3);
}

#[tokio::test]
async fn two_conversations_that_end_at_one_instant_both_stay() {
    let sandbox = Sandbox::with_table().await;
    for number in 1..=2 {
        let mut seed = seed(number);
        seed.ends_at = Some(at(NOW));
        run(&sandbox, &seed, &script(3), at(NOW)).await.unwrap();
    }
    let items = sandbox.items().await;
    let rows = items
        .iter()
        .filter(|item| Kind::of(item) == Kind::Group)
        .count();
    assert_eq!((items.len(), rows), (10, 4));
}
