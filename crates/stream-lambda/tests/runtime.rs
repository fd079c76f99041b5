//! Runs the function as the Lambda service does: through the runtime's own HTTP interface.

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test that cannot go on may panic"
)]

use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ddb_core::item::RawItem;
use ddb_test_support::Sandbox;
use ddb_test_support::http::{Answer, Server, forward};
use serde_json::{Value, json};

const GROUP: &str = "5ae290ed-55d1-47a0-bc6d-fe2bc2700399";
const OTHER: &str = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa";
const ANN: &str = "0a0a0a0a-0a0a-4a0a-8a0a-0a0a0a0a0a0a";
const BO: &str = "0b0b0b0b-0b0b-4b0b-8b0b-0b0b0b0b0b0b";
const OLD: &str = "2026-03-22T08:00:00.000000+00:00";
const NEW: &str = "2026-03-22T08:35:09.123456+00:00";

fn item(attributes: &[(&str, &str)]) -> RawItem {
    let person = [("user_display_name", "Name"), ("user_handle", "handle")];
    attributes
        .iter()
        .chain(&person)
        .map(|(name, text)| {
            let value = aws_sdk_dynamodb::types::AttributeValue::S((*text).to_owned());
            ((*name).to_owned(), value)
        })
        .collect()
}

fn message(conversation: &str, sk: &str, text: &str) -> RawItem {
    item(&[
        ("pk", &format!("MSG#{conversation}")),
        ("sk", sk),
        ("message_uuid", ANN),
        ("message", text),
        ("user_uuid", ANN),
    ])
}

fn row(owner: &str, other: &str, conversation: &str, sk: &str, text: &str) -> RawItem {
    item(&[
        ("pk", &format!("GRP#{owner}")),
        ("sk", sk),
        ("message_group_uuid", conversation),
        ("message", text),
        ("user_uuid", other),
    ])
}

/// A record in the documented shape: see "Using Lambda to process records from DynamoDB streams".
fn record(name: &str, number: u32, pk: &str, sk: &str) -> Value {
    json!({
        "eventID": format!("{number:032x}"),
        "eventName": name,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "eu-central-1",
        "dynamodb": {
            "ApproximateCreationDateTime": 1_774_168_509.0,
            "Keys": {"pk": {"S": pk}, "sk": {"S": sk}},
            "SequenceNumber": number.to_string(),
            "SizeBytes": 59,
            "StreamViewType": "NEW_IMAGE",
        },
        "eventSourceARN": "arn:aws:dynamodb:eu-central-1:123456789012:table/t/stream/2026-01-01T00:00:00.000",
    })
}

/// A Lambda service with one invocation.
struct Lambda {
    server: Server,
    answers: Receiver<Value>,
}

impl Lambda {
    fn with_event(event: Value) -> Self {
        let (sender, answers) = channel();
        let sender = Mutex::new(sender);
        let event = Arc::new(Mutex::new(Some(event)));
        let server = Server::start(move |request| {
            if request.head.starts_with("GET ") {
                let next = event.lock().unwrap().take();
                return match next {
                    Some(event) => invocation(&event),
                    // There is no other invocation: the service lets the function wait.
                    None => {
                        std::thread::sleep(Duration::from_secs(60));
                        Answer::Raw(Vec::new())
                    }
                };
            }
            let answer = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
            let _ = sender.lock().unwrap().send(answer);
            Answer::json(202, "{}")
        });
        Self { server, answers }
    }

    /// Runs the function on a table behind a URL, and returns its answer.
    fn run(&self, table: &str, url: &str) -> Value {
        let mut function: Child = Command::new(env!("CARGO_BIN_EXE_bootstrap"))
            .env_clear()
            .env(
                "AWS_LAMBDA_RUNTIME_API",
                self.server.url().trim_start_matches("http://"),
            )
            .env("AWS_LAMBDA_FUNCTION_NAME", "sync")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "log")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", "log")
            .env("AWS_REGION", "eu-central-1")
            .env("AWS_ACCESS_KEY_ID", "local")
            .env("AWS_SECRET_ACCESS_KEY", "local")
            .env("AWS_ENDPOINT_URL_DYNAMODB", url)
            .env("DDB_MESSAGE_TABLE", table)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let answer = self.answers.recv_timeout(Duration::from_secs(30));
        function.kill().unwrap();
        function.wait().unwrap();
        answer.expect("the function answers")
    }
}

