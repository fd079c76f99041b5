//! Single items, by their primary keys.

use std::collections::{HashMap, HashSet};

use aws_sdk_dynamodb::types::{KeysAndAttributes, ReturnConsumedCapacity};

use super::units;
use crate::error::CallError;
use crate::item::{RawItem, primary_key};
use crate::key::{PartitionKey, SortKey};
use crate::retry::Backoff;
use crate::schema::attribute;
use crate::store::Store;

#[derive(Debug, thiserror::Error)]
#[error("it keeps leaving keys unprocessed")]
struct Unprocessed;

impl Store {
    /// Reads one item, strongly consistent.
    pub async fn get(
        &self,
        partition: &PartitionKey,
        sort: &SortKey,
    ) -> Result<Option<RawItem>, CallError> {
        self.get_by_key(primary_key(partition, sort)).await
    }

    /// Reads one item by a key as it was read, strongly consistent.
    pub(in crate::store) async fn get_by_key(
        &self,
        key: RawItem,
    ) -> Result<Option<RawItem>, CallError> {
        const OPERATION: &str = "GetItem";
        let mut request = self
            .client
            .get_item()
            .table_name(self.table.as_str())
            .set_key(Some(key))
            .consistent_read(true);
        let mut reserved = 0.0;
        if let Some(rate) = &self.rate {
            request = request.return_consumed_capacity(ReturnConsumedCapacity::Total);
            reserved = rate.begin_one().await;
        }
        let answer = self.ask(OPERATION, || request.clone().send()).await?;
        if let Some(rate) = &self.rate {
            let used = units(answer.consumed_capacity());
            let end = rate.end(reserved, 1, used);
            end.map_err(|fault| self.garbled(OPERATION, &fault))?;
        }
        Ok(answer.item)
    }

    /// Tells which of at most 100 primary keys are there, strongly consistent.
    ///
    /// # Errors
    ///
    /// When a request fails, or the service leaves keys unprocessed for too long.
    pub async fn which_are_there(
        &self,
        keys: &[(PartitionKey, SortKey)],
    ) -> Result<HashSet<(PartitionKey, SortKey)>, CallError> {
        const OPERATION: &str = "BatchGetItem";
        let wanted = keys.iter().map(|(pk, sk)| primary_key(pk, sk));
        let keys = KeysAndAttributes::builder()
            .set_keys(Some(wanted.collect()))
            .consistent_read(true)
            .projection_expression("pk, sk")
            .build()
            .map_err(|fault| self.garbled(OPERATION, &fault))?;
        let mut left = HashMap::from([(self.table.to_string(), keys)]);
        let mut there = HashSet::new();
        let mut backoff = Backoff::for_bulk();
        loop {
            let request = self.client.batch_get_item();
            let request = request.set_request_items(Some(left));
            let answer = self.ask(OPERATION, || request.clone().send()).await?;
            let items = answer.responses.unwrap_or_default().into_values();
            there.extend(items.flatten().filter_map(|item| {
                let text = |name: &str| item.get(name)?.as_s().ok();
                let pk = text(attribute::PK)?.parse().ok()?;
                Some((pk, SortKey::verbatim(text(attribute::SK)?)))
            }));
            left = answer.unprocessed_keys.unwrap_or_default();
            if left.is_empty() {
                return Ok(there);
            }
            self.listener.tell();
            if !backoff.again().await {
                return Err(self.garbled(OPERATION, &Unprocessed));
            }
        }
    }
}
