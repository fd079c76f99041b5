//! `import`: what a scan wrote is restored byte for byte, existing items stay, and faults are named.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use ddb_core::item::RawItem;
use ddb_test_support::aws::{Aws, Backups};
use ddb_test_support::http::{Server, forward};
use ddb_test_support::{Door, Ran, Sandbox, Tool, note};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::kills::{block_on, seeded, with_table};
use crate::setup::{GROUP, message, one, strings, through_both_doors, tool};

const SCAN: [&str; 3] = ["scan", "-o", "ddb-json"];

/// Returns what a scan of a table writes.
pub fn backup(sandbox: &Sandbox) -> String {
    tool(Door::Front, sandbox).run(&SCAN).ok()
}

fn counts(ran: &Ran) -> Value {
    let line = ran.stdout.trim();
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
}

fn counted([written, unchanged, different, refused]: [u64; 4]) -> Value {
    json!({
        "read": written + unchanged + different + refused,
        "written": written, "unchanged": unchanged, "different": different, "refused": refused,
    })
}

/// Writes to the standard input of a command.
fn fed(tool: &Tool, arguments: &[&str], input: &[u8]) -> Ran {
    let mut command = tool.command(arguments);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap().into()
}

fn gzip(text: &str) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(text.as_bytes()).unwrap();
    gzip.finish().unwrap()
}

/// Items of every type, as AWS would accept them.
fn odd_items(empty: &str) -> String {
    let nested = (1..32).fold(json!({"S": "inside"}), |inside, level| match level % 2 {
        0 => json!({"L": [inside]}),
        _ => json!({"M": {"m": inside}}),
    });
    let items = [
        json!({"n": {"N": "12345678901234567890123456789012345678"}, "z": {"N": "-0.00000000000000000000000000001"}}),
        json!({"t": {"S": empty}, "b": {"B": "AP+A"}, "y": {"BOOL": true}, "x": {"NULL": true}}),
        json!({"ss": {"SS": ["b", "é", "a"]}, "ns": {"NS": ["-3", "20", "1.5"]}, "bs": {"BS": ["AQ==", "AA=="]}}),
        json!({"l": {"L": []}, "m": {"M": {}}, "deep": nested}),
        json!({"quotes \" \\ and \u{1b}": {"S": "\u{0}\n\u{2028} \u{1f469}\u{200d}\u{1f680} \u{202e}"}}),
        json!({"large": {"S": "\u{1}".repeat(390_000)}}),
    ];
    let keyed = |(n, mut item): (usize, Value)| {
        item["pk"] = json!({"S": format!("odd {n}")});
        item["sk"] = json!({"S": "1"});
        format!("{}\n", json!({"Item": item}))
    };
    items.into_iter().enumerate().map(keyed).collect()
}

/// p37: what `scan -o ddb-json` writes is restored byte for byte: the built-in conversation, and items of every type;
/// plain, with gzip, and from a pipe.
#[tokio::test]
async fn p37_what_a_scan_wrote_comes_back_byte_for_byte() {
    through_both_doors(async |sandbox, tool| {
        tool.run(&["seed"]).ok();
        // Early versions of DynamoDB Local accept no empty text.
        let empty = if sandbox.is_embedded() { "" } else { "?" };
        tool.file("odd.jsonl", odd_items(empty));
        let odd = tool.run(&["import", "odd.jsonl", "-o", "jsonl"]);
        assert_eq!(counts(&odd)["written"], 6, "{odd:?}");
        let backup = tool.run(&SCAN).ok();
        let all = backup.lines().count() as u64;
        tool.file("backup.jsonl", &backup);
        tool.file("backup.jsonl.gz", gzip(&backup));
        for file in ["backup.jsonl", "backup.jsonl.gz", "-"] {
            tool.run(&["drop", sandbox.table().as_str()]).ok();
            tool.run(&["schema-load"]).ok();
            let import = ["import", file, "-o", "jsonl"];
            let ran = match file {
                "-" => fed(tool, &import, &gzip(&backup)),
                _ => tool.run(&import),
            };
            assert_eq!(counts(&ran), counted([all, 0, 0, 0]), "{ran:?}");
            assert!(tool.run(&SCAN).ok() == backup, "{file}: not the same bytes");
            let again = counts(
                &tool.run(
                    &import[..1]
                        .iter()
                        .chain(&["backup.jsonl", "-o", "jsonl"])
                        .copied()
                        .collect::<Vec<_>>(),
                ),
            );
            assert_eq!(again, counted([0, all, 0, 0]));
        }
        let check = one(tool.run(&["import", "backup.jsonl.gz", "--check", "-o", "jsonl"]));
        assert_eq!(
            [&check["missing"], &check["extra"], &check["unchanged"]],
            [0, 0, all]
        );
    })
    .await;
}

