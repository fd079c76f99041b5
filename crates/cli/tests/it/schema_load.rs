//! `schema-load`: create, leave unchanged, report differences, change.

use std::sync::atomic::{AtomicUsize, Ordering};

use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, CreateGlobalSecondaryIndexAction, GlobalSecondaryIndexUpdate,
    KeySchemaElement, KeyType, Projection, ProjectionType, ProvisionedThroughput,
    ScalarAttributeType, StreamSpecification, StreamViewType,
};
use ddb_core::schema::TableSpec;
use ddb_test_support::http::{Answer, Server, forward};
use ddb_test_support::{Door, Sandbox, Tool};
use serde_json::{Value, json};

use crate::setup::{one, tool};

fn load(tool: &Tool, options: &[&str]) -> (Option<i32>, Value) {
    let ran = tool.run(&[&["schema-load", "-o", "jsonl"], options].concat());
    let record = serde_json::from_str(&ran.stdout).unwrap_or(Value::Null);
    (ran.code, record)
}

fn fields(record: &Value) -> Vec<&str> {
    let differences = record["differences"].as_array().unwrap();
    differences
        .iter()
        .map(|difference| difference["field"].as_str().unwrap())
        .collect()
}

#[test]
fn p09_twice_is_once() {
    for door in Door::BOTH {
        let sandbox = Sandbox::new();
        let tool = tool(door, &sandbox);
        let table = sandbox.table().as_str();
        for action in ["created", "unchanged", "unchanged"] {
            let (code, record) = load(&tool, &[]);
            assert_eq!(code, Some(0));
            assert_eq!(
                record,
                json!({"table": table, "action": action, "differences": []})
            );
        }
        let shown = tool.run(&["schema-load"]);
        assert!(
            shown.stderr.starts_with("local http://127.0.0.1:"),
            "{}",
            shown.stderr
        );
        assert!(shown.ok().ends_with("unchanged\n"));
        assert_eq!(tool.run(&["schema-load", "-q"]).stderr, "");
    }
}

/// `--apply` changes what options can change. Without it, the differences are only named.
#[test]
fn p09_drift_is_named_and_repaired_on_demand() {
    let sandbox = Sandbox::new();
    let tool = tool(Door::Front, &sandbox);
    let (code, _) = load(&tool, &[]);
    assert_eq!(code, Some(0));
    for (options, expected) in [
        (vec!["--no-stream"], vec!["stream"]),
        (vec!["--billing", "on-demand"], vec!["billing"]),
    ] {
        let (code, drift) = load(&tool, &options);
        assert_eq!((code, &drift["action"]), (Some(3), &json!("drift")));
        assert_eq!(fields(&drift), expected);
        assert_eq!(
            load(&tool, &[]).1["action"],
            "unchanged",
            "drift changes nothing"
        );

        let (code, updated) = load(&tool, &[&options[..], &["--apply"]].concat());
        assert_eq!((code, &updated["action"]), (Some(0), &json!("updated")));
        assert_eq!(fields(&updated), expected);
        assert_eq!(load(&tool, &options).1["action"], "unchanged");
        assert_eq!(load(&tool, &["--apply"]).1["action"], "updated");
    }
    let drift = tool.run(&["schema-load", "--no-stream"]);
    assert_eq!(drift.code, Some(3));
    assert!(
        drift.stdout.contains("stream  none    NEW_IMAGE"),
        "{}",
        drift.stdout
    );
    assert!(
        drift.stderr.contains(" --no-stream --apply "),
        "{}",
        drift.stderr
    );
}

