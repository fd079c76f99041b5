//! AWS from within a Lambda function: what its deployment configured decides.

use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;

use super::answers::WholeAnswers;
use super::retries::budget;
use crate::schema::TableName;
use crate::store::{DynamoDb, Store};

const CONNECT: Duration = Duration::from_secs(2);
const ATTEMPT: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_secs(2);

/// The surroundings of a Lambda function: its role, its region, and whatever its variables say.
#[derive(Debug, Clone)]
pub struct Function {
    config: aws_config::SdkConfig,
}

impl Function {
    /// Takes the surroundings as the Lambda service set them up. Nothing is contacted.
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

    /// Makes a client of one table. Nothing is contacted.
    pub fn store(&self, table: TableName) -> Store {
        let region = self
            .config
            .region()
            .map(ToString::to_string)
            .unwrap_or_default();
        let config = aws_sdk_dynamodb::config::Builder::from(&self.config);
        let config = config.retry_partition(budget()).build();
        let client = aws_sdk_dynamodb::Client::from_conf(config);
        DynamoDb::new(client, format!("lambda {region}"), POLL).store(table)
    }
}
