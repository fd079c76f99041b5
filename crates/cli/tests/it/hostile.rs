//! Answers that no service should give, and systems without room: each is survived or gives one clear error.

use std::fs::File;
use std::process::Command;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use ddb_test_support::cognito::POOL;
use ddb_test_support::http::{Answer, Server};
use ddb_test_support::{Door, Ran, Sandbox, Tool};
use serde_json::Value;

use crate::kills::block_on;
use crate::scan_at_length::resident;
use crate::setup::{ANDREW, BAYKO, GROUP, lines, tool};

fn at(server: &Server) -> Tool {
    Tool::new(env!("CARGO_BIN_EXE_ddb"), Door::Front)
        .with("AWS_ENDPOINT_URL_DYNAMODB", &server.url())
        .with("AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER", &server.url())
        .with("AWS_COGNITO_USER_POOL_ID", POOL)
}

/// Makes a message as the service writes it; `text` and `sk` are JSON.
fn message(sk: &str, text: &str) -> String {
    format!(
        r#"{{"pk":{{"S":"MSG#{GROUP}"}},"sk":{{"S":{sk}}},"message":{{"S":{text}}},"message_uuid":{{"S":"11111111-1111-4111-8111-111111111111"}},"user_display_name":{{"S":"Andrew Brown"}},"user_handle":{{"S":"andrewbrown"}},"user_uuid":{{"S":"{ANDREW}"}}}}"#
    )
}

const WHOLE: &str = r#""2026-03-22T08:35:09.000000+00:00""#;
const LONE: &str = r#""2026-03-22T08:35:10.000000+00:00""#;
const LONE_KEY: &str = r#""at\ud83d!""#;

