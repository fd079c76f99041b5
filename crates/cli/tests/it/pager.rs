//! Answers that are longer than the screen go through a pager, and only what is looked at is read.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ddb_test_support::http::{Answer, Server};
use ddb_test_support::{Door, Sandbox, Tool, note};
use serde_json::{Value, json};

use crate::setup::{strings, tool};

/// A pager that shows 20 lines and ends when a line is entered.
const PAGER: &str = "sh pager.sh";
const SCRIPT: &str = "echo a pager\nhead -n 20\nread -r line < /dev/tty\n";

/// A table of 200,000 items, a thousand per page, that counts its pages. With `breaks`, the third page fails.
fn long_table(breaks: bool) -> (Server, Arc<AtomicU64>) {
    let pages = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&pages);
    let server = Server::start(move |request| {
        if request.operation != "Scan" {
            return Answer::json(
                400,
                json!({"__type": "x#UnknownOperationException"}).to_string(),
            );
        }
        let page = counted.fetch_add(1, Ordering::SeqCst);
        if breaks && page == 2 {
            let error = json!({"__type": "x#AccessDeniedException", "message": "no more"});
            return Answer::json(400, error.to_string());
        }
        let item = |n: u64| json!({"pk": {"S": "odd"}, "sk": {"S": format!("{page}-{n}")}});
        let items: Vec<Value> = (0..1_000).map(item).collect();
        let last = match page {
            199 => Value::Null,
            page => json!({"pk": {"S": "odd"}, "sk": {"S": page.to_string()}}),
        };
        let page = json!({"Items": items, "Count": 1_000, "ScannedCount": 1_000, "LastEvaluatedKey": last});
        Answer::json(200, page.to_string())
    });
    (server, pages)
}

fn paged(server: &Server, pager: &str) -> Tool {
    let tool = Tool::new(env!("CARGO_BIN_EXE_ddb"), Door::Front)
        .with("AWS_ENDPOINT_URL_DYNAMODB", &server.url())
        .with("DDB_PAGER", pager);
    tool.file("pager.sh", SCRIPT);
    tool
}

#[test]
fn quitting_the_pager_is_quiet_and_the_rest_is_not_read() {
    let (server, pages) = long_table(false);
    let tool = paged(&server, PAGER);
    let mut terminal = tool.at_terminal(&["scan"], 80);
    terminal.expect("a pager");
    terminal.expect("0-17: its");
    terminal.enter("\n");
    let (code, shown) = terminal.end();
    assert_eq!(code, Some(0), "{shown}");
    for part in ["scanned", "error", "hint", "0-18: its"] {
        assert!(!shown.contains(part), "{part}: {shown}");
    }
    let read = pages.load(Ordering::SeqCst);
    assert!(read <= 2, "{read} pages were read for 20 lines");
}

#[test]
fn less_is_the_pager_where_none_is_named() {
    if !Path::new("/usr/bin/less").exists() {
        return note("there is no less: what it does is not tested");
    }
    let (server, pages) = long_table(false);
    let tool = Tool::new(env!("CARGO_BIN_EXE_ddb"), Door::Front)
        .with("AWS_ENDPOINT_URL_DYNAMODB", &server.url());
    let mut terminal = tool.at_terminal(&["scan"], 80);
    terminal.expect("0-30: its");
    terminal.enter(" ");
    terminal.expect("0-70: its");
    terminal.enter("q");
    let (code, shown) = terminal.end();
    assert_eq!(code, Some(0), "{shown}");
    let read = pages.load(Ordering::SeqCst);
    assert!(read <= 2, "{read} pages were read for two screens");
}

#[test]
fn ctrl_c_belongs_to_the_pager() {
    let (server, _) = long_table(false);
    let tool = paged(&server, "sh trap.sh");
    // A shell handles a signal between two commands, so none of them may wait without end: a signal that came just
    // before a `read` would be handled after it.
    tool.file(
        "trap.sh",
        "trap 'echo it goes on' INT\nhead -n 20\nuntil [ -e closed ]; do sleep 0.1; done\n",
    );
    let mut terminal = tool.at_terminal(&["scan"], 80);
    terminal.expect("0-17: its");
    terminal.enter("\u{3}");
    terminal.expect("it goes on");
    tool.file("closed", "");
    let (code, shown) = terminal.end();
    assert_eq!(code, Some(0), "{shown}");
}

