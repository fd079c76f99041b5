//! Deciding what to write, only from what was read.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Doubled, Missing, SyncRequest, SyncedRows};
use crate::item::{ConversationRow, Message, Person};
use crate::key::{SortKey, UserId};
use crate::store::{Action, MAX_BUMP_MICROS};
use crate::timestamp::Timestamp;

/// Sort keys within 1 ms after the target that are taken by rows of other conversations, by owner.
#[derive(Debug, Default)]
pub(in crate::conversation) struct TakenKeys(
    pub(in crate::conversation) HashMap<UserId, BTreeSet<SortKey>>,
);

/// Returns the last instant that a row may have for a message: 1 ms after it.
pub(super) fn last_key(newest: &SortKey) -> Option<Timestamp> {
    newest.time().ok()?.plus_micros(MAX_BUMP_MICROS)
}

/// Checks whether a row has the text of the newest message, and a sort key at most 1 ms after it.
pub(in crate::conversation) fn is_at_target(row: &ConversationRow, newest: &Message) -> bool {
    row.text == newest.text
        && (row.last_message_at == newest.created_at
            || match (row.last_message_at.time(), newest.created_at.time()) {
                (Ok(row), Ok(first)) => {
                    (first.micros()..=first.micros() + MAX_BUMP_MICROS).contains(&row.micros())
                }
                _ => false,
            })
}

/// Checks whether a row is later than its conversation's newest message allows.
pub(in crate::conversation) fn is_ahead(row: &ConversationRow, newest: &Message) -> bool {
    match (row.last_message_at.time(), newest.created_at.time()) {
        (Ok(row), Ok(newest)) => row.micros() > newest.micros() + MAX_BUMP_MICROS,
        _ => row.last_message_at > newest.created_at,
    }
}

/// Returns the first free key for a row of `owner`.
fn free_key(owner: UserId, newest: &Message, taken: &TakenKeys) -> Option<SortKey> {
    let wanted = &newest.created_at;
    let Some(taken) = taken.0.get(&owner) else {
        return Some(wanted.clone());
    };
    if !taken.contains(wanted) {
        return Some(wanted.clone());
    }
    let time = wanted.time().ok()?;
    (1..=MAX_BUMP_MICROS)
        .filter_map(|micros| time.plus_micros(micros))
        .map(SortKey::from)
        .find(|key| !taken.contains(key))
}

/// The most actions in a transaction. DynamoDB allows 100 actions and 4 MB in total (TransactWriteItems in the API
/// reference). Ten items are under 4 MB whatever their size, and take little of a small table's capacity at once.
const MAX_ACTIONS: usize = 10;

/// The transactions to carry out, in order. Each of them makes sense on its own.
#[derive(Default)]
pub(super) struct Decision {
    pub(super) steps: Vec<Vec<Action>>,
    pub(super) synced: SyncedRows,
}

/// Decides what to write, only from what was read. Surplus rows of the owners in `made` are deleted even if surplus
/// rows are otherwise left, because we created one of them. On failure, returns the owner for whose row there is no
/// free key.
pub(super) fn decide(
    newest: &Message,
    rows: Vec<ConversationRow>,
    request: &SyncRequest,
    made: &BTreeSet<UserId>,
    taken: &TakenKeys,
) -> Result<Decision, UserId> {
    let mut decision = Decision::default();
    decision.synced.newest = Some(newest.clone());
    let mut by_owner: BTreeMap<UserId, Vec<ConversationRow>> = BTreeMap::new();
    for row in rows {
        by_owner.entry(row.owner).or_default().push(row);
    }
    let owners: Vec<UserId> = by_owner.keys().copied().collect();
    let mut first = Vec::new();
    let mut surplus = Vec::new();
    for (owner, mut own) in by_owner {
        // Keep the row at the target, or else the row under the key to write, which nothing else can take, or else the
        // latest row. The others are surplus.
        let key = free_key(owner, newest, taken);
        own.sort_by_key(|row| {
            let under_key = Some(&row.last_message_at) == key.as_ref();
            (
                is_at_target(row, newest),
                under_key,
                row.last_message_at.clone(),
            )
        });
        let Some(row) = own.pop() else {
            continue;
        };
        let (actions, row) = decision.put_row(row, newest, request, taken)?;
        let delete = request.doubled == Doubled::Delete || made.contains(&owner);
        if delete && !own.is_empty() {
            if actions.is_empty() {
                first.push(Action::KeepRow(row.clone()));
            }
            surplus.extend(own.iter().cloned().map(|other| (row.clone(), other)));
        }
        first.extend(actions);
        decision.synced.doubled.extend(own);
    }
    let wanted: Vec<(UserId, &Person)> = match &request.missing {
        Missing::PassOver => Vec::new(),
        Missing::Create(people) => {
            let [one, two] = people.as_ref();
            vec![(one.id, two), (two.id, one)]
        }
        Missing::CreateThese(rows) => rows.iter().map(|(owner, other)| (*owner, other)).collect(),
    };
    for (owner, other) in wanted {
        if !owners.contains(&owner) {
            let row = ConversationRow {
                owner,
                last_message_at: free_key(owner, newest, taken).ok_or(owner)?,
                conversation: request.conversation,
                text: newest.text.clone(),
                other: other.clone(),
            };
            first.push(Action::PutRow(row.clone()));
            decision.synced.created.push(row);
        }
    }
    let there = owners.len() + decision.synced.created.len();
    decision.synced.missing = 2usize.saturating_sub(there);
    decision.steps = steps(first, surplus);
    Ok(decision)
}

