//! Classifies items: whether an item is a message, a row, or neither, and why not.

use std::str::FromStr;

use aws_sdk_dynamodb::types::AttributeValue;

use super::{
    ConversationRow, Item, ItemView, Kind, Known, Message, NotUnicode, Person, RawItem,
    UnknownReason, Value,
};
use crate::key::{ConversationId, KeyError, MessageId, PartitionKey, SortKey, UserId};
use crate::schema::attribute as name;

/// The reason why an attribute has no text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoText {
    /// Its type is not S.
    OtherType,
    /// The text is not Unicode.
    NotUnicode,
}

/// An item whose kind can be determined.
pub trait Attributes {
    /// Returns the text of an attribute, if the item has it.
    fn text(&self, name: &str) -> Option<Result<&str, NoText>>;

    /// Returns the names of all attributes.
    fn names(&self) -> impl ExactSizeIterator<Item = &str>;
}

impl Attributes for RawItem {
    fn text(&self, name: &str) -> Option<Result<&str, NoText>> {
        Some(match self.get(name)? {
            AttributeValue::S(text) => Ok(text),
            AttributeValue::N(number) if NotUnicode::held_in(number.into()).is_ok() => {
                Err(NoText::NotUnicode)
            }
            _ => Err(NoText::OtherType),
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
            Value::S(text) => Ok(text),
            Value::NotUnicode(_) => Err(NoText::NotUnicode),
            _ => Err(NoText::OtherType),
        })
    }

    fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.iter().map(|(name, _)| name)
    }
}

fn string<'a>(item: &'a impl Attributes, name: &'static str) -> Result<&'a str, UnknownReason> {
    item.text(name)
        .ok_or(UnknownReason::Missing(name))?
        .map_err(|why| match why {
            NoText::OtherType => UnknownReason::NotAString(name),
            NoText::NotUnicode => UnknownReason::NotUnicode(name),
        })
}

fn parsed<T: FromStr<Err = KeyError>>(
    item: &impl Attributes,
    name: &'static str,
) -> Result<T, UnknownReason> {
    string(item, name)?
        .parse()
        .map_err(|error| UnknownReason::Malformed(name, error))
}

/// The ids that tell the two kinds apart.
#[derive(Debug, Clone, Copy)]
enum Ids {
    Message(ConversationId, MessageId),
    Row(UserId, ConversationId),
}

/// A message or a row, borrowed from the item that it was read from.
#[derive(Debug)]
struct Shape<'a> {
    ids: Ids,
    sk: &'a str,
    message: &'a str,
    user: UserId,
    display_name: &'a str,
    handle: &'a str,
}

impl<'a> Shape<'a> {
    /// Classifies an item by its whole shape.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong with it.
    fn of(item: &'a impl Attributes) -> Result<Self, UnknownReason> {
        let (ids, own_id) = match parsed(item, name::PK)? {
            PartitionKey::Messages(_) if item.text(name::MESSAGE_GROUP_UUID).is_some() => {
                return Err(UnknownReason::MessageInIndex);
            }
            PartitionKey::Messages(conversation) => {
                let id = parsed(item, name::MESSAGE_UUID)?;
                (Ids::Message(conversation, id), name::MESSAGE_UUID)
            }
            PartitionKey::Rows(owner) => {
                let conversation = parsed(item, name::MESSAGE_GROUP_UUID)?;
                (Ids::Row(owner, conversation), name::MESSAGE_GROUP_UUID)
            }
        };
        let shape = Self {
            ids,
            user: parsed(item, name::USER_UUID)?,
            sk: string(item, name::SK)?,
            message: string(item, name::MESSAGE)?,
            display_name: string(item, name::USER_DISPLAY_NAME)?,
            handle: string(item, name::USER_HANDLE)?,
        };
        let known = [
            name::PK,
            name::SK,
            own_id,
            name::MESSAGE,
            name::USER_UUID,
            name::USER_DISPLAY_NAME,
            name::USER_HANDLE,
        ];
        if item.names().len() > known.len() {
            let extra = item.names().filter(|name| !known.contains(name)).min();
            return Err(UnknownReason::Extra(extra.unwrap_or_default().to_owned()));
        }
        Ok(shape)
    }

    /// Copies the message or the row.
    fn known(&self) -> Known {
        let person = Person {
            id: self.user,
            display_name: self.display_name.to_owned(),
            handle: self.handle.to_owned(),
        };
        let at = SortKey::verbatim(self.sk);
        let text = self.message.to_owned();
        match self.ids {
            Ids::Message(conversation, id) => Known::Message(Message {
                conversation,
                created_at: at,
                id,
                text,
                sender: person,
            }),
            Ids::Row(owner, conversation) => Known::ConversationRow(ConversationRow {
                owner,
                last_message_at: at,
                conversation,
                text,
                other: person,
            }),
        }
    }
}

impl Kind {
    /// Returns the kind of an item, by its whole shape: the form of its keys, and exactly the attributes of its
    /// kind, all of type S.
    pub fn of(item: &impl Attributes) -> Self {
        match Shape::of(item).map(|shape| shape.ids) {
            Ok(Ids::Message(..)) => Self::Message,
            Ok(Ids::Row(..)) => Self::Group,
            Err(_) => Self::Unknown,
        }
    }
}

impl Known {
    /// Classifies an item.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong with it, if it is neither a message nor a row.
    pub fn of(item: &impl Attributes) -> Result<Self, UnknownReason> {
        Ok(Shape::of(item)?.known())
    }
}

impl Item {
    /// Classifies an item. An item that is neither a message nor a row keeps all its attributes.
    pub fn decode(raw: RawItem) -> Self {
        match Known::of(&raw) {
            Ok(Known::Message(message)) => Self::Message(message),
            Ok(Known::ConversationRow(row)) => Self::ConversationRow(row),
            Err(reason) => Self::Unknown { raw, reason },
        }
    }
}

/// Returns the sort key of an item, or an empty one if it is not a string.
pub fn sort_key(item: &impl Attributes) -> SortKey {
    let text = item.text(name::SK).and_then(Result::ok);
    SortKey::verbatim(text.unwrap_or_default())
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
        /// Any item is decoded without loss, and its kind matches its shape.
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

    /// Any single difference from the shape makes an item unknown, and nothing is lost.
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
}
