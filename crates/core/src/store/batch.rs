//! Writing many items: batches within the service's limits, and what it leaves of them.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, WriteRequest};
use bytes::Bytes;

use super::Store;
use super::body::GivenBody;
use crate::error::{CallError, Error};
use crate::guard::WriteToken;
use crate::item::{GroupRow, Message, RawItem, size};
use crate::pace::{Backoff, Rate, Window};
use crate::schema::{TableName, attribute};

/// Limits of BatchWriteItem in the API reference: 25 requests, 16 MB, 400 KB an item, no key twice.
const MAX_ITEMS: usize = 25;
const MAX_BATCH_BYTES: usize = 16 * 1024 * 1024;
const MAX_ITEM_BYTES: usize = crate::item::MAX_SIZE;
/// A write capacity unit writes so much of an item: "Provisioned capacity mode" in the AWS developer guide.
const UNIT_BYTES: usize = 1024;
/// What the wire adds to an item's own bytes at the most: every byte of a text escaped as `\u00XX`.
const WIRE_FACTOR: usize = 6;

/// Counts what a bulk write did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    /// Items that the service took.
    pub items: u64,
}

fn text<'a>(item: &'a RawItem, name: &str) -> &'a str {
    match item.get(name) {
        Some(AttributeValue::S(text)) => text,
        _ => "?",
    }
}

/// Refuses an item that the service would refuse, before anything is sent.
pub(crate) fn check_size(item: &RawItem) -> Result<usize, Error> {
    let bytes = size(item);
    if bytes > MAX_ITEM_BYTES {
        return Err(Error::ItemTooLarge {
            pk: text(item, attribute::PK).to_owned(),
            sk: text(item, attribute::SK).to_owned(),
            bytes,
        });
    }
    Ok(bytes)
}

/// Cuts a list into batches that the service takes, in order.
fn pack(items: Vec<RawItem>) -> Result<Vec<Vec<RawItem>>, Error> {
    let mut batches: Vec<Vec<RawItem>> = Vec::with_capacity(items.len().div_ceil(MAX_ITEMS));
    let mut batch: Vec<RawItem> = Vec::new();
    let mut keys: HashSet<(String, String)> = HashSet::new();
    let mut bytes = 0;
    for item in items {
        let wire = check_size(&item)? * WIRE_FACTOR;
        let key = (
            text(&item, attribute::PK).to_owned(),
            text(&item, attribute::SK).to_owned(),
        );
        let full = batch.len() == MAX_ITEMS || bytes + wire > MAX_BATCH_BYTES;
        if (full || keys.contains(&key)) && !batch.is_empty() {
            batches.push(std::mem::take(&mut batch));
            keys.clear();
            bytes = 0;
        }
        keys.insert(key);
        bytes += wire;
        batch.push(item);
    }
    if !batch.is_empty() {
        batches.push(batch);
    }
    Ok(batches)
}

fn put(item: RawItem) -> WriteRequest {
    let put = PutRequest::builder()
        .set_item(Some(item))
        .build()
        .expect("the item is set");
    WriteRequest::builder().put_request(put).build()
}

impl Store {
    /// Puts items in batches. What the service leaves unprocessed, and a batch that it throttles as a
    /// whole, is sent again with backoff and jitter, a bounded number of times.
    ///
    /// Puts in batches carry no condition: the caller has to know that the keys are free.
    ///
    /// # Errors
    ///
    /// [`Error::ItemTooLarge`] before anything is sent; [`Error::PartlyWritten`] with both counts
    /// where items remain; otherwise when a request fails and nothing was written.
    pub async fn put_batches(
        &self,
        _token: &WriteToken,
        items: Vec<RawItem>,
    ) -> Result<Written, Error> {
        let total = items.len() as u64;
        let mut written = 0;
        for batch in pack(items)? {
            let size = batch.len() as u64;
            let requests = batch.into_iter().map(put).collect();
            let left = self.put_batch(requests).await;
            written += size - left.items;
            match left.cause {
                None if left.items == 0 => {}
                Some(error) if written == 0 && !error.is_throttling() => return Err(error.into()),
                cause => {
                    return Err(Error::PartlyWritten {
                        place: self.place.clone(),
                        written,
                        unwritten: total - written,
                        cause: cause.map(Box::new),
                    });
                }
            }
        }
        Ok(Written { items: written })
    }