/// Distributes the deletions of surplus rows over transactions, each together with the row that is kept. The first
/// transaction also has all other actions.
fn steps(
    mut step: Vec<Action>,
    surplus: Vec<(ConversationRow, ConversationRow)>,
) -> Vec<Vec<Action>> {
    let mut steps = Vec::new();
    for (kept, other) in surplus {
        // Room for one deletion, and for the check of the kept row if this transaction does not have it.
        if step.len() + 2 > MAX_ACTIONS {
            steps.push(std::mem::take(&mut step));
        }
        let keep = Action::KeepRow(kept);
        if !steps.is_empty() && !step.contains(&keep) {
            step.push(keep);
        }
        step.push(Action::DeleteRow(other));
    }
    if !step.is_empty() {
        steps.push(step);
    }
    steps
}

impl Decision {
    /// Decides what happens to a participant's row. Returns what to write, and the resulting row.
    fn put_row(
        &mut self,
        row: ConversationRow,
        newest: &Message,
        request: &SyncRequest,
        taken: &TakenKeys,
    ) -> Result<(Vec<Action>, ConversationRow), UserId> {
        if is_at_target(&row, newest) {
            self.synced.unchanged.push(row.clone());
            return Ok((Vec::new(), row));
        }
        if request.never_back && is_ahead(&row, newest) {
            self.synced.ahead.push(row.clone());
            return Ok((Vec::new(), row));
        }
        let new = ConversationRow {
            last_message_at: free_key(row.owner, newest, taken).ok_or(row.owner)?,
            text: newest.text.clone(),
            ..row.clone()
        };
        self.synced.updated.push((row.clone(), new.clone()));
        // DynamoDB always refuses a transaction that deletes and puts the same key.
        let actions = if new.last_message_at == row.last_message_at {
            let new = new.clone();
            vec![Action::ReplaceRow { old: row, new }]
        } else {
            vec![Action::DeleteRow(row), Action::PutRow(new.clone())]
        };
        Ok((actions, new))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::Person;
    use crate::key::ConversationId;
    use crate::sample;

    const T: &str = "2026-03-22T08:35:09.123456+00:00";

    fn request(missing: Missing, never_back: bool) -> SyncRequest {
        SyncRequest {
            conversation: sample::GROUP.parse().unwrap(),
            missing,
            doubled: Doubled::Leave,
            never_back,
        }
    }

    fn people() -> Missing {
        Missing::Create(Box::new([sample::andrew(), sample::bayko()]))
    }

    impl Decision {
        /// Returns the actions of the only transaction, or none.
        fn actions(&self) -> &[Action] {
            assert!(self.steps.len() <= 1, "{:?}", self.steps);
            self.steps.first().map_or(&[], Vec::as_slice)
        }
    }

    fn of_bayko(row: ConversationRow) -> ConversationRow {
        ConversationRow {
            owner: sample::bayko().id,
            other: sample::andrew(),
            ..row
        }
    }

    fn decide_for(rows: Vec<ConversationRow>, request: &SyncRequest) -> Decision {
        let newest = sample::message(T, "newest");
        let taken = TakenKeys::default();
        decide(&newest, rows, request, &BTreeSet::new(), &taken).unwrap()
    }

    #[test]
    fn both_rows_are_made_where_the_participants_are_known() {
        let decision = decide_for(vec![], &request(people(), true));
        let row = sample::conversation_row(T, "newest");
        assert_eq!(decision.synced.created, [row.clone(), of_bayko(row)]);
        assert_eq!(decision.actions().len(), 2);
        let decision = decide_for(vec![], &request(Missing::PassOver, false));
        assert_eq!(decision.synced.missing, 2);
        assert!(decision.steps.is_empty());
    }

    #[test]
    fn rows_at_the_target_are_left_alone() {
        let later = "2026-03-22T08:35:09.124456+00:00";
        let rows = vec![
            sample::conversation_row(T, "newest"),
            of_bayko(sample::conversation_row(later, "newest")),
        ];
        let decision = decide_for(rows.clone(), &request(people(), false));
        assert!(decision.steps.is_empty());
        assert_eq!(decision.synced.unchanged, rows);
    }

    #[test]
    fn a_row_moves_with_a_delete_and_a_put_or_in_place() {
        let old = sample::conversation_row("2026-03-22T08:00:00.000000+00:00", "older");
        let stale = of_bayko(sample::conversation_row(T, "stale"));
        let new = sample::conversation_row(T, "newest");
        let decision = decide_for(
            vec![old.clone(), stale.clone()],
            &request(Missing::PassOver, false),
        );
        assert_eq!(
            decision.actions(),
            [
                Action::DeleteRow(old),
                Action::PutRow(new.clone()),
                Action::ReplaceRow {
                    old: stale,
                    new: of_bayko(new)
                },
            ]
        );
    }

    #[test]
    fn a_row_ahead_moves_back_only_where_that_is_wanted() {
        let ahead = sample::conversation_row("2030-01-01T00:00:00.000000+00:00", "future");
        let kept = decide_for(vec![ahead.clone()], &request(Missing::PassOver, true));
        assert!(kept.steps.is_empty());
        assert_eq!(kept.synced.ahead, std::slice::from_ref(&ahead));
        let moved = decide_for(vec![ahead], &request(Missing::PassOver, false));
        assert_eq!(moved.actions().len(), 2);
    }

    #[test]
    fn of_doubled_rows_the_one_at_the_target_is_the_participants() {
        let at = sample::conversation_row(T, "newest");
        let ahead = sample::conversation_row("2030-01-01T00:00:00.000000+00:00", "future");
        let old = sample::conversation_row("2020-01-01T00:00:00.000000+00:00", "old");
        let rows = vec![at.clone(), ahead.clone(), old.clone()];
        let decision = decide_for(rows, &request(Missing::PassOver, false));
        assert!(decision.steps.is_empty());
        assert_eq!(decision.synced.unchanged, [at]);
        assert_eq!(decision.synced.doubled, [old, ahead]);
    }

    /// The row at the target stays, and an updated row is never put under the key of a deleted row.
    #[test]
    fn surplus_rows_go_in_the_same_transaction() {
        let at = sample::conversation_row(T, "newest");
        let old = sample::conversation_row("2020-01-01T00:00:00.000000+00:00", "old");
        let older = sample::conversation_row("2019-01-01T00:00:00.000000+00:00", "older");
        let delete = SyncRequest {
            doubled: Doubled::Delete,
            ..request(Missing::PassOver, false)
        };
        let kept = decide_for(vec![old.clone(), at.clone()], &delete);
        let kept_row = Action::KeepRow(at.clone());
        assert_eq!(
            kept.actions(),
            [kept_row, Action::DeleteRow(old.clone())],
            "it goes only while the other one stays"
        );
        let moved = decide_for(vec![older.clone(), old.clone()], &delete);
        assert_eq!(
            moved.actions(),
            [
                Action::DeleteRow(old),
                Action::PutRow(at.clone()),
                Action::DeleteRow(older)
            ]
        );
        // A surplus row has the key that the latest row needs, so it is the one that is replaced.
        let stale = sample::conversation_row(T, "stale");
        let future = sample::conversation_row("2030-01-01T00:00:00.000000+00:00", "future");
        let swapped = decide_for(vec![stale.clone(), future.clone()], &delete);
        assert_eq!(
            swapped.actions(),
            [
                Action::ReplaceRow {
                    old: stale,
                    new: at
                },
                Action::DeleteRow(future)
            ]
        );
    }

    /// No transaction is too large, however many surplus rows there are, and each deletes them only together with the
    /// row that stays.
    #[test]
    fn many_surplus_rows_go_in_several_transactions() {
        let start = sample::message(T, "x").created_at.time().unwrap();
        let rows = |whose: fn(ConversationRow) -> ConversationRow| {
            (1..=130).map(move |n| {
                let at = start.plus_micros(n * -10_000_000).unwrap().to_string();
                whose(sample::conversation_row(&at, "old"))
            })
        };
        let delete = SyncRequest {
            doubled: Doubled::Delete,
            ..request(Missing::PassOver, false)
        };
        let all: Vec<ConversationRow> = rows(|row| row).chain(rows(of_bayko)).collect();
        let decision = decide_for(all.clone(), &delete);
        assert_eq!(decision.synced.updated.len(), 2);
        assert_eq!(decision.synced.doubled.len(), 258);
        let new = sample::conversation_row(T, "newest");
        let targets = [new.clone(), of_bayko(new)];
        let puts = |step: &[Action]| {
            let at = |row: &&ConversationRow| step.contains(&Action::PutRow((*row).clone()));
            targets.iter().filter(at).count()
        };
        assert_eq!(puts(&decision.steps[0]), 2, "the first has the moves");
        let mut model = Model {
            rows: all,
            ..Model::default()
        };
        for step in &decision.steps {
            assert!(step.len() <= MAX_ACTIONS);
            assert!(model.apply(step));
            for row in &targets {
                assert!(model.rows.contains(row), "each has a row at the target");
            }
        }
        assert_eq!(model.rows.len(), 2);
        let later = &decision.steps[1..];
        let keeps = |step: &Vec<Action>| step.iter().any(|a| matches!(a, Action::KeepRow(_)));
        assert!(later.iter().all(keeps));
    }

    #[test]
    fn the_first_free_key_within_a_millisecond_is_taken() {
        let newest = sample::message(T, "newest");
        let owner = sample::andrew().id;
        let time = newest.created_at.time().unwrap();
        let first = |count: i64| -> TakenKeys {
            let keys = (0..count).map(|micros| time.plus_micros(micros).unwrap().into());
            TakenKeys(HashMap::from([(owner, keys.collect())]))
        };
        let key = |taken: &TakenKeys| free_key(owner, &newest, taken);
        assert_eq!(key(&first(0)), Some(newest.created_at.clone()));
        assert_eq!(key(&first(3)), Some(time.plus_micros(3).unwrap().into()));
        assert_eq!(
            key(&first(1000)),
            Some(time.plus_micros(1000).unwrap().into())
        );
        assert_eq!(key(&first(1001)), None);
        let rows = request(people(), true);
        assert_eq!(
            decide(&newest, vec![], &rows, &BTreeSet::new(), &first(1001)).err(),
            Some(owner)
        );
    }

    #[test]
    fn a_sort_key_that_is_no_time_is_matched_as_it_is() {
        let newest = sample::message("soon", "newest");
        let row = sample::conversation_row("soon", "newest");
        let decision = decide(
            &newest,
            vec![row.clone()],
            &request(Missing::PassOver, false),
            &BTreeSet::new(),
            &TakenKeys::default(),
        )
        .unwrap();
        assert_eq!(decision.synced.unchanged, [row]);
    }

    use proptest::prelude::*;

    /// A table with only what a decision needs: the messages of each conversation, and all rows.
    #[derive(Default)]
    struct Model {
        messages: HashMap<ConversationId, Vec<Message>>,
        rows: Vec<ConversationRow>,
    }

    impl Model {
        /// Applies all actions or none, under their conditions.
        fn apply(&mut self, actions: &[Action]) -> bool {
            let mut rows = self.rows.clone();
            for action in actions {
                let held = |rows: &[ConversationRow], row: &ConversationRow| {
                    let same = |held: &&ConversationRow| {
                        held.owner == row.owner && held.last_message_at == row.last_message_at
                    };
                    self.rows.iter().any(|held| same(&held)) && rows.iter().any(|held| same(&held))
                };
                match action {
                    Action::DeleteRow(row) => {
                        assert!(self.rows.contains(row), "it is as it was read");
                        rows.retain(|held| held != row);
                    }
                    Action::PutRow(row) if held(&rows, row) => return false,
                    Action::PutRow(row) => rows.push(row.clone()),
                    Action::ReplaceRow { old, new } => {
                        rows.retain(|held| held != old);
                        rows.push(new.clone());
                    }
                    Action::KeepRow(row) if !self.rows.contains(row) => return false,
                    Action::KeepRow(_) => {}
                    Action::PutMessage(_) => unreachable!("a move writes no message"),
                }
            }
            self.rows = rows;
            true
        }

        /// Syncs the rows of a conversation in the same way as the store. After a refusal, the taken keys are read.
        fn sync_rows(&mut self, conversation: ConversationId, people: &[Person; 2]) {
            let Some(newest) = self.messages[&conversation]
                .iter()
                .max_by_key(|m| m.created_at.clone())
            else {
                return;
            };
            let newest = newest.clone();
            let request = SyncRequest {
                conversation,
                missing: Missing::Create(Box::new(people.clone())),
                doubled: Doubled::Leave,
                never_back: false,
            };
            let mut taken = TakenKeys::default();
            loop {
                let own = self
                    .rows
                    .iter()
                    .filter(|row| row.conversation == conversation)
                    .cloned()
                    .collect();
                let decision = decide(&newest, own, &request, &BTreeSet::new(), &taken).unwrap();
                if self.apply(decision.actions()) {
                    return;
                }
                for person in people {
                    let others = self
                        .rows
                        .iter()
                        .filter(|row| row.conversation != conversation);
                    let of_owner = others.filter(|row| row.owner == person.id);
                    let keys = of_owner.map(|row| row.last_message_at.clone()).collect();
                    taken.0.insert(person.id, keys);
                }
            }
        }
    }

    proptest! {
        /// p19: records of many conversations, shuffled, doubled and replayed, always end at the newest message,
        /// with one row per participant, however many conversations share an instant.
        #[test]
        fn p19_any_order_of_records_ends_at_the_newest_message(
            messages in prop::collection::vec((0u128..5, 0i64..4), 1..30),
            replays in prop::collection::vec(any::<prop::sample::Index>(), 0..60),
        ) {
            let people = [sample::andrew(), sample::bayko()];
            let conversation = |n: u128| ConversationId::new(uuid::Uuid::from_u128(n + 1));
            let start = sample::message(T, "x").created_at.time().unwrap();
            let mut model = Model::default();
            for (index, (n, micros)) in messages.iter().enumerate() {
                let mut message = sample::message("", &format!("m{index}"));
                message.conversation = conversation(*n);
                let own = model.messages.entry(conversation(*n)).or_default();
                // Messages never share a key: they move to the next free key, as in the store.
                let mut time = start.plus_micros(*micros).unwrap();
                while own.iter().any(|other| other.created_at == time.into()) {
                    time = time.plus_micros(1).unwrap();
                }
                message.created_at = time.into();
                own.push(message);
                // A record in the middle sees only what exists at that point.
                if let Some(replay) = replays.get(index) {
                    let n = messages[replay.index(index + 1)].0;
                    model.sync_rows(conversation(n), &people);
                }
            }
            for replay in &replays {
                model.sync_rows(conversation(messages[replay.index(messages.len())].0), &people);
            }
            for (n, _) in &messages {
                model.sync_rows(conversation(*n), &people);
            }
            for (id, own) in &model.messages {
                let newest = own.iter().max_by_key(|m| m.created_at.clone()).unwrap();
                let rows: Vec<&ConversationRow> = model.rows.iter().filter(|row| row.conversation == *id).collect();
                prop_assert_eq!(rows.len(), 2);
                prop_assert!(rows[0].owner != rows[1].owner);
                prop_assert!(rows.iter().all(|row| is_at_target(row, newest)), "{rows:?} {newest:?}");
            }
        }
    }
}
