//! Checking the rules for messages and rows in one pass, whose memory grows with the number of conversations.
//!
//! The pass only finds suspects, because it reads without a lock while others write. Each suspect is read again,
//! consistently, before it is reported.

mod inspect;
mod pass;

pub(super) use inspect::rows_of;
pub use inspect::{Inspection, inspect};
pub use pass::{Copied, Example, Pass};

use std::str::FromStr;

use crate::item::Person;
use crate::key::{ConversationId, UserId};

/// A directory of people by id: the users of the application.
pub trait FindPerson {
    /// Finds the person with an id. Returns `None` if nobody has it, or the lookup fails.
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

/// The rules for a correct table, the most serious first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// Every conversation with messages has its two rows, and they name each other.
    RowMissing,
    /// Each participant has one row per conversation.
    RowDoubled,
    /// Every row has the text of its conversation's newest message, and a sort key at most 1 ms after it.
    RowBehind,
    /// No row belongs to a conversation without messages.
    RowStray,
    /// Every sort key of a message or row is a time.
    TimeUnreadable,
    /// Every sort key that is a time is in the written form.
    TimeForm,
    /// Names and handles copied into items match those of the users.
    NameStale,
}

impl Rule {
    /// All rules, the most serious first.
    pub const ALL: [Self; 7] = [
        Self::RowMissing,
        Self::RowDoubled,
        Self::RowBehind,
        Self::RowStray,
        Self::TimeUnreadable,
        Self::TimeForm,
        Self::NameStale,
    ];

    /// Returns its name: `row-behind`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RowMissing => "row-missing",
            Self::RowDoubled => "row-doubled",
            Self::RowBehind => "row-behind",
            Self::RowStray => "row-stray",
            Self::TimeUnreadable => "time-unreadable",
            Self::TimeForm => "time-form",
            Self::NameStale => "name-stale",
        }
    }

    /// Checks whether it is about the rows of a conversation with messages.
    pub const fn is_about_rows(self) -> bool {
        matches!(self, Self::RowMissing | Self::RowDoubled | Self::RowBehind)
    }
}

/// The error for a text that is not the name of a rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown rule; the rules are row-missing, row-doubled, row-behind, row-stray, time-unreadable, time-form and name-stale"
)]
pub struct UnknownRule;

impl FromStr for Rule {
    type Err = UnknownRule;

    fn from_str(text: &str) -> Result<Self, UnknownRule> {
        let found = Self::ALL.into_iter().find(|rule| rule.as_str() == text);
        found.ok_or(UnknownRule)
    }
}

/// One fault of a conversation, in one or more items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule; `None` for items of unknown shape, which no rule covers.
    pub rule: Option<Rule>,
    /// The conversation, if the fault is about one.
    pub conversation: Option<ConversationId>,
    /// The number of items with the fault.
    pub items: u64,
    /// The partition key of one of these items, or of the missing row.
    pub pk: String,
    /// Its sort key; empty if there is no item.
    pub sk: String,
    /// What is wrong with it.
    pub reason: String,
    /// Whether enough is known to repair it.
    pub can_be_repaired: bool,
}

impl Finding {
    /// Returns its position in a report: the most serious rule first, then the most items.
    pub fn order(&self) -> impl Ord + use<> {
        let rank = self.rule.map_or(u8::MAX, |rule| rule as u8);
        (
            rank,
            u64::MAX - self.items,
            self.conversation,
            self.pk.clone(),
        )
    }

    /// Adds another finding of the same fault. The item with the lower key becomes the example.
    fn add(&mut self, other: Self) {
        let items = self.items + other.items;
        if (&other.pk, &other.sk) < (&self.pk, &self.sk) {
            *self = other;
        }
        self.items = items;
    }
}

/// Merges the findings of each conversation and rule into one.
fn fold(findings: impl IntoIterator<Item = Finding>) -> Vec<Finding> {
    let mut folded: Vec<Finding> = Vec::new();
    for finding in findings {
        let same = |other: &&mut Finding| {
            (other.rule, other.conversation) == (finding.rule, finding.conversation)
        };
        match folded.iter_mut().find(same) {
            Some(other) => other.add(finding),
            None => folded.push(finding),
        }
    }
    folded
}
