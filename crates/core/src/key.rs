//! Typed ids and keys of the message store, each with its text form to parse and to print.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::timestamp::{Timestamp, TimestampError};

/// The reason why a text is not an id or a key of the store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The text is not a uuid at all.
    #[error("not a uuid: `{0}`")]
    NotAUuid(String),
    /// The text is a uuid in a form that the store does not use: keys are compared as text, so only
    /// the hyphenated lower-case form (RFC 9562, section 4) names a row.
    #[error("not a uuid in lower case with hyphens: `{0}`")]
    NotCanonical(String),
    /// The partition key has neither of the two known prefixes.
    #[error("a partition key starts with `MSG#` or `GRP#`: `{0}`")]
    UnknownPrefix(String),
}

/// Parses the one text form that the store uses for a uuid.
fn canonical_uuid(text: &str) -> Result<Uuid, KeyError> {
    let uuid = Uuid::try_parse(text).map_err(|_| KeyError::NotAUuid(text.to_owned()))?;
    // Of all forms of a uuid, only the one with hyphens and nothing else has this length.
    let hyphenated = text.len() == uuid::fmt::Hyphenated::LENGTH;
    if hyphenated && !text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Ok(uuid)
    } else {
        Err(KeyError::NotCanonical(text.to_owned()))
    }
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// Text form: a uuid, hyphenated, lower case (RFC 9562, section 4).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Uuid);

        impl $name {
            /// Wraps a uuid.
            pub const fn new(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// Returns the bare uuid.
            pub const fn uuid(&self) -> &Uuid {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = KeyError;

            fn from_str(text: &str) -> Result<Self, KeyError> {
                canonical_uuid(text).map(Self)
            }
        }
    };
}

uuid_id!(
    /// The id of a conversation between two people.
    ConversationId
);
uuid_id!(
    /// The id of a person: the `uuid` column of the users table.
    UserId
);
uuid_id!(
    /// The id of a message.
    MessageId
);

impl ConversationId {
    /// Makes a random id (UUIDv4).
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }

    /// Derives the id of a conversation that has its own file: UUIDv5 in the namespace of another conversation,
    /// over `"{smaller user_uuid}\n{larger}\n{base name}"`. The order of the two people does not matter.
    pub fn derive(of: &Self, people: [UserId; 2], base_name: &str) -> Self {
        let [one, other] = people;
        let (smaller, larger) = (one.min(other), one.max(other));
        let name = format!("{smaller}\n{larger}\n{base_name}");
        Self(Uuid::new_v5(of.uuid(), name.as_bytes()))
    }
}

impl MessageId {
    /// Derives the id of line `index` (from 0) of a seeded conversation: UUIDv5 (RFC 9562, section 5.5)
    /// in the namespace of the conversation, over `"{index}\n{sender}\n{text}"`.
    ///
    /// Seeding the same file again finds its own messages by this id.
    pub fn derive(
        conversation: &ConversationId,
        index: usize,
        sender: &UserId,
        text: &str,
    ) -> Self {
        let name = format!("{index}\n{sender}\n{text}");
        Self(Uuid::new_v5(conversation.uuid(), name.as_bytes()))
    }

    /// Checks whether [`MessageId::derive`] may have made this id: a UUIDv5. The ids of the application are UUIDv4.
    pub fn may_be_derived(&self) -> bool {
        self.0.get_version_num() == 5
    }

    /// Makes a random id (UUIDv4).
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }
}

/// The partition key: the value of the attribute `pk`.
///
/// Wire format: `MSG#<message_group_uuid>` for the messages of a conversation,
/// `GRP#<user_uuid>` for the rows of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PartitionKey {
    /// The messages of one conversation.
    Messages(ConversationId),
    /// The rows of one user.
    Rows(UserId),
}

const MESSAGES: &str = "MSG#";
const GROUPS: &str = "GRP#";

impl fmt::Display for PartitionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Messages(conversation) => write!(f, "{MESSAGES}{conversation}"),
            Self::Rows(user) => write!(f, "{GROUPS}{user}"),
        }
    }
}

impl FromStr for PartitionKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        if let Some(conversation) = text.strip_prefix(MESSAGES) {
            conversation.parse().map(Self::Messages)
        } else if let Some(user) = text.strip_prefix(GROUPS) {
            user.parse().map(Self::Rows)
        } else {
            Err(KeyError::UnknownPrefix(text.to_owned()))
        }
    }
}

/// The value of the attribute `sk`, verbatim: a time as some tool wrote it.
///
/// Keys are ordered as text, like in the table. This project writes the one form of
/// [`Timestamp`]; what older tools wrote is kept unchanged.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SortKey(String);

