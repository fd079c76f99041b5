//! Requests to DynamoDB Streams.

use aws_sdk_dynamodbstreams::Client;
use aws_sdk_dynamodbstreams::types::{Record, Shard, ShardIteratorType};
use futures::TryStreamExt;

use super::shards::{Described, Position};
use crate::aws_client;
use crate::connect::{Local, Service, Target, TargetError, TargetOptions};
use crate::environment::Environment;
use crate::error::{CallError, Destination, Resource};
use crate::pages::pages;
use crate::retry::ask;

/// A client for the streams of one target.
#[derive(Debug, Clone)]
pub struct Streams {
    client: Client,
    destination: Destination,
}

/// The maximum number of records that GetRecords returns at a time.
const PAGE: i32 = 1000;

impl Target {
    /// Makes a client for the streams of tables. Locally they may have their own endpoint, which is
    /// found in the same way as that of the tables. Nothing is contacted.
    ///
    /// # Errors
    ///
    /// If that endpoint is malformed, or AWS.
    pub fn streams(
        &self,
        options: &TargetOptions<'_>,
        environment: &Environment,
    ) -> Result<Streams, TargetError> {
        let (connection, destination) = match self {
            Self::Local(_) => {
                let options = TargetOptions {
                    service: Service::DYNAMODB_STREAMS,
                    ..options.clone()
                };
                let local = Local::resolve(&options, environment)?;
                (local.connection(), local.to_string())
            }
            Self::Prod(prod) => (prod.connection(), prod.to_string()),
        };
        let client = aws_client!(aws_sdk_dynamodbstreams, &connection);
        Ok(Streams::new(client, &destination))
    }
}

impl Streams {
    fn new(client: Client, target: &str) -> Self {
        Self {
            client,
            destination: Destination::new(target, Resource::Streams),
        }
    }

    /// Describes all shards of a stream, page by page.
    pub(super) async fn shards(&self, stream_arn: &str) -> Result<Vec<Described>, CallError> {
        const OPERATION: &str = "DescribeStream";
        let described = |shard: &Shard| Described {
            id: shard.shard_id().unwrap_or_default().to_owned(),
            parent: shard.parent_shard_id().map(str::to_owned),
        };
        let pages = pages(
            OPERATION,
            &self.destination,
            |start: Option<String>| async {
                let request = self.client.describe_stream().stream_arn(stream_arn);
                let request = request.set_exclusive_start_shard_id(start);
                let answer = ask(OPERATION, &self.destination, || request.clone().send()).await?;
                let Some(stream) = answer.stream_description else {
                    return Ok((Vec::new(), None));
                };
                let page: Vec<Described> = stream.shards().iter().map(described).collect();
                Ok((page, stream.last_evaluated_shard_id))
            },
        );
        pages.try_concat().await
    }

    /// Gets an iterator that begins after the last record read. It is valid for 15 minutes.
    pub(super) async fn iterator(
        &self,
        stream_arn: &str,
        shard: &str,
        position: &Position,
    ) -> Result<Option<String>, CallError> {
        let request = self
            .client
            .get_shard_iterator()
            .stream_arn(stream_arn)
            .shard_id(shard);
        let request = match (position, position.sequence_number()) {
            (_, Some(number)) => request
                .shard_iterator_type(ShardIteratorType::AfterSequenceNumber)
                .sequence_number(number),
            (Position::Latest, None) => request.shard_iterator_type(ShardIteratorType::Latest),
            (_, None) => request.shard_iterator_type(ShardIteratorType::TrimHorizon),
        };
        let sent = ask("GetShardIterator", &self.destination, || {
            request.clone().send()
        });
        let answer = sent.await?;
        Ok(answer.shard_iterator)
    }

    /// Reads the records at an iterator. Returns them with the next iterator, or `None` at the end of the shard. A
    /// throttled request is not retried here: the next round over the shards is the retry.
    pub(super) async fn records(
        &self,
        iterator: &str,
    ) -> Result<(Vec<Record>, Option<String>), CallError> {
        let answer = self
            .client
            .get_records()
            .shard_iterator(iterator)
            .limit(PAGE)
            .send()
            .await
            .map_err(|error| CallError::new("GetRecords", &self.destination, error))?;
        Ok((
            answer.records.unwrap_or_default(),
            answer.next_shard_iterator,
        ))
    }
}
