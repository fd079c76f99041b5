//! Names of conversations: the id, the first digits of the id, or the other person.

use std::str::FromStr;

use futures::TryStreamExt;
use uuid::Uuid;

use crate::error::CallError;
use crate::handle::Handle;
use crate::item::{ConversationRow, Item};
use crate::key::{ConversationId, PartitionKey, UserId};
use crate::store::{Direction, Partition, Query, Store};

/// The error for a text that cannot name a conversation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// It has no name in it.
    #[error(
        "not a conversation: `{0}`; use its id, 5ae290ed or more of it, or a handle such as bayko"
    )]
    Blank(String),
    /// It looks like a complete id, but is not one.
    #[error("not a uuid: `{0}`; use its id, 5ae290ed or more of it, or a handle such as bayko")]
    NotAUuid(String),
}

/// The first four or more hexadecimal digits of a conversation's id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstDigits(String);

impl FirstDigits {
    /// The fewest digits that name a conversation.
    pub const FEWEST: usize = 4;

    /// Reads digits with or without the hyphens of a uuid, in upper or lower case.
    fn read(text: &str) -> Option<Self> {
        const HYPHENS: [usize; 4] = [8, 13, 18, 23];
        let digits = match text.contains('-') {
            true => {
                let mut places = text.chars().enumerate();
                if !places.all(|(at, c)| (c == '-') == HYPHENS.contains(&at)) {
                    return None;
                }
                text.replace('-', "")
            }
            false => text.to_owned(),
        };
        let wanted = Self::FEWEST..=uuid::fmt::Simple::LENGTH;
        let digits = digits.to_ascii_lowercase();
        let whole = wanted.contains(&digits.len()) && digits.chars().all(|c| c.is_ascii_hexdigit());
        whole.then_some(Self(digits))
    }

    /// Checks whether an id begins with them.
    pub fn begin(&self, id: ConversationId) -> bool {
        id.uuid().simple().to_string().starts_with(&self.0)
    }
}

/// The name of a conversation, as given by the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConversationName {
    /// Its id, in any spelling of a uuid.
    Id(ConversationId),
    /// The handle of the other person.
    With(Handle),
    /// The first digits of its id, or the handle of the other person: `cafe` may be both.
    Either(FirstDigits, Handle),
}

impl FromStr for ConversationName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if let Ok(id) = Uuid::try_parse(text) {
            return Ok(Self::Id(ConversationId::new(id)));
        }
        let looks_like_an_id = text.len() == uuid::fmt::Hyphenated::LENGTH
            && text.matches('-').count() == 4
            || text.len() > uuid::fmt::Simple::LENGTH
                && text.chars().all(|c| c == '-' || c.is_ascii_hexdigit());
        if looks_like_an_id && FirstDigits::read(text).is_none() {
            return Err(NameError::NotAUuid(text.to_owned()));
        }
        let handle: Handle = text
            .parse()
            .map_err(|_| NameError::Blank(text.to_owned()))?;
        Ok(match FirstDigits::read(text) {
            Some(digits) => Self::Either(digits, handle),
            None => Self::With(handle),
        })
    }
}

/// Finds the conversations of a user whose rows match `is_meant`, with consistent reads. Returns the newest row of
/// each, newest conversation first.
pub async fn find_conversations(
    store: &Store,
    me: UserId,
    is_meant: impl Fn(&ConversationRow) -> bool,
) -> Result<Vec<ConversationRow>, CallError> {
    let query = Query::new(Partition::Table(PartitionKey::Rows(me)))
        .direction(Direction::Descending)
        .consistent();
    let mut pages = std::pin::pin!(store.query(query));
    let mut found: Vec<ConversationRow> = Vec::new();
    while let Some(page) = pages.try_next().await? {
        for item in page.items {
            let Item::ConversationRow(row) = Item::decode(item) else {
                continue;
            };
            let is_new = || {
                found
                    .iter()
                    .all(|known| known.conversation != row.conversation)
            };
            if is_meant(&row) && is_new() {
                found.push(row);
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "5ae290ed-55d1-47a0-bc6d-fe2bc2700399";

    fn name(text: &str) -> ConversationName {
        text.parse().unwrap()
    }

    #[test]
    fn an_id_is_an_id_in_any_spelling() {
        let id = ConversationName::Id(ID.parse().unwrap());
        for text in [ID, &ID.to_uppercase(), "5ae290ed55d147a0bc6dfe2bc2700399"] {
            assert_eq!(name(text), id, "{text}");
        }
    }

    #[test]
    fn four_digits_are_an_id_or_a_handle_and_less_a_handle() {
        let id: ConversationId = ID.parse().unwrap();
        for text in [
            "5ae2",
            "5AE290ED",
            "5ae290ed-",
            "5ae290ed-55d1-47a",
            "5ae290ed55d1",
        ] {
            let ConversationName::Either(digits, handle) = name(text) else {
                panic!("{text}");
            };
            assert!(digits.begin(id), "{text}");
            assert!(handle.is(text));
        }
        for text in [
            "5ae",
            "bayko",
            "@5ae2",
            "@cafe",
            "5ae2-90ed",
            "5ae290ed55d1-47a0",
        ] {
            let ConversationName::With(handle) = name(text) else {
                panic!("{text}");
            };
            assert!(handle.is(text));
        }
        let ConversationName::Either(digits, _) = name("5ae3") else {
            panic!();
        };
        assert!(!digits.begin(id));
    }

    #[test]
    fn what_should_be_an_id_and_is_none_is_said() {
        for text in [
            "5ae290ed-55d1-47a0-bc6d-fe2bc270039x",
            "5ae290ed-55d1-47a0-bc6d-fe2bc27003990",
            "5ae290ed55d147a0bc6dfe2bc27003990",
            "",
            "@",
        ] {
            assert!(text.parse::<ConversationName>().is_err(), "{text}");
        }
    }
}
