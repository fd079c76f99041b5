//! Planning repairs for the findings of a check, one conversation at a time. Steps whose items changed are planned
//! again.

mod names;
mod times;
mod turns;
mod zone;

use std::collections::{BTreeSet, HashMap, HashSet};

use super::check::{FindPerson, Inspection, Rule, inspect};
use super::rows::{PlannedRows, Search, TakenKeys, plan_rows, step_of};
use crate::changes::{Replan, Step, StepSize};
use crate::error::Error;
use crate::item::{ConversationRow, Person};
use crate::key::{ConversationId, PartitionKey, SortKey, UserId};
use crate::store::{Action, ItemChange, Store};
use crate::timezone::Zone;

pub use super::rows::RowRules;
pub use names::{StalePeople, rename};
pub use turns::Planned;

/// Plans repairs of the conversations of a table.
#[derive(Debug)]
pub struct RepairPlanner<'a, F> {
    store: &'a Store,
    users: &'a F,
    rules: RowRules,
    size: StepSize,
    /// People whose names in items differ from those of the users.
    names: HashMap<UserId, Person>,
    /// Keys that the plan gives to rows.
    planned: TakenKeys,
    /// Rows that the plan already changes.
    touched: HashSet<(UserId, SortKey)>,
    /// The rows of conversations after the plan is carried out.
    rows_then: HashMap<ConversationId, Vec<ConversationRow>>,
    /// The zone of times without an offset, if older times are rewritten.
    zone: Option<Zone>,
}

impl<'a, F: FindPerson + Sync> RepairPlanner<'a, F> {
    /// Repairs faults of rows. `size` limits the steps; `names` are the people whose names are updated.
    pub fn new(
        store: &'a Store,
        users: &'a F,
        rules: RowRules,
        size: StepSize,
        names: HashMap<UserId, Person>,
    ) -> Self {
        Self {
            store,
            users,
            rules,
            size,
            names,
            planned: TakenKeys::default(),
            touched: HashSet::new(),
            rows_then: HashMap::new(),
            zone: None,
        }
    }

    /// Also rewrites older times. Times without an offset are read in this zone.
    #[must_use]
    pub fn with_times(mut self, zone: Zone) -> Self {
        self.zone = Some(zone);
        self
    }

    /// Returns the keys that the plan gives to the rows of a person.
    fn planned_keys(&self, owner: UserId) -> Option<&BTreeSet<SortKey>> {
        self.planned.0.get(&owner)
    }

    /// Plans the repair of a conversation's rows.
    ///
    /// # Errors
    ///
    /// If a request fails, or there is no free key for a row.
    pub async fn rows(
        &mut self,
        conversation: ConversationId,
        people: &[Person; 2],
    ) -> Result<Vec<Step>, Error> {
        let (store, rules, keys) = (self.store, self.rules, &mut self.planned);
        let search = Search::Hinted;
        let planned = plan_rows(store, conversation, people, rules, search, keys).await?;
        let Some(planned) = planned else {
            return Ok(Vec::new());
        };
        for action in planned.steps.iter().flatten() {
            if let Action::DeleteRow(row)
            | Action::KeepRow(row)
            | Action::ReplaceRow { old: row, .. } = action
            {
                let key = (row.owner, row.last_message_at.clone());
                self.touched.insert(key);
            }
        }
        let steps = self.steps(conversation, &planned);
        if self.zone.is_some() {
            let written = |row: &ConversationRow| {
                planned.steps.iter().flatten().any(|action| {
                    matches!(action, Action::PutRow(new) | Action::ReplaceRow { new, .. } if new == row)
                })
            };
            let then = |row: &ConversationRow| match written(row) {
                true => self.fresh(row),
                false => row.clone(),
            };
            let rows = planned.rows.iter().map(then).collect();
            self.rows_then.insert(conversation, rows);
        }
        Ok(steps)
    }

