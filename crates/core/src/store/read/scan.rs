//! Scans: the whole table, or a share of it.

use aws_sdk_dynamodb::operation::scan::builders::ScanFluentBuilder;
use aws_sdk_dynamodb::types::{ReturnConsumedCapacity, Select};
use aws_smithy_types::body::SdkBody;
use futures::stream::Stream;

use super::pace::ScanPace;
use super::{LastKey, Page, natural, pages, units};
use crate::error::CallError;
use crate::item::{View, read_page};
use crate::pace::{Rate, patiently};
use crate::store::Store;
use crate::store::body::{OwnText, TakenBody};

const SCAN: &str = "Scan";

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

impl Store {
    /// Streams the pages of one segment of a scan, each item a map.
    ///
    /// # Errors
    ///
    /// The stream ends after the first error.
    pub fn scan(&self, scan: Scan) -> impl Stream<Item = Result<Page, CallError>> + Send + use<> {
        let store = self.clone();
        pages(self.stuck(SCAN), move |last| {
            let store = store.clone();
            async move { patiently(|| store.scan_page(scan, last.clone())).await }
        })
    }

    async fn scan_page(&self, scan: Scan, last: LastKey) -> Result<(Page, LastKey), CallError> {
        let own = OwnText::of(last.as_ref());
        let request = self.scan_request(scan, last).customize();
        let answer = request.interceptor(own).send().await;
        let answer = answer.map_err(self.failed(SCAN))?;
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
        let pace = rate.map(|rate| ScanPace::new(rate, scan.consistent));
        pages(self.stuck(SCAN), move |last| {
            let (store, fold, pace) = (store.clone(), fold.clone(), pace.clone());
            async move {
                let (page_size, reserved) = match &pace {
                    Some(pace) => pace.begin(scan.page_size).await,
                    None => (scan.page_size, 0.0),
                };
                let scan = Scan { page_size, ..scan };
                let body = patiently(|| store.scan_body(scan, last.clone())).await?;
                let read = tokio::task::spawn_blocking(move || {
                    let mut value = T::default();
                    read_page(body.bytes().unwrap_or_default(), |item| {
                        fold(&mut value, item)
                    })
                    .map(|foot| (value, foot))
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

    async fn scan_body(&self, scan: Scan, last: LastKey) -> Result<SdkBody, CallError> {
        let body = TakenBody::default();
        let own = OwnText::of(last.as_ref());
        let request = self.scan_request(scan, last).customize();
        let request = request.interceptor(body.interceptor()).interceptor(own);
        request.send().await.map_err(self.failed(SCAN))?;
        body.get().map_err(|cause| CallError {
            operation: SCAN,
            place: self.place.to_string(),
            cause,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_counted_from_zero() {
        assert!(Segment::new(0, 0).is_none());
        assert!(Segment::new(4, 4).is_none());
        assert!(Segment::new(0, Segment::MAX_TOTAL + 1).is_none());
        assert_eq!(Segment::new(0, 1), Some(Segment::WHOLE));
        assert_eq!(Segment::all(3).count(), 3);
    }
}
