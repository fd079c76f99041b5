//! Paginated answers, whatever the pages contain.

use futures::stream::{self, Stream};

use crate::error::{CallError, Destination};

/// How many pages in a row may end where they began. The service may return an empty page; without a limit, pages
/// that never move on would be requested forever.
const MAX_STANDSTILL: u32 = 100;

/// The error when the service returns the same position to continue from again and again.
#[derive(Debug, thiserror::Error)]
#[error("{MAX_STANDSTILL} pages in a row end where they began")]
struct Standstill;

/// Where the next page begins, and how many pages in a row began there.
#[derive(Debug)]
struct Next<T> {
    token: Option<T>,
    standstill: u32,
}

impl<T: PartialEq> Next<T> {
    /// Returns what comes after a page that ended at `token`, or `None` if it was the last page.
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

/// Streams the pages of an answer. `fetch` takes the token of the page before and returns a page with the token of
/// the next. The last page is the one without a token, not the first that is empty. Errors name the operation and
/// the destination.
///
/// # Errors
///
/// The stream ends after the first error: one from `fetch`, or 100 pages in a row with the same token.
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

    /// Requests pages until they end. `next` makes the token of each page from the one before.
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
        // A step in between resets the count.
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
