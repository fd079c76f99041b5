//! Writing several items in a transaction: all or none.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    AttributeValue, CancellationReason, ConditionCheck, Delete, Put, TransactWriteItem,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use uuid::Uuid;

use super::{Store, Writer, check_size};
use crate::error::{CallError, Error};
use crate::item::{ConversationRow, Message, RawItem, primary_key};
use crate::key::PartitionKey;
use crate::retry::Backoff;
use crate::schema::attribute;

const COMPLETE: &str = "all required fields are set";

/// One write of a transaction, with its condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Puts a message if its key is free.
    PutMessage(Message),
    /// Puts a row if its key is free.
    PutRow(ConversationRow),
    /// Replaces the text of a row, under the same key, if the row is still as it was read.
    ReplaceRow {
        /// The row as it was read.
        old: ConversationRow,
        /// The row with another text.
        new: ConversationRow,
    },
    /// Deletes a row if it is still as it was read.
    DeleteRow(ConversationRow),
    /// Leaves a row unchanged, and makes the transaction fail if it is not as it was read. So what is
    /// deleted because this row stays is deleted only while it does.
    KeepRow(ConversationRow),
}

/// The result of a transaction that did not fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transacted {
    /// All of it was written.
    Done,
    /// Nothing was written, because the conditions of these actions failed. They are indexes into the list.
    Refused(Vec<usize>),
}

/// The condition that a row is still the one that was read. The key is given with the request.
const AS_READ: &str = "#group = :group AND #text = :text";
const FREE: &str = "attribute_not_exists(#pk)";

/// The names in [`AS_READ`].
fn as_read_names() -> HashMap<String, String> {
    let names = [
        ("#group", attribute::MESSAGE_GROUP_UUID),
        ("#text", attribute::MESSAGE),
    ];
    names
        .map(|(name, attribute)| (name.to_owned(), attribute.to_owned()))
        .into()
}

/// The values in [`AS_READ`]: those of the row that was read.
fn as_read_values(row: &ConversationRow) -> RawItem {
    let values = [
        (":group", row.conversation.to_string()),
        (":text", row.text.clone()),
    ];
    values
        .map(|(name, text)| (name.to_owned(), AttributeValue::S(text)))
        .into()
}

fn row_key(row: &ConversationRow) -> RawItem {
    primary_key(&PartitionKey::Rows(row.owner), &row.last_message_at)
}

impl Action {
    fn request(&self, store: &Store) -> TransactWriteItem {
        let table = store.table.as_str();
        let put_if_free = |item: RawItem| {
            let put = Put::builder()
                .table_name(table)
                .set_item(Some(item))
                .condition_expression(FREE)
                .expression_attribute_names("#pk", attribute::PK)
                .build()
                .expect(COMPLETE);
            TransactWriteItem::builder().put(put).build()
        };
        match self {
            Self::PutMessage(message) => put_if_free(message.into()),
            Self::PutRow(row) => put_if_free(row.into()),
            Self::ReplaceRow { old, new } => {
                let put = Put::builder()
                    .table_name(table)
                    .set_item(Some(new.into()))
                    .condition_expression(AS_READ)
                    .set_expression_attribute_names(Some(as_read_names()))
                    .set_expression_attribute_values(Some(as_read_values(old)))
                    .build()
                    .expect(COMPLETE);
                TransactWriteItem::builder().put(put).build()
            }
            Self::KeepRow(row) => {
                let check = ConditionCheck::builder()
                    .table_name(table)
                    .set_key(Some(row_key(row)))
                    .condition_expression(AS_READ)
                    .set_expression_attribute_names(Some(as_read_names()))
                    .set_expression_attribute_values(Some(as_read_values(row)))
                    .build()
                    .expect(COMPLETE);
                TransactWriteItem::builder().condition_check(check).build()
            }
            Self::DeleteRow(row) => {
                let delete = Delete::builder()
                    .table_name(table)
                    .set_key(Some(row_key(row)))
                    .condition_expression(AS_READ)
                    .set_expression_attribute_names(Some(as_read_names()))
                    .set_expression_attribute_values(Some(as_read_values(row)))
                    .build()
                    .expect(COMPLETE);
                TransactWriteItem::builder().delete(delete).build()
            }
        }
    }
}

