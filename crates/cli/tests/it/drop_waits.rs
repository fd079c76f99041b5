//! `drop` against a table that goes through scripted states: it reports success only when the table is gone.

use std::sync::{Arc, Mutex};

use ddb_test_support::http::{Answer, Request, Server};
use ddb_test_support::{Door, Ran, Tool, side_by_side};
use serde_json::{Value, json};

use crate::setup::one;

const TABLE: &str = "scripted";

/// A table that takes one step of its script whenever it is described. The states that refuse a deletion are those of
/// DeleteTable in the API reference.
#[derive(Debug)]
struct Script {
    /// The states to come, the current one first. With none left, the table is gone.
    states: Vec<&'static str>,
    /// The states that follow a deletion.
    after: Vec<&'static str>,
    /// Whether a table that is being deleted refuses to be deleted again. The service has done both over time.
    strict: bool,
    deletions: usize,
}

fn error(code: &str, message: &str) -> Answer {
    let body =
        json!({"__type": format!("com.amazonaws.dynamodb.v20120810#{code}"), "message": message});
    Answer::json(400, body.to_string())
}

fn description(status: &str) -> Value {
    json!({"TableName": TABLE, "TableStatus": status, "DeletionProtectionEnabled": false})
}

impl Script {
    fn answer(&mut self, request: &Request) -> Answer {
        let Some(status) = self.states.first().copied() else {
            return error("ResourceNotFoundException", "no such table");
        };
        match request.operation.as_str() {
            "DescribeTable" => {
                self.states.remove(0);
                Answer::json(200, json!({"Table": description(status)}).to_string())
            }
            "DeleteTable" if status == "ACTIVE" || (status == "DELETING" && !self.strict) => {
                if status == "ACTIVE" {
                    self.deletions += 1;
                    self.states.clone_from(&self.after);
                }
                Answer::json(
                    200,
                    json!({"TableDescription": description("DELETING")}).to_string(),
                )
            }
            "DeleteTable" => error("ResourceInUseException", "the table is being changed"),
            other => error("UnknownOperationException", other),
        }
    }
}

fn start(script: Script) -> (Server, Arc<Mutex<Script>>) {
    let script = Arc::new(Mutex::new(script));
    let serving = Arc::clone(&script);
    let server = Server::start(move |request| serving.lock().unwrap().answer(request));
    (server, script)
}

fn drop_at(server: &Server, timeout: &str) -> Ran {
    Tool::new(env!("CARGO_BIN_EXE_ddb"), Door::Own)
        .with("AWS_ENDPOINT_URL_DYNAMODB", &server.url())
        .run(&["drop", TABLE, "-o", "jsonl", "--timeout", timeout])
}

#[test]
fn p08_drop_is_done_only_when_the_table_is_gone() {
    const A: &str = "ACTIVE";
    const C: &str = "CREATING";
    const D: &str = "DELETING";
    const U: &str = "UPDATING";
    let cases = [
        (vec![A; 3], vec![D], 1),
        (vec![A; 3], vec![D, D, D, D, D], 1),
        // After a deletion, the description may be behind.
        (vec![A; 3], vec![A, D, D], 1),
        (vec![C, C, C, C, A, A], vec![D, D], 1),
        (vec![U, U, U, A, A], vec![D, D], 1),
        (vec![D, D, D, D], vec![], 0),
    ];
    side_by_side(&cases, |(states, after, deletions)| {
        for strict in [false, true] {
            let (server, script) = start(Script {
                states: states.clone(),
                after: after.clone(),
                strict,
                deletions: 0,
            });
            let row = one(drop_at(&server, "20s"));
            let at = format!("{states:?}, then {after:?}, {strict}");
            assert_eq!(row, json!({"table": TABLE, "action": "dropped"}), "{at}");
            let script = script.lock().unwrap();
            assert!(script.states.is_empty(), "{at}: it was still there");
            assert_eq!(script.deletions, *deletions, "{at}");
            assert_eq!(server.operations().last().unwrap(), "DescribeTable", "{at}");
        }
    });
}

#[test]
fn p08_a_table_that_stays_is_never_said_to_be_dropped() {
    side_by_side(&["CREATING", "UPDATING", "DELETING", "ACTIVE"], |status| {
        let (server, _) = start(Script {
            states: vec![status; 1_000],
            after: vec!["DELETING"; 1_000],
            strict: true,
            deletions: 0,
        });
        drop_at(&server, "1s").fails_with_hint(1, "not done within --timeout 1s");
    });
}

/// A deletion whose reply is lost has taken place all the same.
#[test]
fn p08_a_deletion_is_one_when_its_reply_is_lost() {
    let script = Mutex::new(Script {
        states: vec!["ACTIVE"; 3],
        after: Vec::new(),
        strict: true,
        deletions: 0,
    });
    let server = Server::start(move |request| {
        let mut script = script.lock().unwrap();
        let before = script.deletions;
        let answer = script.answer(request);
        match script.deletions > before {
            true => Answer::Raw(Vec::new()),
            false => answer,
        }
    });
    let row = one(drop_at(&server, "20s"));
    assert_eq!(row, json!({"table": TABLE, "action": "dropped"}));
}
