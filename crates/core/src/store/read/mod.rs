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

/// How often in a row a page may end where it began. The service may give a page without items; one that
/// never goes on would be asked for without end.
const MAX_STANDSTILL: u32 = 100;

/// The service gives the same place to go on from, again and again.
#[derive(Debug, thiserror::Error)]
#[error("{MAX_STANDSTILL} pages in a row end where they began")]
struct Standstill;

/// Where the next page begins, and how many in a row began there.
#[derive(Debug, Default)]
struct Next {
    start: LastKey,
    standstill: u32,
}

impl Next {
    /// Returns what comes after a page that ended at `last`; `None` where it was the last one. An empty key
    /// says the same as none: see LastEvaluatedKey of Query and Scan in the API reference.
    fn after(self, last: LastKey) -> Result<Option<Self>, Standstill> {
        let Some(last) = last.filter(|last| !last.is_empty()) else {
            return Ok(None);
        };
        let standstill = match self.start.as_ref() == Some(&last) {
            true => self.standstill + 1,
            false => 0,
        };
        if standstill >= MAX_STANDSTILL {
            return Err(Standstill);
        }
        Ok(Some(Self {
            start: Some(last),
            standstill,
        }))
    }
}

/// Follows `LastEvaluatedKey` until there is none: an empty page is no end.
fn pages<P, F>(
    stuck: impl Fn(Standstill) -> CallError + Clone,
    mut fetch: impl FnMut(LastKey) -> F,
) -> impl Stream<Item = Result<P, CallError>>
where
    F: Future<Output = Result<(P, LastKey), CallError>>,
{
    stream::try_unfold(Some(Next::default()), move |next: Option<Next>| {
        let fetched = next.map(|next| (fetch(next.start.clone()), next));
        let stuck = stuck.clone();
        async move {
            let Some((fetched, next)) = fetched else {
                return Ok(None);
            };
            let (page, last) = fetched.await?;
            Ok(Some((page, next.after(last).map_err(stuck)?)))
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
    /// Turns pages that never go on into an error.
    fn stuck(&self, operation: &'static str) -> impl Fn(Standstill) -> CallError + Clone + use<> {
        let store = self.clone();
        move |fault| store.garbled(operation, &fault)
    }

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

    fn broken(fault: Standstill) -> CallError {
        CallError {
            operation: "Scan",
            place: "here".to_owned(),
            cause: Cause::Garbled(fault.to_string()),
        }
    }

    /// Asks for pages until they end, each with the key that `last` makes of the one before.
    async fn asked(last: impl Fn(LastKey) -> LastKey) -> (usize, Option<CallError>) {
        let count = std::cell::Cell::new(0);
        let answers = pages(broken, |start| {
            count.set(count.get() + 1);
            assert!(count.get() < 1000, "without end");
            let last = last(start);
            async { Ok((Page::default(), last)) }
        });
        let end = answers.try_for_each(async |_| Ok(())).await.err();
        (count.get(), end)
    }

    #[tokio::test]
    async fn an_empty_key_is_the_end() {
        assert_eq!(asked(|_| Some(RawItem::new())).await, (1, None));
        assert_eq!(asked(|_| None).await, (1, None));
    }

    #[tokio::test]
    async fn pages_that_never_go_on_are_an_error() {
        let key = |n: u32| RawItem::from([("pk".to_owned(), AttributeValue::N(n.to_string()))]);
        let (count, error) = asked(|_| Some(key(1))).await;
        assert_eq!(count, MAX_STANDSTILL as usize + 1);
        assert_eq!(error, Some(broken(Standstill)));
        // A step in between begins the count anew.
        let step = |start: LastKey| {
            let n: u32 = start.map_or(0, |start| start["pk"].as_n().unwrap().parse().unwrap());
            n
        };
        let turns = std::cell::Cell::new(0);
        let (count, error) = asked(|start| {
            let n = step(start);
            turns.set(turns.get() + 1);
            (n < 5).then(|| key(if turns.get() % 90 == 0 { n + 1 } else { n }))
        })
        .await;
        assert!(error.is_none() && count > 400, "{count} {error:?}");
    }

    #[tokio::test]
    async fn an_empty_page_is_no_end() {
        let key = |n: u8| RawItem::from([("pk".to_owned(), AttributeValue::N(n.to_string()))]);
        let counts: Vec<u64> = pages(broken, |last: LastKey| {
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
        let answers: Vec<Result<Page, _>> = pages(broken, |_| {
            asked.set(asked.get() + 1);
            async { Err(broken(Standstill)) }
        })
        .collect()
        .await;
        assert_eq!((answers.len(), asked.get()), (1, 1));
    }
}
