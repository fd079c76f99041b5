//! Requests to DynamoDB Streams.

use std::sync::Arc;

use aws_sdk_dynamodbstreams::Client;
use aws_sdk_dynamodbstreams::types::{Record, ShardIteratorType};

use super::shards::{Described, Position};
use crate::aws_client;
use crate::connect::{Local, Service, Target, TargetError, TargetOptions};
use crate::environment::Environment;
use crate::error::CallError;

/// A client of the streams of one target.
#[derive(Debug, Clone)]
pub struct Streams {
    client: Client,
    place: Arc<str>,
}

/// The most records that GetRecords gives at a time.
const PAGE: i32 = 1000;

impl Target {
    /// Makes a client of the streams of tables. Locally they may have an endpoint of their own, which is
    /// found as that of the tables is. Nothing is contacted.
    ///
    /// # Errors
    ///
    /// Where that endpoint is malformed, or AWS.
    pub fn streams(
        &self,
        options: &TargetOptions<'_>,
        environment: &Environment,
    ) -> Result<Streams, TargetError> {
        let (connection, place) = match self {
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
        Ok(Streams::new(client, &place))
    }
}

impl Streams {
    fn new(client: Client, place: &str) -> Self {
        Self {
            client,
            place: place.into(),
        }
    }

    /// Describes all shards of a stream, page by page.
    pub(super) async fn shards(&self, stream_arn: &str) -> Result<Vec<Described>, CallError> {
        let mut described = Vec::new();
        let mut start: Option<String> = None;
        loop {
            let answer = self
                .client
                .describe_stream()
                .stream_arn(stream_arn)
                .set_exclusive_start_shard_id(start)
                .send()
                .await
                .map_err(|error| CallError::new("DescribeStream", &self.place, error))?;
            let Some(stream) = answer.stream_description else {
                return Ok(described);
            };
            described.extend(stream.shards().iter().map(|shard| Described {
                id: shard.shard_id().unwrap_or_default().to_owned(),
                parent: shard.parent_shard_id().map(str::to_owned),
            }));
            start = stream.last_evaluated_shard_id;
            if start.is_none() {
                return Ok(described);
            }
        }
    }

    /// Gets an iterator that begins after what was read. It is good for 15 minutes.
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
        let answer = request
            .send()
            .await
            .map_err(|error| CallError::new("GetShardIterator", &self.place, error))?;
        Ok(answer.shard_iterator)
    }

    /// Reads the records at an iterator, and the iterator that comes next: `None` at the shard's end.
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
            .map_err(|error| CallError::new("GetRecords", &self.place, error))?;
        Ok((
            answer.records.unwrap_or_default(),
            answer.next_shard_iterator,
        ))
    }
}
