//! The store of a target.

use std::time::Duration;

use super::{DynamoDb, Store};
use crate::aws_client;
use crate::connect::{Connection, Function, Target};
use crate::schema::TableName;

/// The longest interval between two looks at a table that is changing.
const LOCAL_POLL: Duration = Duration::from_millis(200);
const AWS_POLL: Duration = Duration::from_secs(2);

impl Target {
    /// Makes a client of the service. Nothing is contacted.
    pub fn dynamodb(&self) -> DynamoDb {
        let poll = match self {
            Self::Local(_) => LOCAL_POLL,
            Self::Prod(_) => AWS_POLL,
        };
        let client = aws_client!(aws_sdk_dynamodb, &self.connection());
        DynamoDb::new(client, self.to_string(), poll)
    }

    /// Makes a client of one table. Nothing is contacted.
    pub fn store(&self, table: TableName) -> Store {
        self.dynamodb().store(table)
    }
}

impl Function {
    /// Makes a client of one table. Nothing is contacted.
    pub fn store(&self, table: TableName) -> Store {
        let config = self.config();
        let region = config.region().map(ToString::to_string);
        let place = format!("lambda {}", region.unwrap_or_default());
        let config = aws_sdk_dynamodb::config::Builder::from(config);
        let config = config.retry_partition(Connection::budget()).build();
        let client = aws_sdk_dynamodb::Client::from_conf(config);
        DynamoDb::new(client, place, AWS_POLL).store(table)
    }
}
