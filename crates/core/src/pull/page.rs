//! Copying one page of a conversation.

use std::collections::{BTreeMap, HashMap};

use futures::TryStreamExt;

use super::Pulled;
use crate::error::Error;
use crate::item::{Item, ItemView, Message, Person, RawItem};
use crate::key::{ConversationId, PartitionKey, UserId};
use crate::mask::Mask;
use crate::schema::attribute;
use crate::store::{LocalWriter, Partition, PutMany, Query};

/// The items of a page, in the form for the copy.
#[derive(Debug, Default)]
pub(super) struct Sorted {
    messages: Vec<Message>,
    /// Items of unknown shape; none if the copy is masked.
    others: Vec<RawItem>,
    /// The number of items that a masked copy leaves out.
    pub left_out: u64,
}

fn sort_key(item: &RawItem) -> Option<&str> {
    item.get(attribute::SK)?.as_s().ok().map(String::as_str)
}

impl Sorted {
    /// Sorts the items of a page of the source, and adds the senders of messages to `senders`.
    pub fn of(
        items: Vec<RawItem>,
        mask: Option<&Mask>,
        senders: &mut BTreeMap<UserId, Person>,
    ) -> Self {
        let mut sorted = Self::default();
        for item in items {
            let message = match (Item::decode(item.clone()), mask) {
                (Item::Message(message), _) => message,
                (_, None) => {
                    sorted.others.push(item);
                    continue;
                }
                (_, Some(_)) => {
                    sorted.left_out += 1;
                    continue;
                }
            };
            let masked = match mask {
                Some(mask) => mask.message(&message),
                None => Some(message.clone()),
            };
            match masked {
                Some(masked) => sorted.messages.push(masked),
                None => sorted.left_out += 1,
            }
            senders.insert(message.sender.id, message.sender);
        }
        sorted
    }

    /// Returns the first and the last sort key.
    fn span(&self) -> Option<(String, String)> {
        let messages = self.messages.iter();
        let keys = messages.map(|message| message.created_at.as_str());
        let keys = keys.chain(self.others.iter().filter_map(sort_key));
        let (first, last) = (keys.clone().min()?, keys.max()?);
        Some((first.to_owned(), last.to_owned()))
    }

    /// Writes the items that the copy does not have yet.
    pub async fn write(
        self,
        copy: &LocalWriter,
        conversation: ConversationId,
    ) -> Result<Pulled, Error> {
        let Some((first, last)) = self.span() else {
            return Ok(Pulled::default());
        };
        let mut there = there(copy, conversation, first, last).await?;
        let mut done = Pulled::default();
        // Checks whether to write an item. If its key is taken, the existing item is left unchanged.
        let mut is_new = |item: &RawItem| {
            let found = sort_key(item).and_then(|key| there.remove(key));
            match &found {
                None => return true,
                Some(found) if ItemView::from(found) == ItemView::from(item) => done.unchanged += 1,
                Some(_) => done.different += 1,
            }
            false
        };
        let (mut messages, mut others) = (self.messages, self.others);
        messages.retain(|message| is_new(&RawItem::from(message)));
        others.retain(|item| is_new(item));
        done.count(copy.put_messages_if_free(messages).await)?;
        done.count(copy.put_items_if_free(others).await)?;
        Ok(done)
    }
}

impl Pulled {
    fn count(&mut self, put: PutMany) -> Result<(), Error> {
        self.messages += put.items;
        self.different += put.refused;
        put.ended_by.map_or(Ok(()), Err)
    }
}

/// Reads the items of a conversation in the copy between two sort keys, by sort key.
async fn there(
    copy: &LocalWriter,
    conversation: ConversationId,
    first: String,
    last: String,
) -> Result<HashMap<String, RawItem>, Error> {
    let query = Query::new(Partition::Table(PartitionKey::Messages(conversation)))
        .range(Some(first), Some(last))
        .consistent();
    let mut pages = std::pin::pin!(copy.query(query));
    let mut there = HashMap::new();
    while let Some(page) = pages.try_next().await? {
        for item in page.items {
            if let Some(key) = sort_key(&item) {
                there.insert(key.to_owned(), item);
            }
        }
    }
    Ok(there)
}
