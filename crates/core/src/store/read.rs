//! Reading: pages as streams, from the socket to whoever asks.

use std::collections::{HashMap, HashSet};

use aws_sdk_dynamodb::operation::scan::builders::ScanFluentBuilder;
use aws_sdk_dynamodb::types::{
    AttributeValue, ConsumedCapacity, KeysAndAttributes, ReturnConsumedCapacity, Select,
};
use futures::stream::{self, Stream};

use super::Store;
use super::body::TakenBody;
use super::scan_pace::ScanPace;
use crate::error::{CallError, Cause};
use crate::item::{RawItem, View, primary_key, read_page};
use crate::key::{MessageGroupId, PartitionKey, SortKey};
use crate::pace::{Backoff, Rate};
use crate::schema::{GROUP_INDEX, attribute};

/// One page of an answer.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// The items; none where only the count was asked for.
    pub items: Vec<RawItem>,
    /// How many items matched.
    pub count: u64,
    /// How many items the service read.
    pub scanned: u64,
    /// Capacity units that the service says it used.
    pub consumed: Option<f64>,
}

/// What was made of one page of an answer.
#[derive(Debug, Clone, Copy, Default)]
pub struct Folded<T> {
    /// What was made of the items.
    pub value: T,
    /// How many items matched.
    pub count: u64,
    /// How many items the service read.
    pub scanned: u64,
    /// Capacity units that the service says it used.
    pub consumed: Option<f64>,
}

const SCAN: &str = "Scan";

#[derive(Debug, thiserror::Error)]
#[error("it keeps leaving keys unprocessed")]
struct Unprocessed;

type LastKey = Option<RawItem>;

/// Follows `LastEvaluatedKey` until there is none: an empty page is no end.
fn pages<P, F>(mut fetch: impl FnMut(LastKey) -> F) -> impl Stream<Item = Result<P, CallError>>
where
    F: Future<Output = Result<(P, LastKey), CallError>>,
{
    stream::try_unfold(Some(None), move |next: Option<LastKey>| {
        let fetched = next.map(&mut fetch);
        async move {
            let Some(fetched) = fetched else {
                return Ok(None);
            };
            let (page, last) = fetched.await?;
            Ok(Some((page, last.map(Some))))
        }
    })
}

fn units(consumed: Option<&ConsumedCapacity>) -> Option<f64> {
    consumed.and_then(ConsumedCapacity::capacity_units)
}

fn natural(count: i32) -> u64 {
    u64::try_from(count).unwrap_or_default()
}

/// Tells in which order of the sort key a partition is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Oldest first.
    Ascending,
    /// Newest first.
    Descending,
}

/// Names what a query reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Partition {
    /// A partition of the table.
    Table(PartitionKey),
    /// The group rows of a conversation, through the index. Always eventually consistent.
    GroupIndex(MessageGroupId),
}

/// Describes a query.
#[derive(Debug, Clone)]
pub struct Query {
    partition: Partition,
    range: (Option<String>, Option<String>),
    of_group: Option<MessageGroupId>,
    direction: Direction,
    consistent: bool,
    page_size: Option<i32>,
}

impl Query {
    /// Asks for a whole partition in ascending order.
    pub fn new(partition: Partition) -> Self {
        Self {
            partition,
            range: (None, None),
            of_group: None,
            direction: Direction::Ascending,
            consistent: false,
            page_size: None,
        }
    }

    /// Bounds the sort key, as text, both ends inclusive.
    #[must_use]
    pub fn range(mut self, low: Option<String>, high: Option<String>) -> Self {
        self.range = (low, high);
        self
    }

    /// Has the service leave out all group rows but those of one conversation.
    #[must_use]
    pub fn of_group(mut self, group: MessageGroupId) -> Self {
        self.of_group = Some(group);
        self
    }

    /// Sets the order.
    #[must_use]
    pub fn direction(mut self, direction: Direction) -> Self {
        self.direction = direction;
        self
    }

