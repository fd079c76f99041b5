//! Scans: the whole table, or a share of it.

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

    /// Returns its number, from 0.
    pub fn index(self) -> u32 {
        self.index
    }

    /// Returns how many there are.
    pub fn total(self) -> u32 {
        self.total
    }

    /// Makes all segments of `total`, or none where `total` is out of range.
    pub fn all(total: u32) -> impl Iterator<Item = Self> {
        (0..total).filter_map(move |index| Self::new(index, total))
    }
}

/// Which part of the table is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Segments {
    /// One share, where others read the rest.
    One(Segment),
    /// All of it in so many segments, up to 64 of them at once. Their pages come in any order.
    All(u32),
}

impl Segments {
    /// The whole table, one page after the other.
    pub const WHOLE: Self = Self::One(Segment::WHOLE);

    /// Returns each of them.
    pub fn iter(self) -> impl Iterator<Item = Segment> {
        let (one, total) = match self {
            Self::One(segment) => (Some(segment), 0),
            Self::All(total) => (None, total),
        };
        one.into_iter().chain(Segment::all(total))
    }
}

/// The most segments that are read at once, however many there are: each of them holds a page.
const SEGMENTS_AT_ONCE: usize = 64;

/// Describes a scan. The default reads the whole table, eventually consistent, as fast as the service gives it.
#[derive(Debug, Clone)]
pub struct Scan {
    /// The part of the table.
    pub segments: Segments,
    /// Whether reads are strongly consistent.
    pub consistent: bool,
    /// Whether only the number of items is wanted.
    pub count_only: bool,
    /// Bounds the items that the service reads for one page.
    pub page_size: Option<u32>,
    /// Read capacity units a second, which all segments keep to together.
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
    /// Streams what `fold` makes of each page of a scan, item by item, without a map per item. It works on the
    /// threads for blocking work: other segments are fetched meanwhile. A throttled request is made again, with
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
