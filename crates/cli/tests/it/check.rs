//! `check-conversations`: a table as the old scripts left it, and what happens to it.

use aws_sdk_dynamodb::types::AttributeValue;
use ddb_core::item::{MAX_SIZE, RawItem, size};
use ddb_test_support::aws::{Aws, Backups};
use ddb_test_support::{Door, Sandbox, Tool};
use serde_json::{Value, json};

use crate::setup::{ANDREW, BAYKO, GROUP, lines, message, strings, through_both_doors, tool};

const LAST: &str = "2026-03-22T08:35:09.123456+00:00";
const LONDO: &str = "e94a2b70-3c5d-4f18-b6c9-08d7f1a5e264";

fn conversation(n: u8) -> String {
    format!("aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaa{n:02}")
}

fn person(id: &str) -> (&'static str, &'static str) {
    match id {
        ANDREW => ("Andrew Brown", "andrewbrown"),
        BAYKO => ("Andrew Bayko", "bayko"),
        _ => ("Londo Mollari", "londo"),
    }
}

fn row(owner: &str, other: &str, conversation: &str, sk: &str, text: &str) -> RawItem {
    let (name, handle) = person(other);
    strings(&[
        ("pk", &format!("GRP#{owner}")),
        ("sk", sk),
        ("message_group_uuid", conversation),
        ("message", text),
        ("user_uuid", other),
        ("user_display_name", name),
        ("user_handle", handle),
    ])
}

fn said(conversation: &str, sk: &str, from: &str, text: &str) -> RawItem {
    let (name, handle) = person(from);
    let mut item = message(sk, text);
    for (attribute, value) in [
        ("pk", format!("MSG#{conversation}")),
        ("user_uuid", from.to_owned()),
        ("user_display_name", name.to_owned()),
        ("user_handle", handle.to_owned()),
    ] {
        item.insert(attribute.to_owned(), AttributeValue::S(value));
    }
    item
}

fn check(tool: &Tool, options: &[&str]) -> (Option<i32>, Vec<Value>, String) {
    let ran = tool.run(&[&["check-conversations", "-o", "jsonl"], options].concat());
    let found = ran
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    (ran.code, found, ran.stderr)
}

fn of<'f>(found: &'f [Value], rule: Option<&str>) -> Vec<&'f Value> {
    found
        .iter()
        .filter(|finding| finding["rule"] == json!(rule))
        .collect()
}

/// Returns a different time for each conversation, since rows of one person cannot share one.
fn last(n: u8) -> String {
    format!("2026-03-22T08:35:09.1234{n:02}+00:00")
}

/// Puts a conversation whose rows are correct.
async fn sound(sandbox: &Sandbox, conversation: &str) {
    sound_at(sandbox, conversation, LAST).await;
}

async fn sound_at(sandbox: &Sandbox, conversation: &str, last: &str) {
    sandbox
        .put(said(
            conversation,
            "2026-03-22T08:34:09.123456+00:00",
            BAYKO,
            "first",
        ))
        .await;
    sandbox.put(said(conversation, last, ANDREW, "last")).await;
    sandbox
        .put(row(ANDREW, BAYKO, conversation, last, "last"))
        .await;
    sandbox
        .put(row(BAYKO, ANDREW, conversation, last, "last"))
        .await;
}

