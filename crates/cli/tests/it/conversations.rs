//! `get-conversation` and `list-conversations`: the right part, in the right order.

use aws_sdk_dynamodb::types::AttributeValue;
use ddb_test_support::{Door, Sandbox};
use serde_json::json;

use crate::setup::{
    ANDREW, BAYKO, GROUP, document, field, lines, message, strings, through_both_doors, tool,
};

const SEED: [&str; 3] = ["seed", "--ends-at", "2026-03-22T08:35:09.123456+00:00"];

#[tokio::test]
async fn the_newest_twenty_oldest_first() {
    through_both_doors(async |_, tool| {
        tool.run(&SEED).ok();
        let all = lines(tool.run(&["get-conversation", "--all", "-o", "jsonl"]));
        assert_eq!(all.len(), 103);
        let times = field(&all, "created_at");
        assert!(times.is_sorted());
        assert_eq!(times[102], SEED[2]);

        let newest = tool.run(&["get-conversation", "-o", "jsonl"]);
        assert!(
            newest.stderr.contains("there are older ones"),
            "{}",
            newest.stderr
        );
        assert_eq!(lines(newest), all[83..]);
        let mut turned = lines(tool.run(&["get-conversation", "--order", "desc", "-o", "jsonl"]));
        turned.reverse();
        assert_eq!(turned, all[83..]);
        let mut turned = lines(tool.run(&[
            "get-conversation",
            "--order",
            "desc",
            "--all",
            "-o",
            "jsonl",
        ]));
        turned.reverse();
        assert_eq!(turned, all);

        let five = document(tool.run(&["get-conversation", GROUP, "--limit", "5", "-o", "json"]));
        assert_eq!(five["items"].as_array().unwrap()[..], all[98..]);
        assert_eq!(
            (&five["count"], &five["truncated"]),
            (&json!(5), &json!(true))
        );
        let exact = document(tool.run(&["get-conversation", "--limit", "103", "-o", "json"]));
        assert_eq!(
            (&exact["count"], &exact["truncated"]),
            (&json!(103), &json!(false))
        );

        let keys: Vec<&String> = all[0].as_object().unwrap().keys().collect();
        assert_eq!(
            keys,
            [
                "created_at",
                "display_name",
                "group_uuid",
                "handle",
                "message",
                "message_uuid",
                "user_uuid"
            ]
        );
        assert!(keys.iter().all(|key| all[0][*key].is_string()));
        assert_eq!(all[0]["group_uuid"], GROUP);
        let csv = tool
            .run(&["get-conversation", "--limit", "1", "-o", "csv"])
            .ok();
        assert!(
            csv.starts_with(
                "group_uuid,message_uuid,user_uuid,handle,display_name,message,created_at\n"
            ),
            "{csv}"
        );
        let export = tool
            .run(&["get-conversation", "--limit", "1", "-o", "ddb-json"])
            .ok();
        assert!(
            export.starts_with("{\"Item\":{\"pk\":{\"S\":\"MSG#"),
            "{export}"
        );

        let table = tool.run(&["get-conversation", "--limit", "2"]).ok();
        let table: Vec<&str> = table.lines().collect();
        assert!(table[0].starts_with("time (UTC)           from"));
        assert!(table[3].starts_with("2026-03-22 08:35:09  andrewbrown  I see you both!"));
    })
    .await;
}

