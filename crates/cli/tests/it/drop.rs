//! `drop`: the named table, and only that.

use ddb_test_support::{Door, Sandbox};
use serde_json::json;

use crate::setup::{one, through_both_doors, tool};

#[tokio::test]
async fn a_table_is_dropped_once() {
    through_both_doors(async |sandbox, tool| {
        let name = sandbox.table().as_str();
        let dropped = one(tool.run(&["drop", name, "-o", "jsonl"]));
        assert_eq!(dropped, json!({"table": name, "action": "dropped"}));
        assert!(sandbox.store().describe().await.unwrap().is_none());
        tool.run(&["drop", name])
            .fails_with_hint(4, "there is no such table");
        let absent = one(tool.run(&["drop", name, "--if-exists", "-o", "jsonl"]));
        assert_eq!(absent, json!({"table": name, "action": "absent"}));
    })
    .await;
}

/// The variable that names the table for all other commands does not apply here.
#[tokio::test]
async fn there_is_no_default_table() {
    let sandbox = Sandbox::with_table().await;
    let tool = tool(Door::Own, &sandbox);
    tool.run(&["drop"]).fails(2, "<TABLE>");
    tool.run(&["drop", "--table", sandbox.table().as_str()])
        .fails(2, "--table");
    assert!(sandbox.store().describe().await.unwrap().is_some());
}

/// `prod` is a table name like any other.
#[tokio::test]
async fn p03_prod_as_a_word_is_a_table() {
    let sandbox = Sandbox::with_table().await;
    for door in Door::BOTH {
        let ran = tool(door, &sandbox).run(&["drop", "prod"]);
        ran.fails(4, "there is no such table");
        assert!(
            ran.stderr.starts_with("local http://127.0.0.1:"),
            "{}",
            ran.stderr
        );
    }
}

/// Amazon's DynamoDB Local has no deletion protection, so this uses the embedded engine.
#[tokio::test]
async fn p07_a_protected_table_is_reported() {
    let sandbox = Sandbox::embedded();
    sandbox.create_table().await;
    sandbox.protect().await;
    let ran = tool(Door::Front, &sandbox).run(&["drop", sandbox.table().as_str()]);
    ran.fails_with_hint(2, "deletion protection");
    assert!(sandbox.store().describe().await.unwrap().is_some());
}
