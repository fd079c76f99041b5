//! `seed`: files, speakers, times, and what is refused.

use std::collections::BTreeSet;

use ddb_test_support::{Door, Ran, Sandbox};
use serde_json::{Value, json};

use crate::setup::{ANDREW, BAYKO, GROUP, field, lines, message, one, through_both_doors, tool};

const OF_TALK: &str = "05081070-cdca-5769-9340-1fc231e3d98f";
const PAST: &str = "2026-03-22T08:35:09.123456+00:00";

/// Several people, or a script in a loop, seed at the same time.
#[tokio::test]
async fn p13_seeds_at_once_are_one_seed() {
    through_both_doors(async |sandbox, tool| {
        let running: Vec<_> = (0..4).map(|_| tool.spawn(&["seed"])).collect();
        for child in running {
            Ran::from(child.wait_with_output().unwrap()).ok();
        }
        let table = sandbox.items().await;
        let ids: BTreeSet<&String> = table
            .iter()
            .filter_map(|item| item.get("message_uuid")?.as_s().ok())
            .collect();
        assert_eq!(
            table.len(),
            ids.len() + 2,
            "each message once, and two rows"
        );
        let again = one(tool.run(&["seed", "-o", "jsonl"]));
        assert_eq!(again["written"], 0);
        assert_eq!(again["messages"], ids.len());
        assert_eq!(sandbox.items().await, table);
        assert_eq!(tool.run(&["check-conversations"]).ok(), "");
    })
    .await;
}

/// Two files for one conversation, with the same times.
#[tokio::test]
async fn p17_two_files_seeded_at_once_lose_no_message() {
    through_both_doors(async |sandbox, tool| {
        for of in ["one", "two"] {
            let text: String = (0..100)
                .map(|n| format!("Person {}: {of} {n}\n", n % 2 + 1))
                .collect();
            tool.file(of, &text);
        }
        let running = ["one", "two"].map(|file| {
            tool.spawn(&[
                "seed",
                "--conversation",
                file,
                "--group-uuid",
                GROUP,
                "--ends-at",
                PAST,
            ])
        });
        for child in running {
            Ran::from(child.wait_with_output().unwrap()).ok();
        }
        let table = sandbox.items().await;
        assert_eq!(table.len(), 202);
        assert_eq!(tool.run(&["check-conversations"]).ok(), "");
    })
    .await;
}

#[tokio::test]
async fn the_built_in_conversation_is_complete_and_true() {
    through_both_doors(async |sandbox, tool| {
        let before = chrono::Utc::now().to_rfc3339();
        let seeded = one(tool.run(&["seed", "-o", "jsonl"]));
        let after = chrono::Utc::now().to_rfc3339();
        assert_eq!(seeded["group_uuid"], GROUP);
        assert_eq!(seeded["users_source"], "built-in");
        let messages = seeded["messages"].as_u64().unwrap();
        assert!(messages >= 100);
        assert_eq!(
            (&seeded["written"], &seeded["unchanged"]),
            (&json!(messages), &json!(0))
        );
        let last_at = seeded["last_at"].as_str().unwrap();
        assert!(
            before.as_str() <= last_at && last_at <= after.as_str(),
            "{before} {last_at} {after}"
        );

        let items = lines(tool.run(&["scan", "-o", "jsonl"]));
        let of =
            |kind: &str| -> Vec<&Value> { items.iter().filter(|i| i["kind"] == kind).collect() };
        let (said, rows) = (of("message"), of("group"));
        assert_eq!(
            (said.len() as u64, rows.len(), items.len() as u64),
            (messages, 2, messages + 2)
        );
        for message in &said {
            assert!(message.get("message_group_uuid").is_none());
            assert!(
                message["sk"].as_str().unwrap() <= last_at,
                "nothing is in the future"
            );
            let handle = message["user_handle"].as_str().unwrap();
            let id = if handle == "bayko" { BAYKO } else { ANDREW };
            assert_eq!(message["user_uuid"], id);
        }
        let last = said
            .iter()
            .max_by_key(|m| m["sk"].as_str().unwrap().to_owned())
            .unwrap();
        for (row, (mine, other)) in rows.iter().zip([(ANDREW, BAYKO), (BAYKO, ANDREW)]) {
            let other = if row["pk"] == format!("GRP#{mine}") {
                other
            } else {
                mine
            };
            assert_eq!(row["user_uuid"], other);
            assert_eq!(
                (&row["sk"], &row["message"]),
                (&last["sk"], &last["message"])
            );
        }
        let index = sandbox
            .client()
            .query()
            .table_name(sandbox.table().as_str())
            .index_name("message-group-sk-index")
            .key_condition_expression("message_group_uuid = :g")
            .expression_attribute_values(
                ":g",
                aws_sdk_dynamodb::types::AttributeValue::S(GROUP.to_owned()),
            )
            .send()
            .await
            .unwrap();
        assert_eq!(index.count, 2);

        let table = sandbox.items().await;
        let again = one(tool.run(&["seed", "-o", "jsonl"]));
        assert_eq!(
            (&again["written"], &again["unchanged"]),
            (&json!(0), &json!(messages))
        );
        assert_eq!(sandbox.items().await, table, "a second run changes nothing");
    })
    .await;
}