/// One conversation moves from table to table with its rows.
#[test]
fn a_conversation_goes_in_with_its_rows() {
    let from = seeded();
    let get = ["get-conversation", GROUP, "--all", "--with-rows"];
    let source = tool(Door::Front, &from);
    let lines = source.run(&[&get[..], &["-o", "ddb-json"]].concat()).ok();
    source
        .run(&get)
        .fails_with_hint(2, "--with-rows is for -o ddb-json");
    let into = with_table();
    let tool = tool(Door::Front, &into);
    tool.file("talk.jsonl", lines);
    tool.run(&["import", "talk.jsonl"]).ok();
    assert!(block_on(into.items()) == block_on(from.items()));
    assert_eq!(tool.run(&["check-conversations"]).ok(), "");
}

/// A table as the AWS CLI prints it can be imported with one line.
#[test]
fn a_table_scanned_by_the_aws_cli_goes_in() {
    let found = |program: &str| {
        let shown = Command::new(program).arg("--version").output();
        shown.is_ok_and(|shown| shown.status.success())
    };
    if !found("aws") || !found("jq") {
        return note("the AWS CLI or jq is not there: what it prints is not imported");
    }
    let sandbox = seeded();
    let tool = tool(Door::Front, &sandbox)
        .with("URL", &sandbox.url())
        .with("TABLE", sandbox.table().as_str())
        .with("AWS_ACCESS_KEY_ID", "local")
        .with("AWS_SECRET_ACCESS_KEY", "local");
    let line = "aws dynamodb scan --table-name $TABLE --endpoint-url $URL --region us-east-1 --output json \
                | jq -c '.Items[] | {Item: .}' | ddb import - --check";
    let ran: Ran = tool.shell(line).output().unwrap().into();
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(
        ran.stdout.contains("and nothing else") || ran.stdout.contains(" 0 "),
        "{ran:?}"
    );
}

#[test]
fn what_is_there_is_left_and_the_exit_says_so() {
    let from = seeded();
    let backup = backup(&from);
    let all = backup.lines().count() as u64;
    let into = with_table();
    let tool = tool(Door::Own, &into);
    tool.file("backup.jsonl", &backup);
    // A message that somebody changed, and an item that only the table has.
    let sk = block_on(from.items())
        .iter()
        .find(|item| item["pk"].as_s().unwrap().starts_with("MSG#"))
        .map(|item| item["sk"].as_s().unwrap().clone())
        .unwrap();
    let changed = message(&sk, "changed");
    block_on(into.put(changed.clone()));
    block_on(into.put(strings(&[("pk", "own"), ("sk", "1")])));
    let trial = tool.run(&["import", "backup.jsonl", "--dry-run", "-o", "jsonl"]);
    assert_eq!(
        (trial.code, counts(&trial)),
        (Some(5), counted([all - 1, 0, 1, 0])),
        "{trial:?}"
    );
    assert_eq!(block_on(into.items()).len(), 2);
    let ran = tool.run(&["import", "backup.jsonl", "-o", "jsonl"]);
    assert_eq!(
        (ran.code, counts(&ran)),
        (Some(5), counted([all - 1, 0, 1, 0])),
        "{ran:?}"
    );
    assert!(
        ran.stderr.contains(&format!(
            "left: MSG#{GROUP} {sk}: the key holds other content"
        )),
        "{ran:?}"
    );
    assert!(block_on(into.items()).contains(&changed));
    let check = tool.run(&["import", "backup.jsonl", "--check", "-o", "jsonl"]);
    assert_eq!(check.code, Some(3), "{check:?}");
    let found = counts(&check);
    let found =
        ["unchanged", "different", "missing", "extra"].map(|name| found[name].as_u64().unwrap());
    assert_eq!(found, [all - 1, 1, 0, 1]);
}

