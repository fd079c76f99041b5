//! Items of the table: messages, rows, and anything else found there.

mod compact;
mod number;
mod shape;
mod typed;
mod unicode;
mod view;
mod wire;

use std::borrow::Cow;
use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use crate::key::{ConversationId, KeyError, MessageId, PartitionKey, SortKey, UserId};
use crate::schema::attribute as name;

pub use number::{Number, NumberFault};
pub use shape::{Attributes, NoText, sort_key};
pub use typed::Typed;
pub use unicode::NotUnicode;
pub(crate) use unicode::{hold, restore};
pub use view::{ItemView, Value};
pub use wire::{PageMeta, read_item, read_page};

/// An item as the service sends and accepts it: attribute names and typed values.
pub type RawItem = HashMap<String, AttributeValue>;

/// The three kinds of item that a table can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A message of a conversation.
    Message,
    /// One participant's entry for a conversation.
    Group,
    /// Anything else.
    Unknown,
}

impl Kind {
    /// Returns the name of the kind: `message`, `group` or `unknown`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Group => "group",
            Self::Unknown => "unknown",
        }
    }
}

/// The data of a person in an item: the sender of a message, or the other participant of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// `user_uuid`.
    pub id: UserId,
    /// `user_display_name`, as it was when the item was written.
    pub display_name: String,
    /// `user_handle`, as it was when the item was written.
    pub handle: String,
}

/// A message of a conversation.
///
/// Wire format: `pk` is `MSG#<message_group_uuid>`, `sk` the time of creation, and `message_uuid`,
/// `message`, `user_uuid`, `user_display_name`, `user_handle`, all S. There is no attribute
/// `message_group_uuid`, which would put the message into the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The conversation.
    pub conversation: ConversationId,
    /// The time of creation.
    pub created_at: SortKey,
    /// The id of the message.
    pub id: MessageId,
    /// The text.
    pub text: String,
    /// The person who wrote it.
    pub sender: Person,
}

/// One participant's entry for a conversation.
///
/// Wire format: `pk` is `GRP#<user_uuid of the participant>`, `sk` the time of the last message, and
/// `message_group_uuid`, `message` (the last one), `user_uuid`, `user_display_name`, `user_handle` of
/// the **other** participant, all S.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConversationRow {
    /// The participant whose entry it is.
    pub owner: UserId,
    /// The time when the last message was created.
    pub last_message_at: SortKey,
    /// The conversation.
    pub conversation: ConversationId,
    /// The text of the last message.
    pub text: String,
    /// The other participant.
    pub other: Person,
}

/// An item of a known kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// A message of a conversation.
    Message(Message),
    /// One participant's entry for a conversation.
    ConversationRow(ConversationRow),
}

/// An item with its kind.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// A message of a conversation.
    Message(Message),
    /// One participant's entry for a conversation.
    ConversationRow(ConversationRow),
    /// Anything else, unchanged, with the first thing that is wrong with it.
    Unknown {
        /// The item as it was read.
        raw: RawItem,
        /// The reason why it is neither of the others.
        reason: UnknownReason,
    },
}

/// The reason why an item is neither a message nor a row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownReason {
    /// An attribute is missing.
    #[error("it has no `{0}`")]
    Missing(&'static str),
    /// An attribute is not a string.
    #[error("its `{0}` is not a string")]
    NotAString(&'static str),
    /// An attribute holds half of a surrogate pair.
    #[error("its `{0}` is a text that is not Unicode")]
    NotUnicode(&'static str),
    /// A key or an id does not have the required form.
    #[error("its `{0}`: {1}")]
    Malformed(&'static str, KeyError),
    /// A message has the attribute that would put it into the index.
    #[error("it is a message with a `message_group_uuid`, so the index lists it as a conversation")]
    MessageInIndex,
    /// The item has an attribute that its kind does not have.
    #[error("it has an attribute `{0}`, which its kind does not have")]
    Extra(String),
}

/// Returns an item that has only the attributes of its primary key.
pub fn primary_key(pk: &PartitionKey, sk: &SortKey) -> RawItem {
    strings([
        (name::PK, pk.to_string()),
        (name::SK, sk.as_str().to_owned()),
    ])
}

fn strings<const N: usize>(attributes: [(&str, impl Into<String>); N]) -> RawItem {
    attributes
        .into_iter()
        .map(|(name, text)| (name.to_owned(), AttributeValue::S(text.into())))
        .collect()
}

impl Message {
    /// Returns all attributes.
    pub(crate) fn attributes(&self) -> [(&'static str, Cow<'_, str>); 7] {
        [
            (
                name::PK,
                PartitionKey::Messages(self.conversation).to_string().into(),
            ),
            (name::SK, self.created_at.as_str().into()),
            (name::MESSAGE_UUID, self.id.to_string().into()),
            (name::MESSAGE, self.text.as_str().into()),
            (name::USER_UUID, self.sender.id.to_string().into()),
            (
                name::USER_DISPLAY_NAME,
                self.sender.display_name.as_str().into(),
            ),
            (name::USER_HANDLE, self.sender.handle.as_str().into()),
        ]
    }
}

impl ConversationRow {
    /// Returns all attributes.
    pub(crate) fn attributes(&self) -> [(&'static str, Cow<'_, str>); 7] {
        [
            (name::PK, PartitionKey::Rows(self.owner).to_string().into()),
            (name::SK, self.last_message_at.as_str().into()),
            (
                name::MESSAGE_GROUP_UUID,
                self.conversation.to_string().into(),
            ),
            (name::MESSAGE, self.text.as_str().into()),
            (name::USER_UUID, self.other.id.to_string().into()),
            (
                name::USER_DISPLAY_NAME,
                self.other.display_name.as_str().into(),
            ),
            (name::USER_HANDLE, self.other.handle.as_str().into()),
        ]
    }
}

impl From<&Message> for RawItem {
    fn from(message: &Message) -> Self {
        strings(message.attributes())
    }
}

impl From<&ConversationRow> for RawItem {
    fn from(row: &ConversationRow) -> Self {
        strings(row.attributes())
    }
}

/// The maximum size of an item in bytes, as [`size`] counts it: 400 KB.
pub const MAX_SIZE: usize = 400 * 1024;

/// Returns the size of an item in bytes: the names and the values of its attributes. The service bills by this size
/// and limits it to 400 KB. See "DynamoDB item sizes and formats" in the AWS developer guide.
pub fn size(raw: &RawItem) -> usize {
    raw.iter()
        .map(|(name, value)| name.len() + Value::from(value).size())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_count_names_and_values() {
        let raw = strings([("pk", "abc".to_owned()), ("é", "ü".to_owned())]);
        assert_eq!(size(&raw), 2 + 3 + 2 + 2);
        let list = AttributeValue::L(vec![
            AttributeValue::Bool(true),
            AttributeValue::S("ab".into()),
        ]);
        assert_eq!(Value::from(&list).size(), 3 + 1 + 1 + 1 + 2);
    }
}
