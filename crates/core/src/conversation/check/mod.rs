//! Checking what holds between messages and rows, in one pass whose memory grows with the
//! conversations, and mending what can be mended.
//!
//! The pass only raises suspicions: it reads without a lock, while others write. Each suspicion is read
//! again, consistently, before it is reported.

mod inspect;
mod pass;

pub use inspect::{Inspection, inspect, repair};
pub use pass::{Copied, Example, Pass};

use crate::item::Person;
use crate::key::{ConversationId, UserId};

/// Whoever knows people by their ids: the users of the application.
pub trait FindPerson {
    /// Finds the person with an id; `None` where nobody has it, or it cannot be found out.
    fn find_person(&self, id: UserId) -> impl Future<Output = Option<Person>> + Send;
}

/// Knows nobody.
impl FindPerson for () {
    async fn find_person(&self, _id: UserId) -> Option<Person> {
        None
    }
}

impl<T: FindPerson + Sync> FindPerson for Option<&T> {
    async fn find_person(&self, id: UserId) -> Option<Person> {
        match self {
            Some(people) => people.find_person(id).await,
            None => None,
        }
    }
}

/// The rules that hold in a table that is as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Invariant {
    /// Every row has its conversation's newest message, and a sort key within 1 ms after it.
    NewestMessage,
    /// One row per participant and conversation.
    OneRow,
    /// Every conversation with messages has its two rows, and they name each other.
    TwoRows,
    /// A sort key is a time, and sorts as its time does.
    SortKey,
    /// Names and handles copied into items are those of the users.
    Names,
}

impl Invariant {
    /// Returns its number, from 1.
    pub const fn number(self) -> u8 {
        match self {
            Self::NewestMessage => 1,
            Self::OneRow => 2,
            Self::TwoRows => 3,
            Self::SortKey => 4,
            Self::Names => 5,
        }
    }
}

/// One thing that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule; `None` for an item of unknown shape, which no rule is about.
    pub invariant: Option<Invariant>,
    /// The partition key of the item it is about; of the row that should be there, where one is missing.
    pub pk: String,
    /// Its sort key; empty where there is no item.
    pub sk: String,
    /// The conversation.
    pub conversation: Option<ConversationId>,
    /// What is wrong.
    pub reason: String,
}