/// If a line is wrong, nothing is written, and each such line is named; `--skip-bad` leaves them out.
#[test]
fn bad_lines_are_named_before_anything_is_written() {
    let into = with_table();
    let tool = tool(Door::Front, &into);
    let good = "{\"Item\":{\"pk\":{\"S\":\"p\"},\"sk\":{\"S\":\"s\"}}}";
    tool.file(
        "items.jsonl",
        format!("{good}\nnothing\n{{\"Item\":{{\"pk\":{{\"S\":\"\u{1b}[31m\"}}}}}}\n"),
    );
    let ran = tool.run(&["import", "items.jsonl"]);
    for part in [
        "items.jsonl:2: expected `{` at byte 0",
        "items.jsonl:3: it is not JSON: control character",
        "2 of 3 lines cannot be imported; nothing was written",
        "--skip-bad",
    ] {
        assert!(ran.stderr.contains(part), "{part}: {ran:?}");
    }
    assert_eq!(ran.code, Some(2));
    assert!(block_on(into.items()).is_empty());
    let ran = tool.run(&["import", "items.jsonl", "--skip-bad", "-o", "jsonl"]);
    assert_eq!(
        (ran.code, counts(&ran)),
        (Some(5), counted([1, 0, 0, 2])),
        "{ran:?}"
    );
    // If there are many, only the first ones are named.
    tool.file("many.jsonl", "x\n".repeat(100));
    let ran = tool.run(&["import", "many.jsonl"]);
    assert!(ran.stderr.contains("and 80 lines more"), "{ran:?}");
}

