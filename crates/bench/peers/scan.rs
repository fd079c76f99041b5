//! Writes a table to JSON lines, as a Rust program with the plain SDK does.

use std::io::{self, BufWriter, Write};

use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_dynamodb::{Client, Config};
use serde_json::{Value, json};

fn plain(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) | AttributeValue::N(text) => json!(text),
        AttributeValue::Bool(bool) => json!(bool),
        AttributeValue::L(list) => list.iter().map(plain).collect(),
        AttributeValue::M(map) => map.iter().map(|(k, v)| (k.clone(), plain(v))).collect(),
        AttributeValue::Ss(set) | AttributeValue::Ns(set) => json!(set),
        // No item of the bench has another type.
        _ => Value::Null,
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, url, table] = arguments.as_slice() else {
        return Err("a URL and a table are wanted".into());
    };
    let config = Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .credentials_provider(Credentials::new("local", "local", None, None, "bench"))
        .region(Region::new("us-east-1"))
        .endpoint_url(url)
        .build();
    let items = Client::from_conf(config).scan().table_name(table);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut items = items.into_paginator().items().send();
        let mut out = BufWriter::new(io::stdout().lock());
        while let Some(item) = items.try_next().await? {
            let item: Value = item.iter().map(|(k, v)| (k.clone(), plain(v))).collect();
            writeln!(out, "{item}")?;
        }
        Ok(out.flush()?)
    })
}
