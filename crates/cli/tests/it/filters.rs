//! Filters and times: which messages are wanted, in which time zone.

use ddb_test_support::proxy::Proxy;
use ddb_test_support::{Door, Sandbox, Tool};
use serde_json::Value;

use crate::kills::by_way_of;
use crate::setup::{GROUP, document, field, lines, message, strings, through_both_doors, tool};

const DAY: &str = "2026-03-22";

/// Loads five messages at five times, an item of unknown shape, and the rows.
async fn load(sandbox: &Sandbox, tool: &Tool) {
    tool.file(
        "talk.txt",
        "Person 1: I baked a CAKE\nPerson 2: which cake?\nPerson 1: plum\nPerson 2: plum Cake!\nPerson 1: yes\n",
    );
    let seed = ["seed", "--conversation", "talk.txt", "--interval", "1h"];
    let ends = ["--ends-at", "2026-03-22T12:00:00Z", "--group-uuid", GROUP];
    tool.run(&[&seed[..], &ends].concat()).ok();
    let odd = strings(&[
        ("pk", &format!("MSG#{GROUP}")),
        ("sk", "2026-03-22T10:30:00Z"),
        ("message", "a cake of unknown shape"),
        ("user_handle", "bayko"),
    ]);
    sandbox.put(odd).await;
}

#[tokio::test]
async fn messages_are_found_by_text_sender_and_time() {
    through_both_doors(async |sandbox, tool| {
        load(sandbox, tool).await;
        for command in ["get-conversation", "scan"] {
            let texts = |options: &[&str]| {
                let shown = lines(tool.run(&[&[command, "-o", "jsonl"], options].concat()));
                let mut texts: Vec<String> = field(&shown, "message")
                    .into_iter()
                    .map(str::to_owned)
                    .collect();
                texts.sort();
                texts
            };
            assert_eq!(
                texts(&["--contains", "cake"]),
                ["I baked a CAKE", "plum Cake!", "which cake?"]
            );
            assert_eq!(texts(&["--by", "@Bayko"]), ["plum Cake!", "which cake?"]);
            assert_eq!(
                texts(&["--by", "bayko", "--contains", "PLUM"]),
                ["plum Cake!"]
            );
            assert_eq!(
                texts(&["--since", "2026-03-22T10:00:00Z", "--contains", "plum"]),
                ["plum", "plum Cake!"]
            );
            assert_eq!(texts(&["--since", "2026-03-22 11:30"]), ["yes"]);
            assert_eq!(texts(&["--until", "2026-03-22 08:30"]), ["I baked a CAKE"]);
            assert_eq!(texts(&["--contains", "cake", "--limit", "1"]).len(), 1);
            let none = tool.run(&[command, "--contains", "train"]);
            assert!(none.stderr.contains("no messages") || none.stderr.contains("no items"));
            assert_eq!(none.ok(), "");
        }
    })
    .await;
}