fn invocation(event: &Value) -> Answer {
    let body = event.to_string();
    Answer::Raw(
        format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\
             Lambda-Runtime-Aws-Request-Id: 8476a536-e9f4-11e8-9739-2dfe598c3fcd\r\n\
             Lambda-Runtime-Deadline-Ms: 4102444800000\r\n\
             Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:eu-central-1:123456789012:function:sync\r\n\
             \r\n{body}",
            body.len()
        )
        .into_bytes(),
    )
}

async fn two_conversations() -> Sandbox {
    let sandbox = Sandbox::with_table().await;
    for (conversation, micros) in [(GROUP, "000000"), (OTHER, "000001")] {
        let old = OLD.replace("000000+", &format!("{micros}+"));
        sandbox.put(message(conversation, NEW, "new")).await;
        sandbox.put(row(ANN, BO, conversation, &old, "old")).await;
        sandbox.put(row(BO, ANN, conversation, &old, "old")).await;
    }
    sandbox
}

fn texts(items: &[RawItem]) -> Vec<&str> {
    let rows = items
        .iter()
        .filter(|item| item.contains_key("message_group_uuid"));
    rows.map(|row| row["message"].as_s().unwrap().as_str())
        .collect()
}

#[tokio::test]
async fn every_record_of_a_batch_counts() {
    let sandbox = two_conversations().await;
    let event = json!({"Records": [
        record("REMOVE", 1, &format!("MSG#{GROUP}"), OLD),
        record("INSERT", 2, &format!("GRP#{ANN}"), OLD),
        record("INSERT", 3, "ODD#1", OLD),
        record("INSERT", 4, &format!("MSG#{GROUP}"), NEW),
        record("MODIFY", 5, &format!("MSG#{GROUP}"), NEW),
        record("INSERT", 6, &format!("MSG#{OTHER}"), NEW),
        record("INSERT", 7, &format!("MSG#{GROUP}"), OLD),
    ]});
    let answer = Lambda::with_event(event).run(sandbox.table().as_str(), &sandbox.url());
    assert_eq!(answer, json!({"batchItemFailures": []}));
    let items = sandbox.items().await;
    assert_eq!(items.len(), 6);
    assert_eq!(texts(&items), ["new"; 4]);
}

/// The transactions of one conversation fail. The others succeed, and the failure is reported by the sequence
/// number of its first record.
#[tokio::test]
async fn what_failed_is_reported_by_its_sequence_number() {
    let sandbox = two_conversations().await;
    let engine = sandbox.url();
    let server = Server::start(move |request| {
        let about = String::from_utf8_lossy(&request.body).contains(OTHER);
        if request.operation == "TransactWriteItems" && about {
            return Answer::json(
                400,
                r#"{"__type":"x#AccessDeniedException","Message":"no"}"#,
            );
        }
        forward(request, &engine)
    });
    let event = json!({"Records": [
        record("INSERT", 4, &format!("MSG#{GROUP}"), NEW),
        record("INSERT", 6, &format!("MSG#{OTHER}"), NEW),
        record("INSERT", 7, &format!("MSG#{OTHER}"), OLD),
    ]});
    let answer = Lambda::with_event(event).run(sandbox.table().as_str(), &server.url());
    assert_eq!(
        answer,
        json!({"batchItemFailures": [{"itemIdentifier": "6"}]})
    );
    let items = sandbox.items().await;
    let mut after = texts(&items);
    after.sort_unstable();
    assert_eq!(after, ["new", "new", "old", "old"]);
}
