//! `sync-conversations`: rows follow the newest message.

use std::io::{BufRead, BufReader};

use ddb_test_support::aws::{Aws, Backups};
use ddb_test_support::proxy::Proxy;
use ddb_test_support::{Door, Sandbox, Tool};
use serde_json::Value;

use crate::faults::kill;
use crate::kills::by_way_of;
use crate::setup::{GROUP, field, lines, message, one, through_both_doors, tool};

fn begin(tool: &Tool) -> String {
    let begin = [
        "create-conversation",
        "--from",
        "andrewbrown",
        "--to",
        "londo",
        "hello",
        "-o",
        "jsonl",
    ];
    one(tool.run(&begin))["group_uuid"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn write(tool: &Tool, conversation: &str, from: &str, text: &str) -> Value {
    one(tool.run(&[
        "create-message",
        "--group",
        conversation,
        "--from",
        from,
        text,
        "-o",
        "jsonl",
    ]))
}

fn rows(tool: &Tool) -> Vec<Value> {
    lines(tool.run(&["scan", "--kind", "group", "-o", "jsonl", "--consistent"]))
}

#[tokio::test]
async fn both_rows_carry_the_fortieth_message() {
    through_both_doors(async |sandbox, tool| {
        let conversation = begin(tool);
        let mut last = Value::Null;
        for n in 1..=40 {
            last = write(
                tool,
                &conversation,
                ["andrewbrown", "londo"][n % 2],
                &format!("message {n}"),
            );
        }
        let synced = tool.run(&["sync-conversations", "--once", "-o", "jsonl"]);
        assert!(
            synced.stderr.contains("1 conversation synced"),
            "{}",
            synced.stderr
        );
        let moved = one(synced);
        assert_eq!(
            (&moved["group_uuid"], &moved["message"]),
            (&last["group_uuid"], &last["message"])
        );
        assert_eq!(moved["to"], last["created_at"]);
        assert!(moved["from"].as_str() < moved["to"].as_str());
        let after = rows(tool);
        assert_eq!(field(&after, "message"), ["message 40", "message 40"]);
        assert_eq!(
            field(&after, "sk"),
            [last["created_at"].as_str().unwrap(); 2]
        );

        // A sync from the start again, and one with a message dated years back, change nothing.
        let table = sandbox.items().await;
        assert_eq!(
            lines(tool.run(&["sync-conversations", "--once", "-o", "jsonl"])).len(),
            0
        );
        assert_eq!(sandbox.items().await, table);
        let mut late = message("2001-01-01T00:00:00.000000+00:00", "late");
        let partition = format!("MSG#{conversation}");
        late.insert(
            "pk".to_owned(),
            aws_sdk_dynamodb::types::AttributeValue::S(partition),
        );
        sandbox.put(late).await;
        assert_eq!(
            lines(tool.run(&["sync-conversations", "--once", "-o", "jsonl"])).len(),
            0
        );
        assert_eq!(rows(tool), after);
    })
    .await;
}

fn count(operations: &[String], name: &str) -> usize {
    operations.iter().filter(|it| *it == name).count()
}

/// One terminal follows while another writes; Ctrl-C ends it with 0.
#[tokio::test]
async fn a_move_shows_while_it_follows() {
    let sandbox = Sandbox::with_table().await;
    let tool = tool(Door::Front, &sandbox);
    let conversation = begin(&tool);
    let proxy = Proxy::start(&sandbox.url(), |_, _| None);
    let mut following = by_way_of(&proxy, &sandbox).spawn(&["sync-conversations", "-o", "jsonl"]);
    let mut shown = BufReader::new(following.stdout.take().unwrap());
    for n in 0..3 {
        let text = format!("live {n}");
        write(&tool, &conversation, "londo", &text);
        let written = proxy.operations().len();
        let mut line = String::new();
        shown.read_line(&mut line).unwrap();
        let operations = proxy.operations();
        let shards = count(&operations, "GetShardIterator");
        // Each shard may have been polled just before the message came, and is polled once more.
        let waited = operations[written..]
            .split(|operation| operation == "TransactWriteItems")
            .next();
        let polls = count(waited.unwrap_or_default(), "GetRecords");
        assert!(polls <= 2 * shards, "{polls} polls of {shards} shards");
        let moved: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(moved["message"], text);
    }
    kill(&following, "INT");
    assert_eq!(following.wait().unwrap().code(), Some(0));
    assert_eq!(field(&rows(&tool), "message"), ["live 2", "live 2"]);
}

#[tokio::test]
async fn a_checkpoint_goes_on_where_it_ended() {
    let sandbox = Sandbox::with_table().await;
    let tool = tool(Door::Own, &sandbox);
    let conversation = begin(&tool);
    write(&tool, &conversation, "londo", "one");
    let sync = ["sync-conversations", "--once", "--checkpoint", "c.json"];
    let first = tool.run(&sync);
    assert!(
        first.stderr.contains("1 conversation synced"),
        "{}",
        first.stderr
    );
    first.ok();
    let kept: Value =
        serde_json::from_slice(&std::fs::read(tool.home().join("c.json")).unwrap()).unwrap();
    assert!(
        kept["stream_arn"]
            .as_str()
            .unwrap()
            .contains(sandbox.table().as_str())
    );
    assert_eq!(kept["shards"].as_object().unwrap().len(), 1);
    // What the sync itself wrote is read, but is no reason to write again.
    tool.run(&sync).ok();
    let idle = tool.run(&sync);
    assert!(
        idle.stderr.contains("0 records, 0 conversations synced"),
        "{}",
        idle.stderr
    );
    write(&tool, &conversation, "londo", "two");
    let second = tool.run(&sync);
    assert!(
        second.stderr.contains(" records, 1 conversation synced"),
        "{}",
        second.stderr
    );

    tool.file(
        "c.json",
        r#"{"stream_arn": "arn:of:another", "shards": {}}"#,
    );
    tool.run(&sync)
        .fails_with_hint(2, "it is of the stream arn:of:another");
    tool.file("c.json", "nonsense");
    tool.run(&sync).fails_with_hint(2, "not a checkpoint");
}

#[tokio::test]
async fn rows_that_are_not_there_are_never_invented() {
    let sandbox = Sandbox::with_table().await;
    let tool = tool(Door::Own, &sandbox);
    sandbox
        .put(message("2026-03-22T08:35:09.123456+00:00", "lonely"))
        .await;
    let ran = tool.run(&["sync-conversations", "--once"]);
    assert!(
        ran.stderr
            .contains(&format!("{GROUP} has messages and no rows")),
        "{}",
        ran.stderr
    );
    assert!(
        ran.stderr.contains("0 conversations synced, 1 skipped"),
        "{}",
        ran.stderr
    );
    ran.ok();
    assert_eq!(rows(&tool).len(), 0);
}

#[tokio::test]
async fn what_cannot_be_followed_is_said() {
    let sandbox = Sandbox::new();
    let tool = tool(Door::Own, &sandbox);
    tool.run(&["sync-conversations", "--once"])
        .fails_with_hint(4, "there is no such table");
    tool.run(&["schema-load", "--no-stream"]).ok();
    tool.run(&["sync-conversations", "--once"])
        .fails_with_hint(2, "the table has no stream");
    let elsewhere = crate::setup::tool(Door::Own, &sandbox).with(
        "AWS_ENDPOINT_URL_DYNAMODB_STREAMS",
        "https://streams.dynamodb.eu-west-1.amazonaws.com",
    );
    elsewhere
        .run(&["sync-conversations", "--once"])
        .fails_with_hint(2, "is AWS");
}

#[tokio::test]
async fn p05_production_is_asked_first() {
    let sandbox = Sandbox::with_table().await;
    let local = tool(Door::Own, &sandbox);
    let conversation = begin(&local);
    write(&local, &conversation, "londo", "new");
    let aws = Aws::in_front_of(&sandbox, Backups::On);
    let prod = Tool::new(env!("CARGO_BIN_EXE_ddb"), Door::Own)
        .with("DDB_MESSAGE_TABLE", sandbox.table().as_str())
        .with("AWS_ACCESS_KEY_ID", "AKIATESTER")
        .with("AWS_SECRET_ACCESS_KEY", "secret");
    let options = aws.options();
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let sync = [&["sync-conversations", "--once"], &options[..]].concat();
    prod.run(&sync)
        .fails_with_hint(2, "this needs confirmation, and there was no answer");
    assert_eq!(aws.writes(), [""; 0]);
    prod.run(&[&sync[..], &["--yes"]].concat()).ok();
    assert_eq!(aws.writes(), ["TransactWriteItems"]);
}

/// New messages are shown as they come, from the stream or by polling. A late, older one is shown if there is a
/// stream.
#[tokio::test]
async fn a_conversation_is_followed_with_and_without_a_stream() {
    for stream in [true, false] {
        let sandbox = Sandbox::new();
        let tool = tool(Door::Front, &sandbox);
        let load: &[&str] = if stream {
            &["schema-load"]
        } else {
            &["schema-load", "--no-stream"]
        };
        tool.run(load).ok();
        tool.run(&["seed"]).ok();
        let follow = [
            "get-conversation",
            "--follow",
            "--limit",
            "2",
            "-o",
            "jsonl",
        ];
        let mut following = tool.spawn(&follow);
        let mut shown = BufReader::new(following.stdout.take().unwrap());
        let mut next = || -> String {
            let mut line = String::new();
            shown.read_line(&mut line).unwrap();
            let value: Value = serde_json::from_str(&line).unwrap();
            value["message"].as_str().unwrap().to_owned()
        };
        next();
        assert!(next().starts_with("I see you both!"));
        for text in ["one more", "and another"] {
            write(&tool, GROUP, "bayko", text);
            assert_eq!(next(), text, "stream: {stream}");
        }
        if stream {
            sandbox
                .put(message("2001-01-01T00:00:00.000000+00:00", "late"))
                .await;
            assert_eq!(next(), "late");
        }
        kill(&following, "INT");
        assert_eq!(following.wait().unwrap().code(), Some(0));
    }
}

#[tokio::test]
async fn what_cannot_be_followed_together_is_refused() {
    let sandbox = Sandbox::with_table().await;
    let tool = tool(Door::Own, &sandbox);
    for options in [["--order", "desc"], ["--until", "now"], ["--year", "2026"]] {
        tool.run(&[&["get-conversation", "--follow"], &options[..]].concat())
            .fails(2, "--follow");
    }
    tool.run(&["get-conversation", "--follow"])
        .fails_with_hint(4, "no conversation");
}

/// After a seed, a sync and another seed, each person still has one row.
#[tokio::test]
async fn p15_seed_sync_seed_leaves_one_row_each() {
    let sandbox = Sandbox::with_table().await;
    let tool = tool(Door::Own, &sandbox);
    tool.run(&["seed"]).ok();
    let newer = write(&tool, GROUP, "bayko", "after the seed");
    tool.run(&["sync-conversations", "--once"]).ok();
    let moved = rows(&tool);
    let at = newer["created_at"].as_str().unwrap();
    assert_eq!(field(&moved, "sk"), [at, at]);
    assert_ne!(moved[0]["pk"], moved[1]["pk"]);
    let table = sandbox.items().await;
    let again = one(tool.run(&["seed", "-o", "jsonl"]));
    assert_eq!(again["written"], 0);
    assert_eq!(sandbox.items().await, table);
    tool.run(&["sync-conversations", "--once"]).ok();
    assert_eq!(sandbox.items().await, table);
}
