//! What clients of all services are made from.

use aws_config::SdkConfig;
use aws_sdk_dynamodb::config::StalledStreamProtectionConfig;
use aws_sdk_dynamodb::config::retry::RetryPartition;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::retries::classifiers::ClassifyRetry;

use super::endpoint::Endpoint;
use super::only_to::OnlyTo;
use super::retries::{DeadIsDead, budget};

/// Makes a client of a service from a [`Connection`](crate::connect::Connection). The first argument is the
/// service's SDK crate. Each of these has its own types, so this cannot be a function. Nothing is contacted.
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

/// The connection to a target, for clients of any of its services. Requests go to AWS, or to the one endpoint that
/// was given, and nowhere else. Each answer is read to its end before it is parsed.
#[derive(Debug, Clone)]
pub struct Connection {
    config: SdkConfig,
    endpoint: Option<Endpoint>,
    retries: DeadIsDead,
}

impl Connection {
    pub(super) fn new(config: SdkConfig, endpoint: Option<Endpoint>, retries: DeadIsDead) -> Self {
        // An attempt has a timeout, and its answer is in memory when the SDK gets it, so the stream cannot stall.
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

    /// Returns the configuration that all services share: region, credentials, HTTP client, timeouts.
    #[doc(hidden)]
    pub fn config(&self) -> &SdkConfig {
        &self.config
    }

    /// Returns the classifier of requests that are not worth a retry.
    #[doc(hidden)]
    pub fn retries(&self) -> impl ClassifyRetry + use<> {
        self.retries
    }

    /// Makes the budget for the retries of one client.
    #[doc(hidden)]
    pub fn budget() -> RetryPartition {
        budget()
    }

    /// Returns the interceptor that checks where each request goes.
    #[doc(hidden)]
    pub fn only_to(&self) -> impl Intercept + use<> {
        OnlyTo::new(self.endpoint.as_ref())
    }

    /// Returns the endpoint that was given, if any.
    #[doc(hidden)]
    pub fn endpoint_url(&self) -> Option<String> {
        self.endpoint.as_ref().map(ToString::to_string)
    }
}
