//! Following a stream whose shards are scripted: no engine splits shards, trims records or expires iterators on
//! demand.

use std::sync::Mutex;
use std::time::Duration;

use ddb_core::key::SortKey;
use ddb_core::stream::{Begin, Checkpoint, Follower};
use ddb_core::timestamp::Timestamp;
use ddb_test_support::http::{Answer, Server};
use ddb_test_support::streams_at;
use serde_json::{Value, json};

use crate::data::conversation;

const ARN: &str = "arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/1";

fn record(number: u32) -> Value {
    json!({
        "eventName": "INSERT",
        "dynamodb": {
            "ApproximateCreationDateTime": 1.0,
            "Keys": {"pk": {"S": format!("MSG#{}", conversation(number.into()))}, "sk": {"S": number.to_string()}},
            "SequenceNumber": format!("{number:021}"),
        },
    })
}

fn error(code: &str) -> Answer {
    Answer::json(
        400,
        json!({"__type": format!("x#{code}"), "message": "scripted"}).to_string(),
    )
}

/// A parent with records 1 to 4, closed, and its children: `a` with 5 and 6, closed; `b` with 7 to 9, open.
/// The first iterator of `a` expires; the first read of `b` finds its records trimmed.
#[derive(Default)]
struct Script {
    expired: bool,
    trimmed: bool,
    asked: Vec<String>,
}

const SHARDS: [(&str, Option<&str>, &[u32], bool); 3] = [
    ("shardId-parent", None, &[1, 2, 3, 4], true),
    ("shardId-a", Some("shardId-parent"), &[5, 6], true),
    ("shardId-b", Some("shardId-parent"), &[7, 8, 9], false),
];

impl Script {
    fn answer(&mut self, operation: &str, body: &Value) -> Answer {
        match operation {
            "DescribeStream" => describe(body),
            "GetShardIterator" => {
                let after = match body["ShardIteratorType"].as_str() {
                    Some("AFTER_SEQUENCE_NUMBER") => {
                        body["SequenceNumber"].as_str().unwrap().parse().unwrap()
                    }
                    _ => 0,
                };
                let shard = body["ShardId"].as_str().unwrap();
                let iterator = format!("{shard} {after}");
                Answer::json(200, json!({"ShardIterator": iterator}).to_string())
            }
            "GetRecords" => self.records(body["ShardIterator"].as_str().unwrap()),
            other => error(other),
        }
    }

    /// Returns two records at a time.
    fn records(&mut self, iterator: &str) -> Answer {
        let (shard, after) = iterator.split_once(' ').unwrap();
        let after: u32 = after.parse().unwrap();
        self.asked.push(shard.to_owned());
        if shard == "shardId-a" && !std::mem::replace(&mut self.expired, true) {
            return error("ExpiredIteratorException");
        }
        if shard == "shardId-b" && !std::mem::replace(&mut self.trimmed, true) {
            return error("TrimmedDataAccessException");
        }
        let (_, _, numbers, closed) = SHARDS.iter().find(|(id, ..)| *id == shard).unwrap();
        let left: Vec<u32> = numbers
            .iter()
            .copied()
            .filter(|number| *number > after)
            .collect();
        let given = &left[..left.len().min(2)];
        let mut answer =
            json!({"Records": given.iter().map(|number| record(*number)).collect::<Vec<_>>()});
        if !(*closed && given.len() == left.len()) {
            let next = given.last().unwrap_or(&after);
            answer["NextShardIterator"] = json!(format!("{shard} {next}"));
        }
        Answer::json(200, answer.to_string())
    }
}

/// Describes one shard per page.
fn describe(body: &Value) -> Answer {
    let start = body["ExclusiveStartShardId"].as_str();
    let place = start.map_or(0, |start| {
        SHARDS.iter().position(|(id, ..)| *id == start).unwrap() + 1
    });
    let (id, parent, _, _) = SHARDS[place];
    let mut stream =
        json!({"StreamArn": ARN, "Shards": [{"ShardId": id, "ParentShardId": parent}]});
    if place + 1 < SHARDS.len() {
        stream["LastEvaluatedShardId"] = json!(id);
    }
    Answer::json(200, json!({"StreamDescription": stream}).to_string())
}

fn scripted() -> (Server, std::sync::Arc<Mutex<Script>>) {
    let script = std::sync::Arc::new(Mutex::new(Script::default()));
    let kept = std::sync::Arc::clone(&script);
    let server = Server::start(move |request| {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        kept.lock().unwrap().answer(&request.operation, &body)
    });
    (server, script)
}

/// Reads until nothing more comes. Returns the numbers of the records and the shards that were trimmed.
async fn read_all(follower: &mut Follower) -> (Vec<u32>, Vec<String>) {
    let (mut numbers, mut trimmed) = (Vec::new(), Vec::new());
    let number = |key: &SortKey| -> u32 { key.as_str().parse().unwrap() };
    while !follower.is_caught_up(Duration::from_millis(300)) {
        let batch = follower.next().await.unwrap();
        numbers.extend(batch.inserted.iter().map(|(_, key)| number(key)));
        trimmed.extend(batch.trimmed.clone());
        follower.commit(batch);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    (numbers, trimmed)
}

#[tokio::test]
async fn p21_parents_come_first_and_nothing_is_missed_or_read_twice() {
    let (server, script) = scripted();
    let mut follower = Follower::new(
        streams_at(&server.url()),
        ARN,
        Begin::Oldest,
        Timestamp::now(),
    );
    let (mut numbers, trimmed) = read_all(&mut follower).await;
    assert_eq!(
        numbers[..4],
        [1, 2, 3, 4],
        "the parent's records come first"
    );
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert_eq!(trimmed, ["shardId-b"], "told loudly");
    let asked = script.lock().unwrap().asked.clone();
    let first_child = asked
        .iter()
        .position(|shard| shard != "shardId-parent")
        .unwrap();
    assert!(
        asked[first_child..]
            .iter()
            .all(|shard| shard != "shardId-parent"),
        "{asked:?}"
    );
}

#[tokio::test]
async fn p21_a_checkpoint_goes_on_after_what_was_committed() {
    let (server, _script) = scripted();
    let streams = streams_at(&server.url());
    let mut first = Follower::new(streams.clone(), ARN, Begin::Oldest, Timestamp::now());
    let batch = first.next().await.unwrap();
    assert_eq!(batch.inserted.len(), 2);
    assert!(
        first.checkpoint().shards.is_empty(),
        "nothing counts before it is committed"
    );
    first.commit(batch);
    let checkpoint: Checkpoint = first.checkpoint();
    assert_eq!(checkpoint.shards["shardId-parent"], format!("{:021}", 2));
    // Records that are read but not committed come again.
    let lost = first.next().await.unwrap();
    assert_eq!(lost.inserted.len(), 2);
    let mut second = Follower::new(streams, ARN, Begin::After(checkpoint), Timestamp::now());
    let (mut numbers, _) = read_all(&mut second).await;
    numbers.sort_unstable();
    assert_eq!(numbers, [3, 4, 5, 6, 7, 8, 9]);
    let done = second.checkpoint();
    assert_eq!(done.shards.len(), 3);
}
