//! What the tests of this folder share.

use ddb_core::item::RawItem;
use ddb_test_support::{Door, Ran, Sandbox, Tool};
use serde_json::Value;

/// Returns the utilities behind a door, on a sandbox.
pub fn tool(door: Door, sandbox: &Sandbox) -> Tool {
    Tool::new(env!("CARGO_BIN_EXE_ddb"), door).on(sandbox)
}

/// Runs a scenario once for each door, on a sandbox with its own table.
pub async fn through_both_doors(scenario: impl AsyncFn(&Sandbox, &Tool)) {
    for door in Door::BOTH {
        let sandbox = Sandbox::with_table().await;
        scenario(&sandbox, &tool(door, &sandbox)).await;
    }
}

/// Reads JSON lines.
pub fn lines(ran: Ran) -> Vec<Value> {
    let text = ran.ok();
    text.lines()
        .map(|line| serde_json::from_str(line).expect("each line is JSON"))
        .collect()
}

/// Reads the only record that a command shows.
pub fn one(ran: Ran) -> Value {
    let mut lines = lines(ran);
    assert_eq!(lines.len(), 1, "{lines:?}");
    lines.remove(0)
}

/// Reads a JSON document.
pub fn document(ran: Ran) -> Value {
    serde_json::from_str(&ran.ok()).expect("stdout is JSON")
}

/// Returns the strings under a name.
pub fn field<'a>(records: &'a [Value], name: &str) -> Vec<&'a str> {
    records
        .iter()
        .map(|record| record[name].as_str().unwrap_or("null"))
        .collect()
}

/// Makes an item of strings.
pub fn strings(attributes: &[(&str, &str)]) -> RawItem {
    attributes
        .iter()
        .map(|(name, text)| {
            let value = aws_sdk_dynamodb::types::AttributeValue::S((*text).to_owned());
            ((*name).to_owned(), value)
        })
        .collect()
}

pub const GROUP: &str = "5ae290ed-55d1-47a0-bc6d-fe2bc2700399";
pub const ANDREW: &str = "7d3c4f0a-6a1e-4b52-9a57-1f0c8e2b6d31";
pub const BAYKO: &str = "c1f5b6e2-0d94-4e7b-8f36-52a9d7e4c803";

/// Makes a message of Andrew's in the seeded conversation.
pub fn message(sk: &str, text: &str) -> RawItem {
    strings(&[
        ("pk", &format!("MSG#{GROUP}")),
        ("sk", sk),
        ("message_uuid", "11111111-1111-4111-8111-111111111111"),
        ("message", text),
        ("user_uuid", ANDREW),
        ("user_display_name", "Andrew Brown"),
        ("user_handle", "andrewbrown"),
    ])
}
