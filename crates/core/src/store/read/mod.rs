//! Reading: pages as streams, from the socket to whoever asks.

mod get;
mod pace;
mod query;
mod scan;

use aws_sdk_dynamodb::types::ConsumedCapacity;
use futures::stream::{self, Stream};

use super::Store;
use crate::error::{CallError, Cause};
use crate::item::RawItem;
pub use query::{Direction, Partition, Query};
pub use scan::{Folded, Scan, Segment};

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

impl Store {
    fn garbled(&self, operation: &'static str, fault: &dyn std::error::Error) -> CallError {
        CallError {
            operation,
            place: self.place.to_string(),
            cause: Cause::Garbled(fault.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_dynamodb::types::AttributeValue;
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
}