#[tokio::test]
async fn p16_a_table_as_the_old_scripts_left_it() {
    through_both_doors(async |sandbox, tool| {
        // The old seed wrote a filler text and its own time into the rows, one more row each run, in naive local time
        // that may be in the future.
        sandbox
            .put(said(GROUP, "2023-05-01T10:00:00.000001", ANDREW, "hello"))
            .await;
        sandbox
            .put(said(GROUP, "2023-05-01T10:01:00.000001", BAYKO, "hi there"))
            .await;
        for (owner, other) in [(ANDREW, BAYKO), (BAYKO, ANDREW)] {
            sandbox
                .put(row(
                    owner,
                    other,
                    GROUP,
                    "2023-05-01T12:00:00.000002",
                    "this is a filler message",
                ))
                .await;
            sandbox
                .put(row(
                    owner,
                    other,
                    GROUP,
                    "2099-05-01T12:00:00.000002",
                    "this is a filler message",
                ))
                .await;
        }
        let (code, found, _) = check(tool, &[]);
        assert_eq!(code, Some(3));
        // One finding per rule and conversation, the worst first.
        let folded = found
            .iter()
            .map(|f| (f["rule"].as_str().unwrap(), &f["items"]));
        let items = [json!(2), json!(2), json!(6)];
        assert_eq!(
            folded.collect::<Vec<_>>(),
            [
                ("row-doubled", &items[0]),
                ("row-behind", &items[1]),
                ("time-form", &items[2])
            ]
        );
        assert!(found.iter().all(|finding| finding["repaired"] == false));

        let (code, findings, said) = check(tool, &["--repair"]);
        assert_eq!(code, Some(3), "naive times stay, and are said");
        assert!(
            of(&findings, Some("row-behind"))
                .iter()
                .chain(&of(&findings, Some("row-doubled")))
                .all(|f| f["repaired"] == true)
        );
        assert!(
            of(&findings, Some("time-form"))
                .iter()
                .all(|finding| finding["repaired"] == false)
        );
        assert!(said.contains("  row-doubled, conversation "), "{said}");
        assert!(said.contains("    deletes row of "), "{said}");
        assert!(said.contains("    puts row of "), "{said}");
        let rows = lines(tool.run(&["scan", "--kind", "group", "-o", "jsonl"]));
        assert_eq!(rows.len(), 2);
        for row in &rows {
            assert_eq!(
                (&row["message"], &row["sk"]),
                (&json!("hi there"), &json!("2023-05-01T10:01:00.000001"))
            );
        }
        let (_, left, _) = check(tool, &[]);
        assert_eq!(left.len(), of(&left, Some("time-form")).len(), "{left:?}");
    })
    .await;
}

#[tokio::test]
async fn a_sound_table_is_said_to_be_sound() {
    through_both_doors(async |sandbox, tool| {
        tool.run(&["seed"]).ok();
        sound(sandbox, &conversation(1)).await;
        let table = sandbox.items().await;
        for options in [&[][..], &["--repair"], &["--repair", "--names"]] {
            let (code, found, said) = check(tool, options);
            assert_eq!((code, found.len()), (Some(0), 0), "{found:?}");
            assert!(said.contains("0 findings"), "{said}");
        }
        assert_eq!(sandbox.items().await, table);
    })
    .await;
}

