//! Items for unit tests.

use crate::item::{ConversationRow, Message, Person};
use crate::key::{MessageId, SortKey, UserId};

pub(crate) const GROUP: &str = "5ae290ed-55d1-47a0-bc6d-fe2bc2700399";
const ANDREW: &str = "0a0a0a0a-0a0a-4a0a-8a0a-0a0a0a0a0a0a";
const BAYKO: &str = "0b0b0b0b-0b0b-4b0b-8b0b-0b0b0b0b0b0b";

pub(crate) fn andrew() -> Person {
    Person {
        id: id(ANDREW),
        display_name: "Andrew Brown".to_owned(),
        handle: "andrewbrown".to_owned(),
    }
}

pub(crate) fn bayko() -> Person {
    Person {
        id: id(BAYKO),
        display_name: "Andrew Bayko".to_owned(),
        handle: "bayko".to_owned(),
    }
}

fn id(text: &str) -> UserId {
    text.parse().unwrap()
}

/// A message of Andrew's.
pub(crate) fn message(sk: &str, text: &str) -> Message {
    let conversation = GROUP.parse().unwrap();
    Message {
        conversation,
        created_at: SortKey::verbatim(sk),
        id: MessageId::derive(&conversation, 0, &andrew().id, text),
        text: text.to_owned(),
        sender: andrew(),
    }
}

/// Andrew's row for the conversation with Bayko.
pub(crate) fn conversation_row(sk: &str, text: &str) -> ConversationRow {
    ConversationRow {
        owner: andrew().id,
        last_message_at: SortKey::verbatim(sk),
        conversation: GROUP.parse().unwrap(),
        text: text.to_owned(),
        other: bayko(),
    }
}
