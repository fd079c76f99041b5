//! A server that replays canned pages. It does just enough of DynamoDB to measure the client and not an engine.

use std::cmp::Ordering;
use std::convert::Infallible;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use futures::stream;
use http_body_util::{BodyExt, StreamBody, combinators::BoxBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::Value;
use tokio::net::TcpListener;

/// The conversation that all canned messages belong to.
pub const CONVERSATION: &str = "7d9a5b1c-6f7e-4b0a-9c55-0f3f5e1d2a10";
/// The bytes of an item, as the service bills them.
const ITEM_BYTES: usize = 400;
/// The bytes of a page, as the service cuts it.
const PAGE_BYTES: usize = 1024 * 1024;

/// Returns how many items a whole page has.
pub fn items_per_page() -> u64 {
    (PAGE_BYTES / ITEM_BYTES) as u64
}

/// Returns one answer to Scan with a number of items.
pub fn page_of(items: u64) -> Vec<u8> {
    let mut page = format!(r#"{{"Count":{items},"Items":["#).into_bytes();
    page.extend_from_slice(&canned(items));
    page.extend_from_slice(format!(r#"],"ScannedCount":{items}}}"#).as_bytes());
    page
}

/// The pages of a table with a given number of messages. They are all the same except for the last,
/// which may be shorter, and has the two rows of their conversation.
struct Pages {
    full: Bytes,
    last: Bytes,
    last_count: u64,
    /// The rows that the last page of a scan also has.
    rows: Bytes,
    /// How many pages there are.
    count: u64,
}

impl Pages {
    fn new(items: u64) -> Self {
        let per_page = items_per_page();
        let count = items.div_ceil(per_page).max(1);
        let last_count = items - (count - 1) * per_page;
        Self {
            full: canned(per_page),
            last: canned(last_count),
            last_count,
            rows: [",", &rows(items.min(per_page)).join(",")].concat().into(),
            count,
        }
    }

    /// Returns the items of a page and how many they are; a scan sees the rows, too.
    fn page(&self, number: u64, is_scan: bool) -> (Vec<Bytes>, u64) {
        let last = self.last.clone();
        match (number + 1).cmp(&self.count) {
            Ordering::Less => (vec![self.full.clone()], items_per_page()),
            Ordering::Equal if is_scan && self.last_count > 0 => {
                (vec![last, self.rows.clone()], self.last_count + 2)
            }
            Ordering::Equal => (vec![last], self.last_count),
            Ordering::Greater => (Vec::new(), 0),
        }
    }
}

/// The two people of the conversation: id, handle, display name.
const PEOPLE: [[&str; 3]; 2] = [
    [
        "e2c1a9d8-3b57-4f63-9a40-7e6f1d2b3c48",
        "andrewbrown",
        "Andrew Brown",
    ],
    [
        "0b8e6f6e-1c55-4a3d-8f0e-94d5b1c6a7f2",
        "bayko",
        "Andrew Bayko",
    ],
];

/// Returns the text of a message, as it is in JSON: one in ten has characters that JSON escapes.
fn text(number: u64) -> String {
    let spice = match number % 10 {
        0 => "he said \\\"no\\\"\\n",
        1 => "früh, 早い 🙂 ",
        _ => "",
    };
    format!("{spice}{}", "a message of middling length, ".repeat(6))
}

/// Returns the sort key of a message: no two messages have the same.
fn time(number: u64) -> String {
    let (minute, second) = (number / 60 % 60, number % 60);
    format!("2026-03-22T08:{minute:02}:{second:02}.{number:06}+00:00")
}

/// Returns a message as the service writes it: its attributes are in no order.
fn message(number: u64) -> String {
    let [id, handle, name] = PEOPLE[(number % 2) as usize];
    format!(
        r#"{{"user_handle":{{"S":"{handle}"}},"message":{{"S":"{}"}},"pk":{{"S":"MSG#{CONVERSATION}"}},"user_display_name":{{"S":"{name}"}},"sk":{{"S":"{}"}},"message_uuid":{{"S":"00000000-0000-5000-8000-{number:012x}"}},"user_uuid":{{"S":"{id}"}}}}"#,
        text(number),
        time(number),
    )
}

/// Returns the number of the message with the latest time, given how many there are.
fn newest(messages: u64) -> u64 {
    let hour = 3600;
    match messages / hour {
        0 => messages.saturating_sub(1),
        hours => hours * hour - 1,
    }
}

/// Returns the rows of the conversation: they are at the newest of its messages.
fn rows(messages: u64) -> [String; 2] {
    let newest = newest(messages);
    let row = |owner: usize| {
        let [id, handle, name] = PEOPLE[1 - owner];
        format!(
            r#"{{"user_handle":{{"S":"{handle}"}},"message":{{"S":"{}"}},"pk":{{"S":"GRP#{}"}},"user_display_name":{{"S":"{name}"}},"sk":{{"S":"{}"}},"message_group_uuid":{{"S":"{CONVERSATION}"}},"user_uuid":{{"S":"{id}"}}}}"#,
            text(newest),
            PEOPLE[owner][0],
            time(newest),
        )
    };
    [row(0), row(1)]
}

fn canned(count: u64) -> Bytes {
    let mut text = String::with_capacity(PAGE_BYTES * 2);
    for number in 0..count {
        if number > 0 {
            text.push(',');
        }
        text.push_str(&message(number));
    }
    text.into()
}

/// Writes a number of messages and their two rows for an import, each with its own key.
pub fn write_lines(path: &Path, messages: u64) -> std::io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    for item in (0..messages).map(message).chain(rows(messages)) {
        writeln!(file, "{{\"Item\":{item}}}")?;
    }
    file.flush()
}

/// The description of the store's table.
const TABLE: &str = r#"{"Table":{"TableName":"cruddur-messages","TableStatus":"ACTIVE","CreationDateTime":1.0,"ItemCount":0,"TableSizeBytes":0,"AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"},{"AttributeName":"sk","AttributeType":"S"},{"AttributeName":"message_group_uuid","AttributeType":"S"}],"KeySchema":[{"AttributeName":"pk","KeyType":"HASH"},{"AttributeName":"sk","KeyType":"RANGE"}],"ProvisionedThroughput":{"ReadCapacityUnits":5,"WriteCapacityUnits":5},"GlobalSecondaryIndexes":[{"IndexName":"message-group-sk-index","IndexStatus":"ACTIVE","KeySchema":[{"AttributeName":"message_group_uuid","KeyType":"HASH"},{"AttributeName":"sk","KeyType":"RANGE"}],"Projection":{"ProjectionType":"ALL"},"ProvisionedThroughput":{"ReadCapacityUnits":5,"WriteCapacityUnits":5}}],"StreamSpecification":{"StreamEnabled":true,"StreamViewType":"NEW_IMAGE"},"LatestStreamArn":"arn:aws:dynamodb:us-east-1:000000000000:table/cruddur-messages/stream/2026-01-01T00:00:00.000"}}"#;

/// What the server reads from a request.
#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Asked {
    exclusive_start_key: Option<Value>,
    segment: u64,
    total_segments: Option<u64>,
    select: String,
    expression_attribute_values: Value,
}

impl Asked {
    /// Returns the number of the requested page, which is in the last key of the page before it.
    fn page(&self) -> u64 {
        let key = self.exclusive_start_key.as_ref();
        let next = key.and_then(|key| key["sk"]["S"].as_str()?.parse().ok());
        next.unwrap_or(self.segment)
    }
}

type Body = BoxBody<Bytes, Infallible>;

fn answer(parts: Vec<Bytes>) -> Response<Body> {
    let length: usize = parts.iter().map(Bytes::len).sum();
    let frames = parts.into_iter().map(|part| Ok(Frame::data(part)));
    let mut response = Response::new(StreamBody::new(stream::iter(frames)).boxed());
    let headers = response.headers_mut();
    headers.insert(CONTENT_LENGTH, length.into());
    headers.insert(
        CONTENT_TYPE,
        hyper::header::HeaderValue::from_static("application/x-amz-json-1.0"),
    );
    response
}

fn page(pages: &Pages, asked: &Asked, is_scan: bool) -> Response<Body> {
    let number = asked.page();
    let step = asked.total_segments.unwrap_or(1).max(1);
    let (items, count) = pages.page(number, is_scan);
    let units = count as f64 * ITEM_BYTES as f64 / 8192.0;
    let capacity =
        format!(r#""ConsumedCapacity":{{"CapacityUnits":{units},"TableName":"replay"}}"#);
    let next = number + step;
    let last = if next < pages.count {
        format!(r#""LastEvaluatedKey":{{"pk":{{"S":"page"}},"sk":{{"S":"{next}"}}}},"#)
    } else {
        String::new()
    };
    if asked.select == "COUNT" {
        let body = format!(r#"{{{capacity},"Count":{count},{last}"ScannedCount":{count}}}"#);
        return answer(vec![body.into()]);
    }
    let head = format!(r#"{{{capacity},"Count":{count},"Items":["#);
    let foot = format!(r#"],{last}"ScannedCount":{count}}}"#);
    answer([vec![head.into()], items, vec![foot.into()]].concat())
}

fn respond(pages: &Pages, operation: &str, body: &[u8]) -> Response<Body> {
    let said = |text: &'static str| answer(vec![Bytes::from_static(text.as_bytes())]);
    match operation {
        "BatchWriteItem" => said(r#"{"UnprocessedItems":{}}"#),
        "BatchGetItem" => said(r#"{"Responses":{},"UnprocessedKeys":{}}"#),
        "Scan" => page(
            pages,
            &serde_json::from_slice(body).unwrap_or_default(),
            true,
        ),
        "Query" => {
            let asked: Asked = serde_json::from_slice(body).unwrap_or_default();
            let partition = asked.expression_attribute_values[":partition"]["S"].as_str();
            let conversation = partition.and_then(|partition| partition.strip_prefix("MSG#"));
            let canned = conversation == Some(CONVERSATION);
            if canned {
                page(pages, &asked, false)
            } else {
                said(r#"{"Count":0,"Items":[],"ScannedCount":0}"#)
            }
        }
        "DescribeTable" => said(TABLE),
        "ListTables" => said(r#"{"TableNames":["cruddur-messages"]}"#),
        _ => said("{}"),
    }
}

/// Serves on a port of 127.0.0.1 forever; 0 means any. Calls `listening` with the URL once it answers.
pub async fn serve(port: u16, items: u64, listening: impl FnOnce(&str)) -> std::io::Result<()> {
    let pages = Arc::new(Pages::new(items));
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    listening(&format!("http://{}", listener.local_addr()?));
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let pages = Arc::clone(&pages);
        let service = service_fn(move |request: Request<Incoming>| {
            let pages = Arc::clone(&pages);
            async move {
                let target = request.headers().get("x-amz-target");
                let operation = target.and_then(|target| target.to_str().ok()?.rsplit('.').next());
                let operation = operation.unwrap_or_default().to_owned();
                let body = request.into_body().collect().await?.to_bytes();
                Ok::<_, hyper::Error>(respond(&pages, &operation, &body))
            }
        });
        tokio::spawn(async move {
            // A client that disconnects is not an error of the server.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ask(pages: &Pages, operation: &str, body: &str) -> Value {
        let response = respond(pages, operation, body.as_bytes());
        let body = response.into_body().collect().await.unwrap().to_bytes();
        serde_json::from_slice(&body).unwrap()
    }

    #[tokio::test]
    async fn segments_hold_every_item_once() {
        let pages = Pages::new(10_000);
        for total in [1, 3, 7] {
            let mut items = 0;
            for segment in 0..total {
                let mut start = Value::Null;
                loop {
                    let body = serde_json::json!({"Segment": segment, "TotalSegments": total, "ExclusiveStartKey": start});
                    let page = ask(&pages, "Scan", &body.to_string()).await;
                    let shown = page["Items"].as_array().unwrap().len() as u64;
                    assert_eq!(page["Count"], shown);
                    items += shown;
                    start = page["LastEvaluatedKey"].clone();
                    if start.is_null() {
                        break;
                    }
                }
            }
            assert_eq!(items, 10_002, "the messages, and two rows");
        }
    }

    #[tokio::test]
    async fn only_the_canned_conversation_is_there() {
        let pages = Pages::new(3);
        let query = |pk: &str| {
            serde_json::json!({"ExpressionAttributeValues": {":partition": {"S": pk}}}).to_string()
        };
        assert_eq!(
            ask(&pages, "Query", &query(&format!("MSG#{CONVERSATION}"))).await["Count"],
            3
        );
        assert_eq!(ask(&pages, "Query", &query("MSG#x")).await["Count"], 0);
    }
}