#[tokio::test]
async fn a_file_is_loaded_line_by_line() {
    through_both_doors(async |_, tool| {
        let file = "# title\nPerson 1: one\n\nlondo: Person 1: two\nPerson 2: three \u{1f600}\nThe Boss: four\n";
        tool.file("talk.txt", file);
        let seed = |more: &[&str]| {
            let options = [
                "seed", "--conversation", "talk.txt", "--me", "altbrown", "--other", "londo",
                "--speaker", "The Boss=altbrown", "--ends-at", PAST, "--interval", "90s", "-o", "jsonl",
            ];
            one(tool.run(&[&options, more].concat()))
        };
        let dry = seed(&["--dry-run"]);
        assert_eq!(dry["written"], 4);
        assert_eq!(lines(tool.run(&["scan", "-o", "jsonl"])).len(), 0, "a dry run writes nothing");

        let seeded = seed(&[]);
        assert_eq!(seeded["first_at"], "2026-03-22T08:30:39.123456+00:00");
        assert_eq!(seeded["last_at"], PAST);
        // Python's uuid.uuid5(uuid.UUID(GROUP), f"{ALTBROWN}\n{LONDO}\ntalk.txt").
        let id = seeded["group_uuid"].as_str().unwrap();
        assert_eq!(id, OF_TALK);
        let shown = lines(tool.run(&["get-conversation", id, "-o", "jsonl"]));
        assert_eq!(field(&shown, "message"), ["one", "Person 1: two", "three \u{1f600}", "four"]);
        assert_eq!(field(&shown, "handle"), ["altbrown", "londo", "londo", "altbrown"]);
        assert_eq!(
            field(&shown, "created_at"),
            ["08:30:39", "08:32:09", "08:33:39", "08:35:09"].map(|t| format!("2026-03-22T{t}.123456+00:00"))
        );
        assert_eq!(seed(&[])["unchanged"], 4);
    })
    .await;
}

#[tokio::test]
async fn what_is_wrong_with_a_file_is_named_and_nothing_is_written() {
    let sandbox = Sandbox::with_table().await;
    let tool = tool(Door::Front, &sandbox);
    tool.file(
        "no-speaker.txt",
        "Person 1: fine\nthis line has no speaker\n",
    );
    tool.file("third.txt", "Person 1: fine\n\nPerson 3: hello\n");
    tool.file("latin1.txt", b"Person 1: fine\nPerson 2: caf\xe9\n");
    tool.file("empty.txt", "# nothing\n");
    tool.file("wild\u{1b}[31m.txt", "oops\n");
    for (file, part) in [
        ("no-speaker.txt", "no-speaker.txt, line 2: no speaker"),
        ("third.txt", "third.txt, line 3: `Person 3` is neither"),
        ("latin1.txt", "latin1.txt, line 2: not UTF-8"),
        ("empty.txt", "the file has no messages"),
        ("wild\u{1b}[31m.txt", "wild\\u{1b}[31m.txt, line 1"),
    ] {
        tool.run(&["seed", "--conversation", file])
            .fails_with_hint(2, part);
    }
    tool.run(&["seed", "--conversation", "absent.txt"])
        .fails_with_hint(4, "absent.txt");
    assert!(sandbox.items().await.is_empty());
}

