//! Writing many items in batches: keeping to the service's limits, and sending unprocessed items again.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;

use aws_sdk_dynamodb::types::{AttributeValue, WriteRequest};
use bytes::Bytes;

use super::Writer;
use super::body::RequestBody;
use crate::error::{CallError, Error};
use crate::item::{ConversationRow, MAX_SIZE, Message, RawItem, size};
use crate::rate_limit::{ConcurrencyLimit, Rate};
use crate::retry::Backoff;
use crate::schema::{TableName, attribute};

/// The limits of BatchWriteItem in the API reference: 25 requests and 16 MB, and no key twice.
const MAX_ITEMS: usize = 25;
const MAX_BATCH_BYTES: usize = 16 * 1024 * 1024;
/// The bytes of an item that one write capacity unit writes: "Provisioned capacity mode" in the AWS developer guide.
const UNIT_BYTES: usize = 1024;
/// The initial size of the buffer of a batch, so that it usually need not grow.
const ROOM: usize = 16 * 1024;
/// The maximum number of bytes that a request adds to its items: the name of a table has up to 255 bytes.
const AROUND: usize = 512;

/// Returns the write capacity units that an item of this size uses in the table.
pub(crate) fn write_units(bytes: usize) -> f64 {
    bytes.div_ceil(UNIT_BYTES) as f64
}

fn text<'a>(item: &'a RawItem, name: &str) -> &'a str {
    match item.get(name) {
        Some(AttributeValue::S(text)) => text,
        _ => "?",
    }
}

/// Checks the size of an item, so that one that is too large is refused before anything is sent.
pub(crate) fn check_size(item: &RawItem) -> Result<(), Error> {
    check_bytes(size(item), || {
        [attribute::PK, attribute::SK].map(|name| text(item, name))
    })
}

fn check_bytes<'a>(bytes: usize, key: impl FnOnce() -> [&'a str; 2]) -> Result<(), Error> {
    if bytes <= MAX_SIZE {
        return Ok(());
    }
    let [pk, sk] = key().map(str::to_owned);
    Err(Error::ItemTooLarge { pk, sk, bytes })
}

/// Returns a hash that identifies the key of an item. If two keys have the same hash, a batch only ends early.
fn mark(pk: &str, sk: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (pk, sk).hash(&mut hasher);
    hasher.finish()
}

/// One item of a batch.
#[derive(Debug, Clone)]
struct Entry {
    /// The hash of its key.
    mark: u64,
    /// The range of its request in the body.
    range: Range<usize>,
    /// The capacity that it uses.
    units: f64,
}

/// Items for one request, written in its JSON as they are added.
#[derive(Debug, Default)]
pub struct Batch {
    body: Vec<u8>,
    entries: Vec<Entry>,
}

/// A batch that is ready to be sent, as often as necessary. It keeps the limits of BatchWriteItem: 25 items,
/// 16 MB, 400 KB an item, no key twice.
#[derive(Debug)]
pub struct Encoded {
    body: Vec<u8>,
    entries: Vec<Entry>,
}

impl Batch {
    /// Adds a message. If there is no room for it, or its key is already in the batch, the batch without it is
    /// returned, and the message begins the next one.
    ///
    /// # Errors
    ///
    /// [`Error::ItemTooLarge`]. The batch is unchanged.
    pub fn put_message(&mut self, message: &Message) -> Result<Option<Encoded>, Error> {
        self.put(&message.attributes())
    }

    /// Adds a row, like [`Batch::put_message`].
    ///
    /// # Errors
    ///
    /// [`Error::ItemTooLarge`]. The batch is unchanged.
    pub fn put_row(&mut self, row: &ConversationRow) -> Result<Option<Encoded>, Error> {
        self.put(&row.attributes())
    }

