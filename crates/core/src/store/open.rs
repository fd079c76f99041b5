//! Clients for the store of a target.

use std::time::Duration;

use super::{DynamoDb, Store, Writer};
use crate::aws_client;
use crate::connect::{Connection, Function, Target};
use crate::guard;
use crate::schema::TableName;

/// The longest interval between two requests for the state of a table that is changing.
const LOCAL_POLL: Duration = Duration::from_millis(200);
const AWS_POLL: Duration = Duration::from_secs(2);

impl Target {
    /// Makes a client for the service. Nothing is contacted.
    pub fn dynamodb(&self) -> DynamoDb {
        let client = aws_client!(aws_sdk_dynamodb, &self.connection());
        match self {
            Self::Local(local) => DynamoDb::local(client, local.to_string(), LOCAL_POLL),
            Self::Prod(prod) => DynamoDb::production(client, prod.to_string(), AWS_POLL),
        }
    }

    /// Makes a client for one table. Nothing is contacted.
    pub fn store(&self, table: TableName) -> Store {
        self.dynamodb().store(table)
    }
}

impl Function {
    /// Makes a client for one table that may write to it. Nothing is contacted.
    pub fn writer(&self, table: TableName) -> Writer {
        let config = self.config();
        let region = config.region().map(ToString::to_string);
        let destination = format!("lambda {}", region.unwrap_or_default());
        let config = aws_sdk_dynamodb::config::Builder::from(config);
        let config = config.retry_partition(Connection::budget()).build();
        let client = aws_sdk_dynamodb::Client::from_conf(config);
        let dynamodb = DynamoDb::production(client, destination, AWS_POLL);
        guard::allow_function(dynamodb.store(table))
    }
}
