//! What has to hold after a storm.

use std::collections::{BTreeMap, BTreeSet};

use ddb_core::conversation::{Pass, Rule, inspect};
use ddb_core::item::{ConversationRow, Item, Message};
use ddb_core::key::{ConversationId, MessageId, SortKey, UserId};

use super::actors::{Acknowledged, Stage, Told, scan};

/// A kind of violation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// An actor got an error that it should not get.
    Failed,
    /// A message that was acknowledged is not there.
    Lost,
    /// A message is there more than once.
    Twice,
    /// A row went back behind a message that it was moved to.
    WentBack,
    /// Somebody has two rows for a conversation, and nobody was killed.
    Doubled,
    /// Somebody does not have exactly one row for a conversation after the repair.
    Rows,
    /// A row is not at its conversation's newest message.
    NotAtNewest,
    /// The check reports something.
    Found,
}

/// A violation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    kind: Kind,
    what: String,
}

impl Broken {
    pub fn failed(what: impl std::fmt::Display, error: &str) -> Self {
        Kind::Failed.of(format!("{what}: {error}"))
    }
}

impl Kind {
    fn of(self, what: String) -> Broken {
        Broken { kind: self, what }
    }
}

/// Formats the number of violations of each kind, and the first: if one message is lost, a hundred often are.
pub fn tell(broken: &[Broken]) -> String {
    let mut kinds: BTreeMap<Kind, Vec<&str>> = BTreeMap::new();
    for one in broken {
        kinds.entry(one.kind).or_default().push(&one.what);
    }
    kinds
        .iter()
        .map(|(kind, what)| format!("\n  {kind:?} x {}: {}", what.len(), what[0]))
        .collect()
}

#[derive(Debug, Default)]
struct Conversation {
    messages: Vec<Message>,
    rows: Vec<ConversationRow>,
}

async fn conversations(stage: &Stage) -> BTreeMap<ConversationId, Conversation> {
    let mut all: BTreeMap<ConversationId, Conversation> = BTreeMap::new();
    for item in stage.sandbox.items().await {
        match Item::decode(item) {
            Item::Message(message) => all
                .entry(message.conversation)
                .or_default()
                .messages
                .push(message),
            Item::ConversationRow(row) => all.entry(row.conversation).or_default().rows.push(row),
            Item::Unknown { raw, reason } => panic!("{reason}: {raw:?}"),
        }
    }
    all
}

fn missing(
    all: &BTreeMap<ConversationId, Conversation>,
    acknowledged: &[Acknowledged],
) -> Vec<Broken> {
    let is_there = |told: &&Acknowledged| {
        let messages = all
            .get(&told.conversation)
            .map(|talk| talk.messages.as_slice());
        let is_it = |message: &Message| match told.id {
            Some(id) => message.id == id && message.text == told.text,
            None => message.text == told.text,
        };
        messages.is_some_and(|messages| messages.iter().any(is_it))
    };
    let lost = acknowledged.iter().filter(|told| !is_there(told));
    lost.map(|told| Kind::Lost.of(format!("{}: {}", told.conversation, told.text)))
        .collect()
}

/// Judges the table right after the storm: acknowledged messages are there, and no row has gone back behind a message
/// that it was moved to. If no actor was killed in the middle of its work, nobody has two rows.
pub async fn at_once(stage: &Stage, told: &Told, any_killed: bool) -> Vec<Broken> {
    let all = conversations(stage).await;
    let mut broken = missing(&all, &told.messages);
    for (conversation, newest) in &told.moved {
        let rows = all.get(conversation).map_or(&[][..], |talk| &talk.rows);
        let back = rows
            .iter()
            .filter(|row| micros(&row.last_message_at) < micros(newest));
        broken.extend(back.map(|row| {
            let at = &row.last_message_at;
            Kind::WentBack.of(format!(
                "{conversation}: a row is at {at}, and was at {newest}"
            ))
        }));
    }
    let talks = all.iter().filter(|_| !any_killed);
    broken.extend(talks.filter_map(|(conversation, talk)| {
        let owners: BTreeSet<UserId> = talk.rows.iter().map(|row| row.owner).collect();
        let is_doubled = owners.len() < talk.rows.len();
        is_doubled.then(|| Kind::Doubled.of(format!("{conversation}: {}", places(talk))))
    }));
    broken
}

/// Formats the rows of a conversation.
fn places(talk: &Conversation) -> String {
    let row =
        |row: &ConversationRow| format!("with {} at {}", row.other.handle, row.last_message_at);
    talk.rows.iter().map(row).collect::<Vec<_>>().join(", ")
}

fn micros(sk: &SortKey) -> i64 {
    sk.time().unwrap().micros()
}

/// Judges the table after everything is settled.
pub async fn judge(stage: &Stage, told: &Told) -> Vec<Broken> {
    let all = conversations(stage).await;
    let mut broken = missing(&all, &told.messages);
    for (conversation, talk) in &all {
        broken.extend(twice(*conversation, talk));
        broken.extend(rows(*conversation, talk));
    }
    broken.extend(check(stage).await);
    broken
}

fn twice(conversation: ConversationId, talk: &Conversation) -> Vec<Broken> {
    let mut seen: BTreeSet<MessageId> = BTreeSet::new();
    let again = talk
        .messages
        .iter()
        .filter(|message| !seen.insert(message.id));
    again
        .map(|message| {
            Kind::Twice.of(format!(
                "{conversation}: {} at {}",
                message.text, message.created_at
            ))
        })
        .collect()
}

fn rows(conversation: ConversationId, talk: &Conversation) -> Vec<Broken> {
    let newest = talk
        .messages
        .iter()
        .max_by_key(|message| &message.created_at);
    let Some(newest) = newest else {
        return vec![Kind::Rows.of(format!("{conversation}: rows without a message"))];
    };
    let mut broken = Vec::new();
    let owners: BTreeSet<UserId> = talk.rows.iter().map(|row| row.owner).collect();
    if (talk.rows.len(), owners.len()) != (2, 2) {
        broken.push(Kind::Rows.of(format!("{conversation}: {}", places(talk))));
    }
    let late = talk.rows.iter().filter(|row| !is_at(row, newest));
    broken.extend(late.map(|row| {
        Kind::NotAtNewest.of(format!(
            "{conversation}: {} `{}`, not {} `{}`",
            row.last_message_at, row.text, newest.created_at, newest.text
        ))
    }));
    broken
}

fn is_at(row: &ConversationRow, newest: &Message) -> bool {
    let behind = micros(&row.last_message_at) - micros(&newest.created_at);
    row.text == newest.text && (0..=1_000).contains(&behind)
}

/// Checks as `check-conversations` does. The storm is not to blame for older forms of time.
async fn check(stage: &Stage) -> Vec<Broken> {
    let store = stage.sandbox.store();
    let mut pass = Pass::default();
    let mut findings = Vec::new();
    for item in scan(&store).await.unwrap() {
        pass.take(&(&item).into());
    }
    findings.extend(pass.findings().cloned());
    for conversation in pass.suspects() {
        let seen = inspect(&store, conversation, &pass.owners(conversation), &()).await;
        match seen {
            Ok(seen) => findings.extend(seen.findings),
            Err(error) => return vec![Broken::failed("check in peace", &error.to_string())],
        }
    }
    findings.retain(|finding| finding.rule != Some(Rule::TimeForm));
    findings
        .into_iter()
        .map(|finding| Kind::Found.of(format!("{} {}: {}", finding.pk, finding.sk, finding.reason)))
        .collect()
}