#[tokio::test]
async fn a_range_goes_across_new_year_whatever_the_offset() {
    through_both_doors(async |sandbox, tool| {
        for (n, sk) in [
            "2025-12-31T23:59:59.000000+00:00",
            "2026-01-01T00:30:00+01:00",
            "2025-12-31T23:30:00-01:00",
            "2026-01-01T00:00:00.000000+00:00",
            "2026-06-01T12:00:00",
            "2027-01-01T00:30:00+01:00",
            "2027-01-01T00:00:00Z",
        ]
        .iter()
        .enumerate()
        {
            sandbox.put(message(sk, &n.to_string())).await;
        }
        let shown = |options: &[&str]| -> Vec<String> {
            let options = [&["get-conversation", "--all", "-o", "jsonl"], options].concat();
            let shown = lines(tool.run(&options));
            let mut texts: Vec<String> = field(&shown, "message")
                .into_iter()
                .map(str::to_owned)
                .collect();
            texts.sort();
            texts
        };
        assert_eq!(shown(&["--year", "2026"]), ["2", "3", "4", "5"]);
        assert_eq!(shown(&["--year", "2025"]), ["0", "1"]);
        assert_eq!(shown(&["--year", "2027"]), ["6"]);
        assert_eq!(shown(&["--since", "2026-06-01T12:00:00Z"]), ["4", "5", "6"]);
        assert_eq!(
            shown(&["--until", "2026-06-01T12:00:00Z"]),
            ["0", "1", "2", "3"]
        );
        assert_eq!(
            shown(&[
                "--since",
                "2026-01-01",
                "--until",
                "2026-01-01T00:00:00.000001Z"
            ]),
            ["3"]
        );
        assert_eq!(
            shown(&[
                "--since",
                "2025-12-31T23:29:59-00:00",
                "--until",
                "2026-01-01"
            ]),
            ["0", "1"]
        );
        // The limit counts what is kept, and created_at is the stored value.
        let one = document(tool.run(&[
            "get-conversation",
            "--year",
            "2026",
            "--limit",
            "1",
            "-o",
            "json",
        ]));
        assert_eq!(one["items"][0]["created_at"], "2027-01-01T00:30:00+01:00");
        assert_eq!(one["truncated"], true);
        let table = tool
            .run(&["get-conversation", "--year", "2026", "--limit", "1"])
            .ok();
        assert!(table.contains("2026-12-31 23:30:00"), "{table}");

        let empty = tool.run(&["get-conversation", "--year", "1999"]);
        assert!(empty.stderr.contains("no messages"), "{}", empty.stderr);
        assert_eq!(empty.ok(), "");
    })
    .await;
}

#[tokio::test]
async fn a_conversation_is_found_by_its_people() {
    through_both_doors(async |_, tool| {
        tool.run(&SEED).ok();
        let other = ["--group-uuid", "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"];
        tool.file("talk.txt", "Person 1: nakaleen\n");
        let talk = ["seed", "--conversation", "talk.txt", "--other", "londo"];
        tool.run(&[&talk[..], &other].concat()).ok();

        let with = |arguments: &[&str]| {
            tool.run(&[&["get-conversation", "-o", "jsonl", "--with"], arguments].concat())
        };
        assert_eq!(field(&lines(with(&["londo"])), "message"), ["nakaleen"]);
        assert_eq!(lines(with(&["andrewbrown", "--me", "bayko"])).len(), 20);
        with(&["altbrown"]).fails_with_hint(4, "no conversation of andrewbrown with altbrown");
        with(&["nobody"]).fails_with_hint(4, "no user `nobody`");
        with(&["andrewbrown"]).fails(2, "both `andrewbrown`");
        with(&["londo", GROUP]).fails(2, "cannot be used with");

        let second = ["--group-uuid", "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb"];
        tool.run(&[&talk[..], &second].concat()).ok();
        let ambiguous = with(&["londo"]);
        ambiguous.fails_with_hint(2, "have 2 conversations");
        for id in ["aaaaaaaa", "bbbbbbbb"] {
            let line = format!("  ddb get-conversation -o jsonl {id}  # londo, ");
            assert!(ambiguous.stderr.contains(&line), "{}", ambiguous.stderr);
        }
    })
    .await;
}

