//! Following a table while it is dropped, created again or changed, and sharing a checkpoint.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStderr, ChildStdout};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ddb_core::stream::TableStream;
use ddb_test_support::proxy::Proxy;
use ddb_test_support::{Door, Sandbox, Tool};
use serde_json::Value;

use crate::faults::kill;
use crate::kills;
use crate::setup::{GROUP, message, tool};

/// Ends a command that waits without success.
const IN_VAIN: [&str; 2] = ["--timeout", "120s"];

/// A command that keeps running, and its output.
struct Running {
    child: Child,
    shown: BufReader<ChildStdout>,
    said: BufReader<ChildStderr>,
}

impl Running {
    fn start(tool: &Tool, arguments: &[&str]) -> Self {
        let mut child = tool.spawn(&[arguments, &["-o", "jsonl"], &IN_VAIN].concat());
        Self {
            shown: BufReader::new(child.stdout.take().unwrap()),
            said: BufReader::new(child.stderr.take().unwrap()),
            child,
        }
    }

    /// Waits for the next record, and returns its message.
    #[track_caller]
    fn shows(&mut self) -> String {
        let mut line = String::new();
        self.shown.read_line(&mut line).unwrap();
        assert!(!line.is_empty(), "it ended: {}", self.rest());
        let value: Value = serde_json::from_str(&line).unwrap();
        value["message"].as_str().unwrap().to_owned()
    }

    /// Waits until a line on stderr has a part.
    #[track_caller]
    fn says(&mut self, part: &str) {
        let mut said = String::new();
        loop {
            let mut line = String::new();
            self.said.read_line(&mut line).unwrap();
            assert!(!line.is_empty(), "it never said `{part}`: {said}");
            if line.contains(part) {
                return;
            }
            said.push_str(&line);
        }
    }

    fn rest(&mut self) -> String {
        std::io::read_to_string(&mut self.said).unwrap()
    }

