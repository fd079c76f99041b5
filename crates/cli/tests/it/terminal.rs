//! At a terminal: questions and answers, and what is shown there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ddb_test_support::aws::{Aws, Backups};
use ddb_test_support::http::{Server, forward};
use ddb_test_support::{Door, Sandbox, Terminal, Tool};

use crate::setup::{GROUP, tool};

fn at_terminal(sandbox: &Sandbox, aws: &Aws, arguments: &[&str]) -> (Tool, Terminal) {
    let tool = Tool::new(env!("CARGO_BIN_EXE_ddb"), Door::Front)
        .with("DDB_MESSAGE_TABLE", sandbox.table().as_str())
        .with("AWS_ACCESS_KEY_ID", "AKIATESTER")
        .with("AWS_SECRET_ACCESS_KEY", "secret");
    tool.file("users.csv", include_str!("../../../../seed-data/users.csv"));
    let options = aws.options();
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let terminal = tool.at_terminal(&[arguments, &options].concat(), 200);
    (tool, terminal)
}

#[tokio::test]
async fn p06_only_the_typed_name_drops_a_table() {
    let sandbox = Sandbox::with_table().await;
    let table = sandbox.table().to_string();
    let aws = Aws::in_front_of(&sandbox, Backups::Off);
    let question = format!("Type {table} to continue: ");
    for (typed, code) in [
        ("yes\n", 2),
        ("\n", 2),
        ("y\n", 2),
        (&*format!("{}\n", &table[1..]), 2),
        ("\u{4}", 2),
        ("\u{3}", 130),
    ] {
        let (_tool, mut terminal) = at_terminal(&sandbox, &aws, &["drop", &table]);
        terminal.expect("production account 123456789012 eu-central-1");
        terminal.expect("point-in-time recovery is off");
        terminal.expect(&question);
        terminal.enter(typed);
        let (ended, shown) = terminal.end();
        assert_eq!(ended, Some(code), "{typed:?}: {shown}");
        assert_eq!(aws.writes(), [""; 0], "{typed:?}");
    }
    let (_tool, mut terminal) = at_terminal(&sandbox, &aws, &["drop", &table]);
    terminal.expect(&question);
    terminal.enter(&format!("{table}\n"));
    let (ended, shown) = terminal.end();
    assert_eq!(ended, Some(0), "{shown}");
    assert_eq!(aws.writes(), ["DeleteTable"]);
}

/// The table is read again after the question: the answer may take a long time.
#[tokio::test]
async fn p05_what_changed_while_somebody_thought_is_seen() {
    let sandbox = Sandbox::with_table().await;
    let aws = Aws::in_front_of(&sandbox, Backups::On);
    let seed = ["seed", "--users", "users.csv"];
    let (_tool, mut terminal) = at_terminal(&sandbox, &aws, &seed);
    terminal.expect("would be written");
    terminal.expect("Type yes to continue: ");
    tool(Door::Own, &sandbox).run(&["seed"]).ok();
    let seeded = sandbox.items().await;
    terminal.enter("yes\n");
    let (ended, shown) = terminal.end();
    assert_eq!(ended, Some(0), "{shown}");
    assert_eq!(aws.writes(), [""; 0], "nothing was left to write");
    assert_eq!(sandbox.items().await, seeded);
}

#[tokio::test]
async fn p05_only_a_yes_writes() {
    let sandbox = Sandbox::with_table().await;
    let aws = Aws::in_front_of(&sandbox, Backups::On);
    let seed = ["seed", "--users", "users.csv"];
    for (typed, code) in [
        ("no\n", 2),
        ("\n", 2),
        ("yess\n", 2),
        ("\u{4}", 2),
        ("\u{3}", 130),
    ] {
        let (_tool, mut terminal) = at_terminal(&sandbox, &aws, &seed);
        terminal.expect("users file users.csv");
        terminal.expect("Type yes to continue: ");
        terminal.enter(typed);
        let (ended, shown) = terminal.end();
        assert_eq!(ended, Some(code), "{typed:?}: {shown}");
        assert_eq!(aws.writes(), [""; 0], "{typed:?}");
    }
    let (_tool, mut terminal) = at_terminal(&sandbox, &aws, &seed);
    terminal.expect("Type yes to continue: ");
    terminal.enter("yes\n");
    let (ended, shown) = terminal.end();
    assert_eq!(ended, Some(0), "{shown}");
    assert_eq!(sandbox.items().await.len(), 105);
}