#[tokio::test]
async fn conversations_are_listed_newest_first() {
    through_both_doors(async |_, tool| {
        tool.run(&SEED).ok();
        tool.file("talk.txt", "Person 1: hello\nPerson 2: bye\n");
        let conversations = [
            "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa",
            "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb",
        ];
        let talk = |other: &str, conversation: &str, ends_at: &str| {
            let options = [
                "--other",
                other,
                "--group-uuid",
                conversation,
                "--ends-at",
                ends_at,
            ];
            tool.run(&[&["seed", "--conversation", "talk.txt"], &options[..]].concat())
                .ok();
        };
        talk(
            "londo",
            conversations[0],
            "2026-03-22T08:35:09.123456+00:00",
        );
        talk("altbrown", conversations[1], "2025-01-01");

        let listed = lines(tool.run(&["list-conversations", "-o", "jsonl"]));
        assert_eq!(
            listed.len(),
            3,
            "two end at the same instant, and both stay"
        );
        assert_eq!(
            listed[2],
            json!({
                "group_uuid": conversations[1], "user_uuid": "28b6d9c5-71fe-4a03-a4d8-c63e50f7b91a", "display_name": "Alt Brown",
                "handle": "altbrown", "message": "bye", "last_message_at": "2025-01-01T00:00:00.000000+00:00",
            })
        );
        let times = field(&listed, "last_message_at");
        assert!(times.iter().rev().is_sorted(), "{times:?}");
        let mut first_two = field(&listed[..2], "group_uuid");
        first_two.sort_unstable();
        assert_eq!(first_two, [GROUP, conversations[0]]);

        let of = |arguments: &[&str]| {
            lines(tool.run(&[&["list-conversations", "-o", "jsonl"], arguments].concat()))
        };
        assert_eq!(of(&["--year", "2025"]), listed[2..]);
        assert_eq!(of(&["--limit", "1"]), listed[..1]);
        assert_eq!(of(&["--user-uuid", ANDREW]), listed);
        assert_eq!(field(&of(&["bayko"]), "handle"), ["andrewbrown"]);
        assert_eq!(of(&["--user-uuid", BAYKO]), of(&["bayko"]));
        assert_eq!(of(&["--user-uuid", GROUP]).len(), 0);
        assert!(
            tool.run(&["list-conversations", "--user-uuid", GROUP])
                .stderr
                .contains("no conversations")
        );
    })
    .await;
}

/// `me` comes from the option, then `DDB_ME`, then the default. An empty variable counts as unset.
#[tokio::test]
async fn me_is_found_in_order() {
    let sandbox = Sandbox::with_table().await;
    tool(Door::Own, &sandbox).run(&SEED).ok();
    let handle = |variable: &str, arguments: &[&str]| -> String {
        let tool = tool(Door::Own, &sandbox).with("DDB_ME", variable);
        let listed = lines(tool.run(&[&["list-conversations", "-o", "jsonl"], arguments].concat()));
        field(&listed, "handle").concat()
    };
    assert_eq!(handle("", &[]), "bayko");
    assert_eq!(handle("bayko", &[]), "andrewbrown");
    assert_eq!(handle("bayko", &["andrewbrown"]), "bayko");
    let seed = tool(Door::Own, &sandbox)
        .with("DDB_ME", "bayko")
        .run(&["seed"]);
    seed.fails(2, "both `bayko`");
}

#[tokio::test]
async fn an_odd_row_stops_nothing() {
    through_both_doors(async |sandbox, tool| {
        tool.run(&SEED).ok();
        let mut odd = strings(&[
            ("pk", &format!("MSG#{GROUP}")),
            ("sk", "2026-03-22T08:35:10Z"),
        ]);
        odd.insert("message".to_owned(), AttributeValue::N("42".to_owned()));
        sandbox.put(odd).await;
        let shown = tool.run(&["get-conversation", "--limit", "2", "-o", "jsonl"]);
        assert!(
            shown.stderr.contains("1 item is of unknown shape"),
            "{}",
            shown.stderr
        );
        let shown = lines(shown);
        assert_eq!(
            shown[1],
            json!({
                "group_uuid": GROUP, "message_uuid": null, "user_uuid": null, "display_name": null,
                "handle": null, "message": "42",
                "created_at": "2026-03-22T08:35:10Z",
            })
        );
        assert_eq!(shown.len(), 2);
        let undated = strings(&[("pk", &format!("MSG#{GROUP}")), ("sk", "2026-soon")]);
        sandbox.put(undated).await;
        let ranged = tool.run(&["get-conversation", "--year", "2026", "--all"]);
        assert!(
            ranged
                .stderr
                .contains("1 item was left out: the sort key is not a time"),
            "{}",
            ranged.stderr
        );
        assert_eq!(ranged.ok().lines().count(), 2 + 104);
    })
    .await;
}