    /// Ends it by Ctrl-C, and returns what it has said since.
    #[track_caller]
    fn end(mut self) -> String {
        kill(&self.child, "INT");
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
        self.rest()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn write(tool: &Tool, text: &str) {
    tool.run(&["create-message", "--group", GROUP, "--from", "bayko", text])
        .ok();
}

fn drop_table(tool: &Tool, sandbox: &Sandbox) {
    tool.run(&["drop", sandbox.table().as_str()]).ok();
}

async fn seeded() -> (Sandbox, Tool) {
    let sandbox = Sandbox::with_table().await;
    let tool = tool(Door::Own, &sandbox);
    tool.run(&["seed"]).ok();
    (sandbox, tool)
}

const SYNC: [&str; 3] = ["sync-conversations", "--checkpoint", "c.json"];

/// Checks that the checkpoint belongs to the stream that the table has now.
async fn is_of_the_stream(tool: &Tool, sandbox: &Sandbox) {
    let kept = std::fs::read(tool.home().join("c.json")).unwrap();
    let kept: Value = serde_json::from_slice(&kept).unwrap();
    let arn = kept["stream_arn"].as_str().unwrap().to_owned();
    let now = TableStream::of(&sandbox.store()).await.unwrap();
    assert_eq!(now, TableStream::On(arn));
}

#[tokio::test]
async fn a_table_made_anew_is_followed_from_its_beginning() {
    let (sandbox, tool) = seeded().await;
    let mut sync = Running::start(&tool, &SYNC);
    sync.says("following");
    write(&tool, "before");
    assert_eq!(sync.shows(), "before");

    drop_table(&tool, &sandbox);
    sync.says("the table is gone");
    tool.run(&["schema-load"]).ok();
    tool.run(&["seed"]).ok();
    write(&tool, "anew");
    assert_eq!(sync.shows(), "anew");
    sync.end();

    is_of_the_stream(&tool, &sandbox).await;
    tool.run(&[&SYNC[..], &["--once"]].concat()).ok();
}

/// Nobody looks while there is no table.
#[tokio::test]
async fn a_table_made_anew_at_once_is_noticed() {
    let (sandbox, tool) = seeded().await;
    let mut sync = Running::start(&tool, &SYNC);
    sync.says("following");
    write(&tool, "before");
    assert_eq!(sync.shows(), "before");

    drop_table(&tool, &sandbox);
    tool.run(&["schema-load"]).ok();
    sync.says("another stream");
    tool.run(&["seed"]).ok();
    write(&tool, "anew");
    assert_eq!(sync.shows(), "anew");
    sync.end();
    is_of_the_stream(&tool, &sandbox).await;
}

#[tokio::test]
async fn a_stream_that_is_turned_off_and_on_is_said_and_followed() {
    let (sandbox, tool) = seeded().await;
    let mut sync = Running::start(&tool, &SYNC);
    sync.says("following");
    write(&tool, "before");
    assert_eq!(sync.shows(), "before");

    tool.run(&["schema-load", "--no-stream", "--apply"]).ok();
    sync.says("the table has no stream now");
    tool.run(&["schema-load", "--apply"]).ok();
    sync.says("another stream");
    write(&tool, "after");
    assert_eq!(sync.shows(), "after");
    sync.end();
    is_of_the_stream(&tool, &sandbox).await;
}

#[tokio::test]
async fn a_conversation_is_followed_when_its_table_is_made_anew() {
    let (sandbox, tool) = seeded().await;
    let follow = ["get-conversation", GROUP, "--follow", "--limit", "1"];
    let mut following = Running::start(&tool, &follow);
    following.shows();
    following.says("following");
    drop_table(&tool, &sandbox);
    following.says("the table is gone");
    tool.run(&["schema-load"]).ok();
    following.says("another stream");
    sandbox
        .put(message("2001-01-01T00:00:00.000000+00:00", "anew"))
        .await;
    assert_eq!(following.shows(), "anew");
    following.end();
}

/// Without its stream, a conversation is queried instead.
#[tokio::test]
async fn a_conversation_is_followed_when_the_stream_is_turned_off() {
    let (_sandbox, tool) = seeded().await;
    let follow = ["get-conversation", GROUP, "--follow", "--limit", "1"];
    let mut following = Running::start(&tool, &follow);
    following.shows();
    following.says("following");
    write(&tool, "by the stream");
    assert_eq!(following.shows(), "by the stream");
    tool.run(&["schema-load", "--no-stream", "--apply"]).ok();
    write(&tool, "without it");
    following.says("the table has no stream now");
    assert_eq!(following.shows(), "without it");
    write(&tool, "and after");
    assert_eq!(following.shows(), "and after");
    following.end();
}

/// A server's clock is wrong now and then, and its message stays the latest for a long time.
#[tokio::test]
async fn a_message_in_the_future_hides_no_other() {
    for stream in [&[][..], &["--no-stream"]] {
        let sandbox = Sandbox::new();
        let tool = tool(Door::Own, &sandbox);
        tool.run(&[&["schema-load"], stream].concat()).ok();
        tool.run(&["seed"]).ok();
        let future = async |year: u32, text: &str| {
            let sk = format!("{year}-01-01T00:00:00.000000+00:00");
            sandbox.put(message(&sk, text)).await;
        };
        future(2200, "there before").await;
        let follow = ["get-conversation", GROUP, "--follow", "--limit", "2"];
        let mut following = Running::start(&tool, &follow);
        following.shows();
        assert_eq!(following.shows(), "there before");
        following.says("following");
        write(&tool, "now");
        assert_eq!(following.shows(), "now");
        future(2100, "far").await;
        assert_eq!(following.shows(), "far");
        future(2099, "less far").await;
        assert_eq!(following.shows(), "less far");
        write(&tool, "now again");
        assert_eq!(following.shows(), "now again");
        following.end();
    }
}

#[tokio::test]
async fn a_checkpoint_is_for_one_sync_at_a_time() {
    let (_sandbox, tool) = seeded().await;
    let once = [&SYNC[..], &["--once"]].concat();
    let mut first = Running::start(&tool, &SYNC);
    first.says("following");
    write(&tool, "one");
    assert_eq!(first.shows(), "one");
    for _ in 0..2 {
        tool.run(&once)
            .fails_with_hint(2, "c.json: another process is using this checkpoint");
    }
    let mut elsewhere = once.clone();
    elsewhere[2] = "./c.json";
    tool.run(&elsewhere).fails_with_hint(2, "another process");
    elsewhere[2] = "d.json";
    tool.run(&elsewhere).ok();

    // The first one continues as if nothing had happened.
    write(&tool, "two");
    assert_eq!(first.shows(), "two");
    kill(&first.child, "KILL");
    first.child.wait().unwrap();
    tool.file("c.json.4000000.ddb-new", "what a killed run left");
    tool.file("c.json.mine.ddb-new", "of somebody else");
    let again = tool.run(&once);
    again.ok();
    let left = std::fs::read_dir(tool.home()).unwrap();
    let mut left: Vec<String> = left
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("c.json"))
        .collect();
    left.sort();
    assert_eq!(left, ["c.json", "c.json.ddb-lock", "c.json.mine.ddb-new"]);
}

/// A command that ends by itself ends when its stream does, and says why.
#[test]
fn once_ends_with_its_stream() {
    for (operation, rest, code, said) in [
        ("DeleteTable", "", 4, "there is no such table"),
        (
            "UpdateTable",
            r#","StreamSpecification":{"StreamEnabled":false}"#,
            0,
            "the table has no stream now; what it held was read",
        ),
    ] {
        let sandbox = Arc::new(kills::seeded());
        let (changed, kept) = (AtomicBool::new(false), Arc::clone(&sandbox));
        let proxy = Proxy::start(&sandbox.url(), move |_, request| {
            if request.operation == "GetRecords" && !changed.swap(true, Ordering::SeqCst) {
                let body = format!(r#"{{"TableName":"{}"{rest}}}"#, kept.table());
                kept.post(operation, &body);
            }
            None
        });
        let sync = [&["sync-conversations", "--once"], &IN_VAIN[..]].concat();
        let ran = kills::by_way_of(&proxy, &sandbox).run(&sync);
        assert_eq!(ran.code, Some(code), "{ran:?}");
        assert!(ran.stderr.contains(said), "{ran:?}");
    }
}