    /// Asks for strongly consistent reads; an index has none.
    #[must_use]
    pub fn consistent(mut self) -> Self {
        self.consistent = matches!(self.partition, Partition::Table(_));
        self
    }

    /// Bounds the items that the service reads for one page.
    #[must_use]
    pub fn page_size(mut self, items: u32) -> Self {
        self.page_size = Some(i32::try_from(items.max(1)).unwrap_or(i32::MAX));
        self
    }
}

/// One share of a scan out of several that are disjoint and together are everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    index: u32,
    total: u32,
}

impl Segment {
    /// The most segments that DynamoDB knows: see TotalSegments of Scan in the API reference.
    pub const MAX_TOTAL: u32 = 1_000_000;

    /// The whole table as one segment.
    pub const WHOLE: Self = Self { index: 0, total: 1 };

    /// Makes the segment `index`, from 0, of `total`; `None` where there is no such segment.
    pub fn new(index: u32, total: u32) -> Option<Self> {
        (index < total && total <= Self::MAX_TOTAL).then_some(Self { index, total })
    }

    /// Makes all segments of `total`, or none where `total` is out of range.
    pub fn all(total: u32) -> impl Iterator<Item = Self> {
        (0..total).filter_map(move |index| Self::new(index, total))
    }
}

/// Describes a scan.
#[derive(Debug, Clone, Copy)]
pub struct Scan {
    /// The share of the table.
    pub segment: Segment,
    /// Whether reads are strongly consistent.
    pub consistent: bool,
    /// Whether only the number of items is wanted.
    pub count_only: bool,
    /// Bounds the items that the service reads for one page.
    pub page_size: Option<u32>,
}

impl Store {
    /// Streams the pages of a query.
    ///
    /// # Errors
    ///
    /// The stream ends after the first error.
    pub fn query(
        &self,
        query: Query,
    ) -> impl Stream<Item = Result<Page, CallError>> + Send + use<> {
        let store = self.clone();
        pages(move |last| {
            let (store, query) = (store.clone(), query.clone());
            async move { store.query_page(&query, last).await }
        })
    }

    async fn query_page(&self, query: &Query, last: LastKey) -> Result<(Page, LastKey), CallError> {
        let (name, value) = match query.partition {
            Partition::Table(key) => (attribute::PK, key.to_string()),
            Partition::GroupIndex(group) => (attribute::MESSAGE_GROUP_UUID, group.to_string()),
        };
        let mut request = self
            .client
            .query()
            .table_name(self.table.as_str())
            .expression_attribute_names("#partition", name)
            .expression_attribute_values(":partition", AttributeValue::S(value))
            .scan_index_forward(query.direction == Direction::Ascending)
            .set_limit(query.page_size)
            .set_exclusive_start_key(last)
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        if let Partition::GroupIndex(_) = query.partition {
            request = request.index_name(GROUP_INDEX);
        }
        if query.consistent {
            request = request.consistent_read(true);
        }
        let sort = match &query.range {
            (None, None) => "",
            (Some(_), None) => " AND #sort >= :low",
            (None, Some(_)) => " AND #sort <= :high",
            (Some(_), Some(_)) => " AND #sort BETWEEN :low AND :high",
        };
        if !sort.is_empty() {
            request = request.expression_attribute_names("#sort", attribute::SK);
        }
        for (placeholder, bound) in [(":low", &query.range.0), (":high", &query.range.1)] {
            if let Some(bound) = bound {
                request = request
                    .expression_attribute_values(placeholder, AttributeValue::S(bound.clone()));
            }
        }
        if let Some(group) = query.of_group {
            request = request
                .filter_expression("#group = :group")
                .expression_attribute_names("#group", attribute::MESSAGE_GROUP_UUID)
                .expression_attribute_values(":group", AttributeValue::S(group.to_string()));
        }
        let answer = request
            .key_condition_expression(format!("#partition = :partition{sort}"))
            .send()
            .await
            .map_err(self.failed("Query"))?;
        let page = Page {
            count: natural(answer.count),
            scanned: natural(answer.scanned_count),
            consumed: units(answer.consumed_capacity()),
            items: answer.items.unwrap_or_default(),
        };
        Ok((page, answer.last_evaluated_key))
    }