    /// Puts one batch, as far as the service takes it.
    async fn put_batch(&self, mut requests: Vec<WriteRequest>) -> Left {
        let mut backoff = Backoff::for_bulk();
        loop {
            let answer = self
                .client
                .batch_write_item()
                .request_items(self.table.as_str(), requests.clone())
                .send()
                .await
                .map_err(self.failed("BatchWriteItem"));
            let cause = match answer {
                Ok(answer) => {
                    let unprocessed: HashMap<_, _> = answer.unprocessed_items.unwrap_or_default();
                    requests = unprocessed.into_values().flatten().collect();
                    None
                }
                Err(error) => Some(error),
            };
            let passing = cause.as_ref().is_none_or(CallError::is_throttling);
            if requests.is_empty() || !passing || !backoff.again().await {
                return Left {
                    items: requests.len() as u64,
                    cause,
                };
            }
        }
    }
}

/// Items on their way to the service in one request, written in its JSON as they come.
#[derive(Debug)]
pub struct Batch {
    head: String,
    body: Vec<u8>,
    items: u64,
    units: f64,
}

/// A request full of items, ready to be sent as often as it takes.
#[derive(Debug)]
pub struct Encoded {
    body: Bytes,
    /// How many items it holds.
    pub items: u64,
    units: f64,
}

/// The room for the usual batch, so that it need not grow.
const ROOM: usize = 16 * 1024;

impl Batch {
    /// Begins a batch for a table.
    pub fn new(table: &TableName) -> Self {
        Self {
            head: format!("{{\"RequestItems\":{{\"{table}\":["),
            body: Vec::new(),
            items: 0,
            units: 0.0,
        }
    }

    /// Adds a message.
    pub fn put_message(&mut self, message: &Message) {
        self.put(&message.attributes());
    }

    /// Adds a group row.
    pub fn put_row(&mut self, row: &GroupRow) {
        self.put(&row.attributes());
    }