#[test]
fn what_cannot_be_read_is_refused() {
    let into = with_table();
    let tool = tool(Door::Front, &into);
    tool.run(&["import", "nothing.jsonl"])
        .fails(4, "nothing.jsonl: No such file");
    tool.run(&["import"]).fails(2, "<FILE>...");
    tool.run(&["import", "absent.jsonl"])
        .fails_with_hint(4, "absent.jsonl: No such file");
    let cut = &gzip(&odd_items(""))[..2000];
    tool.file("cut.gz", cut);
    tool.run(&["import", "cut.gz"])
        .fails_with_hint(2, "cannot be read");
    std::fs::create_dir(tool.home().join("folder")).unwrap();
    tool.run(&["import", "folder"])
        .fails_with_hint(2, "it has no folder `data`");
    tool.file("empty.jsonl", "");
    let ran = tool.run(&["import", "empty.jsonl", "-o", "jsonl"]);
    assert_eq!(
        (ran.code, counts(&ran)),
        (Some(0), counted([0; 4])),
        "{ran:?}"
    );
    tool.run(&["import", "empty.jsonl", "--check", "--dry-run"])
        .fails(2, "cannot be used with");
    tool.run(&["import", "empty.jsonl", "--table", "absent"])
        .fails_with_hint(4, "there is no such table");
    let other = json!({
        "TableName": "other", "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    });
    into.post("CreateTable", &other.to_string());
    tool.run(&["import", "empty.jsonl", "--table", "other"])
        .fails_with_hint(2, "its keys are id S HASH");
}

fn production(tool: &Tool, aws: &Aws, arguments: &[&str]) -> Ran {
    let options = aws.options();
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    tool.run(&[arguments, &options].concat())
}

/// Somebody else's Lambda function would take each message for a new one.
#[test]
fn production_is_asked_for_and_wants_its_stream_to_be_thought_of() {
    let from = seeded();
    let into = with_table();
    let aws = Aws::in_front_of(&into, Backups::On);
    let tool = tool(Door::Own, &into)
        .with("AWS_ACCESS_KEY_ID", "AKIATESTER")
        .with("AWS_SECRET_ACCESS_KEY", "secret");
    let backup = backup(&from);
    tool.file("backup.jsonl", &backup);
    let import = ["import", "backup.jsonl", "-o", "jsonl"];
    let ran = production(&tool, &aws, &[&import[..], &["--yes"]].concat());
    assert!(
        ran.stderr.contains("the table has a stream")
            && ran.stderr.contains("--stream-readers-ready"),
        "{ran:?}"
    );
    assert_eq!(ran.code, Some(2));
    let ran = production(
        &tool,
        &aws,
        &[&import[..], &["--stream-readers-ready"]].concat(),
    );
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(
        ran.stderr
            .contains("106 items will be written where their keys are free"),
        "{ran:?}"
    );
    assert_eq!(aws.writes(), Vec::<String>::new());
    let ran = production(
        &tool,
        &aws,
        &[&import[..], &["--yes", "--stream-readers-ready"]].concat(),
    );
    assert_eq!(
        (ran.code, counts(&ran)),
        (Some(0), counted([106, 0, 0, 0])),
        "{ran:?}"
    );
    let writes = aws.writes();
    assert!(
        writes.len() == 106 && writes.iter().all(|write| write == "PutItem"),
        "{writes:?}"
    );
    assert!(block_on(into.items()) == block_on(from.items()));
}

/// p38: an item that appears between the check and the put is not overwritten, since each put has a condition.
#[test]
fn p38_what_another_writes_meanwhile_stays() {
    let from = seeded();
    let into = with_table();
    let aws = Aws::in_front_of(&into, Backups::On);
    let (client, table, service) = (into.client(), into.table().to_string(), aws.url());
    let items = block_on(from.items());
    let is_message = |item: &&RawItem| item["pk"].as_s().unwrap().starts_with("MSG#");
    let item = items.iter().find(is_message).unwrap();
    let mine = message(item["sk"].as_s().unwrap(), "mine");
    let (sneaked, put) = (AtomicBool::new(false), mine.clone());
    let of_mine = format!("{:?}", mine["sk"].as_s().unwrap());
    let between = Server::start(move |request| {
        let body = String::from_utf8_lossy(&request.body);
        let is_of_mine =
            request.operation == "PutItem" && body.contains(&of_mine) && body.contains("MSG#");
        if is_of_mine && !sneaked.swap(true, Ordering::SeqCst) {
            let request = client.put_item().table_name(&table);
            block_on(request.set_item(Some(put.clone())).send()).unwrap();
        }
        forward(request, &service)
    });
    let options = aws
        .options()
        .into_iter()
        .map(|option| match option == aws.url() {
            true => between.url(),
            false => option,
        });
    let options: Vec<String> = options.collect();
    let tool = tool(Door::Front, &into)
        .with("AWS_ACCESS_KEY_ID", "AKIATESTER")
        .with("AWS_SECRET_ACCESS_KEY", "secret");
    tool.file("backup.jsonl", backup(&from));
    let import = [
        "import",
        "backup.jsonl",
        "--yes",
        "--stream-readers-ready",
        "-o",
        "jsonl",
    ];
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let ran = tool.run(&[&import[..], &options].concat());
    assert_eq!(
        (ran.code, counts(&ran)),
        (Some(5), counted([105, 0, 1, 0])),
        "{ran:?}"
    );
    assert!(block_on(into.items()).contains(&mine));
}
