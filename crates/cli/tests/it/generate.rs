//! `seed --generate`: a load of any size, and the options that do not go with it.

use ddb_test_support::{Door, Sandbox};
use serde_json::json;

use crate::setup::{field, lines, one, through_both_doors, tool};

const LOAD: [&str; 10] = [
    "seed",
    "--generate",
    "250",
    "--messages-per-group",
    "20",
    "--people",
    "7",
    "--ends-at",
    "2026-03-22",
    "-ojsonl",
];

#[tokio::test]
async fn a_load_is_made_once_and_holds_together() {
    through_both_doors(async |_, tool| {
        let planned = one(tool.run(&[&LOAD[..], &["--dry-run"]].concat()));
        assert_eq!(
            (&planned["written"], &planned["unchanged"]),
            (&json!(250), &json!(0))
        );
        assert!(lines(tool.run(&["scan", "-ojsonl"])).is_empty());

        let made = one(tool.run(&LOAD));
        assert_eq!(made, planned);
        assert_eq!(made["users_source"], "generated");
        assert_eq!(made["last_at"], "2026-03-22T00:00:00.000000+00:00");
        let again = tool.run(&LOAD);
        assert!(
            again
                .stderr
                .contains("250 messages in 13 conversations of 7 people"),
            "{again:?}"
        );
        let again = one(again);
        assert_eq!(
            (&again["written"], &again["unchanged"]),
            (&json!(0), &json!(250))
        );

        let items = lines(tool.run(&["scan", "-ojsonl"]));
        let kinds = field(&items, "kind");
        let of = |kind: &str| kinds.iter().filter(|found| **found == kind).count();
        assert_eq!((of("message"), of("group"), items.len()), (250, 26, 276));
        assert_eq!(tool.run(&["check-conversations", "--quiet"]).ok(), "");

        // The conversation that the hint names can be read.
        let conversation = made["group_uuid"].as_str().unwrap();
        let talk = lines(tool.run(&["get-conversation", conversation, "--all", "-ojsonl"]));
        assert_eq!(talk.len(), 20);
        assert_eq!(talk[19]["created_at"], made["last_at"]);
    })
    .await;
}

#[tokio::test]
async fn what_does_not_go_with_a_load_is_refused() {
    let sandbox = Sandbox::with_table().await;
    let tool = tool(Door::Front, &sandbox);
    for (options, part) in [
        (
            vec!["--generate", "5"],
            "needs --ends-at with a time that does not move",
        ),
        (vec!["--generate", "5", "--ends-at", "-1d"], "does not move"),
        (
            vec!["--generate", "5", "--ends-at", "9999-01-01"],
            "later than now",
        ),
        (
            vec!["--generate", "0", "--ends-at", "2026-03-22"],
            "--generate",
        ),
        (
            vec![
                "--generate",
                "5",
                "--ends-at",
                "2026-03-22",
                "--people",
                "1",
            ],
            "--people",
        ),
        (
            vec!["--generate", "5", "--ends-at", "0000-01-01"],
            "before the year 0000",
        ),
        (
            vec!["--generate", "5", "--me", "bayko"],
            "cannot be used with",
        ),
        (
            vec!["--generate", "5", "--users", "x.csv"],
            "cannot be used with",
        ),
        (vec!["--rng-seed", "5"], "--generate"),
        (vec!["--max-wcu", "5"], "--generate"),
    ] {
        tool.run(&[&["seed"], &options[..]].concat()).fails(2, part);
    }
    assert!(sandbox.items().await.is_empty());
}