    /// Streams the pages of one segment of a scan, each item a map.
    ///
    /// # Errors
    ///
    /// The stream ends after the first error.
    pub fn scan(&self, scan: Scan) -> impl Stream<Item = Result<Page, CallError>> + Send + use<> {
        let store = self.clone();
        pages(move |last| {
            let store = store.clone();
            async move { store.scan_page(scan, last).await }
        })
    }

    async fn scan_page(&self, scan: Scan, last: LastKey) -> Result<(Page, LastKey), CallError> {
        let request = self.scan_request(scan, last);
        let answer = request.send().await.map_err(self.failed(SCAN))?;
        let page = Page {
            count: natural(answer.count),
            scanned: natural(answer.scanned_count),
            consumed: units(answer.consumed_capacity()),
            items: answer.items.unwrap_or_default(),
        };
        Ok((page, answer.last_evaluated_key))
    }

    fn scan_request(&self, scan: Scan, last: LastKey) -> ScanFluentBuilder {
        let mut request = self
            .client
            .scan()
            .table_name(self.table.as_str())
            .set_limit(
                scan.page_size
                    .map(|size| i32::try_from(size).unwrap_or(i32::MAX)),
            )
            .set_exclusive_start_key(last)
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        if scan.segment != Segment::WHOLE {
            let number = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
            request = request
                .segment(number(scan.segment.index))
                .total_segments(number(scan.segment.total));
        }
        if scan.consistent {
            request = request.consistent_read(true);
        }
        if scan.count_only {
            request = request.select(Select::Count);
        }
        request
    }

