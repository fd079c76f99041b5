//! Answers that come in pages, whatever is on them.

use futures::stream::{self, Stream};

use crate::error::{CallError, Destination};

/// How often in a row a page may end where it began. The service may give a page that holds nothing; one that never
/// goes on would be asked for without end.
const MAX_STANDSTILL: u32 = 100;

/// The service gives the same position to go on from, again and again.
#[derive(Debug, thiserror::Error)]
#[error("{MAX_STANDSTILL} pages in a row end where they began")]
struct Standstill;

/// Where the next page begins, and how many in a row began there.
#[derive(Debug)]
struct Next<T> {
    token: Option<T>,
    standstill: u32,
}

impl<T: PartialEq> Next<T> {
    /// Returns what comes after a page that ended at `token`; `None` where it was the last one.
    fn after(self, token: Option<T>) -> Result<Option<Self>, Standstill> {
        if token.is_none() {
            return Ok(None);
        }
        let standstill = match self.token == token {
            true => self.standstill + 1,
            false => 0,
        };
        if standstill >= MAX_STANDSTILL {
            return Err(Standstill);
        }
        Ok(Some(Self { token, standstill }))
    }
}

/// Streams the pages of an answer. `fetch` is given the token that the page before ended with, and returns a page
/// with the token of the next; a page is the last one where it has none, not where it is empty. The operation and
/// the destination are those that an error names.
///
/// # Errors
///
/// The stream ends after the first error: one of `fetch`, or 100 pages in a row with the same token.
pub fn pages<T, P, F, Fetch>(
    operation: &'static str,
    destination: &Destination,
    mut fetch: Fetch,
) -> impl Stream<Item = Result<P, CallError>> + use<T, P, F, Fetch>
where
    T: Clone + PartialEq,
    Fetch: FnMut(Option<T>) -> F,
    F: Future<Output = Result<(P, Option<T>), CallError>>,
{
    let destination = destination.clone();
    let first = Next {
        token: None,
        standstill: 0,
    };
    stream::try_unfold(Some(first), move |next: Option<Next<T>>| {
        let fetched = next.map(|next| (fetch(next.token.clone()), next));
        let destination = destination.clone();
        async move {
            let Some((fetched, next)) = fetched else {
                return Ok(None);
            };
            let (page, token) = fetched.await?;
            let next = next.after(token);
            let next = next.map_err(|fault| CallError::garbled(operation, &destination, &fault))?;
            Ok(Some((page, next)))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Resource;
    use futures::TryStreamExt;
    use std::cell::Cell;

    fn here() -> Destination {
        Destination::new("here", Resource::Tables)
    }

    fn broken() -> CallError {
        CallError::garbled("Scan", &here(), &Standstill)
    }

    /// Asks for pages until they end, each with the token that `next` makes of the one before.
    async fn asked(next: impl Fn(Option<u32>) -> Option<u32>) -> (usize, Option<CallError>) {
        let count = Cell::new(0);
        let answers = pages("Scan", &here(), |token| {
            count.set(count.get() + 1);
            assert!(count.get() < 1000, "without end");
            let next = next(token);
            async move { Ok(((), next)) }
        });
        let end = answers.try_for_each(async |()| Ok(())).await.err();
        (count.get(), end)
    }

    #[tokio::test]
    async fn no_token_is_the_end_and_an_empty_page_is_none() {
        assert_eq!(asked(|_| None).await, (1, None));
        let three = asked(|token| Some(token.unwrap_or_default() + 1).filter(|n| *n < 4));
        assert_eq!(three.await, (4, None));
    }

    #[tokio::test]
    async fn pages_that_never_go_on_are_an_error() {
        let (count, error) = asked(|_| Some(1)).await;
        assert_eq!(count, MAX_STANDSTILL as usize + 1);
        assert_eq!(error, Some(broken()));
        // A step in between begins the count anew.
        let turns = Cell::new(0);
        let (count, error) = asked(|token| {
            let n = token.unwrap_or_default();
            turns.set(turns.get() + 1);
            (n < 5).then_some(if turns.get() % 90 == 0 { n + 1 } else { n })
        })
        .await;
        assert!(error.is_none() && count > 400, "{count} {error:?}");
    }

    #[tokio::test]
    async fn a_stream_ends_after_its_first_error() {
        let asked = Cell::new(0);
        let answers = pages("Scan", &here(), |_: Option<u32>| {
            asked.set(asked.get() + 1);
            async { Err::<((), _), _>(broken()) }
        });
        let answers: Vec<Result<(), _>> = futures::StreamExt::collect(answers).await;
        assert_eq!((answers.len(), asked.get()), (1, 1));
    }
}
