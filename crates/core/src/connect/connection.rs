//! What a client of a service is made of, whichever service it is.

use aws_config::SdkConfig;
use aws_sdk_dynamodb::config::StalledStreamProtectionConfig;
use aws_sdk_dynamodb::config::retry::RetryPartition;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::retries::classifiers::ClassifyRetry;

use super::endpoint::Endpoint;
use super::only_to::OnlyTo;
use super::retries::{DeadIsDead, budget};

/// Makes a client of a service from a [`Connection`](crate::connect::Connection): the first argument is the
/// crate of its SDK, which has types of its own, so this cannot be a function. Nothing is contacted.
#[doc(hidden)]
#[macro_export]
macro_rules! aws_client {
    ($service:ident, $connection:expr) => {{
        let connection: &$crate::connect::Connection = $connection;
        let mut config = $service::config::Builder::from(connection.config())
            .retry_classifier(connection.retries())
            .retry_partition($crate::connect::Connection::budget())
            .interceptor(connection.only_to());
        config.set_endpoint_url(connection.endpoint_url());
        $service::Client::from_conf(config.build())
    }};
}

/// The way to a target, for clients of any of its services. Requests go to AWS, or to the one endpoint that
/// was named, and nowhere else; each answer is read to its end before it is looked at.
#[derive(Debug, Clone)]
pub struct Connection {
    config: SdkConfig,
    endpoint: Option<Endpoint>,
    retries: DeadIsDead,
}

impl Connection {
    pub(super) fn new(config: SdkConfig, endpoint: Option<Endpoint>, retries: DeadIsDead) -> Self {
        // An attempt has a bound, and its answer is in memory when the SDK sees it: nothing can stall there.
        let config = config
            .into_builder()
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .build();
        Self {
            config,
            endpoint,
            retries,
        }
    }

    /// Returns what all services have in common: region, credentials, HTTP client, timeouts.
    #[doc(hidden)]
    pub fn config(&self) -> &SdkConfig {
        &self.config
    }

    /// Returns what says which requests are not worth a second try.
    #[doc(hidden)]
    pub fn retries(&self) -> impl ClassifyRetry + use<> {
        self.retries
    }

    /// Makes what the retries of one client may cost in all.
    #[doc(hidden)]
    pub fn budget() -> RetryPartition {
        budget()
    }

    /// Returns what looks at where each request goes.
    #[doc(hidden)]
    pub fn only_to(&self) -> impl Intercept + use<> {
        OnlyTo::new(self.endpoint.as_ref())
    }

    /// Returns the endpoint that was named.
    #[doc(hidden)]
    pub fn endpoint_url(&self) -> Option<String> {
        self.endpoint.as_ref().map(ToString::to_string)
    }
}
