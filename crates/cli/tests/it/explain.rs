//! `--explain`: what is printed is what the command requests, and the AWS CLI accepts it unchanged.

use std::process::Command;

use ddb_test_support::http::{Answer, Server, forward};
use ddb_test_support::{Door, Ran, Sandbox, Tool};
use serde_json::{Value, json};

use crate::setup::{lines, tool};

/// Runs what `--explain` printed in a shell without our environment. Returns `None` if there is no AWS CLI.
fn in_a_shell(script: &str) -> Option<Vec<Value>> {
    let path = std::env::var("PATH").unwrap();
    let home = tempfile::tempdir().unwrap();
    let shell = |script: &str| -> Ran {
        let mut shell = Command::new("sh");
        shell.args(["-euc", script]).env_clear().env("PATH", &path);
        shell.env("HOME", home.path()).output().unwrap().into()
    };
    if shell("aws --version").code != Some(0) {
        return None;
    }
    let ran = shell(script);
    assert_eq!(ran.code, Some(0), "{script}\n{}", ran.stderr);
    let answers = serde_json::Deserializer::from_str(&ran.stdout).into_iter();
    Some(answers.map(Result::unwrap).collect())
}

/// Returns the keys of items, sorted.
fn keys<'a>(items: impl Iterator<Item = &'a Value>) -> Vec<String> {
    let mut keys: Vec<String> = items
        .map(|item| format!("{} {}", item["pk"]["S"], item["sk"]["S"]))
        .collect();
    keys.sort();
    keys
}

/// A table whose requests are recorded. Its endpoint lists only this table: those of other tests may be dropped at any time.
async fn watched() -> (Sandbox, Server) {
    let sandbox = Sandbox::with_table().await;
    tool(Door::Front, &sandbox)
        .run(&["seed", "--ends-at", "2026-03-22T10:00:00Z"])
        .ok();
    let engine = sandbox.url();
    let tables = json!({ "TableNames": [sandbox.table().as_str()] }).to_string();
    let server = Server::start(move |request| match request.operation.as_str() {
        "ListTables" => Answer::json(200, &tables),
        _ => forward(request, &engine),
    });
    (sandbox, server)
}

fn watching(door: Door, sandbox: &Sandbox, server: &Server) -> Tool {
    Tool::new(env!("CARGO_BIN_EXE_ddb"), door)
        .with("DDB_MESSAGE_TABLE", sandbox.table().as_str())
        .with("DDB_ENDPOINT_URL", &server.url())
}

#[tokio::test]
async fn the_lines_read_what_the_command_reads() {
    let (sandbox, server) = watched().await;
    let tool = watching(Door::Front, &sandbox, &server);
    for arguments in [
        &["scan"][..],
        &["scan", "--segments", "2", "--consistent"],
        &["scan", "--limit", "5"],
        &["get-conversation"],
        &["get-conversation", "--all"],
        &["get-conversation", "--all", "--until", "2027-01-01"],
        &["list-conversations", "bayko"],
    ] {
        let before = server.operations().len();
        let explained = tool.run(&[arguments, &["--explain"]].concat()).ok();
        let asked = &server.operations()[before..];
        assert!(
            !asked.is_empty() && asked.iter().all(|asked| asked == "DescribeTable"),
            "{asked:?}"
        );
        for part in [
            "# index: none",
            "# key condition: ",
            "# pages: 1 page or more",
            "# units: ",
            "# policy: iam/",
        ] {
            assert!(explained.contains(part), "{part}\n{explained}");
        }
        let Some(answers) = in_a_shell(&explained) else {
            continue;
        };
        let theirs = answers
            .iter()
            .flat_map(|answer| answer["Items"].as_array().unwrap());
        let own = lines(tool.run(&[arguments, &["-o", "ddb-json"]].concat()));
        let own = own.iter().map(|line| &line["Item"]);
        assert_eq!(keys(theirs), keys(own), "{explained}");
    }
}

#[tokio::test]
async fn what_is_not_items_is_explained_too() {
    let (sandbox, server) = watched().await;
    for door in Door::BOTH {
        let tool = watching(door, &sandbox, &server);
        let count = tool.run(&["scan", "--count", "--explain"]).ok();
        let tables = tool.run(&["list-tables", "--explain"]).ok();
        let details = tool.run(&["list-tables", "--details", "--explain"]).ok();
        tool.run(&["stats", "--explain"]).ok();
        tool.run(&["scan", "--explain", "-o", "json"])
            .fails_with_hint(2, "no other form");
        tool.run(&["scan", "--explain", "--table", "gone"])
            .fails_with_hint(4, "no such table");
        if door == Door::Own {
            continue;
        }
        if let Some(answers) = in_a_shell(&count) {
            assert_eq!(answers[0]["Count"], 105);
        }
        let table = sandbox.table().as_str();
        if let Some(answers) = in_a_shell(&tables) {
            assert_eq!(answers, [json!({ "TableNames": [table] })]);
        }
        if let Some(answers) = in_a_shell(&details) {
            let named = |answer: &Value| answer["Table"]["TableName"] == table;
            assert!(answers.iter().any(named), "{answers:?}");
        }
    }
}
