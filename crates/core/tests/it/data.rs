//! People, messages and rows for the tests of this folder.

use ddb_core::item::{ConversationRow, Message, Person, RawItem};
use ddb_core::key::{ConversationId, MessageId, SortKey, UserId};
use ddb_core::timestamp::Timestamp;
use uuid::Uuid;

pub fn conversation(n: u128) -> ConversationId {
    ConversationId::new(Uuid::from_u128(0x5ae2_90ed << 96 | n))
}

pub fn person(n: u128) -> Person {
    Person {
        id: UserId::new(Uuid::from_u128(0xa11c_e000 << 96 | n)),
        display_name: format!("User {n}"),
        handle: format!("user{n}"),
    }
}

pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A message of user `from` with a random id.
pub fn message(
    conversation: ConversationId,
    sk: impl Into<SortKey>,
    from: u128,
    text: &str,
) -> Message {
    Message {
        conversation,
        created_at: sk.into(),
        id: MessageId::random(),
        text: text.to_owned(),
        sender: person(from),
    }
}

/// The row of user `owner` for a conversation with user `other`.
pub fn row(
    conversation: ConversationId,
    sk: impl Into<SortKey>,
    (owner, other): (u128, u128),
    text: &str,
) -> ConversationRow {
    ConversationRow {
        owner: person(owner).id,
        last_message_at: sk.into(),
        conversation,
        text: text.to_owned(),
        other: person(other),
    }
}

pub fn raw<'a, T>(value: &'a T) -> RawItem
where
    RawItem: From<&'a T>,
{
    RawItem::from(value)
}