    fn put(&mut self, attributes: &[(&str, Cow<'_, str>)]) {
        if self.items == 0 {
            self.body.reserve(ROOM);
            self.body.extend_from_slice(self.head.as_bytes());
        } else {
            self.body.push(b',');
        }
        self.body.extend_from_slice(b"{\"PutRequest\":{\"Item\":{");
        let mut bytes = 0;
        for (place, (name, text)) in attributes.iter().enumerate() {
            let separator: &[u8] = if place == 0 { b"\"" } else { b",\"" };
            self.body.extend_from_slice(separator);
            self.body.extend_from_slice(name.as_bytes());
            self.body.extend_from_slice(b"\":{\"S\":");
            // Writing a string to a Vec cannot fail.
            let _ = serde_json::to_writer(&mut self.body, text);
            self.body.push(b'}');
            bytes += name.len() + text.len();
        }
        self.body.extend_from_slice(b"}}}");
        self.items += 1;
        self.units += bytes.div_ceil(UNIT_BYTES) as f64;
    }

    /// Tells whether it holds as many items as one request may.
    pub fn is_full(&self) -> bool {
        self.items >= MAX_ITEMS as u64
    }

    /// Takes everything out; `None` where there is nothing.
    pub fn take(&mut self) -> Option<Encoded> {
        if self.items == 0 {
            return None;
        }
        self.body
            .extend_from_slice(b"]},\"ReturnConsumedCapacity\":\"TOTAL\"}");
        Some(Encoded {
            body: std::mem::take(&mut self.body).into(),
            items: std::mem::take(&mut self.items),
            units: std::mem::take(&mut self.units),
        })
    }
}

impl Store {
    /// Puts the items of a batch; no two of them may have one key, and none may be over the limit of 400
    /// KB. The window bounds the requests in flight, a rate their capacity. What the service leaves
    /// unprocessed or throttles is sent again with backoff and jitter, a bounded number of times.
    ///
    /// # Errors
    ///
    /// [`Error::PartlyWritten`] where items remain; otherwise when a request fails.
    pub async fn put_encoded(
        &self,
        token: &WriteToken,
        batch: &Encoded,
        window: &Window,
        rate: Option<&Rate>,
    ) -> Result<(), Error> {
        let mut backoff = Backoff::for_bulk();
        loop {
            let place = window.enter().await;
            if let Some(rate) = rate {
                rate.reserve(batch.units).await;
            }
            let answer = self
                .client
                .batch_write_item()
                .request_items(self.table.as_str(), Vec::new())
                .customize()
                .interceptor(GivenBody::new(batch.body.clone()))
                .send()
                .await
                .map_err(self.failed("BatchWriteItem"));
            match answer {
                Ok(answer) => {
                    if let (Some(rate), Some(used)) = (rate, answer.consumed_capacity) {
                        let used = used.iter().filter_map(|used| used.capacity_units);
                        rate.settle(batch.units, used.sum());
                    }
                    let unprocessed = answer.unprocessed_items.unwrap_or_default();
                    let left: Vec<_> = unprocessed.into_values().flatten().collect();
                    if left.is_empty() {
                        place.taken();
                        return Ok(());
                    }
                    place.throttled();
                    return self.put_left(token, left, batch.items).await;
                }
                Err(error) if error.is_throttling() => {
                    place.throttled();
                    if !backoff.again().await {
                        return Err(error.into());
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Puts what the service left of a batch of so many items.
    async fn put_left(
        &self,
        _token: &WriteToken,
        left: Vec<WriteRequest>,
        items: u64,
    ) -> Result<(), Error> {
        // It was told to slow down: not at once.
        Backoff::for_bulk().again().await;
        let left = self.put_batch(left).await;
        match (left.items, left.cause) {
            (0, None) => Ok(()),
            (unwritten, cause) => Err(Error::PartlyWritten {
                place: self.place.clone(),
                written: items - unwritten,
                unwritten,
                cause: cause.map(Box::new),
            }),
        }
    }
}

/// What remains of a batch.
struct Left {
    /// How many items the service did not take, or of which that is not known.
    items: u64,
    /// What ended it; `None` where the service left them unprocessed to the last.
    cause: Option<CallError>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn item(sk: u32, bytes: usize) -> RawItem {
        let s = |text: String| AttributeValue::S(text);
        RawItem::from([
            ("pk".to_owned(), s("p".to_owned())),
            ("sk".to_owned(), s(sk.to_string())),
            ("m".to_owned(), s("x".repeat(bytes))),
        ])
    }

    #[test]
    fn an_item_over_the_limit_is_named() {
        let error = pack(vec![item(1, 10), item(2, MAX_ITEM_BYTES)]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the item p 2 has 409607 bytes; DynamoDB takes at most 409600 an item"
        );
        assert_eq!(pack(vec![item(2, MAX_ITEM_BYTES - 7)]).unwrap().len(), 1);
    }

    proptest! {
        /// p12: no batch exceeds 25 items or 16 MB or repeats a key, and nothing is lost or reordered.
        #[test]
        fn p12_batches_keep_the_limits(
            list in prop::collection::vec((0u32..60, prop_oneof![9 => 0usize..200, 1 => 0usize..400_000]), 0..120)
        ) {
            let items: Vec<RawItem> = list.iter().map(|(sk, bytes)| item(*sk, *bytes)).collect();
            let batches = pack(items.clone()).unwrap();
            for batch in &batches {
                prop_assert!(!batch.is_empty() && batch.len() <= MAX_ITEMS);
                prop_assert!(batch.iter().map(size).sum::<usize>() * WIRE_FACTOR <= MAX_BATCH_BYTES);
                let keys: HashSet<&str> = batch.iter().map(|item| text(item, "sk")).collect();
                prop_assert_eq!(keys.len(), batch.len());
            }
            prop_assert_eq!(batches.concat(), items);
        }
    }
}