#[tokio::test]
async fn each_broken_thing_is_reported_and_repaired_where_that_can_be() {
    let sandbox = Sandbox::with_table().await;
    let tool = tool(Door::Own, &sandbox);
    // 1: a lost row, of somebody who wrote. 2: a lost row of somebody who did not. 3: both lost, two
    // senders. 4: both lost, one sender. 5: a stale preview. 6: a strange sort key. 7: rows alone.
    for n in 1..=3 {
        sandbox
            .put(said(
                &conversation(n),
                "2026-03-22T08:34:09.123456+00:00",
                BAYKO,
                "first",
            ))
            .await;
        sandbox
            .put(said(
                &conversation(n),
                &last(n),
                ANDREW,
                &format!("last {n}"),
            ))
            .await;
    }
    sandbox
        .put(row(BAYKO, ANDREW, &conversation(1), &last(1), "last 1"))
        .await;
    sandbox
        .delete(&said(
            &conversation(2),
            "2026-03-22T08:34:09.123456+00:00",
            BAYKO,
            "",
        ))
        .await;
    sandbox
        .put(row(ANDREW, LONDO, &conversation(2), &last(2), "last 2"))
        .await;
    sandbox
        .put(said(&conversation(4), &last(4), ANDREW, "monologue"))
        .await;
    sound_at(&sandbox, &conversation(5), &last(5)).await;
    let stale = "2026-03-22T08:00:00.000000+00:00";
    sandbox
        .delete(&row(BAYKO, ANDREW, &conversation(5), &last(5), ""))
        .await;
    sandbox
        .put(row(BAYKO, ANDREW, &conversation(5), stale, "older"))
        .await;
    sandbox
        .put(said(&conversation(6), "soon", BAYKO, "strange"))
        .await;
    sandbox
        .put(row(ANDREW, BAYKO, &conversation(6), "soon", "strange"))
        .await;
    sandbox
        .put(row(BAYKO, ANDREW, &conversation(6), "soon", "strange"))
        .await;
    sandbox
        .put(row(LONDO, ANDREW, &conversation(7), stale, "stray"))
        .await;
    let mut odd = strings(&[("pk", "ODD#1"), ("sk", "1")]);
    let digits = "12345678901234567890123456789012345678".to_owned();
    odd.insert("digits".to_owned(), AttributeValue::N(digits));
    odd.insert(
        "set".to_owned(),
        AttributeValue::Ss(vec!["a".to_owned(), "b".to_owned()]),
    );
    sandbox.put(odd.clone()).await;

    let (code, found, _) = check(&tool, &[]);
    assert_eq!(code, Some(3));
    let lost = |n: u8| -> Vec<&Value> {
        let of_conversation = of(&found, Some("row-missing")).into_iter();
        of_conversation
            .filter(|finding| finding["group_uuid"] == conversation(n))
            .collect()
    };
    assert_eq!(
        [1, 2, 3, 4].map(|n| lost(n).len()),
        [1, 1, 1, 1],
        "{found:?}"
    );
    assert_eq!(lost(1)[0]["pk"], format!("GRP#{ANDREW}"));
    assert_eq!(lost(2)[0]["pk"], format!("GRP#{LONDO}"));
    assert_eq!(lost(3)[0]["items"], 2);
    let stale_rows: Vec<&Value> = [
        of(&found, Some("row-behind")),
        of(&found, Some("row-stray")),
    ]
    .concat()
    .into_iter()
    .map(|finding| &finding["group_uuid"])
    .collect();
    assert_eq!(
        stale_rows,
        [&json!(conversation(5)), &json!(conversation(7))]
    );
    let unreadable = of(&found, Some("time-unreadable"));
    assert_eq!((unreadable.len(), &unreadable[0]["items"]), (1, &json!(3)));
    assert_eq!(unreadable[0]["repair"], Value::Null);
    let unknown = of(&found, None);
    assert_eq!((unknown.len(), &unknown[0]["pk"]), (1, &json!("ODD#1")));

    let (code, findings, said) = check(&tool, &["--repair"]);
    assert_eq!(code, Some(3), "what cannot be repaired is left");
    assert!(
        said.contains(&format!(
            "{} is left as it is: its messages do not have exactly two senders",
            conversation(4)
        )),
        "{said}"
    );
    assert!(
        said.contains(&format!(
            "{} is left as it is: there is no message",
            conversation(7)
        )),
        "{said}"
    );
    let repaired = findings
        .iter()
        .filter(|finding| finding["repaired"] == true)
        .count();
    assert_eq!(repaired, 4);
    assert!(
        sandbox.items().await.contains(&odd),
        "the rest is untouched"
    );
    for n in [1, 3, 5] {
        let text = if n == 5 {
            "last".to_owned()
        } else {
            format!("last {n}")
        };
        for (owner, other) in [(ANDREW, BAYKO), (BAYKO, ANDREW)] {
            let listed =
                lines(tool.run(&["list-conversations", "--user-uuid", owner, "-o", "jsonl"]));
            let own = listed
                .iter()
                .find(|row| row["group_uuid"] == conversation(n))
                .unwrap();
            assert_eq!(
                (&own["message"], &own["handle"]),
                (&json!(text), &json!(person(other).1))
            );
        }
    }
    let (_, left, _) = check(&tool, &["--repair"]);
    assert_eq!(
        left.len(),
        findings.len() - repaired,
        "a second repair finds nothing more to repair"
    );
}

#[tokio::test]
async fn names_are_reported_and_repaired_on_demand() {
    let sandbox = Sandbox::with_table().await;
    let tool = tool(Door::Own, &sandbox);
    sound(&sandbox, &conversation(1)).await;
    let mut users = include_str!("../../../../seed-data/users.csv").to_owned();
    users = users.replace("Andrew Bayko,bayko", "Andrew B.,bayko");
    tool.file("users.csv", users);
    let named = ["--users", "users.csv"];
    let (code, found, _) = check(&tool, &named);
    assert_eq!((code, found.len()), (Some(3), 1), "{found:?}");
    assert_eq!(
        (&found[0]["rule"], &found[0]["items"]),
        (&json!("name-stale"), &json!(2))
    );
    assert_eq!(
        check(&tool, &[&named[..], &["--repair"]].concat()).0,
        Some(3),
        "only with --names"
    );
    let (code, findings, said) = check(&tool, &[&named[..], &["--repair", "--names"]].concat());
    assert_eq!(
        (code, &findings[0]["repaired"]),
        (Some(0), &json!(true)),
        "{said}"
    );
    assert_eq!(check(&tool, &named).0, Some(0));
    tool.run(&["check-conversations", "--names"])
        .fails(2, "--repair");
}

