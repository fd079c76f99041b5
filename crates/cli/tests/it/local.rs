//! `ddb local`: an endpoint from start to end.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::Child;

use ddb_test_support::{Door, Tool};
use serde_json::Value;

use crate::faults::kill;
use crate::setup::lines;

fn front() -> Tool {
    Tool::new(env!("CARGO_BIN_EXE_ddb"), Door::Front)
}

/// Starts an endpoint and returns where it says that it listens.
fn start(tool: &Tool, options: &[&str]) -> (Child, String) {
    let mut child = tool.spawn(&[&["local", "--port", "0", "-o", "jsonl"], options].concat());
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap())
        .read_line(&mut line)
        .unwrap();
    let said: Value = serde_json::from_str(&line).unwrap();
    let url = said["endpoint"].as_str().unwrap().to_owned();
    assert!(url.starts_with("http://127.0.0.1:"), "{url}");
    (child, url)
}

fn end(mut child: Child, signal: &str) {
    kill(&child, signal);
    assert_eq!(child.wait().unwrap().code(), Some(0), "{signal}");
}

#[test]
fn it_serves_the_main_job_and_ends_on_a_signal() {
    for signal in ["INT", "TERM"] {
        let (child, url) = start(&front(), &[]);
        let tool = front().with("AWS_ENDPOINT_URL_DYNAMODB", &url);
        tool.run(&["schema-load"]).ok();
        tool.run(&["seed"]).ok();
        assert_eq!(
            lines(tool.run(&["get-conversation", "-o", "jsonl"])).len(),
            20
        );
        end(child, signal);
        tool.run(&["list-tables"])
            .fails_with_hint(1, "Connection refused");
    }
}

#[test]
fn data_in_a_folder_outlives_the_endpoint() {
    let tool = front();
    let mut seen = Vec::new();
    for run in 0..2 {
        let (child, url) = start(&tool, &["--data", "kept/here"]);
        let client = front().with("AWS_ENDPOINT_URL_DYNAMODB", &url);
        if run == 0 {
            client.run(&["schema-load"]).ok();
            client.run(&["seed"]).ok();
            tool.run(&["local", "--port", "0", "--data", "kept/here"])
                .fails_with_hint(1, "another endpoint uses this folder");
        }
        seen.push(client.run(&["scan", "-o", "jsonl"]).ok());
        end(child, "TERM");
    }
    assert_eq!(seen[0].lines().count(), 105);
    assert_eq!(seen[0], seen[1]);
}

#[test]
fn a_taken_port_is_said_with_a_way_out() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let ran = front().run(&["local", "--port", &port]);
    ran.fails_with_hint(1, &format!("port {port} of 127.0.0.1 is taken"));
    assert!(ran.stderr.contains("--port"), "{}", ran.stderr);
}

#[test]
fn a_folder_that_cannot_be_is_said() {
    let tool = front();
    tool.file("file", "");
    tool.run(&["local", "--port", "0", "--data", "file"])
        .fails(1, "file: ");
}
