//! Planning to delete a conversation or one of its messages.

use std::collections::BTreeSet;

use futures::TryStreamExt;

use super::check::rows_of;
use super::read::{conversation_rows, newest_message};
use super::rows::{free_row_key, is_at_target, look};
use crate::changes::{ChangesError, Packer, Replan, Sink, Step, StepSize};
use crate::error::{CallError, Error};
use crate::item::{ConversationRow, Item, Message, RawItem};
use crate::key::{ConversationId, MessageId, PartitionKey, SortKey, UserId};
use crate::store::{Direction, ItemChange, Partition, Query, Store};

/// The reason of steps that delete a conversation.
pub const DELETE_CONVERSATION: &str = "delete-conversation";
/// The reason of steps that delete a message.
pub const DELETE_MESSAGE: &str = "delete-message";

const KEYED: &str = "an item that was read has a key";

/// The items that a deletion affects.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Deletion {
    /// Messages.
    pub messages: u64,
    /// Rows that are deleted or moved.
    pub rows: u64,
}

fn deleted(item: RawItem) -> ItemChange {
    ItemChange::new(Some(item), None).expect(KEYED)
}

/// Finds all rows of a conversation, whether or not it has messages. The index is only a hint at their owners.
async fn all_rows(
    store: &Store,
    conversation: ConversationId,
) -> Result<Vec<ConversationRow>, CallError> {
    let hinted = Query::new(Partition::ConversationIndex(conversation));
    let hints = conversation_rows(store, hinted).await?;
    let mut people: BTreeSet<UserId> = BTreeSet::new();
    people.extend(hints.iter().flat_map(|row| [row.owner, row.other.id]));
    if let Some((newest, rows)) = look(store, conversation, &[]).await? {
        people.insert(newest.sender.id);
        people.extend(rows.iter().flat_map(|row| [row.owner, row.other.id]));
    }
    let people: Vec<UserId> = people.into_iter().collect();
    rows_of(store, conversation, &people).await
}

/// Plans to delete a conversation: first its rows, so that there is never a row without messages, then its messages.
/// Items of unknown shape are kept.
///
/// # Errors
///
/// If a request or the sink fails.
pub async fn plan_deletion(
    store: &Store,
    conversation: ConversationId,
    size: StepSize,
    sink: Sink<'_>,
) -> Result<Deletion, ChangesError> {
    let mut deletion = Deletion::default();
    let rows = all_rows(store, conversation).await?;
    deletion.rows = rows.len() as u64;
    for step in row_steps(conversation, &rows) {
        sink(step)?;
    }
    let mut packer = Packer::new(size);
    let query = Query::new(Partition::Table(PartitionKey::Messages(conversation))).consistent();
    let mut pages = std::pin::pin!(store.query(query));
    while let Some(page) = pages.try_next().await? {
        for item in page.items {
            if let Item::Message(_) = Item::decode(item.clone()) {
                deletion.messages += 1;
                let change = vec![deleted(item)];
                if let Some(step) = packer.add(Some(conversation), DELETE_CONVERSATION, change) {
                    sink(step)?;
                }
            }
        }
    }
    if let Some(step) = packer.finish() {
        sink(step)?;
    }
    Ok(deletion)
}

/// Makes the steps that delete rows: one transaction, or more if the rows do not fit in one.
fn row_steps(conversation: ConversationId, rows: &[ConversationRow]) -> Vec<Step> {
    let steps = rows.chunks(crate::changes::MAX_CHANGES).map(|rows| Step {
        conversation: Some(conversation),
        why: DELETE_CONVERSATION.into(),
        changes: rows.iter().map(|row| deleted(row.into())).collect(),
    });
    steps.collect()
}

/// Plans the rest of a step again after its items changed.
#[derive(Debug)]
pub struct DeleteAgain<'a> {
    store: &'a Store,
    /// The message to delete; `None` to delete the whole conversation.
    message: Option<(MessageId, SortKey)>,
}

impl<'a> DeleteAgain<'a> {
    /// Plans the deletion of a whole conversation again.
    pub fn conversation(store: &'a Store) -> Self {
        Self {
            store,
            message: None,
        }
    }

    /// Plans the deletion of one message again.
    pub fn message(store: &'a Store, id: MessageId, at: SortKey) -> Self {
        Self {
            store,
            message: Some((id, at)),
        }
    }
}

