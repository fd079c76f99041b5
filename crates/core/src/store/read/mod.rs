//! Reading pages as streams, from the socket to the caller.

mod get;
mod query;
mod rate;
mod scan;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::body::SdkBody;

use super::Store;
use super::body::{OwnText, ResponseBody};
use crate::error::CallError;
use crate::item::RawItem;
pub use query::{Direction, Partition, Query, QueryWords};
pub(super) use rate::ReadRate;
pub use scan::{Folded, Scan, Segment, Segments};

/// One page of the result of a query.
#[derive(Debug, Clone, Default)]
pub struct Page<T = RawItem> {
    /// The items, or the value made from each.
    pub items: Vec<T>,
    /// The number of items that matched.
    pub count: u64,
    /// The number of items that the service read.
    pub scanned: u64,
    /// The capacity units that the service reported as used.
    pub consumed: Option<f64>,
}

type LastKey = Option<RawItem>;

/// Returns `None` for an empty key, which means the same: see LastEvaluatedKey of Query and Scan in the API reference.
fn unless_empty(last: LastKey) -> LastKey {
    last.filter(|last| !last.is_empty())
}

impl Store {
    /// Requests the page after `last`, and returns its body unread. `send` sends the request with the given
    /// interceptors.
    async fn page_body<T, E, F>(
        &self,
        operation: &'static str,
        last: &LastKey,
        send: impl Fn(ResponseBody, OwnText) -> F,
    ) -> Result<SdkBody, CallError>
    where
        E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    {
        let body = ResponseBody::default();
        self.ask(operation, || send(body.clone(), OwnText::of(last.as_ref())))
            .await?;
        body.get().map_err(|cause| CallError {
            operation,
            destination: self.destination.clone(),
            cause,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_key_is_the_end() {
        assert_eq!(unless_empty(Some(RawItem::new())), None);
        assert_eq!(unless_empty(None), None);
    }
}
