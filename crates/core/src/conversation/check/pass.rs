//! One pass over a table, in any order, which finds suspects.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::{Finding, Rule};
use crate::conversation::rows::is_at_target;
use crate::item::{ConversationRow, ItemView, Known, Message, Person, UnknownReason, Value};
use crate::key::{ConversationId, PartitionKey, SortKey, UserId};
use crate::schema::attribute;

/// What a pass remembers of one conversation: enough to decide whether it is suspect.
#[derive(Debug, Clone, Default)]
struct Group {
    newest: Option<Message>,
    rows: Vec<ConversationRow>,
    /// The faults of its sort keys: one finding per rule.
    times: Vec<Finding>,
}

/// A pass over the items of a table, in any order.
#[derive(Debug, Default)]
pub struct Pass {
    conversations: BTreeMap<ConversationId, Group>,
    people: BTreeMap<UserId, BTreeMap<(String, String), Example>>,
    /// Items of unknown shape, by the kind of fault.
    unknown: BTreeMap<String, Finding>,
}

/// The place where a name was first seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// The partition key.
    pub pk: String,
    /// The sort key.
    pub sk: String,
    /// The number of items with the same name.
    pub items: u64,
}

/// A user, a display name and a handle that items have for them, and an example of such an item.
pub type Copied<'a> = (UserId, &'a (String, String), &'a Example);

impl Pass {
    /// Takes one item.
    pub fn take(&mut self, item: &ItemView<'_>) {
        match Known::of(item) {
            Ok(Known::Message(message)) => {
                let pk = PartitionKey::Messages(message.conversation);
                let finding = sort_key_finding(&pk, &message.created_at, message.conversation);
                self.see(&message.sender, &pk, &message.created_at);
                let own = self.conversations.entry(message.conversation).or_default();
                own.see_time(finding);
                own.see_message(message);
            }
            Ok(Known::ConversationRow(row)) => {
                let pk = PartitionKey::Rows(row.owner);
                let finding = sort_key_finding(&pk, &row.last_message_at, row.conversation);
                self.see(&row.other, &pk, &row.last_message_at);
                let own = self.conversations.entry(row.conversation).or_default();
                own.see_time(finding);
                own.rows.push(row);
            }
            Err(reason) => {
                let finding = unknown_finding(item, &reason);
                self.see_unknown(kind_of(&reason), finding);
            }
        }
    }

    /// Merges a pass over items that come after those of this pass.
    pub fn merge(&mut self, after: Self) {
        for (id, conversation) in after.conversations {
            let own = self.conversations.entry(id).or_default();
            own.rows.extend(conversation.rows);
            conversation
                .times
                .into_iter()
                .for_each(|finding| own.see_time(Some(finding)));
            if let Some(message) = conversation.newest {
                own.see_message(message);
            }
        }
        for (kind, finding) in after.unknown {
            self.see_unknown(kind, finding);
        }
        for (id, copies) in after.people {
            let own = self.people.entry(id).or_default();
            for (names, example) in copies {
                match own.entry(names) {
                    Entry::Vacant(entry) => {
                        entry.insert(example);
                    }
                    Entry::Occupied(mut entry) => entry.get_mut().items += example.items,
                }
            }
        }
    }

    fn see(&mut self, person: &Person, pk: &PartitionKey, sk: &SortKey) {
        let names = (person.display_name.clone(), person.handle.clone());
        let copies = self.people.entry(person.id).or_default();
        let example = copies.entry(names).or_insert_with(|| Example {
            pk: pk.to_string(),
            sk: sk.to_string(),
            items: 0,
        });
        example.items += 1;
    }

    fn see_unknown(&mut self, kind: String, finding: Finding) {
        match self.unknown.entry(kind) {
            Entry::Vacant(entry) => {
                entry.insert(finding);
            }
            Entry::Occupied(mut entry) => entry.get_mut().add(finding),
        }
    }

