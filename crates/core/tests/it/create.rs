//! Access patterns C and D on an engine.

use ddb_core::Error;
use ddb_core::conversation::{Membership, Text, create_conversation, create_message, membership};
use ddb_core::item::{ConversationRow, Item, Kind, Message};
use ddb_core::timestamp::Timestamp;
use ddb_test_support::Sandbox;
use ddb_test_support::proxy::{Fault, Proxy};

use crate::data::{at, conversation, message, person, raw, row};

const T: &str = "2026-03-22T08:35:09.123456+00:00";

fn text(text: &str) -> Text {
    text.parse().unwrap()
}

async fn begin(
    sandbox: &Sandbox,
    people: (u128, u128),
    now: Timestamp,
) -> Result<ConversationRow, Error> {
    let people = [person(people.0), person(people.1)];
    create_conversation(&sandbox.writer(), people, &text("hello"), now).await
}

#[tokio::test]
async fn a_conversation_begins_with_two_rows_and_a_message() {
    let sandbox = Sandbox::with_table().await;
    let own = begin(&sandbox, (1, 2), at(T)).await.unwrap();
    let items: Vec<Item> = sandbox
        .items()
        .await
        .into_iter()
        .map(Item::decode)
        .collect();
    assert_eq!(items.len(), 3);
    let others = row(own.conversation, at(T), (2, 1), "hello");
    assert!(items.contains(&Item::ConversationRow(own.clone())));
    assert!(items.contains(&Item::ConversationRow(others)));
    let is_first = |item: &Item| {
        matches!(item, Item::Message(Message { conversation, created_at, sender, .. })
            if *conversation == own.conversation && *created_at == own.last_message_at && *sender == person(1))
    };
    assert!(items.iter().any(is_first), "{items:?}");
}

/// Conversations that begin at one instant move to the next one that is free for both people.
#[tokio::test]
async fn p17_conversations_at_one_instant_never_overwrite_each_other() {
    let sandbox = Sandbox::with_table().await;
    for (n, people) in [(1, 2), (1, 2), (2, 1), (1, 3), (3, 4)]
        .into_iter()
        .enumerate()
    {
        let own = begin(&sandbox, people, at(T)).await.unwrap();
        let expected = [0, 1, 2, 3, 0][n];
        assert_eq!(
            own.last_message_at,
            at(T).plus_micros(expected).unwrap().into(),
            "{n}"
        );
    }
    let items = sandbox.items().await;
    let rows = items
        .iter()
        .filter(|item| Kind::of(item) == Kind::Group)
        .count();
    assert_eq!((items.len(), rows), (15, 10));
}

#[tokio::test]
async fn messages_at_one_instant_all_stay() {
    let sandbox = Sandbox::with_table().await;
    let writer = sandbox.writer();
    for n in 0..5 {
        let made = create_message(&writer, conversation(1), person(1), &text("same"), at(T)).await;
        assert_eq!(
            made.unwrap().created_at,
            at(T).plus_micros(n).unwrap().into()
        );
    }
    assert_eq!(sandbox.items().await.len(), 5);
}

#[tokio::test]
async fn whoever_has_a_row_is_a_member() {
    let sandbox = Sandbox::with_table().await;
    let store = sandbox.store();
    let of = async |conversation_number: u128, user: u128| {
        membership(&store, conversation(conversation_number), person(user).id)
            .await
            .unwrap()
    };
    assert_eq!(of(1, 1).await, Membership::NoConversation);
    sandbox
        .put(raw(&row(conversation(1), at(T), (1, 2), "x")))
        .await;
    sandbox
        .put(raw(&row(
            conversation(9),
            at(T).plus_micros(1).unwrap(),
            (1, 2),
            "x",
        )))
        .await;
    sandbox
        .put(raw(&message(conversation(2), at(T), 1, "x")))
        .await;
    assert_eq!(of(1, 1).await, Membership::Member);
    assert_eq!(of(1, 2).await, Membership::Stranger);
    assert_eq!(of(2, 1).await, Membership::Stranger);
    assert_eq!(of(3, 1).await, Membership::NoConversation);
}

/// One request to the index, which has two rows of the conversation. A user's other conversations are not read,
/// however many there are.
#[tokio::test]
async fn how_somebody_stands_to_a_conversation_is_one_request() {
    let sandbox = Sandbox::with_table().await;
    for people in [(1, 2), (2, 1)] {
        sandbox
            .put(raw(&row(conversation(1), at(T), people, "x")))
            .await;
    }
    let proxy = Proxy::start(&sandbox.url(), |_, request| {
        let is_of_index = String::from_utf8_lossy(&request.body).contains("IndexName");
        // Any other request gets a fault, which shows that it was made.
        (!is_of_index).then_some(Fault::Garbage)
    });
    let store = sandbox.store_at(&proxy.url());
    for (user, stands) in [
        (1, Membership::Member),
        (2, Membership::Member),
        (3, Membership::Stranger),
    ] {
        let before = proxy.operations().len();
        let found = membership(&store, conversation(1), person(user).id).await;
        assert_eq!(found.unwrap(), stands);
        assert_eq!(proxy.operations()[before..], ["Query"], "{user}");
    }
    assert!(proxy.injected().is_empty());
}

/// A conversation that was just created is not in the index yet.
#[tokio::test]
async fn an_index_that_is_behind_keeps_nobody_out() {
    let sandbox = Sandbox::with_table().await;
    let own = begin(&sandbox, (1, 2), at(T)).await.unwrap();
    let proxy = Proxy::start(&sandbox.url(), |_, _| Some(Fault::StaleIndex));
    let store = sandbox.store_at(&proxy.url());
    for (user, stands) in [
        (1, Membership::Member),
        (2, Membership::Member),
        (3, Membership::Stranger),
    ] {
        let found = membership(&store, own.conversation, person(user).id).await;
        assert_eq!(found.unwrap(), stands, "{user}");
    }
    assert_eq!(proxy.injected()[&Fault::StaleIndex], 3);
}