/// The service's code in a CancellationReason: see TransactWriteItems in the API reference.
const CONDITION_FAILED: &str = "ConditionalCheckFailed";
/// Temporary reasons: another transaction was using an item, or there was not enough capacity.
const PASSING: [&str; 3] = [
    "TransactionConflict",
    "ThrottlingError",
    "ProvisionedThroughputExceeded",
];

enum Verdict {
    Refused(Vec<usize>),
    TryAgain(Option<CallError>),
    Failed(Error),
}

impl Writer {
    /// Writes all of the actions or none.
    ///
    /// All attempts use one client request token, so that a retry after a lost reply writes
    /// nothing twice. Conflicts with other transactions and throttling are retried with backoff
    /// and jitter, a limited number of times.
    ///
    /// # Errors
    ///
    /// [`Error::ItemTooLarge`] before anything is sent. [`Error::Conflicts`] if the last attempt still conflicted with
    /// another transaction. Otherwise the error of a request.
    pub async fn transact(&self, actions: &[Action]) -> Result<Transacted, Error> {
        let items = actions.iter().map(|action| action.request(self)).collect();
        self.transact_items(items).await
    }

    /// Sends one transaction, like [`Writer::transact`].
    pub(super) async fn transact_items(
        &self,
        items: Vec<TransactWriteItem>,
    ) -> Result<Transacted, Error> {
        for put in items.iter().filter_map(TransactWriteItem::put) {
            check_size(put.item())?;
        }
        let client_request_token = Uuid::new_v4().to_string();
        let mut backoff = Backoff::for_bulk();
        loop {
            let answer = self
                .client
                .transact_write_items()
                .set_transact_items(Some(items.clone()))
                .client_request_token(&client_request_token)
                .send()
                .await;
            let Err(error) = answer else {
                return Ok(Transacted::Done);
            };
            let (reasons, passing) = match self.judge(error) {
                Verdict::Refused(indexes) => return Ok(Transacted::Refused(indexes)),
                Verdict::Failed(error) => return Err(error),
                Verdict::TryAgain(error) => (error, backoff.again().await),
            };
            if !passing {
                return Err(match reasons {
                    Some(error) => error.into(),
                    None => Error::Conflicts {
                        destination: self.destination.clone(),
                        attempts: backoff.made(),
                    },
                });
            }
        }
    }

    fn judge(&self, error: SdkError<TransactWriteItemsError, HttpResponse>) -> Verdict {
        if let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) =
            error.as_service_error()
        {
            return self.judge_reasons(cancelled.cancellation_reasons());
        }
        let error = self.failed("TransactWriteItems")(error);
        if error.is_throttling() || error.code() == Some("TransactionInProgressException") {
            Verdict::TryAgain(Some(error))
        } else {
            Verdict::Failed(error.into())
        }
    }

    fn judge_reasons(&self, reasons: &[CancellationReason]) -> Verdict {
        let coded: Vec<(usize, &str)> = reasons
            .iter()
            .enumerate()
            .filter_map(|(index, reason)| Some((index, reason.code()?)))
            .filter(|(_, code)| *code != "None")
            .collect();
        let refused: Vec<usize> = coded
            .iter()
            .filter(|(_, code)| *code == CONDITION_FAILED)
            .map(|(index, _)| *index)
            .collect();
        if !refused.is_empty() {
            Verdict::Refused(refused)
        } else if !coded.is_empty() && coded.iter().all(|(_, code)| PASSING.contains(code)) {
            Verdict::TryAgain(None)
        } else {
            let said = reasons.iter().filter_map(|reason| {
                let code = reason.code().filter(|code| *code != "None")?;
                let message = reason.message().unwrap_or("no message");
                Some(format!("{code}: {message}"))
            });
            // Name each reason once: one fault often affects every action.
            let said: BTreeSet<String> = said.collect();
            Verdict::Failed(Error::Cancelled {
                destination: self.destination.clone(),
                reasons: said.into_iter().collect::<Vec<_>>().join("; "),
            })
        }
    }
}
