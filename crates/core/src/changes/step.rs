//! Steps: what happens in one transaction.

use std::borrow::Cow;
use std::num::NonZeroU32;

use crate::key::MessageGroupId;
use crate::store::ItemChange;

/// The most changes of a step. The service takes 100 of 4 MB together (TransactWriteItems in the API reference): so
/// many are under 4 MB whatever their size, and cost a small table little at once.
pub const MAX_CHANGES: usize = 10;

/// Changes that are made together or not at all.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The conversation that they are about; `None` where it is not known.
    pub group: Option<MessageGroupId>,
    /// Why they are made: a rule such as `row-behind`, or a command.
    pub why: Cow<'static, str>,
    /// What is changed.
    pub changes: Vec<ItemChange>,
}

impl Step {
    /// Returns the write capacity units that it takes of the table.
    pub fn units(&self) -> u64 {
        self.changes.iter().map(ItemChange::units).sum()
    }

    /// Returns the step that takes this one back.
    #[must_use]
    pub fn reversed(self) -> Self {
        let changes = self.changes.into_iter().rev().map(ItemChange::reversed);
        Self {
            changes: changes.collect(),
            ..self
        }
    }

    /// Tells whether two steps may be sent at once: they are about different conversations and different items.
    pub(super) fn is_apart_from(&self, other: &Self) -> bool {
        let shares = |change: &ItemChange| other.changes.iter().any(|o| o.key() == change.key());
        self.group.is_some() && self.group != other.group && !self.changes.iter().any(shares)
    }
}

/// How large a step may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepSize {
    units: Option<NonZeroU32>,
}

impl StepSize {
    /// Allows ten changes, and no more than so many write capacity units: those of a second.
    pub const fn new(units: Option<NonZeroU32>) -> Self {
        Self { units }
    }

    /// Tells whether there is room for more changes, which belong together, in a step. An empty one takes any.
    pub fn has_room(&self, step: &[ItemChange], more: &[ItemChange]) -> bool {
        let all = || step.iter().chain(more);
        let units: u64 = all().map(ItemChange::units).sum();
        let fits = self.units.is_none_or(|most| units <= u64::from(most.get()));
        step.is_empty() || (fits && all().count() <= MAX_CHANGES)
    }
}
