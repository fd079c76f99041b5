//! A table whose stream ends: how this is noticed, and how often the table is described.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ddb_core::stream::{Begin, Lost, News, PollIntervals, TableFollower, TableStream};
use ddb_test_support::http::{Answer, Server};
use ddb_test_support::{Sandbox, streams_at};
use serde_json::{Value, json};

use crate::data::conversation;

/// The service's answers about a table and its streams. A stream has one shard, with one record.
#[derive(Default)]
struct Script {
    /// The stream that the table has, if there is a table.
    table: Option<Option<&'static str>>,
    /// Streams that are not found.
    missing: Vec<&'static str>,
    /// Streams whose shard is closed.
    closed: Vec<&'static str>,
    /// Streams that were created, and have no shard yet.
    unready: Vec<&'static str>,
    asked: Vec<String>,
}

fn ok(answer: &Value) -> Answer {
    Answer::json(200, answer.to_string())
}

fn not_found() -> Answer {
    let answer = json!({"__type": "x#ResourceNotFoundException", "message": "scripted"});
    Answer::json(400, answer.to_string())
}

impl Script {
    fn answer(&mut self, operation: &str, body: &Value) -> Answer {
        self.asked.push(operation.to_owned());
        let named = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        let arn = match operation {
            "GetRecords" => named("ShardIterator").split(' ').next().unwrap().to_owned(),
            _ => named("StreamArn"),
        };
        let is_in = |list: &[&str]| list.contains(&arn.as_str());
        match operation {
            "DescribeTable" => self.describe(),
            _ if is_in(&self.missing) => not_found(),
            "DescribeStream" => {
                let shards = match is_in(&self.unready) {
                    true => json!([]),
                    false => json!([{"ShardId": "shardId-1"}]),
                };
                ok(&json!({"StreamDescription": {"StreamArn": arn, "Shards": shards}}))
            }
            "GetShardIterator" => ok(&json!({"ShardIterator": format!("{arn} 0")})),
            _ => {
                let first = named("ShardIterator").ends_with(" 0");
                let records = if first {
                    json!([record(&arn)])
                } else {
                    json!([])
                };
                let mut answer = json!({"Records": records});
                if !is_in(&self.closed) {
                    answer["NextShardIterator"] = json!(format!("{arn} 1"));
                }
                ok(&answer)
            }
        }
    }

    fn describe(&self) -> Answer {
        let Some(stream) = &self.table else {
            return not_found();
        };
        let mut table = json!({"TableName": "t", "TableStatus": "ACTIVE"});
        if let Some(arn) = stream {
            table["LatestStreamArn"] = json!(arn);
            table["StreamSpecification"] = json!({"StreamEnabled": true});
        }
        ok(&json!({ "Table": table }))
    }
}

/// The record's sort key is the stream, so that a test sees where it came from.
fn record(arn: &str) -> Value {
    json!({
        "eventName": "INSERT",
        "dynamodb": {
            "ApproximateCreationDateTime": 1.0,
            "Keys": {"pk": {"S": format!("MSG#{}", conversation(1))}, "sk": {"S": arn}},
            "SequenceNumber": "1",
        },
    })
}

const AT_EVERY_ROUND: PollIntervals = PollIntervals {
    look: Duration::ZERO,
    empty: Duration::ZERO,
};
const NEVER: Duration = Duration::from_secs(100_000);

struct Scene {
    script: Arc<Mutex<Script>>,
    follower: TableFollower,
    _server: Server,
}

impl Scene {
    /// Follows the stream `one`.
    fn new(intervals: PollIntervals) -> Self {
        let script = Arc::new(Mutex::new(Script {
            table: Some(Some("one")),
            ..Script::default()
        }));
        let kept = Arc::clone(&script);
        let server = Server::start(move |request| {
            let body: Value = serde_json::from_slice(&request.body).unwrap();
            kept.lock().unwrap().answer(&request.operation, &body)
        });
        let store = Sandbox::embedded().store_at(&server.url());
        let stream = TableStream::On("one".to_owned());
        let streams = streams_at(&server.url());
        let follower = TableFollower::new(store, streams, &stream, Begin::Oldest, intervals);
        Self {
            script,
            follower,
            _server: server,
        }
    }

