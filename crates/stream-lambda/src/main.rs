//! Access pattern E as an AWS Lambda function on the table's stream.
//!
//! Every record of a batch is checked. A new message only names its conversation, and each conversation is
//! synced once. Failures are reported by sequence number, so the service sends the records again, but only
//! from there on (`ReportBatchItemFailures`).

// The future of a request through the SDK and the runtime is nested deeply.
#![recursion_limit = "256"]

use std::collections::BTreeMap;

use aws_lambda_events::event::dynamodb::{Event, EventRecord};
use aws_lambda_events::event::streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse};
use ddb_core::connect::Function;
use ddb_core::conversation::{Doubled, Missing, SyncRequest, sync_rows};
use ddb_core::key::{ConversationId, PartitionKey};
use ddb_core::schema::{DEFAULT_TABLE, TableName, attribute};
use ddb_core::store::Writer;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let function = Function::load().await;
    let table = std::env::var("DDB_MESSAGE_TABLE").ok();
    let table: TableName = table.as_deref().unwrap_or(DEFAULT_TABLE).parse()?;
    let writer = &function.writer(table);
    run(service_fn(|event: LambdaEvent<Event>| async move {
        Ok::<_, Error>(handle(writer, &event.payload.records).await)
    }))
    .await
}

/// Syncs every conversation that the records name, and reports those that failed.
async fn handle(writer: &Writer, records: &[EventRecord]) -> DynamoDbEventResponse {
    let mut response = DynamoDbEventResponse::default();
    for (conversation, sequence_number) in first_records(records) {
        let request = SyncRequest {
            conversation,
            missing: Missing::PassOver,
            doubled: Doubled::Leave,
            never_back: false,
        };
        match sync_rows(writer, &request).await {
            Ok(synced) if synced.newest.is_some() && synced.missing > 0 => {
                log(&format!(
                    "{conversation} has {} rows too few; skipped",
                    synced.missing
                ));
            }
            Ok(_) => {}
            // It would fail again at every retry, and hold up the records after it.
            Err(error) if error.is_lasting() => log(&format!("{conversation}: skipped: {error}")),
            Err(error) => {
                log(&format!("{conversation}: {error}"));
                let mut failure = DynamoDbBatchItemFailure::default();
                failure.item_identifier = Some(sequence_number);
                response.batch_item_failures.push(failure);
            }
        }
    }
    response
}

/// Returns the conversations that got messages, each with the sequence number of its first record.
fn first_records(records: &[EventRecord]) -> BTreeMap<ConversationId, String> {
    let mut first = BTreeMap::new();
    for record in records
        .iter()
        .filter(|record| record.event_name == "INSERT")
    {
        let key = record.change.keys.get(attribute::PK);
        let key = key.and_then(|key| match key {
            serde_dynamo::AttributeValue::S(key) => key.parse().ok(),
            _ => None,
        });
        if let Some(PartitionKey::Messages(conversation)) = key {
            let number = record.change.sequence_number.clone().unwrap_or_default();
            first.entry(conversation).or_insert(number);
        }
    }
    first
}

/// Writes a line to the function's log.
#[expect(
    clippy::print_stderr,
    reason = "stderr is the log of a Lambda function"
)]
fn log(line: &str) {
    eprintln!("{line}");
}