    /// Returns the findings that need no second read: sort keys that are not times or are in an older form, and items
    /// of unknown shape.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        let times = self.conversations.values().flat_map(|own| &own.times);
        times.chain(self.unknown.values())
    }

    /// Returns the conversations that have a sort key in an older form.
    pub fn with_older_times(&self) -> impl Iterator<Item = ConversationId> {
        let is_form = |finding: &Finding| finding.rule == Some(Rule::TimeForm);
        let found = self.conversations.iter();
        found
            .filter(move |(_, own)| own.times.iter().any(is_form))
            .map(|(id, _)| *id)
    }

    /// Returns the conversations that seem to have a fault.
    pub fn suspects(&self) -> Vec<ConversationId> {
        let suspects = self
            .conversations
            .iter()
            .filter(|(_, conversation)| conversation.is_suspect());
        suspects.map(|(id, _)| *id).collect()
    }

    /// Returns the owners of the rows that the pass saw for a conversation.
    pub fn owners(&self, conversation: ConversationId) -> Vec<UserId> {
        let rows = self
            .conversations
            .get(&conversation)
            .map(|conversation| conversation.rows.as_slice());
        rows.unwrap_or_default()
            .iter()
            .map(|row| row.owner)
            .collect()
    }

    /// Returns every name that items have for each user.
    pub fn copied(&self) -> impl Iterator<Item = Copied<'_>> {
        let people = self.people.iter();
        people.flat_map(|(id, copies)| copies.iter().map(|(names, at)| (*id, names, at)))
    }
}

impl Group {
    fn see_message(&mut self, message: Message) {
        let newest = self.newest.as_ref();
        if newest.is_none_or(|newest| newest.created_at < message.created_at) {
            self.newest = Some(message);
        }
    }

    fn see_time(&mut self, finding: Option<Finding>) {
        let Some(finding) = finding else {
            return;
        };
        match self.times.iter_mut().find(|own| own.rule == finding.rule) {
            Some(own) => own.add(finding),
            None => self.times.push(finding),
        }
    }

    fn is_suspect(&self) -> bool {
        let Some(newest) = &self.newest else {
            return true;
        };
        let [one, two] = self.rows.as_slice() else {
            return true;
        };
        one.owner != two.other.id
            || two.owner != one.other.id
            || !is_at_target(one, newest)
            || !is_at_target(two, newest)
    }
}

fn sort_key_finding(
    pk: &PartitionKey,
    sk: &SortKey,
    conversation: ConversationId,
) -> Option<Finding> {
    if sk.is_written_form() {
        return None;
    }
    let (rule, reason) = match sk.time() {
        Ok(time) => (
            Rule::TimeForm,
            format!("the time is not written like {time}, and may sort wrongly"),
        ),
        Err(_) => (
            Rule::TimeUnreadable,
            "the sort key is not a time".to_owned(),
        ),
    };
    Some(Finding {
        rule: Some(rule),
        pk: pk.to_string(),
        sk: sk.to_string(),
        conversation: Some(conversation),
        items: 1,
        reason,
        can_be_repaired: rule == Rule::TimeForm,
    })
}

fn unknown_finding(item: &ItemView<'_>, reason: &UnknownReason) -> Finding {
    let text = |name: &str| match item.get(name) {
        Some(Value::S(text)) => text.clone().into_owned(),
        Some(Value::NotUnicode(text)) => text.shown().into_owned(),
        _ => String::new(),
    };
    Finding {
        rule: None,
        pk: text(attribute::PK),
        sk: text(attribute::SK),
        conversation: None,
        items: 1,
        reason: format!("unknown shape: {reason}"),
        can_be_repaired: false,
    }
}

/// Names a kind of unknown shape. There are only a few kinds, however many items have one.
fn kind_of(reason: &UnknownReason) -> String {
    match reason {
        // Only the attribute is named, not the value.
        UnknownReason::Malformed(name, _) => format!("malformed {name}"),
        other => other.to_string(),
    }
}