    fn script(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.script.lock().unwrap());
    }

    /// Runs some rounds. Returns their news, without the rounds that gave nothing.
    async fn told(&mut self, rounds: usize) -> Vec<String> {
        let mut told = Vec::new();
        for _ in 0..rounds {
            match self.follower.next().await.unwrap() {
                News::Batch(batch) => {
                    told.extend(batch.inserted.iter().map(|(_, key)| key.to_string()));
                    self.follower.commit(batch);
                }
                News::Renewed => told.push("renewed".to_owned()),
                News::Lost(Lost::Table) => told.push("no table".to_owned()),
                News::Lost(Lost::Stream) => told.push("no stream".to_owned()),
            }
        }
        told
    }

    fn asked(&self, operation: &str) -> usize {
        let asked = &self.script.lock().unwrap().asked;
        asked.iter().filter(|asked| *asked == operation).count()
    }
}

#[tokio::test]
async fn what_a_stream_still_holds_is_read_before_the_next() {
    for closed in [true, false] {
        let mut scene = Scene::new(AT_EVERY_ROUND);
        scene.script(|script| {
            script.table = Some(Some("two"));
            script.closed.extend(closed.then_some("one"));
        });
        assert_eq!(scene.told(8).await, ["one", "renewed", "two"], "{closed}");
        let checkpoint = scene.follower.checkpoint().unwrap();
        assert_eq!(checkpoint.stream_arn, "two");
        assert_eq!(checkpoint.shards.len(), 1, "nothing of the one before");
    }
}

#[tokio::test]
async fn a_stream_that_is_not_found_is_followed_by_the_next() {
    let mut scene = Scene::new(PollIntervals {
        look: NEVER,
        empty: NEVER,
    });
    assert_eq!(scene.told(3).await, ["one"]);
    assert_eq!(scene.asked("DescribeTable"), 0);
    scene.script(|script| {
        script.missing = vec!["one"];
        script.table = Some(Some("two"));
    });
    assert_eq!(scene.told(5).await, ["renewed", "two"]);
}

#[tokio::test]
async fn a_table_that_is_gone_is_said_once_and_waited_for() {
    let mut scene = Scene::new(AT_EVERY_ROUND);
    assert_eq!(scene.told(2).await, ["one"]);
    scene.script(|script| {
        script.missing = vec!["one"];
        script.table = None;
    });
    assert_eq!(scene.told(5).await, ["no table"]);
    assert!(scene.follower.checkpoint().is_none());
    assert!(!scene.follower.is_caught_up());
    scene.script(|script| script.table = Some(None));
    assert_eq!(scene.told(5).await, ["no stream"]);
    scene.script(|script| script.table = Some(Some("two")));
    assert_eq!(scene.told(5).await, ["renewed", "two"]);
}

/// A new stream has no shard for a while, and the next shard may be listed late.
#[tokio::test]
async fn shards_that_come_late_are_found() {
    let mut scene = Scene::new(AT_EVERY_ROUND);
    scene.script(|script| script.unready = vec!["one"]);
    assert_eq!(scene.told(3).await, [""; 0]);
    scene.script(|script| script.unready.clear());
    assert_eq!(scene.told(3).await, ["one"]);
}

/// However often the stream is read, and whatever its state, the table is described only when that is due.
#[tokio::test]
async fn the_table_is_asked_no_more_often_than_it_should_be() {
    let rare = PollIntervals {
        look: NEVER,
        empty: Duration::ZERO,
    };
    let mut scene = Scene::new(rare);
    scene.script(|script| script.closed = vec!["one"]);
    scene.told(50).await;
    assert_eq!(scene.asked("DescribeTable"), 0);
    assert_eq!(scene.asked("DescribeStream"), 2, "at first, and at its end");

    let mut scene = Scene::new(rare);
    scene.script(|script| {
        script.missing = vec!["one"];
        script.table = None;
    });
    scene.told(50).await;
    assert_eq!(scene.asked("DescribeTable"), 1);
    assert_eq!(scene.asked("DescribeStream"), 1);
}

/// A description of a table may be a moment old. A stream that stays missing is an error.
#[tokio::test]
async fn a_stream_that_stays_missing_is_an_error() {
    let mut scene = Scene::new(AT_EVERY_ROUND);
    scene.script(|script| script.missing = vec!["one"]);
    assert_eq!(scene.told(1).await, [""; 0]);
    assert!(scene.follower.next().await.unwrap_err().is_missing());
    scene.script(|script| script.missing.clear());
    assert_eq!(scene.told(2).await, ["one"]);
}
