//! Items of the table: messages, rows, and whatever else is found there.

mod compact;
mod number;
mod typed;
mod unicode;
mod view;
mod wire;

use std::borrow::Cow;
use std::collections::HashMap;
use std::str::FromStr;

use aws_sdk_dynamodb::types::AttributeValue;

use crate::key::{ConversationId, KeyError, MessageId, PartitionKey, SortKey, UserId};
use crate::schema::attribute as name;

pub use number::{Number, NumberFault};
pub use typed::Typed;
pub use unicode::NotUnicode;
pub(crate) use unicode::{hold, restore};
pub use view::{ItemView, Value};
pub use wire::{PageMeta, read_item, read_page};

/// An item as the service gives and takes it: attribute names and typed values.
pub type RawItem = HashMap<String, AttributeValue>;

/// Names the three kinds of item that a table can hold.
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
    /// Returns the word for it: `message`, `group` or `unknown`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Group => "group",
            Self::Unknown => "unknown",
        }
    }

    /// Judges an item by its whole shape: the form of its keys, and exactly the attributes that its
    /// kind has, all of type S.
    pub fn of(item: &impl Attributes) -> Self {
        match shape(item) {
            Ok(Shape::Message(_)) => Self::Message,
            Ok(Shape::Group(_)) => Self::Group,
            Err(_) => Self::Unknown,
        }
    }
}

/// Copies what an item says about a person: the sender of a message, the other one of a row.
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
    /// When it was created.
    pub created_at: SortKey,
    /// Its own id.
    pub id: MessageId,
    /// The text.
    pub text: String,
    /// Who wrote it.
    pub sender: Person,
}

/// One participant's entry for a conversation.
///
/// Wire format: `pk` is `GRP#<user_uuid of the participant>`, `sk` the time of the last message, and
/// `message_group_uuid`, `message` (the last one), `user_uuid`, `user_display_name`, `user_handle` of
/// the **other** participant, all S.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConversationRow {
    /// Whose entry it is.
    pub owner: UserId,
    /// When the last message was created.
    pub last_message_at: SortKey,
    /// The conversation.
    pub conversation: ConversationId,
    /// The text of the last message.
    pub text: String,
    /// The other participant.
    pub other: Person,
}

/// An item of a kind that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// A message of a conversation.
    Message(Message),
    /// One participant's entry for a conversation.
    ConversationRow(ConversationRow),
}

/// An item that was judged.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// A message of a conversation.
    Message(Message),
    /// One participant's entry for a conversation.
    ConversationRow(ConversationRow),
    /// Anything else, untouched, with the first thing that is wrong with it.
    Unknown {
        /// The item as it was read.
        raw: RawItem,
        /// Why it is neither of the others.
        reason: UnknownReason,
    },
}

/// Says why an item is neither a message nor a row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownReason {
    /// An attribute is not there.
    #[error("it has no `{0}`")]
    Missing(&'static str),
    /// An attribute is not a string.
    #[error("its `{0}` is not a string")]
    NotAString(&'static str),
    /// An attribute holds half of a surrogate pair.
    #[error("its `{0}` is a text that is not Unicode")]
    NotUnicode(&'static str),
    /// A key or an id has another form.
    #[error("its `{0}`: {1}")]
    Malformed(&'static str, KeyError),
    /// A message carries the attribute that would put it into the index.
    #[error("it is a message with a `message_group_uuid`, so the index lists it as a conversation")]
    MessageInIndex,
    /// The item has an attribute that its kind does not have.
    #[error("it has an attribute `{0}`, which its kind does not have")]
    Extra(String),
}

enum Shape {
    Message(ConversationId),
    Group(UserId),
}

/// Says why an attribute has no text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoText {
    /// It is of another type than S.
    OtherType,
    /// The text is not Unicode.
    NotUnicode,
}

/// What the shape of an item is judged by.
pub trait Attributes {
    /// Returns the text of an attribute, where it is there.
    fn text(&self, name: &str) -> Option<Result<&str, NoText>>;
    /// Returns the names of all attributes.
    fn names(&self) -> impl ExactSizeIterator<Item = &str>;
}

impl Attributes for RawItem {
    fn text(&self, name: &str) -> Option<Result<&str, NoText>> {
        Some(match self.get(name)? {
            AttributeValue::S(text) => Ok(text),
            value => match Value::from(value) {
                Value::NotUnicode(_) => Err(NoText::NotUnicode),
                _ => Err(NoText::OtherType),
            },
        })
    }

    fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.keys().map(String::as_str)
    }
}

impl<A: Attributes> Attributes for &A {
    fn text(&self, name: &str) -> Option<Result<&str, NoText>> {
        (*self).text(name)
    }

    fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        (*self).names()
    }
}

