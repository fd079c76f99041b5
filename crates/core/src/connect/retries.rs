//! What the SDK does not try again.

use aws_sdk_dynamodb::config::retry::{RetryPartition, TokenBucket};
use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::retries::classifiers::{
    ClassifyRetry, RetryAction, RetryClassifierPriority,
};

use crate::error::is_connect;

/// What the retries of one client may cost in all: see "Retry behavior" in the AWS SDKs and Tools Reference Guide.
const QUOTA: u32 = 500;

/// Makes the budget of a client. It has none for throttling, which [`crate::retry::retry_throttled`] answers: two layers
/// of retries multiply, and calls at the same time share the budget, so a few that are throttled would take it from all.
pub(super) fn budget() -> RetryPartition {
    let bucket = TokenBucket::builder()
        .capacity(QUOTA as usize)
        .throttling_retry_cost(QUOTA + 1)
        .build();
    RetryPartition::custom("without throttling")
        .token_bucket(bucket)
        .build()
}

/// Forbids trying again where no connection comes about: a second try only delays the message.
#[derive(Debug, Clone, Copy)]
pub(super) struct DeadIsDead {
    /// Whether an answer that does not come in time is as bad. On this machine it is.
    timeouts: bool,
}

impl DeadIsDead {
    /// For an endpoint on this machine.
    pub(super) const LOCAL: Self = Self { timeouts: true };
    /// For AWS, where a slow answer is worth another try.
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