#[tokio::test]
async fn wrong_people_times_and_ids_are_refused() {
    let sandbox = Sandbox::with_table().await;
    let tool = tool(Door::Own, &sandbox);
    for (options, code, part) in [
        (vec!["--me", "bayko"], 2, "both `bayko`"),
        (vec!["--me", "nobody"], 4, "no user `nobody`"),
        (vec!["--other", "prod"], 4, "no user `prod`"),
        (
            vec!["--group-uuid", "5ae290ed55d147a0bc6dfe2bc2700399"],
            2,
            "with hyphens",
        ),
        (vec!["--ends-at", "2999-01-01"], 2, "later than now"),
        (vec!["--ends-at", "someday"], 2, "not a time"),
        (vec!["--interval", "0s"], 2, "at least 1us"),
        (vec!["--interval", "5"], 2, "not a duration"),
        (vec!["--interval", "999y"], 2, "outside the years"),
        (vec!["--speaker", "Bob"], 2, "NAME=HANDLE"),
        (vec!["--speaker", "Bob=londo"], 2, "neither --me"),
        (vec!["--users", "absent.csv"], 4, "absent.csv"),
    ] {
        tool.run(&[&["seed"], &options[..]].concat())
            .fails(code, part);
    }
    assert!(sandbox.items().await.is_empty());
}

#[tokio::test]
async fn users_come_from_the_file_that_is_named() {
    let sandbox = Sandbox::with_table().await;
    let tool = tool(Door::Own, &sandbox);
    let id = "0a0a0a0a-0a0a-4a0a-8a0a-0a0a0a0a0a0a";
    let header = "uuid,display_name,handle,email,cognito_user_id";
    tool.file(
        "u.csv",
        format!("{header}\n{id},Ann,andrewbrown,,\n{BAYKO},Bo,bayko,,\n"),
    );
    let seeded = one(tool.run(&["seed", "--users", "u.csv", "-o", "jsonl"]));
    assert_eq!(seeded["users_source"], "file u.csv");
    let rows = lines(tool.run(&["scan", "--kind", "group", "-o", "jsonl"]));
    assert!(field(&rows, "pk").contains(&format!("GRP#{id}").as_str()));
    // The built-in users have other ids, so the conversation is not theirs.
    tool.run(&["seed"])
        .fails_with_hint(2, "belongs to other users");

    tool.file(
        "twins.csv",
        format!("{header}\n{id},A,bayko,,\n{BAYKO},B,bayko,,\n{ANDREW},C,andrewbrown,,\n"),
    );
    tool.run(&["seed", "--users", "twins.csv"])
        .fails_with_hint(2, "`bayko` has 2 users");
}

/// A state that the contract names: an edited file.
#[tokio::test]
async fn an_edited_file_is_refused_with_a_way_out() {
    let sandbox = Sandbox::with_table().await;
    let tool = tool(Door::Own, &sandbox);
    tool.file("a.txt", "Person 1: one\nPerson 2: two\n");
    let seed = ["seed", "--conversation", "a.txt", "--ends-at", PAST];
    tool.run(&seed).ok();
    tool.file("a.txt", "Person 1: one\nPerson 2: two, edited\n");
    let ran = tool.run(&seed);
    ran.fails_with_hint(2, "taken by another message");
    assert!(ran.stderr.contains("--group-uuid"), "{}", ran.stderr);
    assert!(ran.stderr.contains("--replace"), "{}", ran.stderr);
    assert_eq!(sandbox.items().await.len(), 4);
    tool.run(
        &[
            &seed[..],
            &["--group-uuid", "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"],
        ]
        .concat(),
    )
    .ok();
    // Both conversations of the user end at the same instant, and both stay listed.
    let listed = lines(tool.run(&["list-conversations", "-o", "jsonl"]));
    assert_eq!(listed.len(), 2);
}