impl Attributes for ItemView<'_> {
    fn text(&self, name: &str) -> Option<Result<&str, NoText>> {
        Some(match self.get(name)? {
            Value::S(text) => Ok(text.as_ref()),
            Value::NotUnicode(_) => Err(NoText::NotUnicode),
            _ => Err(NoText::OtherType),
        })
    }

    fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.iter().map(|(name, _)| name)
    }
}

fn string<'a>(
    item: &'a impl Attributes,
    attribute: &'static str,
) -> Result<&'a str, UnknownReason> {
    item.text(attribute)
        .ok_or(UnknownReason::Missing(attribute))?
        .map_err(|why| match why {
            NoText::OtherType => UnknownReason::NotAString(attribute),
            NoText::NotUnicode => UnknownReason::NotUnicode(attribute),
        })
}

fn parsed<T: FromStr<Err = KeyError>>(
    item: &impl Attributes,
    attribute: &'static str,
) -> Result<T, UnknownReason> {
    string(item, attribute)?
        .parse()
        .map_err(|error| UnknownReason::Malformed(attribute, error))
}

const MESSAGE_ATTRIBUTES: [&str; 7] = [
    name::PK,
    name::SK,
    name::MESSAGE_UUID,
    name::MESSAGE,
    name::USER_UUID,
    name::USER_DISPLAY_NAME,
    name::USER_HANDLE,
];

const GROUP_ATTRIBUTES: [&str; 7] = [
    name::PK,
    name::SK,
    name::MESSAGE_GROUP_UUID,
    name::MESSAGE,
    name::USER_UUID,
    name::USER_DISPLAY_NAME,
    name::USER_HANDLE,
];

fn shape(item: &impl Attributes) -> Result<Shape, UnknownReason> {
    let (shape, attributes) = match parsed(item, name::PK)? {
        PartitionKey::Messages(_) if item.text(name::MESSAGE_GROUP_UUID).is_some() => {
            return Err(UnknownReason::MessageInIndex);
        }
        PartitionKey::Messages(conversation) => {
            parsed::<MessageId>(item, name::MESSAGE_UUID)?;
            (Shape::Message(conversation), &MESSAGE_ATTRIBUTES)
        }
        PartitionKey::Rows(owner) => {
            parsed::<ConversationId>(item, name::MESSAGE_GROUP_UUID)?;
            (Shape::Group(owner), &GROUP_ATTRIBUTES)
        }
    };
    parsed::<UserId>(item, name::USER_UUID)?;
    for attribute in attributes {
        string(item, attribute)?;
    }
    if item.names().len() > attributes.len() {
        let extra = item.names().filter(|name| !attributes.contains(name)).min();
        return Err(UnknownReason::Extra(extra.unwrap_or_default().to_owned()));
    }
    Ok(shape)
}

fn person(item: &impl Attributes) -> Result<Person, UnknownReason> {
    Ok(Person {
        id: parsed(item, name::USER_UUID)?,
        display_name: string(item, name::USER_DISPLAY_NAME)?.to_owned(),
        handle: string(item, name::USER_HANDLE)?.to_owned(),
    })
}

