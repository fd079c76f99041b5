//! `create-conversation` and `create-message`.

use std::sync::atomic::{AtomicUsize, Ordering};

use ddb_test_support::aws::{Aws, Backups};
use ddb_test_support::proxy::{Fault, Proxy};
use ddb_test_support::{Door, Sandbox, Tool};
use serde_json::json;

use crate::kills::{block_on, by_way_of, seeded};
use crate::setup::{ANDREW, GROUP, field, lines, one, through_both_doors};

#[tokio::test]
async fn a_conversation_is_begun_and_goes_on() {
    through_both_doors(async |sandbox, tool| {
        let begun = one(tool.run(&[
            "create-conversation",
            "--from",
            "andrewbrown",
            "--to",
            "londo",
            "Ambassador!",
            "-o",
            "jsonl",
        ]));
        let conversation = begun["group_uuid"].as_str().unwrap();
        assert_eq!(
            (&begun["handle"], &begun["display_name"], &begun["message"]),
            (
                &json!("londo"),
                &json!("Londo Mollari"),
                &json!("Ambassador!")
            )
        );
        assert_eq!(
            lines(tool.run(&["list-conversations", "-o", "jsonl"])),
            std::slice::from_ref(&begun)
        );
        assert_eq!(
            field(
                &lines(tool.run(&["list-conversations", "londo", "-o", "jsonl"])),
                "handle"
            ),
            ["andrewbrown"]
        );
        let answer = one(tool.run(&[
            "create-message",
            "--group",
            conversation,
            "--from",
            "londo",
            "Mr. Garibaldi?",
            "-o",
            "jsonl",
        ]));
        assert_eq!(answer["group_uuid"], conversation);
        assert_eq!(
            (&answer["handle"], &answer["message"]),
            (&json!("londo"), &json!("Mr. Garibaldi?"))
        );
        let shown = lines(tool.run(&["get-conversation", conversation, "-o", "jsonl"]));
        assert_eq!(field(&shown, "message"), ["Ambassador!", "Mr. Garibaldi?"]);
        assert_eq!(shown[1], answer, "one message has one form");
        assert_eq!(sandbox.items().await.len(), 4);
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_written_is_refused() {
    through_both_doors(async |sandbox, tool| {
        tool.run(&["seed"]).ok();
        let table = sandbox.items().await;
        let long = "x".repeat(1025);
        let none = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa";
        for (arguments, code, part) in [
            (
                vec![
                    "create-message",
                    "--group",
                    GROUP,
                    "--from",
                    "andrewbrown",
                    " ",
                ],
                2,
                "cannot be blank",
            ),
            (
                vec![
                    "create-message",
                    "--group",
                    GROUP,
                    "--from",
                    "andrewbrown",
                    &long,
                ],
                2,
                "at most 1024",
            ),
            (
                vec!["create-message", "--group", GROUP, "--from", "londo", "hi"],
                2,
                "`londo` is not in",
            ),
            (
                vec!["create-message", "--group", none, "--from", "londo", "hi"],
                4,
                "no conversation aaaaaaaa-",
            ),
            (
                vec!["create-message", "--group", "x", "--from", "londo", "hi"],
                4,
                "no user `x`",
            ),
            (
                vec!["create-message", "--group", GROUP, "--from", "nobody", "hi"],
                4,
                "no user `nobody`",
            ),
            (vec!["create-message", "hi"], 2, "no conversation is named"),
            (
                vec![
                    "create-conversation",
                    "--from",
                    "londo",
                    "--to",
                    "londo",
                    "hi",
                ],
                2,
                "are one person",
            ),
            (
                vec![
                    "create-conversation",
                    "--from",
                    "londo",
                    "--to",
                    "nobody",
                    "hi",
                ],
                4,
                "no user `nobody`",
            ),
            (
                vec![
                    "create-conversation",
                    "--from",
                    "londo",
                    "--to",
                    "bayko",
                    "",
                ],
                2,
                "cannot be blank",
            ),
        ] {
            tool.run(&arguments).fails(code, part);
        }
        let exact = "é".repeat(1024);
        assert_eq!(sandbox.items().await, table);
        tool.run(&[
            "create-message",
            "--group",
            GROUP,
            "--from",
            "bayko",
            &exact,
        ])
        .ok();
    })
    .await;
    let sandbox = Sandbox::new();
    let tool = crate::setup::tool(Door::Own, &sandbox);
    tool.run(&[
        "create-conversation",
        "--from",
        "londo",
        "--to",
        "bayko",
        "hi",
    ])
    .fails_with_hint(4, "ResourceNotFoundException");
}

#[tokio::test]
async fn p05_production_is_asked_first() {
    let sandbox = Sandbox::with_table().await;
    let aws = Aws::in_front_of(&sandbox, Backups::On);
    let tool = Tool::new(env!("CARGO_BIN_EXE_ddb"), Door::Own)
        .with("DDB_MESSAGE_TABLE", sandbox.table().as_str())
        .with("AWS_ACCESS_KEY_ID", "AKIATESTER")
        .with("AWS_SECRET_ACCESS_KEY", "secret");
    tool.file("users.csv", include_str!("../../../../seed-data/users.csv"));
    let options = aws.options();
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let begin = [
        "create-conversation",
        "--from",
        "andrewbrown",
        "--to",
        "londo",
        "hi",
        "--users",
        "users.csv",
    ];
    tool.run(&[&begin, &options[..]].concat())
        .fails_with_hint(2, "this needs confirmation, and there was no answer");
    assert_eq!(aws.writes(), [""; 0]);
    tool.run(&[&begin, &options[..], &["--yes"]].concat()).ok();
    assert_eq!(aws.writes(), ["TransactWriteItems"]);
    let rows =
        lines(tool.run(&[&["scan", "--kind", "group", "-o", "jsonl"], &options[..]].concat()));
    let row = rows
        .iter()
        .find(|row| row["pk"] == format!("GRP#{ANDREW}"))
        .unwrap();
    let conversation = row["message_group_uuid"].as_str().unwrap();
    let write = [
        "create-message",
        "--group",
        conversation,
        "--from",
        "londo",
        "ho",
        "--users",
        "users.csv",
    ];
    tool.run(&[&write, &options[..]].concat())
        .fails_with_hint(2, "this needs confirmation, and there was no answer");
    tool.run(&[&write, &options[..], &["--yes"]].concat()).ok();
    assert_eq!(aws.writes(), ["TransactWriteItems", "PutItem"]);
}

/// A write whose reply is lost is sent again, and is done once.
#[test]
fn p17_a_lost_reply_writes_nothing_twice() {
    let message = "create-message --group 5ae290ed-55d1-47a0-bc6d-fe2bc2700399 --from bayko once";
    let conversation = "create-conversation --from londo --to bayko once";
    for (command, write, items) in [
        (message, "PutItem", 1),
        (conversation, "TransactWriteItems", 3),
    ] {
        let sandbox = seeded();
        let lost = AtomicUsize::new(0);
        let proxy = Proxy::start(&sandbox.url(), move |_, request| {
            let first = request.operation == write && lost.fetch_add(1, Ordering::SeqCst) == 0;
            first.then_some(Fault::ReplyLost)
        });
        let arguments: Vec<&str> = command.split(' ').collect();
        let ran = proxy.run(&by_way_of(&proxy, &sandbox), &arguments);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert_eq!(proxy.injected()[&Fault::ReplyLost], 1);
        let writes = proxy.operations();
        assert_eq!(writes.iter().filter(|name| *name == write).count(), 2);
        assert_eq!(block_on(sandbox.items()).len(), 106 + items, "{command}");
    }
}