/// A file is seeded, a person writes to the conversation, and the file is edited: planned, replaced and undone.
#[tokio::test]
async fn an_edited_file_is_brought_into_the_table_and_back() {
    through_both_doors(async |sandbox, tool| {
        tool.file("a.txt", "Person 1: one\nPerson 2: two\nPerson 1: three\n");
        let seed = ["seed", "--conversation", "a.txt"];
        let ran = tool.run(&[&seed[..], &["--ends-at", PAST, "-o", "jsonl"]].concat());
        let id = one(ran)["group_uuid"].as_str().unwrap().to_owned();
        tool.run(&[
            "create-message",
            "--group",
            &id,
            "--from",
            "bayko",
            "by hand",
        ])
        .ok();
        let before = sandbox.items().await;
        tool.file("a.txt", "Person 1: one\nPerson 2: zwei\n");
        let replace = [&seed[..], &["--replace"]].concat();
        let dry = tool.run(&[&replace[..], &["--dry-run"]].concat());
        assert!(
            dry.stderr.contains("no longer in the file: 2 messages"),
            "{dry:?}"
        );
        assert!(
            dry.stderr
                .contains("written by others, and kept: 1 message"),
            "{dry:?}"
        );
        // Two messages change, and both rows move to the message written by hand, where nothing has moved them yet.
        assert!(dry.stderr.contains("plan: 6 changes in 2 steps"), "{dry:?}");
        assert!(dry.stderr.contains("nothing was changed"), "{dry:?}");
        assert_eq!(dry.ok(), "");
        tool.run(&[&replace[..], &["--plan", "p"]].concat()).ok();
        assert_eq!(sandbox.items().await, before);
        let ran = tool.run(&[&replace[..], &["--receipt", "r", "-o", "jsonl"]].concat());
        assert!(
            ran.stderr
                .contains(&format!("the conversation of this file is {id}")),
            "{ran:?}"
        );
        let row = one(ran);
        assert_eq!(row["group_uuid"], *id);
        assert_eq!((&row["written"], &row["unchanged"]), (&json!(1), &json!(1)));
        let shown = lines(tool.run(&["get-conversation", "--group", &id, "-o", "jsonl"]));
        assert_eq!(field(&shown, "message"), ["one", "zwei", "by hand"]);
        assert_eq!(tool.run(&["check-conversations"]).ok(), "");
        let after = sandbox.items().await;
        let again = one(tool.run(&[&replace[..], &["-o", "jsonl"]].concat()));
        assert_eq!(
            (&again["written"], &again["unchanged"]),
            (&json!(0), &json!(2))
        );
        assert_eq!(sandbox.items().await, after);
        tool.run(&["undo", "r"]).ok();
        assert_eq!(sandbox.items().await, before);
        // The saved plan is the same change.
        tool.run(&["apply", "p"]).ok();
        assert_eq!(sandbox.items().await, after);
    })
    .await;
}