/// The capacity of the table and its index is changed in one call. The embedded engine accepts the call and leaves
/// the index unchanged; then this is reported.
#[test]
fn p09_capacity_is_named_and_repaired_for_table_and_index() {
    let index = |part: &str| format!("index message-group-sk-index {part}");
    for part in ["read_capacity", "write_capacity"] {
        let sandbox = Sandbox::new();
        let tool = tool(Door::Own, &sandbox);
        load(&tool, &[]);
        let seven = [format!("--{}", part.replace('_', "-")), "7".to_owned()];
        let seven: Vec<&str> = seven.iter().map(String::as_str).collect();
        let (code, drift) = load(&tool, &seven);
        assert_eq!((code, &drift["action"]), (Some(3), &json!("drift")));
        assert_eq!(fields(&drift), [part.to_owned(), index(part)]);
        let ran = tool.run(&[&["schema-load", "--apply"], &seven[..]].concat());
        if sandbox.is_embedded() {
            ran.fails(5, &format!("still differs in: {}", index(part)));
        } else {
            ran.ok();
            assert_eq!(load(&tool, &seven).1["action"], "unchanged");
        }
    }
}

fn key(name: &str, kind: KeyType) -> KeySchemaElement {
    KeySchemaElement::builder()
        .attribute_name(name)
        .key_type(kind)
        .build()
        .unwrap()
}

fn attribute(name: &str, kind: ScalarAttributeType) -> AttributeDefinition {
    AttributeDefinition::builder()
        .attribute_name(name)
        .attribute_type(kind)
        .build()
        .unwrap()
}

fn five() -> ProvisionedThroughput {
    ProvisionedThroughput::builder()
        .read_capacity_units(5)
        .write_capacity_units(5)
        .build()
        .unwrap()
}

/// Keys, their types, and the keys and the projection of the index cannot be changed in place.
#[tokio::test]
async fn p09_what_cannot_be_changed_stops_everything() {
    for (field, change) in [("keys", 0), ("index message-group-sk-index projection", 1)] {
        let sandbox = Sandbox::new();
        let client = sandbox.client();
        let mut create = TableSpec::default().create(sandbox.table());
        create = match change {
            0 => create
                .set_attribute_definitions(Some(vec![
                    attribute("pk", ScalarAttributeType::S),
                    attribute("sk", ScalarAttributeType::N),
                    attribute("message_group_uuid", ScalarAttributeType::S),
                ]))
                .set_stream_specification(None),
            _ => {
                let mut indexes = create.get_global_secondary_indexes().clone().unwrap();
                indexes[0].projection = Some(
                    Projection::builder()
                        .projection_type(ProjectionType::KeysOnly)
                        .build(),
                );
                create
                    .set_global_secondary_indexes(Some(indexes))
                    .set_stream_specification(None)
            }
        };
        create.send_with(&client).await.unwrap();
        let tool = tool(Door::Front, &sandbox);
        let (code, drift) = load(&tool, &[]);
        assert_eq!(code, Some(3));
        assert!(fields(&drift).contains(&field), "{drift}");
        assert!(fields(&drift).contains(&"stream"), "{drift}");
        let before = sandbox.store().describe().await.unwrap().unwrap();
        let (code, stuck) = load(&tool, &["--apply"]);
        assert_eq!(code, Some(3));
        assert!(
            !fields(&stuck).contains(&"stream"),
            "only what stands in the way: {stuck}"
        );
        let after = sandbox.store().describe().await.unwrap().unwrap();
        assert_eq!(before.shape.stream, after.shape.stream);
    }
}

#[tokio::test]
async fn p09_an_index_too_many_is_named_and_taken_away_on_demand() {
    let sandbox = Sandbox::with_table().await;
    let create = CreateGlobalSecondaryIndexAction::builder()
        .index_name("by-sk")
        .key_schema(key("sk", KeyType::Hash))
        .projection(
            Projection::builder()
                .projection_type(ProjectionType::All)
                .build(),
        )
        .provisioned_throughput(five())
        .build()
        .unwrap();
    sandbox
        .client()
        .update_table()
        .table_name(sandbox.table().as_str())
        .attribute_definitions(attribute("sk", ScalarAttributeType::S))
        .global_secondary_index_updates(
            GlobalSecondaryIndexUpdate::builder().create(create).build(),
        )
        .send()
        .await
        .unwrap();
    let tool = tool(Door::Front, &sandbox);
    let (code, drift) = load(&tool, &[]);
    assert_eq!(code, Some(3));
    assert_eq!(
        drift["differences"],
        json!([{"field": "index by-sk", "wanted": "absent", "found": "present"}])
    );
    assert_eq!(load(&tool, &["--apply"]).0, Some(0));
    assert_eq!(load(&tool, &[]).1["action"], "unchanged");
}