    /// Adds any item, like [`Batch::put_message`]: by its key, its size as [`crate::item::size`] counts it,
    /// and its DynamoDB JSON.
    ///
    /// # Errors
    ///
    /// [`Error::ItemTooLarge`]. The batch is unchanged.
    pub fn put_json(
        &mut self,
        key: [&str; 2],
        bytes: usize,
        json: &str,
    ) -> Result<Option<Encoded>, Error> {
        self.add(key, bytes, |body| {
            body.extend_from_slice(b"{\"PutRequest\":{\"Item\":");
            body.extend_from_slice(json.as_bytes());
            body.extend_from_slice(b"}}");
        })
    }

    fn put(&mut self, attributes: &[(&str, Cow<'_, str>)]) -> Result<Option<Encoded>, Error> {
        let value = |wanted: &str| {
            let found = attributes.iter().find(|(name, _)| *name == wanted);
            found.map_or("?", |(_, text)| text.as_ref())
        };
        let size = |(name, text): &(&str, Cow<'_, str>)| name.len() + text.len();
        let bytes = attributes.iter().map(size).sum();
        let key = [attribute::PK, attribute::SK].map(value);
        self.add(key, bytes, |body| write_put(body, attributes))
    }

    /// Adds the request that `write` writes.
    fn add(
        &mut self,
        [pk, sk]: [&str; 2],
        bytes: usize,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<Option<Encoded>, Error> {
        check_bytes(bytes, || [pk, sk])?;
        let mark = mark(pk, sk);
        let ended = if self.entries.len() == MAX_ITEMS || self.has(mark) {
            self.take()
        } else {
            None
        };
        self.body
            .reserve(if self.body.is_empty() { ROOM } else { 0 });
        let begin = self.body.len();
        write(&mut self.body);
        let ended = ended.or_else(|| self.cut(begin));
        let end = self.body.len();
        let begin = if self.entries.is_empty() { 0 } else { begin };
        self.entries.push(Entry {
            mark,
            range: begin..end,
            units: write_units(bytes),
        });
        Ok(ended)
    }

    fn has(&self, mark: u64) -> bool {
        self.entries.iter().any(|entry| entry.mark == mark)
    }

    /// Takes out everything before the last item, if that item made the batch too large.
    fn cut(&mut self, last: usize) -> Option<Encoded> {
        let commas = self.entries.len();
        if self.entries.is_empty() || self.body.len() + commas + AROUND <= MAX_BATCH_BYTES {
            return None;
        }
        let next = self.body.split_off(last);
        let ended = self.take();
        self.body = next;
        ended
    }

    /// Takes everything out. Returns `None` if the batch is empty.
    pub fn take(&mut self) -> Option<Encoded> {
        if self.entries.is_empty() {
            return None;
        }
        Some(Encoded {
            body: std::mem::take(&mut self.body),
            entries: std::mem::take(&mut self.entries),
        })
    }
}

/// Writes the request that puts an item.
fn write_put(body: &mut Vec<u8>, attributes: &[(&str, Cow<'_, str>)]) {
    body.extend_from_slice(b"{\"PutRequest\":{\"Item\":{");
    for (index, (name, text)) in attributes.iter().enumerate() {
        let separator: &[u8] = if index == 0 { b"\"" } else { b",\"" };
        body.extend_from_slice(separator);
        body.extend_from_slice(name.as_bytes());
        body.extend_from_slice(b"\":{\"S\":");
        // Writing a string to a Vec cannot fail.
        let _ = serde_json::to_writer(&mut *body, text);
        body.push(b'}');
    }
    body.extend_from_slice(b"}}}");
}

impl Encoded {
    /// Returns the number of items.
    pub fn items(&self) -> u64 {
        self.entries.len() as u64
    }

    /// Writes the body of a request for the items that are still to be put.
    fn request(&self, table: &TableName, entries: &[Entry]) -> Bytes {
        let mut body = Vec::with_capacity(self.body.len() + entries.len() + AROUND);
        body.extend_from_slice(format!("{{\"RequestItems\":{{\"{table}\":[").as_bytes());
        for (nth, entry) in entries.iter().enumerate() {
            if nth > 0 {
                body.push(b',');
            }
            body.extend_from_slice(&self.body[entry.range.clone()]);
        }
        body.extend_from_slice(b"]},\"ReturnConsumedCapacity\":\"TOTAL\"}");
        body.into()
    }
}

/// Keeps the entries that the service left unprocessed, or all of them if it names one that was not sent.
fn keep_left(entries: &mut Vec<Entry>, left: &[WriteRequest]) {
    let items = left
        .iter()
        .filter_map(|left| Some(left.put_request()?.item()));
    let marks: Vec<u64> = items
        .map(|item| mark(text(item, attribute::PK), text(item, attribute::SK)))
        .collect();
    let is_left = |entry: &Entry| marks.contains(&entry.mark);
    if entries.iter().filter(|entry| is_left(entry)).count() == left.len() {
        entries.retain(is_left);
    }
}

impl Writer {
    /// Puts the items of a batch. `limit` bounds the requests in flight, `rate` their capacity. Only items that
    /// the service leaves unprocessed or throttles are sent again, with backoff and jitter, a limited number of
    /// times.
    ///
    /// Puts in batches have no condition: the caller has to know that the keys are free.
    ///
    /// # Errors
    ///
    /// [`Error::PartlyWritten`] with both counts if the service still left items after the last attempt, or if a
    /// request failed after some items were written. Otherwise the error of a request; nothing was written.
    pub async fn put_batch(
        &self,
        batch: &Encoded,
        limit: &ConcurrencyLimit,
        rate: Option<&Rate>,
    ) -> Result<(), Error> {
        let mut backoff = Backoff::for_bulk();
        let mut entries = batch.entries.clone();
        loop {
            let permit = limit.acquire().await;
            let units = entries.iter().map(|entry| entry.units).sum();
            if let Some(rate) = rate {
                rate.reserve(units).await;
            }
            let answer = self
                .client
                .batch_write_item()
                .request_items(self.table.as_str(), Vec::new())
                .customize()
                .interceptor(RequestBody::new(batch.request(&self.table, &entries)))
                .send()
                .await
                .map_err(self.failed("BatchWriteItem"));
            let cause = match answer {
                Ok(answer) => {
                    if let (Some(rate), Some(used)) = (rate, answer.consumed_capacity) {
                        let used = used.iter().filter_map(|used| used.capacity_units);
                        rate.settle(units, used.sum());
                    }
                    let left = answer.unprocessed_items.unwrap_or_default();
                    let left: Vec<WriteRequest> = left.into_values().flatten().collect();
                    if left.is_empty() {
                        permit.accepted();
                        return Ok(());
                    }
                    keep_left(&mut entries, &left);
                    None
                }
                Err(error) => Some(error),
            };
            let passing = cause.as_ref().is_none_or(CallError::is_throttling);
            if passing {
                permit.throttled();
                self.listener.tell();
            }
            if !passing || !backoff.again().await {
                return Err(self.cut_short(batch.items(), entries.len() as u64, cause));
            }
        }
    }

    /// Makes the error for a batch that was not written completely.
    fn cut_short(&self, items: u64, unwritten: u64, cause: Option<CallError>) -> Error {
        match cause {
            Some(error) if unwritten == items => error.into(),
            cause => Error::PartlyWritten {
                destination: self.destination.clone(),
                written: items - unwritten,
                unwritten,
                cause: cause.map(Box::new),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NAMES: [&str; 3] = [attribute::PK, attribute::SK, "m"];

    fn item(sk: u32, text: &str) -> [String; 3] {
        ["p".to_owned(), sk.to_string(), text.to_owned()]
    }

    fn put(batch: &mut Batch, item: &[String; 3]) -> Result<Option<Encoded>, Error> {
        let texts = item.each_ref().map(|text| Cow::Borrowed(text.as_str()));
        let attributes: Vec<_> = NAMES.into_iter().zip(texts).collect();
        batch.put(&attributes)
    }

    /// Reads the items of a request back.
    fn items(body: &[u8]) -> Vec<[String; 3]> {
        let body: serde_json::Value = serde_json::from_slice(body).unwrap();
        let requests = body["RequestItems"]["table"].as_array().unwrap();
        let of = |request: &serde_json::Value, name: &str| {
            let text = &request["PutRequest"]["Item"][name]["S"];
            text.as_str().unwrap().to_owned()
        };
        requests
            .iter()
            .map(|request| NAMES.map(|name| of(request, name)))
            .collect()
    }

    #[test]
    fn an_item_over_the_limit_is_named() {
        let mut batch = Batch::default();
        let error = put(&mut batch, &item(2, &"x".repeat(MAX_SIZE))).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the item p 2 has 409607 bytes; DynamoDB takes at most 409600 an item"
        );
        assert!(batch.take().is_none());
        put(&mut batch, &item(2, &"x".repeat(MAX_SIZE - 7))).unwrap();
        assert_eq!(batch.take().unwrap().items(), 1);
    }

    /// p11: only what the service leaves unprocessed is sent again.
    #[test]
    fn p11_only_what_is_left_is_kept() {
        let table: TableName = "table".parse().unwrap();
        let mut batch = Batch::default();
        for sk in 0..5 {
            assert!(put(&mut batch, &item(sk, "x")).unwrap().is_none());
        }
        let batch = batch.take().unwrap();
        let left = |sks: &[u32]| -> Vec<WriteRequest> {
            let of = |sk: &u32| {
                let put = aws_sdk_dynamodb::types::PutRequest::builder();
                let texts = NAMES.into_iter().zip(item(*sk, "x"));
                let put = texts.fold(put, |put, (name, text)| {
                    put.item(name, AttributeValue::S(text))
                });
                let put = put.build().unwrap();
                WriteRequest::builder().put_request(put).build()
            };
            sks.iter().map(of).collect()
        };
        for (sks, kept) in [(&[1, 3][..], &[1, 3][..]), (&[3, 7], &[0, 1, 2, 3, 4])] {
            let mut entries = batch.entries.clone();
            keep_left(&mut entries, &left(sks));
            let kept: Vec<_> = kept.iter().map(|sk| item(*sk, "x")).collect();
            assert_eq!(items(&batch.request(&table, &entries)), kept);
        }
    }

    proptest! {
        /// p12: no batch exceeds 25 items or 16 MB or repeats a key, and nothing is lost or reordered.
        #[test]
        fn p12_batches_keep_the_limits(
            list in prop::collection::vec(
                (0u32..60, prop_oneof![4 => Just("x"), 1 => Just("\u{1}")], prop_oneof![40 => 0usize..200, 1 => 0usize..400_000]),
                0..120,
            )
        ) {
            let list: Vec<_> = list.iter().map(|(sk, c, count)| item(*sk, &c.repeat(*count))).collect();
            let table: TableName = "table".parse().unwrap();
            let mut batch = Batch::default();
            let mut batches = Vec::new();
            for item in &list {
                batches.extend(put(&mut batch, item).unwrap());
            }
            batches.extend(batch.take());
            let mut sent = Vec::new();
            for batch in &batches {
                let body = batch.request(&table, &batch.entries);
                prop_assert!(body.len() <= MAX_BATCH_BYTES);
                let items = items(&body);
                prop_assert!(!items.is_empty() && items.len() <= MAX_ITEMS);
                prop_assert_eq!(items.len() as u64, batch.items());
                let keys: std::collections::HashSet<&String> = items.iter().map(|[_, sk, _]| sk).collect();
                prop_assert_eq!(keys.len(), items.len());
                sent.extend(items);
            }
            prop_assert_eq!(sent, list);
        }
    }
}