/// Two pages: the first has a text and a key that are not Unicode; the second begins after that key.
fn not_unicode() -> (Server, Arc<Mutex<Vec<String>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    let server = Server::start(move |request| {
        let body = String::from_utf8(request.body.clone()).unwrap();
        let goes_on = body.contains("ExclusiveStartKey");
        seen.lock().unwrap().push(body);
        if request.operation == "GetItem" {
            return Answer::json(200, "{}");
        }
        let (items, last) = match goes_on {
            true => (vec![message(WHOLE, r#""whole""#)], String::new()),
            false => (
                vec![
                    message(LONE, r#""half \uD83D\n of \ud83d\ude00""#),
                    message(LONE_KEY, r#""x""#),
                    r#"{"pk":{"S":"a"},"sk":{"S":"b"},"l":{"L":[{"SS":["\udc00","a"]}]},"\ud800":{"N":"1"}}"#
                        .to_owned(),
                ],
                format!(
                    r#","LastEvaluatedKey":{{"pk":{{"S":"MSG#{GROUP}"}},"sk":{{"S":{LONE_KEY}}}}}"#
                ),
            ),
        };
        let count = items.len();
        let items = items.join(",");
        Answer::json(
            200,
            format!(r#"{{"Items":[{items}],"Count":{count},"ScannedCount":{count}{last}}}"#),
        )
    });
    (server, asked)
}

#[test]
fn an_item_with_half_of_a_pair_is_unknown_and_ends_nothing() {
    let (server, asked) = not_unicode();
    let tool = at(&server);
    let shown = tool.run(&["scan", "-o", "ddb-json"]).ok();
    for part in [
        r#""message":{"S":"half \uD83D\n of \ud83d\ude00"}"#,
        r#""sk":{"S":"at\ud83d!"}"#,
        r#""l":{"L":[{"SS":["\udc00","a"]}]}"#,
        r#""\ud800":{"N":"1"}"#,
        r#""message":{"S":"whole"}"#,
    ] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    let last = asked.lock().unwrap().last().unwrap().clone();
    assert!(
        last.contains(r#""sk":{"S":"at\ud83d!"}"#),
        "the next page begins after the key as it is: {last}"
    );
    assert_eq!(
        tool.run(&["scan", "-o", "jsonl"])
            .ok()
            .matches(r#"{"kind":"unknown""#)
            .count(),
        3
    );
    assert_eq!(
        tool.run(&["scan", "--count", "--kind", "message"]).ok(),
        "1\n"
    );
    for form in ["table", "csv", "json"] {
        let shown = tool.run(&["scan", "-o", form]).ok();
        assert!(shown.contains(r"\ud83d!"), "{shown}");
    }
    let talk = ["get-conversation", "--all", "-o", "ddb-json"];
    let talk = tool.run(&talk).ok();
    assert!(talk.contains(r#""message":{"S":"half \uD83D\n of \ud83d\ude00"}"#));
    assert!(talk.contains("whole"));
    tool.run(&["get-conversation"]).ok();
    tool.run(&["list-conversations", "--user-uuid", BAYKO, "--all"])
        .ok();
    let findings = tool.run(&["check-conversations", "-o", "jsonl"]);
    assert_eq!(findings.code, Some(3), "{findings:?}");
    let unknown: Vec<Value> = findings
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|line: &Value| line.to_string().contains("unknown shape"))
        .collect();
    assert_eq!(unknown.len(), 3, "{findings:?}");
    assert!(
        unknown[0]
            .to_string()
            .contains("its `message` is a text that is not Unicode")
    );
    assert_eq!(unknown[1]["sk"], "at\\ud83d!");
}

#[test]
fn pages_that_never_go_on_end() {
    let empty = Server::start(|_| {
        Answer::json(
            200,
            r#"{"Items":[],"Count":0,"ScannedCount":0,"LastEvaluatedKey":{}}"#,
        )
    });
    let same = Server::start(|_| {
        Answer::json(
            200,
            r#"{"Items":[],"Count":0,"ScannedCount":0,"LastEvaluatedKey":{"pk":{"S":"a"},"sk":{"S":"b"}}}"#,
        )
    });
    for command in [
        &["scan"][..],
        &["scan", "--count"],
        &["check-conversations"],
    ] {
        let before = empty.operations().len();
        at(&empty).run(command).ok();
        assert_eq!(empty.operations().len(), before + 1, "{command:?}");
        let before = same.operations().len();
        let ran = at(&same).run(command);
        ran.fails_with_hint(1, "100 pages in a row end where they began");
        assert_eq!(same.operations().len(), before + 101, "{command:?}");
    }
}

fn raw(status: u16, headers: &str, body: &[u8]) -> Answer {
    let head = format!(
        "HTTP/1.1 {status} Said\r\nContent-Type: application/x-amz-json-1.0\r\nConnection: close\r\n{headers}\r\n"
    );
    Answer::Raw([head.as_bytes(), body].concat())
}

#[test]
fn an_answer_that_is_too_large_is_one_clear_error() {
    const MOST: usize = 32 * 1024 * 1024;
    let said = Server::start(|_| raw(200, "Content-Length: 1000000000\r\n", b"{"));
    let unsaid = Server::start(|_| raw(200, "", &vec![b' '; MOST + 1]));
    let error = Server::start(|_| raw(400, "", &vec![b' '; MOST + 1]));
    for server in [said, unsaid, error] {
        for command in [
            &["scan"][..],
            &["get-conversation"],
            &["list-tables"],
            &["list-users"],
            &["sync-conversations", "--once"],
        ] {
            let before = server.operations().len();
            let ran = at(&server).run(command);
            ran.fails_with_hint(1, "it has more than 32 MiB");
            assert_eq!(server.operations().len(), before + 1, "{command:?}");
        }
    }
}

#[test]
fn an_answer_with_another_checksum_is_asked_for_again() {
    let body = r#"{"Items":[],"Count":0,"ScannedCount":0}"#;
    let with = |sum: u32| {
        let headers = format!("Content-Length: {}\r\nx-amz-crc32: {sum}\r\n", body.len());
        raw(200, &headers, body.as_bytes())
    };
    // Computed with zlib's `crc32`.
    const RIGHT: u32 = 583912891;
    let right = Server::start(move |_| with(RIGHT));
    let wrong = Server::start(move |_| with(RIGHT ^ 1));
    let asked = AtomicUsize::new(0);
    let once = Server::start(move |_| {
        let first = asked.fetch_add(1, Ordering::SeqCst) == 0;
        with(RIGHT ^ u32::from(first))
    });
    at(&right).run(&["scan"]).ok();
    assert_eq!(right.operations().len(), 1);
    at(&once).run(&["scan"]).ok();
    assert_eq!(once.operations().len(), 2);
    let ran = at(&wrong).run(&["scan"]);
    ran.fails_with_hint(1, "the answer was damaged on its way");
    assert_eq!(wrong.operations().len(), 3);
}

/// Scans in so many segments until the 300th request. Returns the peak memory, in KiB, and the most requests at once.
fn scan_in(segments: &str) -> (u64, usize) {
    let process: Arc<OnceLock<u32>> = Arc::default();
    let (peak, most) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicUsize::new(0)));
    let (watched, highest, widest) = (Arc::clone(&process), Arc::clone(&peak), Arc::clone(&most));
    let (asked, now) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let server = Server::start(move |_| {
        widest.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        if let Some(id) = watched.get() {
            highest.fetch_max(resident(*id), Ordering::SeqCst);
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
        now.fetch_sub(1, Ordering::SeqCst);
        if asked.fetch_add(1, Ordering::SeqCst) < 300 {
            return Answer::json(200, r#"{"Items":[],"Count":0,"ScannedCount":0}"#);
        }
        Answer::json(
            400,
            r#"{"__type":"x#ValidationException","message":"enough"}"#,
        )
    });
    let child = at(&server).spawn(&["scan", "--segments", segments]);
    process.set(child.id()).unwrap();
    let ran = Ran::from(child.wait_with_output().unwrap());
    ran.fails(1, "enough");
    (peak.load(Ordering::SeqCst), most.load(Ordering::SeqCst))
}

#[test]
fn a_million_segments_are_read_some_at_once() {
    let (few, _) = scan_in("400");
    let (many, at_once) = scan_in("1000000");
    assert!(at_once <= 64, "{at_once} requests at once");
    assert!(few > 0 && many < few + 32 * 1024, "{few} KiB, {many} KiB");
}

#[test]
fn a_process_that_may_open_no_files_says_so() {
    for files in 4..16 {
        let limited = format!("ulimit -n {files}; exec \"$0\" list-tables");
        let ran: Ran = Command::new("sh")
            .args(["-c", &limited, env!("CARGO_BIN_EXE_ddb")])
            .output()
            .unwrap()
            .into();
        ran.fails_with_hint(1, "Too many open files");
        assert!(!ran.stderr.contains("a fault in this program"), "{ran:?}");
    }
}

/// Runs a command whose output goes to a full disk.
fn on_a_full_disk(tool: &Tool, arguments: &[&str]) -> Ran {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut command = tool.command(arguments);
    command.stdout(full).output().unwrap().into()
}

#[test]
fn what_was_written_is_said_where_the_output_is_lost() {
    let sandbox = Sandbox::new();
    let tool = tool(Door::Front, &sandbox);
    let table = sandbox.table().to_string();
    let talk = ["seed"];
    let text = "not twice";
    let message = ["create-message", text, "--group", GROUP, "--from", "bayko"];
    let begin = [
        "create-conversation",
        "--from",
        "bayko",
        "--to",
        "londo",
        text,
    ];
    for (arguments, done) in [
        (&["schema-load"][..], format!("the table {table}: created")),
        (&["seed", "--dry-run"], "nothing was written".to_owned()),
        (&talk, "messages were written".to_owned()),
        (&message, "the message ".to_owned()),
        (&begin, "the conversation ".to_owned()),
    ] {
        let ran = on_a_full_disk(&tool, arguments);
        ran.fails_with_hint(1, "writing the output: No space left on device");
        assert!(ran.stderr.contains(&done), "{done} in {ran:?}");
        if arguments == message || arguments == begin {
            let shown = tool.run(&["scan", "-o", "jsonl"]).ok();
            let id = ran.stderr.split(&done).nth(1).unwrap();
            let id = id.split(' ').next().unwrap();
            assert!(shown.contains(id), "{id} in {shown}");
        }
    }
    let written = lines(tool.run(&["scan", "-o", "jsonl"]));
    let twice = written.iter().filter(|item| item["message"] == text);
    // A message, and a message with two rows.
    assert_eq!(twice.count(), 4);
    // The message was put, but its rows did not follow.
    let ran = on_a_full_disk(&tool, &["check-conversations", "--repair"]);
    // The findings cannot be shown, so nothing is changed.
    ran.fails_with_hint(1, "nothing was changed");
    let ran = on_a_full_disk(&tool, &["drop", &table]);
    ran.fails_with_hint(1, &format!("the table {table}: dropped"));
}

#[test]
fn a_text_that_shows_nothing_is_blank() {
    let sandbox = block_on(Sandbox::with_table());
    let tool = tool(Door::Front, &sandbox);
    for text in ["\u{200b}", " \u{feff}\u{2060}", "\u{2028}"] {
        let ran = tool.run(&["create-message", text, "--group", GROUP, "--from", "bayko"]);
        ran.fails_with_hint(2, "a message cannot be blank");
    }
}

#[test]
fn separators_of_lines_go_out_raw_nowhere() {
    let server = Server::start(|_| {
        let item = message(WHOLE, "\"one\u{2028}two\u{2029}three\"");
        Answer::json(
            200,
            format!(r#"{{"Items":[{item}],"Count":1,"ScannedCount":1}}"#),
        )
    });
    for form in ["table", "csv", "json", "jsonl", "ddb-json"] {
        for command in ["scan", "get-conversation"] {
            let shown = at(&server).run(&[command, "-o", form]).ok();
            assert!(!shown.contains(['\u{2028}', '\u{2029}']), "{shown:?}");
            assert!(shown.contains("2028") && shown.contains("2029"), "{shown}");
        }
    }
}
