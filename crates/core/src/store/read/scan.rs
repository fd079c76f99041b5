//! Scans of the whole table, or of a part of it.

use aws_sdk_dynamodb::operation::scan::builders::ScanFluentBuilder;
use aws_sdk_dynamodb::types::{ReturnConsumedCapacity, Select};
use futures::stream::{self, Stream, StreamExt};

use super::rate::ReadRate;
use super::{LastKey, unless_empty};
use crate::error::CallError;
use crate::item::{ItemView, read_page};
use crate::pages::pages;
use crate::rate_limit::Rate;
use crate::store::Store;
use crate::store::body::{OwnText, ResponseBody};

const SCAN: &str = "Scan";

/// One part of a scan. The segments of a scan are disjoint, and together they are the whole table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    index: u32,
    total: u32,
}

impl Segment {
    /// The maximum number of segments in DynamoDB: see TotalSegments of Scan in the API reference.
    pub const MAX_TOTAL: u32 = 1_000_000;

    /// The whole table as one segment.
    pub const WHOLE: Self = Self { index: 0, total: 1 };

    /// Makes the segment `index`, from 0, of `total`. Returns `None` if there is no such segment.
    pub fn new(index: u32, total: u32) -> Option<Self> {
        (index < total && total <= Self::MAX_TOTAL).then_some(Self { index, total })
    }

    /// Returns its number, from 0.
    pub fn index(self) -> u32 {
        self.index
    }

    /// Returns the total number of segments.
    pub fn total(self) -> u32 {
        self.total
    }

    /// Makes all segments of `total`, or none if `total` is out of range.
    pub fn all(total: u32) -> impl Iterator<Item = Self> {
        (0..total).filter_map(move |index| Self::new(index, total))
    }
}

/// The part of the table that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Segments {
    /// One segment. Others read the rest.
    One(Segment),
    /// All of it in this many segments, up to 64 of them at once. Their pages come in any order.
    All(u32),
}

impl Segments {
    /// The whole table, one page after the other.
    pub const WHOLE: Self = Self::One(Segment::WHOLE);

    /// Returns each segment.
    pub fn iter(self) -> impl Iterator<Item = Segment> {
        let (one, total) = match self {
            Self::One(segment) => (Some(segment), 0),
            Self::All(total) => (None, total),
        };
        one.into_iter().chain(Segment::all(total))
    }
}

/// The maximum number of segments that are read at once, however many there are: each of them holds a page in memory.
const SEGMENTS_AT_ONCE: usize = 64;

/// A scan. The default reads the whole table, eventually consistent, as fast as the service allows.
#[derive(Debug, Clone)]
pub struct Scan {
    /// The part of the table.
    pub segments: Segments,
    /// Whether reads are strongly consistent.
    pub consistent: bool,
    /// Whether only the number of items is wanted.
    pub count_only: bool,
    /// The maximum number of items that the service reads for one page.
    pub page_size: Option<u32>,
    /// The read capacity units a second, shared by all segments.
    pub rate: Option<Rate>,
}

impl Default for Scan {
    fn default() -> Self {
        Self {
            segments: Segments::WHOLE,
            consistent: false,
            count_only: false,
            page_size: None,
            rate: None,
        }
    }
}

/// The value made from one page of a scan.
#[derive(Debug, Clone, Copy, Default)]
pub struct Folded<T> {
    /// The value made from the items.
    pub value: T,
    /// The number of items that matched.
    pub count: u64,
    /// The number of items that the service read.
    pub scanned: u64,
    /// The capacity units that the service reported as used.
    pub consumed: Option<f64>,
}

impl Store {
    /// Streams the value that `fold` makes from each page of a scan, item by item, without a map per item. `fold` runs
    /// on the threads for blocking work, while other segments are fetched. A throttled request is retried with
    /// backoff.
    ///
    /// # Errors
    ///
    /// The pages of a segment end after its first error.
    pub fn scan<T, F>(
        &self,
        scan: Scan,
        fold: F,
    ) -> impl Stream<Item = Result<Folded<T>, CallError>> + Send + use<T, F>
    where
        T: Default + Send + 'static,
        F: Fn(&mut T, &ItemView<'_>) + Clone + Send + 'static,
    {
        let store = self.clone();
        let segments = scan.segments.iter().map(move |segment| {
            let scan = scan.clone();
            store.scan_segment(segment, scan, fold.clone()).boxed()
        });
        stream::iter(segments).flatten_unordered(SEGMENTS_AT_ONCE)
    }

    fn scan_segment<T, F>(
        &self,
        segment: Segment,
        scan: Scan,
        fold: F,
    ) -> impl Stream<Item = Result<Folded<T>, CallError>> + Send + use<T, F>
    where
        T: Default + Send + 'static,
        F: Fn(&mut T, &ItemView<'_>) + Clone + Send + 'static,
    {
        let store = self.clone();
        let rate = scan.rate.clone();
        let rate = rate.map(|rate| ReadRate::new(rate, scan.consistent));
        pages(SCAN, &self.destination, move |last: LastKey| {
            let (store, fold, rate) = (store.clone(), fold.clone(), rate.clone());
            let request = store.scan_request(segment, &scan);
            let page_size = scan.page_size;
            async move {
                let (page_size, reserved) = match &rate {
                    Some(rate) => rate.begin(page_size).await,
                    None => (page_size, 0.0),
                };
                let limit = page_size.map(|size| i32::try_from(size).unwrap_or(i32::MAX));
                let request = request
                    .set_limit(limit)
                    .set_exclusive_start_key(last.clone());
                let send = |body: ResponseBody, own: OwnText| {
                    let request = request.clone().customize();
                    request.interceptor(body).interceptor(own).send()
                };
                let body = store.page_body(SCAN, &last, send).await?;
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
                if let Some(rate) = &rate {
                    let end = rate.end(reserved, page.scanned, page.consumed);
                    end.map_err(|fault| store.garbled(SCAN, &fault))?;
                }
                Ok((page, unless_empty(foot.last)))
            }
        })
    }

    fn scan_request(&self, segment: Segment, scan: &Scan) -> ScanFluentBuilder {
        let mut request = self
            .client
            .scan()
            .table_name(self.table.as_str())
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        if segment != Segment::WHOLE {
            let number = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
            request = request
                .segment(number(segment.index))
                .total_segments(number(segment.total));
        }
        if scan.consistent {
            request = request.consistent_read(true);
        }
        if scan.count_only {
            request = request.select(Select::Count);
        }
        request
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