/// Cells are cut to the terminal's width, and never inside a grapheme.
#[tokio::test]
async fn p29_a_table_fits_the_terminal() {
    let sandbox = Sandbox::with_table().await;
    let tool = tool(Door::Own, &sandbox);
    let long = "漢字 and 👩‍👩‍👧 and e\u{301}, again and again: ".repeat(8);
    tool.file("talk.txt", format!("Person 1: {long}\nPerson 2: short\n"));
    let into = ["--group-uuid", GROUP];
    tool.run(&[&["seed", "--conversation", "talk.txt"][..], &into].concat())
        .ok();
    for columns in [60, 80, 200] {
        let (code, shown) = tool
            .at_terminal(&["get-conversation", "--no-transcript"], columns)
            .end();
        assert_eq!(code, Some(0));
        let table: Vec<&str> = shown
            .lines()
            .map(|line| line.trim_end_matches('\r'))
            .collect();
        let cut = table.iter().find(|line| line.contains('漢')).unwrap();
        let width = ddb_cli::output::width::of(cut);
        assert!(cut.ends_with('…'), "{cut}");
        assert!(
            (usize::from(columns) - 2..=usize::from(columns)).contains(&width),
            "{width} of {columns}: {cut}"
        );
    }
}

/// At a terminal a conversation reads like a chat; everywhere else it is a table.
#[tokio::test]
async fn p28_p29_a_conversation_reads_like_a_chat() {
    let sandbox = Sandbox::with_table().await;
    let tool = tool(Door::Own, &sandbox);
    let long = "漢字 and 👩‍👩‍👧 and e\u{301}, again and again: ".repeat(8);
    tool.file(
        "talk.txt",
        format!("Person 1: {long}\nPerson 2: \u{1b}[31m\u{202e}red\n"),
    );
    let seed = [
        "seed",
        "--conversation",
        "talk.txt",
        "--group-uuid",
        GROUP,
        "--ends-at",
        "2026-03-22T00:00:30Z",
    ];
    tool.run(&seed).ok();
    for columns in [60, 80, 200] {
        let (code, shown) = tool
            .at_terminal(&["get-conversation", "--color", "never"], columns)
            .end();
        assert_eq!(code, Some(0));
        for part in [
            "── Saturday, 21 March 2026, UTC ─",
            "\r\n23:59  andrewbrown  漢字",
            "── Sunday, 22 March 2026, UTC ─",
            "\r\n00:00  bayko        \\u{1b}[31m\\u{202e}red\r\n",
        ] {
            assert!(shown.contains(part), "{columns} {part}: {shown}");
        }
        let messages = shown.lines().filter(|line| line.contains("again"));
        assert!(messages.clone().count() > 1);
        for line in messages {
            assert!(
                ddb_cli::output::width::of(line) <= usize::from(columns),
                "{line}"
            );
        }
    }
    let table = tool.run(&["get-conversation"]).ok();
    assert!(table.starts_with("time (UTC)"), "{table}");
    let (_, json) = tool
        .at_terminal(&["get-conversation", "-o", "jsonl", "-q"], 80)
        .end();
    assert!(json.starts_with('{'), "{json}");
}

#[tokio::test]
async fn a_transcript_has_colors_unless_they_are_not_wanted() {
    let sandbox = Sandbox::with_table().await;
    let colored = |tool: &Tool, options: &[&str]| {
        let options = [&["get-conversation", "-q"], options].concat();
        let (code, shown) = tool.at_terminal(&options, 80).end();
        assert_eq!(code, Some(0));
        shown.contains("\u{1b}[38;5;")
    };
    let plain = tool(Door::Front, &sandbox);
    plain.run(&["seed"]).ok();
    assert!(colored(&plain, &[]));
    assert!(!colored(&plain, &["--color", "never"]));
    let without = tool(Door::Front, &sandbox).with("NO_COLOR", "1");
    assert!(!colored(&without, &[]));
    assert!(colored(&without, &["--color", "always"]));
    let dumb = tool(Door::Front, &sandbox).with("TERM", "dumb");
    assert!(!colored(&dumb, &[]));
}