/// A limit counts what is kept, and once it is reached nothing more is searched.
#[tokio::test]
async fn a_limit_counts_what_is_kept() {
    let sandbox = Sandbox::with_table().await;
    let tool = tool(Door::Front, &sandbox);
    load(&sandbox, &tool).await;
    let limited = [
        "get-conversation",
        "--contains",
        "cake",
        "--limit",
        "2",
        "-o",
        "json",
    ];
    let shown = document(tool.run(&limited));
    assert_eq!(shown["truncated"], true);
    let texts: Vec<&Value> = shown["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| &item["message"])
        .collect();
    assert_eq!(texts, ["which cake?", "plum Cake!"]);
}

#[tokio::test]
async fn rows_and_unknown_items_are_left_out_unless_they_are_asked_for() {
    through_both_doors(async |sandbox, tool| {
        load(sandbox, tool).await;
        let count = |options: &[&str]| {
            let counted = tool.run(&[&["scan", "--count"], options].concat()).ok();
            let shown = lines(tool.run(&[&["scan", "-o", "jsonl"], options].concat()));
            assert_eq!(counted.trim(), shown.len().to_string(), "{options:?}");
            shown.len()
        };
        assert_eq!(count(&[]), 8);
        assert_eq!(count(&["--since", DAY]), 5);
        assert_eq!(count(&["--since", DAY, "--kind", "group"]), 2);
        assert_eq!(count(&["--contains", "yes", "--kind", "group"]), 2);
        assert_eq!(count(&["--by", "bayko", "--kind", "group"]), 1);
        assert_eq!(count(&["--contains", "CAKE", "--kind", "unknown"]), 1);
        assert_eq!(count(&["--contains", "cake", "--kind", "message"]), 3);
        // Items without a time cannot be compared, and are counted.
        sandbox.put(message("soon", "cake")).await;
        let shown = tool.run(&["scan", "--since", DAY, "--contains", "cake", "--count"]);
        assert!(
            shown
                .stderr
                .contains("1 item was left out: the sort key is not a time")
        );
        assert_eq!(shown.ok().trim(), "3");
    })
    .await;
}

#[tokio::test]
async fn every_form_of_the_output_has_filters() {
    let sandbox = Sandbox::with_table().await;
    let tool = tool(Door::Front, &sandbox);
    load(&sandbox, &tool).await;
    for command in ["scan", "get-conversation"] {
        for form in ["table", "json", "jsonl", "csv", "ddb-json"] {
            let shown = tool
                .run(&[command, "--by", "bayko", "--contains", "cake", "-o", form])
                .ok();
            assert!(
                shown.contains("which cake?") && shown.contains("plum Cake!"),
                "{form}: {shown}"
            );
            assert!(
                !shown.contains("CAKE") && !shown.contains("unknown shape"),
                "{form}: {shown}"
            );
        }
    }
}

#[tokio::test]
async fn a_time_is_that_of_the_zone() {
    let sandbox = Sandbox::with_table().await;
    let plain = tool(Door::Front, &sandbox);
    load(&sandbox, &plain).await;
    let since = |tool: &Tool, options: &[&str]| {
        let get = [
            "get-conversation",
            "--since",
            "2026-03-22 12:00",
            "-o",
            "jsonl",
        ];
        lines(tool.run(&[&get[..], options].concat())).len()
    };
    let berlin = tool(Door::Front, &sandbox).with("DDB_TZ", "Europe/Berlin");
    assert_eq!(since(&plain, &[]), 1);
    assert_eq!(since(&plain, &["--tz", "europe/berlin"]), 2);
    assert_eq!(since(&plain, &["--tz", "Asia/Tokyo"]), 5);
    assert_eq!(since(&berlin, &[]), 2);
    assert_eq!(since(&berlin, &["--tz", "utc"]), 1);
    let tokyo = tool(Door::Front, &sandbox).with("TZ", "Asia/Tokyo");
    assert_eq!(since(&tokyo, &[]), 5);
    assert_eq!(since(&tokyo, &["--tz", "utc"]), 1);
    // A year, and the end of a seed, are the same for everybody unless a zone is given.
    sandbox.put(message("2026-12-31T23:30:00Z", "late")).await;
    let year = |options: &[&str]| {
        let get = ["get-conversation", "--year", "2027", "-o", "jsonl"];
        lines(berlin.run(&[&get[..], options].concat())).len()
    };
    assert_eq!((year(&[]), year(&["--tz", "Europe/Berlin"])), (0, 1));
    let last_at = |options: &[&str]| {
        let seed = ["seed", "--ends-at", DAY, "--dry-run", "-o", "jsonl"];
        let other = ["--group-uuid", "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"];
        let seeded = lines(berlin.run(&[&seed[..], &other, options].concat()));
        seeded[0]["last_at"].as_str().unwrap().to_owned()
    };
    assert_eq!(last_at(&[]), "2026-03-22T00:00:00.000000+00:00");
    assert_eq!(
        last_at(&["--tz", "Europe/Berlin"]),
        "2026-03-21T23:00:00.000000+00:00"
    );
}

/// Tables and transcripts show times in the zone and name it. Output for programs stays as it is stored.
#[tokio::test]
async fn a_time_is_shown_in_the_zone() {
    let sandbox = Sandbox::with_table().await;
    let plain = tool(Door::Front, &sandbox);
    load(&sandbox, &plain).await;
    let berlin = tool(Door::Front, &sandbox).with("DDB_TZ", "Europe/Berlin");
    let newest = ["get-conversation", "--limit", "1"];
    let table = berlin.run(&newest).ok();
    assert!(table.contains("time (Europe/Berlin)"), "{table}");
    assert!(table.contains("2026-03-22 13:00:00"), "{table}");
    let rows = plain
        .run(&["list-conversations", "--tz", "Asia/Tokyo"])
        .ok();
    assert!(rows.contains("last message (Asia/Tokyo)"), "{rows}");
    assert!(rows.contains("2026-03-22 21:00:00"), "{rows}");
    let (code, chat) = berlin.at_terminal(&newest, 80).end();
    assert_eq!(code, Some(0), "{chat}");
    assert!(
        chat.contains("── Sunday, 22 March 2026, Europe/Berlin ─"),
        "{chat}"
    );
    assert!(chat.contains("13:00"), "{chat}");
    for form in ["json", "jsonl", "csv", "ddb-json"] {
        let command = ["get-conversation", "--all", "-o", form];
        assert_eq!(
            berlin.run(&command).ok(),
            plain.run(&command).ok(),
            "{form}"
        );
    }
}

#[tokio::test]
async fn what_is_malformed_is_said_with_an_example() {
    let sandbox = Sandbox::with_table().await;
    let tool = tool(Door::Front, &sandbox);
    for (options, part) in [
        (
            &["--since", "someday"][..],
            "use 2026-03-22, '2026-03-22 10:30'",
        ),
        (&["--since", "25:00"], "not a time"),
        (&["--tz", "Europe/Brelin"], "similar: Europe/Berlin"),
        (
            &["--tz", "0815"],
            "use utc, local or a name such as Europe/Berlin",
        ),
        (&["--contains", ""], "use a word such as cake"),
        (&["--by", "@"], "use one such as bayko or @bayko"),
        (
            &["--since", "2026-03-29 02:30", "--tz", "Europe/Berlin"],
            "--since: 2026-03-29 02:30:00 did not exist in Europe/Berlin",
        ),
        (
            &["--since", "2026-03-22", "--until", "2026-03-21"],
            "is later than --until",
        ),
    ] {
        tool.run(&[&["scan"], options].concat())
            .fails_with_hint(2, part);
        tool.run(&[&["get-conversation"], options].concat())
            .fails_with_hint(2, part);
    }
    let wrong = tool.with("DDB_TZ", "Mars/Olympus");
    wrong
        .run(&["scan"])
        .fails(2, "DDB_TZ: no time zone `Mars/Olympus`");
    // Commands that show no time do not read the zone.
    wrong.run(&["list-tables"]).ok();
}

/// Reading the newest few since a time takes one small page.
#[tokio::test]
async fn a_limit_and_a_beginning_cost_what_they_show() {
    let sandbox = Sandbox::with_table().await;
    let seeder = tool(Door::Front, &sandbox);
    seeder
        .run(&["seed", "--ends-at", "2026-03-22T12:00:00Z"])
        .ok();
    let proxy = Proxy::start(&sandbox.url(), |_, _| None);
    let tool = by_way_of(&proxy, &sandbox);
    let newest = [
        "get-conversation",
        "--since",
        DAY,
        "--limit",
        "5",
        "-o",
        "json",
    ];
    let shown = document(proxy.run(&tool, &newest));
    assert_eq!(shown["items"].as_array().unwrap().len(), 5);
    assert_eq!(shown["truncated"], true);
    assert_eq!(shown["scanned_count"], 6);
    assert_eq!(shown["consumed_capacity"], 0.5);
    assert_eq!(proxy.operations(), ["Query"]);
}