    /// Streams what `fold` makes of each page of one segment of a scan, item by item, without a map per
    /// item. It works on the threads for blocking work: other segments are fetched meanwhile. A throttled
    /// request is made again, with backoff; all who share a `rate` keep to it together.
    ///
    /// # Errors
    ///
    /// The stream ends after the first error.
    pub fn scan_folded<T>(
        &self,
        scan: Scan,
        rate: Option<Rate>,
        fold: impl Fn(&mut T, &View<'_>) + Clone + Send + 'static,
    ) -> impl Stream<Item = Result<Folded<T>, CallError>> + Send
    where
        T: Default + Send + 'static,
    {
        let store = self.clone();
        let pace = rate.map(|rate| ScanPace::new(rate, scan));
        pages(move |last| {
            let (store, fold, pace) = (store.clone(), fold.clone(), pace.clone());
            async move {
                let (scan, reserved) = match &pace {
                    Some(pace) => pace.begin(scan).await,
                    None => (scan, 0.0),
                };
                let body = store.scan_body(scan, last).await?;
                let read = tokio::task::spawn_blocking(move || {
                    let mut value = T::default();
                    read_page(&body, |item| fold(&mut value, item)).map(|foot| (value, foot))
                });
                let (value, foot) = match read.await {
                    Ok(read) => read.map_err(|fault| store.garbled(SCAN, &fault))?,
                    Err(fault) => return Err(store.garbled(SCAN, &fault)),
                };
                let page = Folded {
                    value,
                    count: foot.count,
                    scanned: foot.scanned,
                    consumed: foot.consumed,
                };
                if let Some(pace) = &pace {
                    let end = pace.end(reserved, page.scanned, page.consumed);
                    end.map_err(|fault| store.garbled(SCAN, &fault))?;
                }
                Ok((page, foot.last))
            }
        })
    }

    async fn scan_body(&self, scan: Scan, last: LastKey) -> Result<Vec<u8>, CallError> {
        let mut backoff = Backoff::for_bulk();
        loop {
            let body = TakenBody::default();
            let request = self.scan_request(scan, last.clone()).customize();
            let sent = request.interceptor(body.interceptor()).send().await;
            match sent.map_err(self.failed(SCAN)) {
                Ok(_) => {
                    return body.read().await.map_err(|cause| CallError {
                        operation: SCAN,
                        place: self.place.to_string(),
                        cause,
                    });
                }
                Err(error) if error.is_throttling() && backoff.again().await => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn garbled(&self, operation: &'static str, fault: &dyn std::error::Error) -> CallError {
        CallError {
            operation,
            place: self.place.to_string(),
            cause: Cause::Garbled(fault.to_string()),
        }
    }

    /// Tells which of at most 100 primary keys are there, strongly consistent.
    ///
    /// # Errors
    ///
    /// When a request fails, or the service leaves keys unprocessed for too long.
    pub async fn which_are_there(
        &self,
        keys: Vec<(String, String)>,
    ) -> Result<HashSet<(String, String)>, CallError> {
        const OPERATION: &str = "BatchGetItem";
        let wanted = keys.into_iter().map(|(pk, sk)| {
            RawItem::from([
                (attribute::PK.to_owned(), AttributeValue::S(pk)),
                (attribute::SK.to_owned(), AttributeValue::S(sk)),
            ])
        });
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
            let answer = request.set_request_items(Some(left.clone())).send().await;
            match answer.map_err(self.failed(OPERATION)) {
                Ok(answer) => {
                    let items = answer.responses.unwrap_or_default().into_values();
                    there.extend(items.flatten().filter_map(|item| {
                        let text = |name: &str| item.get(name)?.as_s().ok().cloned();
                        Some((text(attribute::PK)?, text(attribute::SK)?))
                    }));
                    left = answer.unprocessed_keys.unwrap_or_default();
                    if left.is_empty() {
                        return Ok(there);
                    }
                    if !backoff.again().await {
                        return Err(self.garbled(OPERATION, &Unprocessed));
                    }
                }
                Err(error) if error.is_throttling() && backoff.again().await => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads one item, strongly consistent.
    ///
    /// # Errors
    ///
    /// When the request fails.
    pub async fn get(
        &self,
        partition: &PartitionKey,
        sort: &SortKey,
    ) -> Result<Option<RawItem>, CallError> {
        let answer = self
            .client
            .get_item()
            .table_name(self.table.as_str())
            .set_key(Some(primary_key(partition, sort)))
            .consistent_read(true)
            .send()
            .await
            .map_err(self.failed("GetItem"))?;
        Ok(answer.item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::{StreamExt, TryStreamExt};

    #[tokio::test]
    async fn an_empty_page_is_no_end() {
        let key = |n: u8| RawItem::from([("pk".to_owned(), AttributeValue::N(n.to_string()))]);
        let counts: Vec<u64> = pages(|last: LastKey| {
            let n: u8 = last.map_or(0, |last| last["pk"].as_n().unwrap().parse().unwrap());
            async move {
                let page = Page {
                    count: if n == 1 { 0 } else { 5 },
                    ..Page::default()
                };
                Ok((page, (n < 3).then(|| key(n + 1))))
            }
        })
        .map_ok(|page| page.count)
        .try_collect()
        .await
        .unwrap();
        assert_eq!(counts, [5, 0, 5, 5]);
    }

    #[tokio::test]
    async fn a_stream_ends_after_its_first_error() {
        let asked = std::cell::Cell::new(0);
        let answers: Vec<Result<Page, _>> = pages(|_| {
            asked.set(asked.get() + 1);
            async {
                Err(CallError {
                    operation: "Scan",
                    place: "here".to_owned(),
                    cause: crate::Cause::Broken("off".to_owned()),
                })
            }
        })
        .collect()
        .await;
        assert_eq!((answers.len(), asked.get()), (1, 1));
    }

    #[test]
    fn segments_are_counted_from_zero() {
        assert!(Segment::new(0, 0).is_none());
        assert!(Segment::new(4, 4).is_none());
        assert!(Segment::new(0, Segment::MAX_TOTAL + 1).is_none());
        assert_eq!(Segment::new(0, 1), Some(Segment::WHOLE));
        assert_eq!(Segment::all(3).count(), 3);
    }
}
