//! Steps: the changes of one transaction.

use std::borrow::Cow;
use std::num::NonZeroU32;

use super::error::ChangesError;
use crate::key::ConversationId;
use crate::store::ItemChange;

/// The most changes that are packed into a step. DynamoDB allows 100 changes and 4 MB in total (TransactWriteItems in
/// the API reference). Ten items are under 4 MB whatever their size, and take little of a small table's capacity at
/// once.
pub const MAX_CHANGES: usize = 10;

/// Changes that are made all together or not at all.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The conversation that the changes belong to, if it is known.
    pub conversation: Option<ConversationId>,
    /// The reason for the changes: a rule such as `row-behind`, or a command.
    pub why: Cow<'static, str>,
    /// The changes.
    pub changes: Vec<ItemChange>,
}

impl Step {
    /// Returns the write capacity units that the step consumes on the table.
    pub fn units(&self) -> u64 {
        self.changes.iter().map(ItemChange::units).sum()
    }

    /// Returns the step that undoes this one.
    #[must_use]
    pub fn reversed(self) -> Self {
        let changes = self.changes.into_iter().rev().map(ItemChange::reversed);
        Self {
            changes: changes.collect(),
            ..self
        }
    }

    /// Checks whether two steps can be sent at once: they change different items of different conversations.
    pub(super) fn is_apart_from(&self, other: &Self) -> bool {
        let shares = |change: &ItemChange| other.changes.iter().any(|o| o.key() == change.key());
        self.conversation.is_some()
            && self.conversation != other.conversation
            && !self.changes.iter().any(shares)
    }
}

/// Takes the steps of a plan.
pub type Sink<'a> = &'a mut (dyn FnMut(Step) -> Result<(), ChangesError> + Send);

/// The largest size of a step. Changes that belong together, such as the newest message and its rows or all rows of a
/// conversation, stay in one step even if they exceed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepSize {
    units: Option<NonZeroU32>,
}

impl StepSize {
    /// Allows ten changes, and at most this many write capacity units: the units of one second.
    pub const fn new(units: Option<NonZeroU32>) -> Self {
        Self { units }
    }

    /// Checks whether more changes, which belong together, fit in a step. Any changes fit in an empty step.
    pub fn has_room(&self, step: &[ItemChange], more: &[ItemChange]) -> bool {
        let all = || step.iter().chain(more);
        let units: u64 = all().map(ItemChange::units).sum();
        let fits = self.units.is_none_or(|most| units <= u64::from(most.get()));
        step.is_empty() || (fits && all().count() <= MAX_CHANGES)
    }
}

/// Packs changes into steps of the right size. All changes of a step have the same conversation and reason.
#[derive(Debug)]
pub struct Packer {
    size: StepSize,
    step: Option<Step>,
}

impl Packer {
    /// Makes a packer without a step.
    pub const fn new(size: StepSize) -> Self {
        Self { size, step: None }
    }

    /// Adds changes that belong together. If they do not fit in the current step, returns that step and begins the next
    /// one with them.
    pub fn add(
        &mut self,
        conversation: Option<ConversationId>,
        why: &'static str,
        changes: Vec<ItemChange>,
    ) -> Option<Step> {
        let fits = self.step.as_ref().is_some_and(|step| {
            step.conversation == conversation
                && step.why == why
                && self.size.has_room(&step.changes, &changes)
        });
        if let Some(step) = self.step.as_mut().filter(|_| fits) {
            step.changes.extend(changes);
            return None;
        }
        self.step.replace(Step {
            conversation,
            why: why.into(),
            changes,
        })
    }

    /// Returns the last step.
    pub fn finish(&mut self) -> Option<Step> {
        self.step.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::RawItem;
    use crate::sample;

    fn put(second: usize, bytes: usize) -> ItemChange {
        let sk = format!("2026-03-22T08:35:{second:02}.123456+00:00");
        let message = sample::message(&sk, &"x".repeat(bytes));
        ItemChange::new(None, Some(RawItem::from(&message))).unwrap()
    }

    /// Returns the number of changes in each step.
    fn pack(units: Option<u32>, groups: Vec<Vec<ItemChange>>) -> Vec<usize> {
        let mut packer = Packer::new(StepSize::new(units.and_then(NonZeroU32::new)));
        let add = |group| packer.add(None, "test", group);
        let mut steps: Vec<Step> = groups.into_iter().filter_map(add).collect();
        steps.extend(packer.finish());
        steps.iter().map(|step| step.changes.len()).collect()
    }

    #[test]
    fn a_step_has_ten_changes_or_the_units_of_a_second() {
        let singles = |count: usize| (0..count).map(|n| vec![put(n, 10)]).collect::<Vec<_>>();
        let pairs = |count: usize| {
            let pair = |n: usize| vec![put(2 * n, 10), put(2 * n + 1, 10)];
            (0..count).map(pair).collect::<Vec<_>>()
        };
        for (units, groups, steps) in [
            (None, singles(25), vec![10, 10, 5]),
            (Some(1_000), singles(25), vec![10, 10, 5]),
            // A change to a small item takes two units.
            (Some(5), singles(5), vec![2, 2, 1]),
            (Some(1), singles(2), vec![1, 1]),
            (None, pairs(6), vec![10, 2]),
            // Changes that belong together are never split.
            (Some(6), pairs(3), vec![2, 2, 2]),
            (Some(2), pairs(2), vec![2, 2]),
            (None, vec![singles(12).concat()], vec![12]),
            (
                Some(5),
                vec![vec![put(1, 1_500)], vec![put(2, 10)]],
                vec![1, 1],
            ),
            (None, Vec::new(), vec![]),
        ] {
            assert_eq!(pack(units, groups), steps, "{units:?}");
        }
    }

    #[test]
    fn steps_are_of_one_conversation_and_one_reason() {
        let mut packer = Packer::new(StepSize::new(None));
        let one = Some(sample::message("2026-03-22T08:35:09.123456+00:00", "x").conversation);
        assert!(packer.add(one, "a", vec![put(1, 1)]).is_none());
        assert!(packer.add(one, "b", vec![put(2, 1)]).is_some());
        assert!(packer.add(None, "b", vec![put(3, 1)]).is_some());
        assert!(packer.add(None, "b", vec![put(4, 1)]).is_none());
        assert_eq!(packer.finish().unwrap().changes.len(), 2);
        assert!(packer.finish().is_none());
    }
}