#[tokio::test]
async fn a_file_is_a_conversation_of_its_own() {
    let sandbox = Sandbox::with_table().await;
    let tool = tool(Door::Own, &sandbox);
    let id = |options: &[&str]| {
        let ran = tool.run(
            &[
                &["seed", "--dry-run", "-o", "jsonl", "--conversation"],
                options,
            ]
            .concat(),
        );
        one(ran)["group_uuid"].as_str().unwrap().to_owned()
    };
    std::fs::create_dir(tool.home().join("folder")).unwrap();
    for file in ["a.txt", "b.txt", "folder/a.txt"] {
        tool.file(file, "Person 1: one\n");
    }
    let a = id(&["a.txt"]);
    assert_ne!(a, GROUP);
    assert_eq!(id(&["folder/a.txt"]), a, "the base name counts");
    assert_eq!(id(&["a.txt", "--me", "bayko", "--with", "andrewbrown"]), a);
    assert_ne!(id(&["b.txt"]), a);
    assert_ne!(id(&["a.txt", "--with", "londo"]), a);
    assert_eq!(id(&["a.txt", "--group-uuid", GROUP]), GROUP);
    let device = ["seed", "--conversation", "/dev/null"];
    tool.run(&device)
        .fails_with_hint(2, "the file has no messages");
    // The name leads to a file, but the file's name is not `stdin`.
    let file = std::fs::File::open(tool.home().join("a.txt")).unwrap();
    let mut piped = tool.command(&["seed", "--conversation", "/dev/stdin"]);
    let piped: Ran = piped.stdin(file).output().unwrap().into();
    piped.fails_with_hint(2, "not a regular file");
    assert!(piped.stderr.contains("--group-uuid"), "{piped:?}");
    for option in [
        &["--plan", "p"][..],
        &["--receipt", "r"],
        &["--max-wcu", "5"],
    ] {
        tool.run(&[&["seed"], option].concat())
            .fails_with_hint(2, "is for --replace");
    }
    assert!(sandbox.items().await.is_empty());
}

#[tokio::test]
async fn odd_rows_are_reported_and_left() {
    let sandbox = Sandbox::with_table().await;
    let tool = tool(Door::Own, &sandbox);
    tool.run(&["seed"]).ok();
    let mut future = sandbox.items().await[0].clone();
    let year_2099 = aws_sdk_dynamodb::types::AttributeValue::S("2099-01-01T00:00:00Z".to_owned());
    future.insert("sk".to_owned(), year_2099);
    sandbox.put(future.clone()).await;
    let table = sandbox.items().await;
    let ran = tool.run(&["seed"]);
    assert!(ran.stderr.contains("more than one row"), "{}", ran.stderr);
    ran.ok();
    assert_eq!(sandbox.items().await, table);
    // Items in the partition that are not messages of ours stay, too.
    sandbox
        .put(message("2020-01-01", "older tools wrote this"))
        .await;
    assert_eq!(one(tool.run(&["seed", "-o", "jsonl"]))["written"], 0);
}

#[test]
fn a_missing_table_is_said_with_the_way_to_make_it() {
    let sandbox = Sandbox::new();
    let ran = tool(Door::Own, &sandbox).run(&["seed"]);
    ran.fails_with_hint(4, "ResourceNotFoundException");
    assert!(ran.stderr.contains(" --table test-"), "{}", ran.stderr);
}

/// Another script in the same conversation is reported. What concurrent seeds left is repaired by the next seed.
#[tokio::test]
async fn what_is_mixed_or_doubled_is_said() {
    let sandbox = Sandbox::with_table().await;
    let tool = tool(Door::Own, &sandbox);
    tool.run(&["seed", "--ends-at", PAST]).ok();
    tool.file("other.txt", "Person 1: another talk\n");
    let other = ["seed", "--conversation", "other.txt", "--group-uuid", GROUP];
    let mixed = tool.run(&other);
    assert!(
        mixed.stderr.contains("holds 103 other messages already"),
        "{}",
        mixed.stderr
    );
    mixed.ok();
    // As if a second seed had run at the same time: the same message under another key.
    let mut twin = sandbox.items().await;
    twin.retain(|item| item["sk"].as_s().unwrap() == PAST && item.contains_key("message_uuid"));
    let mut twin = twin.remove(0);
    let later = "2026-03-22T08:35:09.123473+00:00".to_owned();
    twin.insert(
        "sk".to_owned(),
        aws_sdk_dynamodb::types::AttributeValue::S(later),
    );
    sandbox.put(twin).await;
    let repaired = tool.run(&["seed"]);
    assert!(repaired.stderr.contains("removed 1 copy"), "{repaired:?}");
    repaired.ok();
    let count = |ran: Ran| lines(ran).len();
    assert_eq!(count(tool.run(&["scan", "-o", "jsonl"])), 103 + 2 + 1);
    assert!(!tool.run(&["seed"]).stderr.contains("removed"));
}
