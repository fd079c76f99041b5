//! Reading items by their primary keys.

use std::collections::{HashMap, HashSet};

use aws_sdk_dynamodb::types::builders::KeysAndAttributesBuilder;
use aws_sdk_dynamodb::types::{ConsumedCapacity, KeysAndAttributes, ReturnConsumedCapacity};

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
            let used = answer
                .consumed_capacity()
                .and_then(ConsumedCapacity::capacity_units);
            let end = rate.end(reserved, 1, used);
            end.map_err(|fault| self.garbled(OPERATION, &fault))?;
        }
        Ok(answer.item)
    }

    /// Returns which of up to 100 primary keys exist, strongly consistent.
    ///
    /// # Errors
    ///
    /// If a request fails, or the service leaves keys unprocessed for too long.
    pub async fn which_are_there(
        &self,
        keys: &[(PartitionKey, SortKey)],
    ) -> Result<HashSet<(PartitionKey, SortKey)>, CallError> {
        let wanted = keys.iter().map(|(pk, sk)| primary_key(pk, sk));
        let wanted = KeysAndAttributes::builder()
            .set_keys(Some(wanted.collect()))
            .projection_expression("pk, sk");
        let mut there = HashSet::new();
        let see = |item: RawItem| {
            let text = |name: &str| item.get(name)?.as_s().ok();
            let pk = text(attribute::PK).and_then(|pk| pk.parse().ok());
            let sk = text(attribute::SK).map(SortKey::verbatim);
            there.extend(pk.zip(sk));
        };
        self.batch_get(wanted, see).await?;
        Ok(there)
    }

    /// Reads up to 100 items by their primary keys, strongly consistent. Returns those that exist.
    ///
    /// # Errors
    ///
    /// If a request fails, or the service leaves keys unprocessed for too long.
    pub(crate) async fn get_many(&self, keys: Vec<RawItem>) -> Result<Vec<RawItem>, CallError> {
        let wanted = KeysAndAttributes::builder().set_keys(Some(keys));
        let mut there = Vec::new();
        self.batch_get(wanted, |item| there.push(item)).await?;
        Ok(there)
    }

    /// Reads items until none is left unprocessed, strongly consistent.
    async fn batch_get(
        &self,
        keys: KeysAndAttributesBuilder,
        mut see: impl FnMut(RawItem),
    ) -> Result<(), CallError> {
        const OPERATION: &str = "BatchGetItem";
        let keys = keys
            .consistent_read(true)
            .build()
            .map_err(|fault| self.garbled(OPERATION, &fault))?;
        let mut left = HashMap::from([(self.table.to_string(), keys)]);
        let mut backoff = Backoff::for_bulk();
        loop {
            let request = self.client.batch_get_item();
            let request = request.set_request_items(Some(left));
            let answer = self.ask(OPERATION, || request.clone().send()).await?;
            let items = answer.responses.unwrap_or_default().into_values();
            items.flatten().for_each(&mut see);
            left = answer.unprocessed_keys.unwrap_or_default();
            if left.is_empty() {
                return Ok(());
            }
            self.listener.tell();
            if !backoff.again().await {
                return Err(self.garbled(OPERATION, &Unprocessed));
            }
        }
    }
}