impl SortKey {
    /// Wraps a sort key as it was read.
    pub fn verbatim(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the stored text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads the instant, leniently.
    ///
    /// # Errors
    ///
    /// If the text is not a time in any form that older tools wrote.
    pub fn time(&self) -> Result<Timestamp, TimestampError> {
        self.0.parse()
    }

    /// Checks whether the text is in the one written form, in which text order is time order.
    pub fn is_written_form(&self) -> bool {
        self.time().is_ok_and(|time| time.to_string() == self.0)
    }
}

impl From<Timestamp> for SortKey {
    fn from(time: Timestamp) -> Self {
        Self(time.to_string())
    }
}

impl fmt::Display for SortKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for SortKey {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ID: &str = "5ae290ed-55d1-47a0-bc6d-fe2bc2700399";

    #[test]
    fn partition_keys_name_what_they_hold() {
        let messages = PartitionKey::Messages(ID.parse().unwrap());
        let conversations = PartitionKey::Rows(ID.parse().unwrap());
        assert_eq!(messages.to_string(), format!("MSG#{ID}"));
        assert_eq!(conversations.to_string(), format!("GRP#{ID}"));
    }

    #[test]
    fn only_the_canonical_form_is_an_id() {
        assert_eq!(
            ID.to_uppercase().parse::<UserId>(),
            Err(KeyError::NotCanonical(ID.to_uppercase()))
        );
        assert_eq!(
            ID.replace('-', "").parse::<UserId>(),
            Err(KeyError::NotCanonical(ID.replace('-', "")))
        );
        assert!("".parse::<UserId>().is_err());
        assert!(format!(" {ID}").parse::<UserId>().is_err());
    }

    #[test]
    fn a_foreign_prefix_is_no_partition_key() {
        for text in ["", "MSG", "msg#", "USR#1", &format!("XMSG#{ID}")] {
            assert_eq!(
                text.parse::<PartitionKey>(),
                Err(KeyError::UnknownPrefix(text.to_owned()))
            );
        }
        assert!("MSG#1".parse::<PartitionKey>().is_err());
    }

    #[test]
    fn a_derived_id_depends_on_place_sender_and_text() {
        let conversation: ConversationId = ID.parse().unwrap();
        let me: UserId = "11111111-1111-4111-8111-111111111111".parse().unwrap();
        let other: UserId = "22222222-2222-4222-8222-222222222222".parse().unwrap();
        let id = MessageId::derive(&conversation, 0, &me, "hi");
        assert_eq!(id, MessageId::derive(&conversation, 0, &me, "hi"));
        assert_ne!(id, MessageId::derive(&conversation, 1, &me, "hi"));
        assert_ne!(id, MessageId::derive(&conversation, 0, &other, "hi"));
        assert_ne!(id, MessageId::derive(&conversation, 0, &me, "hi!"));
        // Tables that are already seeded rely on this value. It was computed by Python's
        // uuid.uuid5(uuid.UUID(conversation), "0\n11111111-1111-4111-8111-111111111111\nhi").
        assert_eq!(id.to_string(), PYTHON_UUID5);
    }

    const PYTHON_UUID5: &str = "06428194-5b46-55b1-ae45-ccd19eb15b6d";

    proptest! {
        #[test]
        fn keys_survive_their_text_form(bits: u128, conversation: bool) {
            let uuid = Uuid::from_u128(bits);
            let key = if conversation {
                PartitionKey::Rows(UserId::new(uuid))
            } else {
                PartitionKey::Messages(ConversationId::new(uuid))
            };
            prop_assert_eq!(key.to_string().parse(), Ok(key));
        }

        /// Only the one written form is accepted as a key: another spelling would be another key.
        #[test]
        fn only_the_written_form_is_a_key(
            prefix in "(MSG#|GRP#|msg#|MSG|#|)",
            uuid in "(\\{|urn:uuid:|)[0-9a-fA-F]{8}-?[0-9a-f]{4}-?4[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-fA-F]{12}(\\}| |)",
        ) {
            let text = format!("{prefix}{uuid}");
            if let Ok(key) = text.parse::<PartitionKey>() {
                prop_assert_eq!(key.to_string(), text);
            }
            if let Ok(id) = uuid.parse::<ConversationId>() {
                prop_assert_eq!(id.to_string(), uuid);
            }
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in ".*") {
            let _ = text.parse::<PartitionKey>();
            let _ = text.parse::<MessageId>();
        }
    }
}