#[tokio::test]
async fn p05_production_is_asked_before_it_is_repaired() {
    let sandbox = Sandbox::with_table().await;
    sound(&sandbox, &conversation(1)).await;
    sandbox
        .delete(&row(BAYKO, ANDREW, &conversation(1), LAST, ""))
        .await;
    let aws = Aws::in_front_of(&sandbox, Backups::On);
    let prod = Tool::new(env!("CARGO_BIN_EXE_ddb"), Door::Own)
        .with("DDB_MESSAGE_TABLE", sandbox.table().as_str())
        .with("AWS_ACCESS_KEY_ID", "AKIATESTER")
        .with("AWS_SECRET_ACCESS_KEY", "secret");
    let options = aws.options();
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let (code, found, said) = check(&prod, &options);
    assert_eq!((code, found.len()), (Some(3), 1));
    assert!(said.contains("names are not checked"), "{said}");
    let repair = [&["--repair"], &options[..]].concat();
    let (code, _, said) = check(&prod, &repair);
    assert_eq!(code, Some(2), "{said}");
    assert_eq!(aws.writes(), [""; 0]);
    assert_eq!(check(&prod, &[&repair[..], &["--yes"]].concat()).0, Some(0));
    assert_eq!(aws.writes(), ["TransactWriteItems"]);
    assert_eq!(sandbox.items().await.len(), 4);
}

/// A message of an old tool may be so long that its row is too large. It holds up no other conversation.
#[tokio::test]
async fn a_conversation_that_cannot_be_repaired_holds_up_no_other() {
    through_both_doors(async |sandbox, tool| {
        let (bad, good) = (conversation(1), conversation(2));
        let mut long = said(&bad, &last(1), ANDREW, "");
        long.insert(
            "message".to_owned(),
            AttributeValue::S("x".repeat(MAX_SIZE - size(&long))),
        );
        sandbox.put(long).await;
        sandbox
            .put(row(
                ANDREW,
                BAYKO,
                &bad,
                "2026-03-22T08:00:00.000001+00:00",
                "old",
            ))
            .await;
        sandbox
            .put(row(
                BAYKO,
                ANDREW,
                &bad,
                "2026-03-22T08:00:00.000001+00:00",
                "old",
            ))
            .await;
        sandbox.put(said(&good, &last(2), ANDREW, "new")).await;
        sandbox
            .put(row(
                ANDREW,
                BAYKO,
                &good,
                "2026-03-22T08:00:00.000002+00:00",
                "old",
            ))
            .await;
        sandbox
            .put(row(
                BAYKO,
                ANDREW,
                &good,
                "2026-03-22T08:00:00.000002+00:00",
                "old",
            ))
            .await;

        let repair = tool.run(&["check-conversations", "--repair"]);
        assert!(
            repair.stderr.contains(&format!("{bad} is left as it is: ")),
            "{repair:?}"
        );
        assert!(repair.stderr.lines().all(|line| line.len() < 1000));
        repair.fails(5, "1 conversation could not be repaired");
        let (code, found, _) = check(tool, &[]);
        assert_eq!(code, Some(3));
        assert!(
            found.iter().all(|finding| finding["group_uuid"] == *bad),
            "{found:?}"
        );

        sandbox.put(said(&good, &last(3), BAYKO, "newer")).await;
        let sync = tool.run(&["sync-conversations", "--once"]);
        assert!(
            sync.stderr.contains(&format!("{bad} is left as it is: ")),
            "{sync:?}"
        );
        sync.fails(5, "1 conversation could not be synced");
        let (_, found, _) = check(tool, &[]);
        assert!(
            found.iter().all(|finding| finding["group_uuid"] == *bad),
            "{found:?}"
        );
    })
    .await;
}
