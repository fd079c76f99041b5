//! Writing single items, each with its own condition.

use aws_sdk_dynamodb::types::AttributeValue;

use super::Writer;
use super::body::OwnText;
use crate::error::{CallError, Error};
use crate::item::{ItemView, Message, RawItem, primary_key};
use crate::key::{ConversationId, MessageId, PartitionKey, SortKey};
use crate::schema::attribute;

/// How far, in microseconds, an item may move from its wanted sort key: 1 ms.
pub(crate) const MAX_BUMP_MICROS: i64 = 1_000;

/// The sort key under which a message was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Put {
    /// The sort key, later than the wanted one if that was taken.
    pub created_at: SortKey,
}

impl Writer {
    /// Writes one message, and never overwrites another one.
    ///
    /// The condition is `attribute_not_exists(pk) OR message_uuid = :mine`, so that a retry after a
    /// lost reply is not a conflict. On a real conflict the message moves by 1 µs at a time, up to 1 ms.
    ///
    /// # Errors
    ///
    /// If a request fails, or if all keys within 1 ms are taken.
    pub async fn put_message(&self, mut message: Message) -> Result<Put, Error> {
        let wanted = message.created_at.clone();
        let tries = match wanted.time() {
            Ok(_) => MAX_BUMP_MICROS,
            Err(_) => 0,
        };
        for micros in 0..=tries {
            if let Some(time) = wanted.time().ok().and_then(|time| time.plus_micros(micros)) {
                message.created_at = time.into();
            }
            if self.put_message_if_free(&message).await? {
                return Ok(Put {
                    created_at: message.created_at,
                });
            }
        }
        Err(Error::NoFreeKey {
            destination: self.destination.clone(),
            partition: PartitionKey::Messages(message.conversation).to_string(),
            first: wanted.to_string(),
            last: message.created_at.to_string(),
        })
    }

    /// Writes one message if its key is free or its own. Returns `false` if another item has the key.
    pub async fn put_message_if_free(&self, message: &Message) -> Result<bool, CallError> {
        let put = self
            .client
            .put_item()
            .table_name(self.table.as_str())
            .set_item(Some(RawItem::from(message)))
            .condition_expression("attribute_not_exists(#pk) OR #id = :mine")
            .expression_attribute_names("#pk", attribute::PK)
            .expression_attribute_names("#id", attribute::MESSAGE_UUID)
            .expression_attribute_values(":mine", AttributeValue::S(message.id.to_string()));
        is_met(self.ask("PutItem", || put.clone().send()).await)
    }

    /// Writes one item unchanged if its key is free. Returns `false` if another item has the key, and `true`
    /// if the same item has it, because a reply was lost.
    pub async fn put_item_if_free(&self, item: &RawItem) -> Result<bool, CallError> {
        if self.put_if_free(item).await? {
            return Ok(true);
        }
        let key = [attribute::PK, attribute::SK]
            .into_iter()
            .filter_map(|name| Some((name.to_owned(), item.get(name)?.clone())));
        let there = self.get_by_key(key.collect()).await?;
        Ok(there.is_some_and(|there| {
            ItemView::from(&there).normalized() == ItemView::from(item).normalized()
        }))
    }

    /// Writes one item unchanged if its key is free. Returns `false` if an item has the key, which may be this one
    /// after a lost reply.
    pub(crate) async fn put_if_free(&self, item: &RawItem) -> Result<bool, CallError> {
        let put = self
            .client
            .put_item()
            .table_name(self.table.as_str())
            .set_item(Some(item.clone()))
            .condition_expression("attribute_not_exists(#pk)")
            .expression_attribute_names("#pk", attribute::PK);
        let sent = self.ask("PutItem", || {
            let own = OwnText::of(Some(item));
            put.clone().customize().interceptor(own).send()
        });
        is_met(sent.await)
    }

    /// Deletes one message if it is the one at that key. Returns `false` if it is not.
    pub async fn delete_message(
        &self,
        conversation: ConversationId,
        created_at: &SortKey,
        id: MessageId,
    ) -> Result<bool, CallError> {
        let key = primary_key(&PartitionKey::Messages(conversation), created_at);
        let delete = self
            .client
            .delete_item()
            .table_name(self.table.as_str())
            .set_key(Some(key))
            .condition_expression("#id = :mine")
            .expression_attribute_names("#id", attribute::MESSAGE_UUID)
            .expression_attribute_values(":mine", AttributeValue::S(id.to_string()));
        is_met(self.ask("DeleteItem", || delete.clone().send()).await)
    }
}

/// Checks whether the condition of a write was met.
fn is_met<T>(answer: Result<T, CallError>) -> Result<bool, CallError> {
    match answer {
        Ok(_) => Ok(true),
        Err(error) if error.code() == Some("ConditionalCheckFailedException") => Ok(false),
        Err(error) => Err(error),
    }
}
