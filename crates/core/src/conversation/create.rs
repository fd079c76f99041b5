//! Access patterns C (write a message) and D (begin a conversation).

use std::collections::HashSet;

use futures::TryStreamExt;

use super::read::conversation_rows;
use crate::error::{CallError, Error};
use crate::item::{ConversationRow, ItemView, Kind, Message, Person};
use crate::key::{ConversationId, MessageId, PartitionKey, SortKey, UserId};
use crate::store::{
    Action, Direction, MAX_BUMP_MICROS, Partition, Query, Store, Transacted, Writer,
};
use crate::timestamp::Timestamp;

/// The most Unicode scalar values that the application allows in a message.
pub const MAX_TEXT: usize = 1024;

/// The number of people in a conversation.
const PEOPLE: usize = 2;

/// The reason why a text cannot be a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// It shows nothing.
    #[error("a message cannot be blank")]
    Blank,
    /// It is too long.
    #[error("a message has at most {MAX_TEXT} characters, and this one has {0}")]
    TooLong(usize),
}

/// Checks whether a character shows nothing by itself: whitespace, a control character, a character that is ignored if
/// it cannot be displayed (Default_Ignorable_Code_Point in DerivedCoreProperties of Unicode 17), an interlinear
/// annotation mark, or the empty Braille pattern.
fn is_invisible(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
                | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
                | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

/// Checks whether a text shows nothing.
pub(crate) fn shows_nothing(text: &str) -> bool {
    text.chars().all(is_invisible)
}

/// The text of a message: 1 to 1024 Unicode scalar values, at least one of which is visible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text(String);

impl Text {
    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for Text {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let length = text.chars().count();
        if shows_nothing(text) {
            Err(TextError::Blank)
        } else if length > MAX_TEXT {
            Err(TextError::TooLong(length))
        } else {
            Ok(Self(text.to_owned()))
        }
    }
}

/// The relation of a user to a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Membership {
    /// They have a row for it.
    Member,
    /// The conversation exists, and they have no row for it.
    Stranger,
    /// There is no such conversation.
    NoConversation,
}

/// Determines the relation of a user to a conversation. The index has both rows, so one request is enough. If the index
/// is behind and does not have them, consistent reads decide.
pub async fn membership(
    store: &Store,
    conversation: ConversationId,
    user: UserId,
) -> Result<Membership, CallError> {
    let hinted = Query::new(Partition::ConversationIndex(conversation));
    let rows = conversation_rows(store, hinted).await?;
    let people: HashSet<UserId> = rows.iter().map(|row| row.owner).collect();
    if people.contains(&user) {
        return Ok(Membership::Member);
    }
    if people.len() >= PEOPLE {
        return Ok(Membership::Stranger);
    }
    if is_in_own_rows(store, conversation, user).await? {
        return Ok(Membership::Member);
    }
    let messages = PartitionKey::Messages(conversation);
    if !people.is_empty() || super::has_items(store, messages).await? {
        return Ok(Membership::Stranger);
    }
    Ok(Membership::NoConversation)
}

/// Checks whether a user has a row for a conversation, with consistent reads of as many of their rows as needed.
async fn is_in_own_rows(
    store: &Store,
    conversation: ConversationId,
    user: UserId,
) -> Result<bool, CallError> {
    let own = Query::new(Partition::Table(PartitionKey::Rows(user)))
        .of_conversation(conversation)
        .direction(Direction::Descending)
        .consistent();
    let mut pages = std::pin::pin!(store.query_as(own, |item: &ItemView<'_>| Kind::of(item)));
    while let Some(page) = pages.try_next().await? {
        if page.items.contains(&Kind::Group) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Writes a message with the time `now` to a conversation (pattern C). The rows are updated by the program that follows
/// the stream.
///
/// # Errors
///
/// If a request fails, or all keys within 1 ms are taken.
pub async fn create_message(
    writer: &Writer,
    conversation: ConversationId,
    sender: Person,
    text: &Text,
    now: Timestamp,
) -> Result<Message, Error> {
    let mut message = Message {
        conversation,
        created_at: now.into(),
        id: MessageId::random(),
        text: text.0.clone(),
        sender,
    };
    let put = writer.put_message(message.clone()).await?;
    message.created_at = put.created_at;
    Ok(message)
}

/// Begins a conversation (pattern D): writes both rows and the first message in one transaction. Returns the sender's
/// row.
///
/// # Errors
///
/// If a request fails, or if at each instant within 1 ms one of the two has another conversation.
pub async fn create_conversation(
    writer: &Writer,
    [from, to]: [Person; 2],
    text: &Text,
    now: Timestamp,
) -> Result<ConversationRow, Error> {
    let conversation = ConversationId::random();
    let id = MessageId::random();
    let instants = (0..=MAX_BUMP_MICROS).filter_map(|micros| now.plus_micros(micros));
    for instant in instants {
        let at = SortKey::from(instant);
        let row = |owner: &Person, other: &Person| ConversationRow {
            owner: owner.id,
            last_message_at: at.clone(),
            conversation,
            text: text.0.clone(),
            other: other.clone(),
        };
        let own = row(&from, &to);
        let first = Message {
            conversation,
            created_at: at.clone(),
            id,
            text: text.0.clone(),
            sender: from.clone(),
        };
        let actions = [
            Action::PutMessage(first),
            Action::PutRow(own.clone()),
            Action::PutRow(row(&to, &from)),
        ];
        // If another conversation has this instant, try the next one, with a new request token.
        if writer.transact(&actions).await? == Transacted::Done {
            return Ok(own);
        }
    }
    Err(Error::NoFreeKey {
        destination: writer.destination().to_owned(),
        partition: PartitionKey::Rows(from.id).to_string(),
        first: now.to_string(),
        last: now.plus_micros(MAX_BUMP_MICROS).unwrap_or(now).to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_measured_in_unicode_scalar_values() {
        let of = |c: char, count: usize| c.to_string().repeat(count).parse::<Text>();
        for c in ['a', 'é', '漢', '👍'] {
            assert!(of(c, 1).is_ok());
            assert!(of(c, 1024).is_ok());
            assert_eq!(of(c, 1025), Err(TextError::TooLong(1025)));
        }
        for blank in [
            "",
            " ",
            "\n\t",
            "\u{a0}\u{2003}",
            "\u{200b}",
            " \u{200d}\u{2060}\u{feff}\u{ad}\u{fe0f}\u{202e}",
            "\u{0}\u{9b}\u{2028}",
            "\u{2800}\u{3164}\u{e0041}",
        ] {
            assert_eq!(blank.parse::<Text>(), Err(TextError::Blank), "{blank:?}");
        }
        for text in ["\u{200b}a", "\u{301}", "👩\u{200d}👧", "."] {
            assert!(text.parse::<Text>().is_ok(), "{text:?}");
        }
        assert_eq!(" a ".parse::<Text>().unwrap().as_str(), " a ");
    }
}