#[tokio::test]
async fn a_stream_with_both_images_counts_as_equal() {
    let sandbox = Sandbox::new();
    let both = StreamSpecification::builder()
        .stream_enabled(true)
        .stream_view_type(StreamViewType::NewAndOldImages)
        .build()
        .unwrap();
    TableSpec::default()
        .create(sandbox.table())
        .stream_specification(both)
        .billing_mode(BillingMode::Provisioned)
        .send_with(&sandbox.client())
        .await
        .unwrap();
    let tool = tool(Door::Own, &sandbox);
    assert_eq!(load(&tool, &[]).1["action"], "unchanged");
}

/// CreateTable accepts what `--print` shows: the engine makes an equal table from it.
#[test]
fn the_printed_request_makes_the_table() {
    for options in [
        vec![],
        vec!["--billing", "on-demand"],
        vec!["--no-stream", "--read-capacity", "9"],
    ] {
        let sandbox = Sandbox::new();
        let tool = tool(Door::Own, &sandbox);
        let printed = tool.run(&[&["schema-load", "--print"], &options[..]].concat());
        assert_eq!(printed.stderr, "", "nothing is contacted");
        sandbox.post("CreateTable", &printed.ok());
        assert_eq!(
            one(tool.run(&[&["schema-load", "-o", "jsonl"], &options[..]].concat()))["action"],
            "unchanged"
        );
    }
}

#[test]
fn what_contradicts_itself_is_refused() {
    let sandbox = Sandbox::new();
    let tool = tool(Door::Own, &sandbox);
    for options in [
        vec!["--billing", "on-demand", "--read-capacity", "5"],
        vec!["--read-capacity", "0"],
        vec!["--print", "--apply"],
        vec!["-o", "csv"],
        vec!["-o", "ddb-json"],
        vec!["--table", "no spaces"],
    ] {
        let ran = tool.run(&[&["schema-load"], &options[..]].concat());
        assert_eq!(ran.code, Some(2), "{options:?}");
        assert!(ran.stderr.starts_with("error: "), "{}", ran.stderr);
    }
}

/// A table may be ACTIVE long before its index is, or the other way around.
#[test]
fn p09_it_waits_for_the_table_and_for_the_index() {
    for (table, index) in [("ACTIVE", "CREATING"), ("CREATING", "ACTIVE")] {
        let sandbox = Sandbox::new();
        let engine = sandbox.url();
        let looks = AtomicUsize::new(0);
        let server = Server::start(move |request| {
            let answer = forward(request, &engine);
            let Some(mut body) = answer.to_json().filter(|body| body["Table"].is_object()) else {
                return answer;
            };
            if looks.fetch_add(1, Ordering::SeqCst) < 5 {
                body["Table"]["TableStatus"] = table.into();
                body["Table"]["GlobalSecondaryIndexes"][0]["IndexStatus"] = index.into();
            }
            Answer::json(200, body.to_string())
        });
        let tool = tool(Door::Own, &sandbox).with("AWS_ENDPOINT_URL_DYNAMODB", &server.url());
        let (code, record) = load(&tool, &[]);
        assert_eq!((code, &record["action"]), (Some(0), &json!("created")));
        let operations = server.operations();
        let made = operations.iter().position(|name| name == "CreateTable");
        let looks = &operations[made.unwrap() + 1..];
        assert!(looks.len() >= 6, "{operations:?}");
        assert!(
            looks.iter().all(|name| name == "DescribeTable"),
            "{operations:?}"
        );
    }
}
