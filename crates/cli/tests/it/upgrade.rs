//! This version reads what an earlier version wrote. The files in `golden` are as that version left them. Their table
//! and stream are long gone, so a test replaces them with those of its sandbox.

use ddb_test_support::{Door, Sandbox, Tool};
use serde_json::Value;

use crate::setup::{GROUP, tool};

const RECEIPT: &str = include_str!("golden/0.1.0/receipt.jsonl");
const CHECKPOINT: &str = include_str!("golden/0.1.0/checkpoint.json");

/// Seeds the conversation that the files are about.
fn seeded(sandbox: &Sandbox) -> Tool {
    let tool = tool(Door::Front, sandbox).with("DDB_MESSAGE_TABLE", "cruddur-messages");
    tool.run(&["schema-load"]).ok();
    tool.run(&["seed", "--ends-at", "2026-03-22"]).ok();
    tool
}

fn written(tool: &Tool, file: &str) -> String {
    std::fs::read_to_string(tool.home().join(file)).unwrap()
}

#[test]
fn a_receipt_of_0_1_0_is_taken_back() {
    let sandbox = Sandbox::embedded();
    let tool = seeded(&sandbox);
    let before = tool.run(&["scan", "-o", "jsonl"]).ok();
    let message = "8a6362b4-6bc3-588d-bd6e-73ce06f84403";
    let delete = ["delete-message", message, "--group", GROUP];
    tool.run(&[&delete[..], &["--receipt", "own"]].concat())
        .ok();
    assert_ne!(tool.run(&["scan", "-o", "jsonl"]).ok(), before);

    let first =
        |text: &str| -> Value { serde_json::from_str(text.lines().next().unwrap()).unwrap() };
    let mut head = first(RECEIPT);
    assert_eq!(head["tool"], "ddb 0.1.0");
    head["table"] = first(&written(&tool, "own"))["table"].clone();
    let (_, steps) = RECEIPT.split_once('\n').unwrap();
    tool.file("golden", format!("{head}\n{steps}"));
    tool.run(&["undo", "golden"]).ok();
    assert_eq!(tool.run(&["scan", "-o", "jsonl"]).ok(), before);
}

#[test]
fn a_checkpoint_of_0_1_0_is_gone_on_from() {
    let sandbox = Sandbox::embedded();
    let tool = seeded(&sandbox);
    let sync = ["sync-conversations", "--once", "--checkpoint", "c"];
    tool.run(&sync).ok();
    let parts = |text: &str| -> [String; 3] {
        let value: Value = serde_json::from_str(text).unwrap();
        let (shard, sequence) = value["shards"].as_object().unwrap().iter().next().unwrap();
        [&value["stream_arn"], &Value::from(shard.as_str()), sequence]
            .map(|part| part.as_str().unwrap().to_owned())
    };
    let own = parts(&written(&tool, "c"));
    let mut golden = CHECKPOINT.to_owned();
    for (there, here) in parts(CHECKPOINT).iter().zip(&own) {
        golden = golden.replace(there, here);
    }
    tool.file("c", golden);
    tool.run(&sync).ok();
    assert_eq!(parts(&written(&tool, "c")), own);
}