impl Replan for DeleteAgain<'_> {
    async fn again(&self, step: &Step) -> Result<Option<Vec<Step>>, Error> {
        let Some(conversation) = step.conversation else {
            return Ok(None);
        };
        if let Some((id, at)) = &self.message {
            let Some(found) = message_at(self.store, conversation, *id, at).await? else {
                return Ok(Some(Vec::new()));
            };
            let (step, _) = message_step(self.store, found).await?;
            return Ok(Some(vec![step]));
        }
        let mut changes = Vec::new();
        let is_row = |change: &ItemChange| matches!(change.pk().parse(), Ok(PartitionKey::Rows(_)));
        if step.changes.iter().any(is_row) {
            let rows = all_rows(self.store, conversation).await?;
            return Ok(Some(row_steps(conversation, &rows)));
        }
        for change in &step.changes {
            changes.extend(self.store.read_again(change).await?.map(deleted));
        }
        let step = Step {
            changes,
            ..step.clone()
        };
        Ok(Some(match step.changes.is_empty() {
            true => Vec::new(),
            false => vec![step],
        }))
    }
}

/// A message found in a table.
#[derive(Debug, Clone)]
pub struct FoundMessage {
    /// The item, as it was read.
    pub item: RawItem,
    /// The decoded message.
    pub message: Message,
}

impl FoundMessage {
    /// Takes the item if it is the message with this id.
    fn new(item: RawItem, id: MessageId) -> Option<Self> {
        match Item::decode(item.clone()) {
            Item::Message(message) if message.id == id => Some(Self { item, message }),
            _ => None,
        }
    }
}

/// The result of searching a conversation.
#[derive(Debug, Clone)]
pub struct MessageSearch {
    /// The message, if it was found.
    pub found: Option<FoundMessage>,
    /// Read capacity units that the search consumed.
    pub consumed: f64,
}

/// Reads the message with this id at its key. Returns `None` if there is nothing or something else.
pub async fn message_at(
    store: &Store,
    conversation: ConversationId,
    id: MessageId,
    at: &SortKey,
) -> Result<Option<FoundMessage>, CallError> {
    let item = store.get(&PartitionKey::Messages(conversation), at).await?;
    Ok(item.and_then(|item| FoundMessage::new(item, id)))
}

/// Searches a conversation for the message with this id, newest messages first.
pub async fn search_message(
    store: &Store,
    conversation: ConversationId,
    id: MessageId,
) -> Result<MessageSearch, CallError> {
    let query = Query::new(Partition::Table(PartitionKey::Messages(conversation)))
        .direction(Direction::Descending)
        .consistent();
    let mut pages = std::pin::pin!(store.query(query));
    let mut search = MessageSearch {
        found: None,
        consumed: 0.0,
    };
    while let Some(page) = pages.try_next().await? {
        search.consumed += page.consumed.unwrap_or_default();
        let mut items = page.items.into_iter();
        search.found = items.find_map(|item| FoundMessage::new(item, id));
        if search.found.is_some() {
            break;
        }
    }
    Ok(search)
}

/// Plans to delete one message in one transaction. If it is the newest, the rows move to the newest remaining message,
/// or are deleted with the last message.
///
/// # Errors
///
/// If a request fails, or there is no free key for a row.
pub async fn message_step(
    store: &Store,
    FoundMessage { item, message }: FoundMessage,
) -> Result<(Step, Deletion), Error> {
    let conversation = message.conversation;
    let mut step = Step {
        conversation: Some(conversation),
        why: DELETE_MESSAGE.into(),
        changes: vec![deleted(item)],
    };
    let mut deletion = Deletion {
        messages: 1,
        rows: 0,
    };
    let newest = newest_message(store, conversation).await?;
    if newest.is_some_and(|newest| newest.created_at != message.created_at) {
        return Ok((step, deletion));
    }
    let left = second_newest(store, conversation).await?;
    for row in all_rows(store, conversation).await? {
        match &left {
            Some(left) => {
                if !is_at_target(&row, &message) {
                    continue;
                }
                let key = free_row_key(store, row.owner, left, |_| false).await?;
                let new = ConversationRow {
                    last_message_at: key,
                    text: left.text.clone(),
                    ..row.clone()
                };
                let put = RawItem::from(&new);
                if new.last_message_at == row.last_message_at {
                    let change = ItemChange::new(Some(RawItem::from(&row)), Some(put));
                    step.changes.push(change.expect(KEYED));
                } else {
                    step.changes.push(deleted(RawItem::from(&row)));
                    let change = ItemChange::new(None, Some(put));
                    step.changes.push(change.expect(KEYED));
                }
            }
            None => step.changes.push(deleted(RawItem::from(&row))),
        }
        deletion.rows += 1;
    }
    Ok((step, deletion))
}

/// Reads the second newest message.
async fn second_newest(
    store: &Store,
    conversation: ConversationId,
) -> Result<Option<Message>, CallError> {
    let query = Query::new(Partition::Table(PartitionKey::Messages(conversation)))
        .direction(Direction::Descending)
        .consistent()
        .page_size(5);
    let mut pages = std::pin::pin!(store.query(query));
    let mut seen = 0;
    while let Some(page) = pages.try_next().await? {
        for item in page.items {
            if let Item::Message(message) = Item::decode(item) {
                seen += 1;
                if seen == 2 {
                    return Ok(Some(message));
                }
            }
        }
    }
    Ok(None)
}