/// New messages are drawn like the earlier ones.
#[tokio::test]
async fn a_followed_conversation_goes_on_as_a_chat() {
    let sandbox = Sandbox::with_table().await;
    let tool = tool(Door::Front, &sandbox);
    tool.run(&["seed"]).ok();
    let mut terminal = tool.at_terminal(&["get-conversation", "--follow", "--color", "never"], 80);
    terminal.expect("following");
    let say = [
        "create-message",
        "--group",
        GROUP,
        "--from",
        "bayko",
        "Still there?",
    ];
    tool.run(&say).ok();
    terminal.expect("bayko        Still there?");
    terminal.enter("\u{3}");
    assert_eq!(terminal.end().0, Some(0));
}

/// Colors are for terminals, and for users who want them.
#[test]
fn errors_are_colored_at_a_terminal_only() {
    let sandbox = Sandbox::new();
    let red = "\u{1b}[1;31merror: \u{1b}[0m";
    let colored = |tool: &Tool, options: &[&str]| {
        let (code, shown) = tool
            .at_terminal(&[&["seed", "--me", "nobody"], options].concat(), 80)
            .end();
        assert_eq!(code, Some(4));
        shown.contains(red)
    };
    let plain = tool(Door::Own, &sandbox);
    assert!(colored(&plain, &[]));
    assert!(!colored(&plain, &["--color", "never"]));
    assert!(!colored(
        &tool(Door::Own, &sandbox).with("NO_COLOR", "1"),
        &[]
    ));
    assert!(
        tool(Door::Own, &sandbox)
            .with("CLICOLOR_FORCE", "1")
            .run(&["seed", "--me", "nobody"])
            .stderr
            .contains(red)
    );
    assert!(
        !plain
            .run(&["seed", "--me", "nobody"])
            .stderr
            .contains('\u{1b}')
    );
    assert!(
        plain
            .run(&["seed", "--me", "nobody", "--color", "always"])
            .stderr
            .contains(red)
    );
}

/// The progress of a load is on the last line of a terminal, and is gone when the load ends, however it ends.
#[tokio::test]
async fn progress_leaves_no_trace() {
    const ERASED: &str = "\r\u{1b}[2K";
    let sandbox = Sandbox::with_table().await;
    let engine = sandbox.url();
    let stuck = Arc::new(AtomicBool::new(true));
    let waits = Arc::clone(&stuck);
    let server = Server::start(move |request| {
        while request.operation == "BatchWriteItem" && waits.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(5));
        }
        forward(request, &engine)
    });
    let tool = tool(Door::Own, &sandbox).with("AWS_ENDPOINT_URL_DYNAMODB", &server.url());
    let load = ["seed", "--generate", "300", "--ends-at", "2026-03-22"];

    let mut terminal = tool.at_terminal(&load, 100);
    terminal.expect("0/300");
    terminal.enter("\u{3}");
    let (code, seen) = terminal.end();
    assert_eq!(code, Some(130));
    let (_, after) = seen.rsplit_once("/300").unwrap();
    assert!(after.contains(ERASED), "{after:?}");

    let mut terminal = tool.at_terminal(&load, 100);
    terminal.expect("0/300");
    stuck.store(false, Ordering::SeqCst);
    let (code, seen) = terminal.end();
    assert_eq!(code, Some(0));
    let (_, after) = seen.rsplit_once("/300").unwrap();
    let (_, after) = after.split_once(ERASED).unwrap();
    assert!(after.contains("generated"), "{after:?}");

    let quiet = tool.run(&load);
    assert!(!quiet.stderr.contains("/300") && !quiet.stderr.contains('\u{1b}'));
}
