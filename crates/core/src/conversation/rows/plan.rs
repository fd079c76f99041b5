//! Planning the repair of the rows of one conversation.

use std::collections::BTreeSet;

use super::decide::{Decision, TakenKeys, decide};
use super::{
    Doubled, Missing, Search, SyncRequest, SyncedRows, find_rows, keys_taken, look_for, no_free_key,
};
use crate::changes::Step;
use crate::error::Error;
use crate::item::{ConversationRow, Message, Person};
use crate::key::{ConversationId, UserId};
use crate::store::{Action, ItemChange, Store};

/// The faults of rows to repair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowRules {
    /// Missing rows are created.
    pub missing: bool,
    /// Second and further rows of a participant are deleted.
    pub doubled: bool,
    /// Rows are moved to the newest message.
    pub behind: bool,
}

impl RowRules {
    /// All of them.
    pub const ALL: Self = Self {
        missing: true,
        doubled: true,
        behind: true,
    };
}

/// The transactions for the rows of a conversation, and the resulting rows.
#[derive(Debug)]
pub(in crate::conversation) struct PlannedRows {
    pub(in crate::conversation) steps: Vec<Vec<Action>>,
    pub(in crate::conversation) rows: Vec<ConversationRow>,
}

/// Plans the repair of a conversation's rows. `planned` has the keys that the plan already gives to other rows. Returns
/// `None` if the conversation has no messages.
pub(in crate::conversation) async fn plan_rows(
    store: &Store,
    conversation: ConversationId,
    people: &[Person; 2],
    rules: RowRules,
    search: Search,
    planned: &mut TakenKeys,
) -> Result<Option<PlannedRows>, Error> {
    let known = people.each_ref().map(|person| person.id);
    let looked = look_for(store, conversation, &known, search).await?;
    let Some((newest, rows)) = looked else {
        return Ok(None);
    };
    let request = SyncRequest {
        conversation,
        missing: match rules.missing {
            true => Missing::Create(Box::new(people.clone())),
            false => Missing::PassOver,
        },
        doubled: match rules.doubled {
            true => Doubled::Delete,
            false => Doubled::Leave,
        },
        never_back: false,
    };
    let decision = decide_beside(store, &newest, &rows, &request, planned).await?;
    let steps = match rules.behind {
        true => decision.steps,
        false => without_updates(decision.steps, &decision.synced),
    };
    let rows = after(rows, &steps);
    for row in &rows {
        let keys = planned.0.entry(row.owner).or_default();
        keys.insert(row.last_message_at.clone());
    }
    Ok(Some(PlannedRows { steps, rows }))
}

/// Decides with the keys that other rows have, and the keys that a plan already gives to other rows.
async fn decide_beside(
    store: &Store,
    newest: &Message,
    rows: &[ConversationRow],
    request: &SyncRequest,
    planned: &TakenKeys,
) -> Result<Decision, Error> {
    let none = BTreeSet::new();
    let no_key = |owner| no_free_key(store, newest, owner);
    let first = decide(newest, rows.to_vec(), request, &none, planned).map_err(no_key)?;
    let mut taken = TakenKeys::default();
    for owner in first.synced.writes_to().collect::<BTreeSet<UserId>>() {
        let mut keys = keys_taken(store, owner, newest).await?;
        keys.extend(planned.0.get(&owner).into_iter().flatten().cloned());
        taken.0.insert(owner, keys);
    }
    decide(newest, rows.to_vec(), request, &none, &taken).map_err(no_key)
}

/// Plans the move of a conversation's rows to a message that will be its newest. Missing rows are created; doubled rows
/// stay.
///
/// # Errors
///
/// If a request fails, or there is no free key for a row.
pub(crate) async fn row_changes_to(
    store: &Store,
    newest: &Message,
    people: &[Person; 2],
) -> Result<Vec<ItemChange>, Error> {
    let conversation = newest.conversation;
    let known = people.each_ref().map(|person| person.id);
    let rows = find_rows(store, conversation, newest, &known, Search::Everywhere).await?;
    let request = SyncRequest {
        conversation,
        missing: Missing::Create(Box::new(people.clone())),
        doubled: Doubled::Leave,
        never_back: false,
    };
    let planned = TakenKeys::default();
    let decision = decide_beside(store, newest, &rows, &request, &planned).await?;
    Ok(decision
        .steps
        .iter()
        .flatten()
        .map(ItemChange::of)
        .collect())
}

/// Removes the updates of rows that are not at the newest message.
fn without_updates(steps: Vec<Vec<Action>>, synced: &SyncedRows) -> Vec<Vec<Action>> {
    let old = |row: &ConversationRow| {
        let mut updated = synced.updated.iter();
        let found = updated.find(|(old, new)| old == row || new == row);
        found.map(|(old, _)| Action::KeepRow(old.clone()))
    };
    let mut kept: Vec<Vec<Action>> = Vec::new();
    for step in steps {
        let mut actions: Vec<Action> = Vec::new();
        for action in step {
            let action = match &action {
                Action::PutRow(row) | Action::DeleteRow(row) | Action::KeepRow(row) => {
                    old(row).unwrap_or(action)
                }
                Action::ReplaceRow { old, .. } => Action::KeepRow(old.clone()),
                Action::PutMessage(_) => action,
            };
            if !actions.contains(&action) {
                actions.push(action);
            }
        }
        if actions
            .iter()
            .any(|action| !matches!(action, Action::KeepRow(_)))
        {
            kept.push(actions);
        }
    }
    kept
}

/// Returns the rows after transactions.
fn after(mut rows: Vec<ConversationRow>, steps: &[Vec<Action>]) -> Vec<ConversationRow> {
    for action in steps.iter().flatten() {
        match action {
            Action::PutRow(row) => rows.push(row.clone()),
            Action::DeleteRow(row) => rows.retain(|other| other != row),
            Action::ReplaceRow { old, new } => {
                rows.retain(|other| other != old);
                rows.push(new.clone());
            }
            Action::KeepRow(_) | Action::PutMessage(_) => {}
        }
    }
    rows
}

/// Makes a step of the actions of one transaction.
pub(in crate::conversation) fn step_of(
    conversation: ConversationId,
    why: &'static str,
    actions: &[Action],
) -> Step {
    Step {
        conversation: Some(conversation),
        why: why.into(),
        changes: actions.iter().map(ItemChange::of).collect(),
    }
}