fn message(conversation: ConversationId, item: &impl Attributes) -> Result<Message, UnknownReason> {
    Ok(Message {
        conversation,
        created_at: SortKey::verbatim(string(item, name::SK)?),
        id: parsed(item, name::MESSAGE_UUID)?,
        text: string(item, name::MESSAGE)?.to_owned(),
        sender: person(item)?,
    })
}

fn conversation_row(
    owner: UserId,
    item: &impl Attributes,
) -> Result<ConversationRow, UnknownReason> {
    Ok(ConversationRow {
        owner,
        last_message_at: SortKey::verbatim(string(item, name::SK)?),
        conversation: parsed(item, name::MESSAGE_GROUP_UUID)?,
        text: string(item, name::MESSAGE)?.to_owned(),
        other: person(item)?,
    })
}

impl Known {
    /// Judges an item.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong with it, where it is neither a message nor a row.
    pub fn of(item: &impl Attributes) -> Result<Self, UnknownReason> {
        match shape(item)? {
            Shape::Message(conversation) => message(conversation, item).map(Self::Message),
            Shape::Group(owner) => conversation_row(owner, item).map(Self::ConversationRow),
        }
    }
}

impl Item {
    /// Judges an item; whatever is neither a message nor a row keeps all that it had.
    pub fn decode(raw: RawItem) -> Self {
        match Known::of(&raw) {
            Ok(Known::Message(message)) => Self::Message(message),
            Ok(Known::ConversationRow(row)) => Self::ConversationRow(row),
            Err(reason) => Self::Unknown { raw, reason },
        }
    }
}

/// Returns the sort key of an item; the empty one where it is not a string.
pub fn sort_key(item: &impl Attributes) -> SortKey {
    let text = item.text(name::SK).and_then(Result::ok);
    SortKey::verbatim(text.unwrap_or_default())
}

/// Makes the item of a primary key alone.
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

/// The most bytes that an item may have, as [`size`] counts them: 400 KB.
pub const MAX_SIZE: usize = 400 * 1024;

