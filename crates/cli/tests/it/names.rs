//! Short names of conversations and people.

use std::io::Write;
use std::process::Stdio;

use ddb_test_support::aws::{Aws, Backups};
use ddb_test_support::{Door, Ran, Sandbox, Tool};

use crate::setup::{ANDREW, BAYKO, GROUP, field, lines, one, strings, through_both_doors, tool};

const PAST: &str = "2026-03-22T08:35:09Z";
/// It begins like the seeded conversation, and is a day older.
const NEIGHBOUR: &str = "5ae20000-0000-4000-8000-000000000000";

/// Loads the seeded conversation, one with londo and one with altbrown.
fn load(tool: &Tool) {
    tool.run(&["seed", "--ends-at", PAST]).ok();
    tool.file("talk.txt", "Person 1: hello\nPerson 2: bye\n");
    for (with, id, day) in [
        ("londo", NEIGHBOUR, "2026-03-21"),
        (
            "altbrown",
            "cafe0000-0000-4000-8000-000000000000",
            "2026-03-20",
        ),
    ] {
        let talk = ["seed", "--conversation", "talk.txt", "--with", with];
        let place = ["--group-uuid", id, "--ends-at", day];
        tool.run(&[&talk[..], &place].concat()).ok();
    }
}

#[tokio::test]
async fn a_conversation_has_short_names() {
    through_both_doors(async |_, tool| {
        load(tool);
        let conversation = |arguments: &[&str]| {
            let shown =
                lines(tool.run(&[&["get-conversation", "-o", "jsonl"], arguments].concat()));
            shown.len()
        };
        for names in [
            &["bayko"][..],
            &["@bayko"],
            &["Bayko"],
            &["@BAYKO"],
            &["5ae290ed"],
            &["5AE29"],
            &["5ae290ed-55d1-47a0"],
            &["5ae290ed55d147a0bc6dfe2bc2700399"],
            &[GROUP],
            &["--group", "5ae29"],
            &["--group", "bayko"],
            &["--with", "@Bayko"],
            &["--with", BAYKO],
            &["andrewbrown", "--me", "bayko"],
            &["andrewbrown", "--me", BAYKO],
            &["5ae2", "--me", "@BAYKO"],
            &[],
        ] {
            assert_eq!(conversation(names), 20, "{names:?}");
        }
        for names in [&["londo"][..], &["5ae20"], &["cafe"], &["@altbrown"]] {
            assert_eq!(conversation(names), 2, "{names:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_names_several_is_listed_with_the_lines_to_type() {
    through_both_doors(async |_, tool| {
        load(tool);
        let several = tool.run(&["get-conversation", "5ae2", "--limit", "3"]);
        several.fails_with_hint(2, "`5ae2` names 2 conversations of andrewbrown");
        let listed: Vec<&str> = several
            .stderr
            .lines()
            .filter(|line| line.contains("  #"))
            .collect();
        assert_eq!(
            listed,
            [
                "  ddb get-conversation 5ae290ed --limit 3  # bayko, 2026-03-22 08:35 UTC",
                "  ddb get-conversation 5ae20000 --limit 3  # londo, 2026-03-21 00:00 UTC",
            ]
        );
        let typed: Vec<&str> = "get-conversation 5ae20000 --limit 3 -o jsonl"
            .split(' ')
            .collect();
        assert_eq!(lines(tool.run(&typed)).len(), 2);
        // Nothing is written if the place is not clear.
        let written = tool.run(&["create-message", "5ae2", "it's me"]);
        written.fails_with_hint(2, "names 2 conversations");
        assert!(
            written
                .stderr
                .contains(r"  ddb create-message 5ae290ed 'it'\''s me'  # bayko"),
            "{}",
            written.stderr
        );
    })
    .await;
}

/// `cafe` is the beginning of an id, and a handle; with an `@` it is only a handle.
#[tokio::test]
async fn digits_that_are_a_handle_are_both() {
    through_both_doors(async |_, tool| {
        tool.file(
            "users.csv",
            format!(
                "uuid,display_name,handle,email,cognito_user_id\n{ANDREW},A,andrewbrown,,\n\
                 {BAYKO},B,bayko,,\n0c0c0c0c-0c0c-4c0c-8c0c-0c0c0c0c0c0c,C,Cafe,,\n"
            ),
        );
        let with_users =
            |arguments: &[&str]| tool.run(&[arguments, &["--users", "users.csv"]].concat());
        tool.file("talk.txt", "Person 1: hello\nPerson 2: bye\n");
        for (with, id) in [
            ("bayko", "cafe0000-0000-4000-8000-000000000000"),
            ("cafe", "5ae20000-0000-4000-8000-000000000000"),
        ] {
            let talk = ["seed", "--conversation", "talk.txt", "--with", with];
            with_users(&[&talk[..], &["--group-uuid", id, "--ends-at", PAST]].concat()).ok();
        }
        with_users(&["get-conversation", "cafe"]).fails_with_hint(2, "names 2 conversations");
        let shown = lines(with_users(&["get-conversation", "@cafe", "-o", "jsonl"]));
        assert_eq!(shown.len(), 2);
        assert!(
            with_users(&["get-conversation", "@cafe"])
                .ok()
                .contains("Cafe")
        );
    })
    .await;
}

#[tokio::test]
async fn what_is_not_there_or_said_twice_is_refused() {
    through_both_doors(async |_, tool| {
        load(tool);
        for (arguments, code, part) in [
            (
                &["5ae3"][..],
                4,
                "no conversation of andrewbrown whose id begins with `5ae3`",
            ),
            (&["@cafe"], 4, "no user `cafe`"),
            (&["nobody"], 4, "no user `nobody`"),
            (&["andrewbrown"], 2, "a conversation has two people"),
            (&["bayko", "--with", "londo"], 2, "cannot be used with"),
            (&["bayko", "--group", GROUP], 2, "cannot be used with"),
            (
                &["--group", GROUP, "--with", "bayko"],
                2,
                "cannot be used with",
            ),
            (&["bayko", "--me", "nobody"], 4, "no user `nobody`"),
            (&["5ae290ed-55d1-47a0-bc6d-fe2bc270039x"], 2, "not a uuid"),
            (&["@"], 2, "or a handle such as bayko"),
            (&["--with", ""], 2, "not a handle"),
        ] {
            tool.run(&[&["get-conversation"], arguments].concat())
                .fails_with_hint(code, part);
        }
    })
    .await;
}

/// A handle is that of the users source. An old one in a row does not count if somebody chose the source.
#[tokio::test]
async fn a_handle_is_that_of_the_users_source() {
    let sandbox = Sandbox::with_table().await;
    let tool = tool(Door::Front, &sandbox);
    load(&tool);
    let header = "uuid,display_name,handle,email,cognito_user_id";
    tool.file(
        "renamed.csv",
        format!("{header}\n{ANDREW},A,andrewbrown,,\n{BAYKO},B,newbayko,,\n"),
    );
    let get = |name: &str| {
        let users = ["--users", "renamed.csv", "-o", "jsonl"];
        tool.run(&[&["get-conversation", name][..], &users].concat())
    };
    assert_eq!(lines(get("newbayko")).len(), 20);
    get("bayko").fails_with_hint(4, "no user `bayko`");
    // Nobody chose the built-in users, so people that are not among them are found in the rows.
    let stranger = "0c0c0c0c-0c0c-4c0c-8c0c-0c0c0c0c0c0c";
    sandbox
        .put(strings(&[
            ("pk", &format!("GRP#{ANDREW}")),
            ("sk", "2026-01-01T00:00:00.000000+00:00"),
            ("message_group_uuid", "dddddddd-dddd-4ddd-8ddd-dddddddddddd"),
            ("message", "hello"),
            ("user_uuid", stranger),
            ("user_display_name", "Stranger"),
            ("user_handle", "Stranger"),
        ]))
        .await;
    let none = tool.run(&["get-conversation", "@stranger"]);
    none.fails_with_hint(4, "no conversation dddddddd-");
}

fn with_stdin(tool: &Tool, arguments: &[&str], text: &[u8]) -> Ran {
    let mut child = tool
        .command(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text).unwrap();
    child.wait_with_output().unwrap().into()
}

#[tokio::test]
async fn a_message_goes_to_whoever_is_named() {
    through_both_doors(async |_, tool| {
        load(tool);
        let write = |arguments: &[&str]| {
            one(tool.run(&[&["create-message", "-o", "jsonl"], arguments].concat()))
        };
        let mine = write(&["bayko", "Cake?"]);
        assert_eq!(
            (&mine["message"], &mine["handle"]),
            (&"Cake?".into(), &"andrewbrown".into())
        );
        let answer = write(&["5ae290ed", "Always.", "--me", "@Bayko"]);
        assert_eq!(answer["handle"], "bayko");
        write(&["--with", "bayko", "Good."]);
        write(&["--group", GROUP, "--from", "bayko", "As ever."]);
        let shown = lines(tool.run(&["get-conversation", "bayko", "--limit", "4", "-o", "jsonl"]));
        assert_eq!(
            field(&shown, "message"),
            ["Cake?", "Always.", "Good.", "As ever."]
        );
    })
    .await;
}

#[tokio::test]
async fn a_text_comes_from_stdin() {
    through_both_doors(async |sandbox, tool| {
        load(tool);
        let write = ["create-message", "bayko", "-", "-o", "jsonl"];
        let written = |text: &[u8]| one(with_stdin(tool, &write, text))["message"].clone();
        assert_eq!(written(b"Cake?\n"), "Cake?");
        assert_eq!(written(b"two\nlines\r\n"), "two\nlines");
        assert_eq!(written("é".repeat(1024).as_bytes()), "é".repeat(1024));
        let begin = [
            "create-conversation",
            "--me",
            "londo",
            "--with",
            "bayko",
            "-",
        ];
        assert_eq!(with_stdin(tool, &begin, b"hello").code, Some(0));
        let table = sandbox.items().await;
        for (text, part) in [
            (&b"\n"[..], "stdin: a message cannot be blank"),
            (b"\xff", "stdin: the message is not UTF-8"),
            (&b"x".repeat(1025), "stdin: a message has at most 1024"),
        ] {
            with_stdin(tool, &write, text).fails(2, part);
        }
        assert_eq!(sandbox.items().await, table);
    })
    .await;
}

/// In production, a person named by an id needs no source of users: the handles are then those of the rows.
#[tokio::test]
async fn production_without_users_is_asked_by_id() {
    let sandbox = Sandbox::with_table().await;
    load(&tool(Door::Front, &sandbox));
    let aws = Aws::in_front_of(&sandbox, Backups::On);
    let tool = Tool::new(env!("CARGO_BIN_EXE_ddb"), Door::Front)
        .with("DDB_MESSAGE_TABLE", sandbox.table().as_str())
        .with("AWS_ACCESS_KEY_ID", "AKIATESTER")
        .with("AWS_SECRET_ACCESS_KEY", "secret");
    let options = aws.options();
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let get = |arguments: &[&str]| {
        let command = ["get-conversation", "-o", "jsonl"];
        tool.run(&[&command[..], arguments, &options].concat())
    };
    assert_eq!(lines(get(&["bayko", "--me", ANDREW])).len(), 20);
    assert_eq!(lines(get(&["5ae29", "--me", ANDREW])).len(), 20);
    get(&["nobody", "--me", ANDREW]).fails_with_hint(4, "no conversation of");
    get(&["bayko"]).fails_with_hint(2, "the users are the built-in ones");
    // A whole id needs no person.
    assert_eq!(lines(get(&[GROUP])).len(), 20);
}
