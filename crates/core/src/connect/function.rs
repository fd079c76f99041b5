//! AWS from within a Lambda function, as its deployment configured it.

use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;

use super::answers::WholeAnswers;

const CONNECT: Duration = Duration::from_secs(2);
const ATTEMPT: Duration = Duration::from_secs(10);

/// The configuration of a Lambda function: its role, its region, and the settings in its variables.
#[derive(Debug, Clone)]
pub struct Function {
    config: aws_config::SdkConfig,
}

impl Function {
    /// Loads the configuration that the Lambda service set up. Nothing is contacted.
    pub async fn load() -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT)
            .operation_attempt_timeout(ATTEMPT)
            .build();
        let loader = aws_config::defaults(BehaviorVersion::v2026_01_12());
        let loader = loader.http_client(WholeAnswers::any());
        Self {
            config: loader.timeout_config(timeouts).load().await,
        }
    }

    /// Returns the region, the credentials and everything else that was configured.
    pub(crate) fn config(&self) -> &aws_config::SdkConfig {
        &self.config
    }
}