/// Returns the size in bytes by which the service bills an item and limits it to 400 KB: the names
/// and the values of its attributes. See "DynamoDB item sizes and formats" in the AWS developer guide.
pub fn size(raw: &RawItem) -> usize {
    raw.iter()
        .map(|(name, value)| name.len() + Value::from(value).size())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use aws_sdk_dynamodb::primitives::Blob;
    use proptest::prelude::*;

    fn any_value() -> impl Strategy<Value = AttributeValue> {
        let leaf = prop_oneof![
            ".{0,8}".prop_map(AttributeValue::S),
            "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}"
                .prop_map(AttributeValue::S),
            any::<i64>().prop_map(|number| AttributeValue::N(number.to_string())),
            any::<bool>().prop_map(AttributeValue::Bool),
            any::<Vec<u8>>().prop_map(|bytes| AttributeValue::B(Blob::new(bytes))),
            prop::collection::vec(".{0,3}", 1..3).prop_map(AttributeValue::Ss),
            Just(AttributeValue::Null(true)),
        ];
        leaf.prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(AttributeValue::L),
                prop::collection::hash_map(".{0,3}", inner, 0..3).prop_map(AttributeValue::M),
            ]
        })
    }

    proptest! {
        /// Whatever an item holds, it is decoded without loss, and its kind is that of its shape.
        #[test]
        fn any_item_is_decoded_without_loss(
            text in ".{0,20}",
            is_row: bool,
            changes in prop::collection::vec(
                (prop::sample::select(vec![
                    name::PK, name::SK, name::MESSAGE, name::MESSAGE_UUID, name::USER_UUID,
                    name::USER_HANDLE, name::MESSAGE_GROUP_UUID, "other",
                ]), prop::option::of(any_value())),
                0..3,
            ),
        ) {
            let mut raw = match is_row {
                true => RawItem::from(&sample::conversation_row("2026-03-22T08:35:09Z", &text)),
                false => RawItem::from(&sample::message("2026-03-22T08:35:09Z", &text)),
            };
            for (name, value) in changes {
                match value {
                    Some(value) => raw.insert(name.to_owned(), value),
                    None => raw.remove(name),
                };
            }
            let kind = Kind::of(&raw);
            let (decoded, back) = match Item::decode(raw.clone()) {
                Item::Message(message) => (Kind::Message, RawItem::from(&message)),
                Item::ConversationRow(row) => (Kind::Group, RawItem::from(&row)),
                Item::Unknown { raw, .. } => (Kind::Unknown, raw),
            };
            prop_assert_eq!((decoded, back), (kind, raw));
        }
    }

    #[test]
    fn messages_and_group_rows_survive_the_table() {
        let message = sample::message("2026-03-22T08:35:09.123456+00:00", "hello");
        let raw = RawItem::from(&message);
        assert!(!raw.contains_key(name::MESSAGE_GROUP_UUID));
        assert_eq!(Kind::of(&raw), Kind::Message);
        assert_eq!(Item::decode(raw), Item::Message(message));

        let row = sample::conversation_row("2026-03-22T08:35:09.123456+00:00", "hello");
        let raw = RawItem::from(&row);
        assert_eq!(Kind::of(&raw), Kind::Group);
        assert_eq!(Item::decode(raw), Item::ConversationRow(row));
    }

    /// Every single departure from the shape makes an item unknown, and nothing of it is lost.
    #[test]
    fn one_departure_from_the_shape_is_enough() {
        let message = RawItem::from(&sample::message("2026-03-22T08:35:09Z", "hello"));
        let row = RawItem::from(&sample::conversation_row("2026-03-22T08:35:09Z", "hello"));
        for whole in [&message, &row] {
            let mut departures: Vec<RawItem> = Vec::new();
            for key in whole.keys() {
                let mut without = whole.clone();
                without.remove(key);
                departures.push(without);
                let mut number = whole.clone();
                number.insert(key.clone(), AttributeValue::N("1".into()));
                departures.push(number);
            }
            for key in [name::PK, name::USER_UUID] {
                let mut upper = whole.clone();
                let text = whole[key].as_s().unwrap().to_uppercase();
                upper.insert(key.to_owned(), AttributeValue::S(text));
                departures.push(upper);
            }
            let mut extra = whole.clone();
            extra.insert("likes".into(), AttributeValue::N("1".into()));
            departures.push(extra);
            for departure in departures {
                assert_eq!(Kind::of(&departure), Kind::Unknown, "{departure:?}");
                let Item::Unknown { raw, .. } = Item::decode(departure.clone()) else {
                    panic!("{departure:?}");
                };
                assert_eq!(raw, departure);
            }
        }
    }

    #[test]
    fn the_reason_names_the_attribute() {
        let mut raw = RawItem::from(&sample::message("2026-03-22T08:35:09Z", "hello"));
        raw.insert("likes".into(), AttributeValue::N("1".into()));
        let Item::Unknown { reason, .. } = Item::decode(raw.clone()) else {
            panic!();
        };
        assert_eq!(
            reason.to_string(),
            "it has an attribute `likes`, which its kind does not have"
        );
        raw.insert(
            name::MESSAGE_GROUP_UUID.into(),
            AttributeValue::S("x".into()),
        );
        let Item::Unknown { reason, .. } = Item::decode(raw) else {
            panic!();
        };
        assert_eq!(reason, UnknownReason::MessageInIndex);
    }

    #[test]
    fn a_strange_sort_key_does_not_hide_a_message() {
        let raw = RawItem::from(&sample::message("soon", "hello"));
        assert_eq!(Kind::of(&raw), Kind::Message);
    }

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
