//! Requests that the SDK does not retry.

use aws_sdk_dynamodb::config::retry::{RetryPartition, TokenBucket};
use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::retries::classifiers::{
    ClassifyRetry, RetryAction, RetryClassifierPriority,
};

use crate::error::is_connect;

/// The total cost of the retries of one client: see "Retry behavior" in the AWS SDKs and Tools Reference Guide.
const QUOTA: u32 = 500;

/// Makes the retry budget of a client. It does not cover throttling, which [`crate::retry::retry_throttled`] handles.
/// Two layers of retries multiply, and concurrent calls share the budget, so a few throttled calls would use it up for
/// all.
pub(super) fn budget() -> RetryPartition {
    let bucket = TokenBucket::builder()
        .capacity(QUOTA as usize)
        .throttling_retry_cost(QUOTA + 1)
        .build();
    RetryPartition::custom("without throttling")
        .token_bucket(bucket)
        .build()
}

/// A classifier that forbids a retry if there is no connection: a second attempt only delays the error message.
#[derive(Debug, Clone, Copy)]
pub(super) struct DeadIsDead {
    /// Whether timeouts are not retried either. This is so for an endpoint on this machine.
    timeouts: bool,
}

impl DeadIsDead {
    /// For an endpoint on this machine.
    pub(super) const LOCAL: Self = Self { timeouts: true };
    /// For AWS, where a slow answer is worth a retry.
    pub(super) const PRODUCTION: Self = Self { timeouts: false };
}

impl ClassifyRetry for DeadIsDead {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let Some(Err(error)) = context.output_or_error() else {
            return RetryAction::NoActionIndicated;
        };
        let connector = error.as_connector_error();
        let unconnected = connector.is_some_and(|error| is_connect(error));
        let late = error.is_timeout_error() || connector.is_some_and(|error| error.is_timeout());
        if unconnected || (self.timeouts && late) {
            RetryAction::RetryForbidden
        } else {
            RetryAction::NoActionIndicated
        }
    }

    fn name(&self) -> &'static str {
        "dead is dead"
    }

    fn priority(&self) -> RetryClassifierPriority {
        RetryClassifierPriority::run_after(RetryClassifierPriority::transient_error_classifier())
    }
}
