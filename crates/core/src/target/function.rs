//! AWS from within a Lambda function: what its deployment configured decides.

use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;

use super::answers::WholeAnswers;
use crate::guard;
use crate::schema::TableName;
use crate::store::{DynamoDb, Writer};

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

    /// Makes a client of one table, which may write to it. Nothing is contacted.
    pub fn writer(&self, table: TableName) -> Writer {
        let region = self
            .config
            .region()
            .map(ToString::to_string)
            .unwrap_or_default();
        let client = aws_sdk_dynamodb::Client::new(&self.config);
        let dynamodb = DynamoDb::production(client, format!("lambda {region}"), POLL);
        guard::allow_function(dynamodb.store(table))
    }
}