/// Findings and errors are shown after the pager. The exit code is then the command's own.
#[test]
fn an_error_comes_after_the_pager() {
    let (server, _) = long_table(true);
    let tool = paged(&server, "sed -n $p");
    let (code, shown) = tool.at_terminal(&["scan"], 80).end();
    assert_eq!(code, Some(1), "{shown}");
    let last = shown.find("1-999: its").unwrap();
    assert!(shown.find("error: ").unwrap() > last, "{shown}");
}

#[test]
fn a_pager_that_does_not_start_is_a_note() {
    let (server, _) = long_table(false);
    let tool = paged(&server, "no-such-pager --all");
    let (code, shown) = tool.at_terminal(&["scan", "--limit", "100"], 80).end();
    assert_eq!(code, Some(0), "{shown}");
    assert!(
        shown.contains("cannot start the pager `no-such-pager --all`"),
        "{shown}"
    );
    assert!(shown.contains("0-99: its"), "{shown}");
    assert!(shown.contains("--limit ended the scan"), "{shown}");
}

#[test]
fn a_pager_is_for_long_answers_at_a_terminal_alone() {
    let (server, _) = long_table(false);
    let tool = paged(&server, PAGER);
    let is_paged = |tool: &Tool, arguments: &[&str]| {
        let mut terminal = tool.at_terminal(arguments, 80);
        terminal.enter("\n");
        let (code, shown) = terminal.end();
        assert_eq!(code, Some(0), "{shown}");
        shown.contains("a pager")
    };
    assert!(is_paged(&tool, &["scan", "--limit", "100"]));
    assert!(is_paged(&tool, &["scan", "--limit", "100", "-o", "jsonl"]));
    assert!(!is_paged(&tool, &["scan", "--limit", "10"]), "a short one");
    assert!(!is_paged(&tool, &["scan", "--limit", "100", "--no-pager"]));
    assert!(!is_paged(
        &paged(&server, "cat"),
        &["scan", "--limit", "100"]
    ));
    let second = tool.with("DDB_PAGER", "").with("PAGER", PAGER);
    assert!(is_paged(&second, &["scan", "--limit", "100"]));
    let piped = second.run(&["scan", "--limit", "100"]);
    assert!(!piped.ok().contains("a pager"));
}

/// Nobody follows through a pager, and one record is too short to page through.
#[tokio::test]
async fn what_goes_on_and_what_is_short_is_not_paged() {
    let sandbox = Sandbox::with_table().await;
    let tool = tool(Door::Front, &sandbox).with("DDB_PAGER", PAGER);
    tool.file("pager.sh", SCRIPT);
    let (code, shown) = tool.at_terminal(&["seed"], 80).end();
    assert_eq!(code, Some(0));
    assert!(!shown.contains("a pager"), "{shown}");
    let follow = ["get-conversation", "--follow", "--all"];
    let mut terminal = tool.at_terminal(&follow, 80);
    terminal.expect("following");
    terminal.enter("\u{3}");
    let (code, shown) = terminal.end();
    assert_eq!(code, Some(0));
    assert!(!shown.contains("a pager"), "{shown}");
}

/// The line of an item has its time, its conversation, the sender and the text. A row names its two people.
#[tokio::test]
async fn a_scan_can_be_read_at_a_terminal() {
    let sandbox = Sandbox::with_table().await;
    let tool = tool(Door::Front, &sandbox);
    tool.run(&["seed", "--ends-at", "2026-03-22T21:04:00Z"])
        .ok();
    sandbox.put(strings(&[("pk", "x"), ("sk", "y")])).await;
    let scan = ["scan", "--color", "never", "--no-pager"];
    for columns in [80, 120, 200] {
        let (code, shown) = tool.at_terminal(&scan, columns).end();
        assert_eq!(code, Some(0));
        for part in [
            "time (UTC)           conversation  who          text\r\n",
            "2026-03-22 19:23:00  5ae290ed      bayko        Define \"on\"\r\n",
            "2026-03-22 21:04:00  5ae290ed      andrewbrown  [row, with bayko] I see",
            "2026-03-22 21:04:00  5ae290ed      bayko        [row, with andrewbrown] I see",
            "                     unknown       x            y: its `pk`",
        ] {
            assert!(shown.contains(part), "{columns} {part}: {shown}");
        }
        let widest = shown.lines().map(ddb_cli::output::width::of).max();
        assert!(widest.unwrap() <= usize::from(columns), "{shown}");
    }
    let wide = [&scan[..], &["-o", "wide"]].concat();
    let (_, shown) = tool.at_terminal(&wide, 80).end();
    let piped = tool.run(&["scan"]).ok();
    assert!(shown.replace('\r', "").contains(&piped), "{shown}");
    assert!(piped.starts_with("kind"), "{piped}");
}