#[tokio::test]
async fn what_is_not_there_or_malformed_is_said() {
    let sandbox = Sandbox::with_table().await;
    let tool = tool(Door::Front, &sandbox);
    let none = tool.run(&["get-conversation"]);
    none.fails_with_hint(4, "no conversation 5ae290ed-");
    assert!(none.stderr.contains("`ddb seed --"), "{}", none.stderr);
    for form in ["json", "csv", "jsonl"] {
        assert_eq!(tool.run(&["get-conversation", "-o", form]).stdout, "");
    }
    tool.run(&["get-conversation", "--year", "2026"])
        .fails_with_hint(4, "no conversation");
    for (arguments, code, part) in [
        (vec!["get-conversation", "nope"], 4, "no user `nope`"),
        (
            vec!["get-conversation", "--since", "someday"],
            2,
            "not a time",
        ),
        (vec!["get-conversation", "--year", "20266"], 2, "--year"),
        (
            vec!["get-conversation", "--year", "2026", "--since", "now"],
            2,
            "cannot be used with",
        ),
        (
            vec![
                "get-conversation",
                "--since",
                "2026-12-10",
                "--until",
                "2026-11-01",
            ],
            2,
            "is later than --until",
        ),
        (vec!["get-conversation", "--year", "26"], 2, "--year"),
        (vec!["get-conversation", "--limit", "0"], 2, "--limit"),
        (
            vec!["get-conversation", "--limit", "5", "--all"],
            2,
            "cannot be used with",
        ),
        (vec!["list-conversations", "nobody"], 4, "no user `nobody`"),
        (
            vec!["list-conversations", "--user-uuid", "nope"],
            2,
            "not a uuid",
        ),
        (
            vec!["list-conversations", "--users", "absent.csv"],
            4,
            "absent.csv",
        ),
    ] {
        tool.run(&arguments).fails_with_hint(code, part);
    }
}

/// An id may be typed in any case; keys have the lower-case one.
#[tokio::test]
async fn an_id_in_capitals_is_the_same_id() {
    let sandbox = Sandbox::with_table().await;
    let tool = tool(Door::Own, &sandbox);
    tool.run(&SEED).ok();
    let id = GROUP.to_uppercase();
    assert_eq!(
        lines(tool.run(&["get-conversation", &id, "-o", "jsonl"])).len(),
        20
    );
}

#[tokio::test]
async fn a_conversation_is_handed_over_as_a_file() {
    through_both_doors(async |_, tool| {
        tool.run(&["seed", "--ends-at", "2026-03-22T10:00:00Z"])
            .ok();
        let page = tool.run(&["get-conversation", "--all", "-o", "html"]).ok();
        assert!(page.starts_with("<!DOCTYPE html>\n"), "{page}");
        assert!(
            page.ends_with("<footer>103 messages, times in UTC</footer>\n</body>\n</html>\n"),
            "{page}"
        );
        assert_eq!(page.matches("<article ").count(), 103);
        let text = tool
            .run(&["get-conversation", "--limit", "2", "-o", "txt"])
            .ok();
        assert!(
            text.starts_with("Sunday, 22 March 2026 (UTC)\n\n09:59  bayko: "),
            "{text}"
        );
        let md = tool
            .run(&["get-conversation", "--limit", "1", "-o", "md"])
            .ok();
        assert!(
            md.starts_with("## Sunday, 22 March 2026 (UTC)\n\n**andrewbrown** 10:00\n\n> "),
            "{md}"
        );
        // Other commands do not have this format.
        tool.run(&["scan", "-o", "html"])
            .fails_with_hint(2, "html is not a format of this command");
    })
    .await;
}