    fn steps(&self, conversation: ConversationId, planned: &PlannedRows) -> Vec<Step> {
        let steps = planned.steps.iter().map(|actions| {
            let renamed: Vec<Action> = actions.iter().map(|action| self.renamed(action)).collect();
            step_of(conversation, why(actions).as_str(), &renamed)
        });
        steps.collect()
    }

    fn fresh(&self, row: &ConversationRow) -> ConversationRow {
        ConversationRow {
            other: self.names.get(&row.other.id).unwrap_or(&row.other).clone(),
            ..row.clone()
        }
    }

    /// Updates the names in a row that an action writes.
    fn renamed(&self, action: &Action) -> Action {
        match action {
            Action::PutRow(row) => Action::PutRow(self.fresh(row)),
            Action::ReplaceRow { old, new } => Action::ReplaceRow {
                old: old.clone(),
                new: self.fresh(new),
            },
            other => other.clone(),
        }
    }

    /// Plans the rows of a step's conversation again.
    async fn rows_again(&self, step: &Step) -> Result<Vec<Step>, Error> {
        let Some(conversation) = step.conversation else {
            return Ok(Vec::new());
        };
        let owners: Vec<UserId> = owners_of(step).collect();
        let Inspection { people, .. } =
            inspect(self.store, conversation, &owners, self.users).await?;
        let Ok(people) = people else {
            return Ok(Vec::new());
        };
        let (store, rules, mut keys) = (self.store, self.rules, TakenKeys::default());
        let search = Search::Everywhere;
        let planned = plan_rows(store, conversation, &people, rules, search, &mut keys).await?;
        Ok(planned
            .map(|planned| self.steps(conversation, &planned))
            .unwrap_or_default())
    }
}

impl<F: FindPerson + Sync> Replan for RepairPlanner<'_, F> {
    async fn again(&self, step: &Step) -> Result<Option<Vec<Step>>, Error> {
        if step.why == Rule::NameStale.as_str() {
            return self.names_again(step).await.map(Some);
        }
        if step.why == Rule::TimeForm.as_str() {
            return self.times_again(step).await.map(Some);
        }
        self.rows_again(step).await.map(Some)
    }

    /// Reads rows that were created once more: another writer may have created them at the same time, under another
    /// key. The last writer to read sees the rows of all writers. Also reads rows that moved with a message.
    async fn after(&self, step: &Step) -> Result<Vec<Step>, Error> {
        let has_rows = || owners_of(step).next().is_some();
        let is_move = || step.why == Rule::TimeForm.as_str() && has_rows();
        if step.why == Rule::RowMissing.as_str() || is_move() {
            return self.rows_again(step).await;
        }
        Ok(Vec::new())
    }
}

/// Returns the owner of the row that a change is about.
fn owner_of(change: &ItemChange) -> Option<UserId> {
    match change.pk().parse() {
        Ok(PartitionKey::Rows(owner)) => Some(owner),
        _ => None,
    }
}

/// Returns the owners of the rows that a step is about.
fn owners_of(step: &Step) -> impl Iterator<Item = UserId> {
    step.changes.iter().filter_map(owner_of)
}

/// Returns the most serious fault that a transaction repairs.
fn why(actions: &[Action]) -> Rule {
    let deleted = |owner: UserId| {
        let of = |action: &&Action| matches!(action, Action::DeleteRow(row) if row.owner == owner);
        actions.iter().filter(of).count()
    };
    let put: Vec<UserId> = actions
        .iter()
        .filter_map(|action| match action {
            Action::PutRow(row) => Some(row.owner),
            _ => None,
        })
        .collect();
    let deletes = actions
        .iter()
        .filter(|action| matches!(action, Action::DeleteRow(_)));
    if put.iter().any(|owner| deleted(*owner) == 0) {
        Rule::RowMissing
    } else if deletes.count() > put.len() {
        Rule::RowDoubled
    } else {
        Rule::RowBehind
    }
}
