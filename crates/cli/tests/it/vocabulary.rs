//! One vocabulary of options: other names for them are accepted, or answered with the line to type.

use ddb_test_support::{Door, Sandbox};

use crate::setup::{GROUP, lines, through_both_doors, tool};

#[tokio::test]
async fn old_names_of_options_are_understood() {
    through_both_doors(async |_, tool| {
        tool.run(&["seed", "--me", "londo", "--other", "altbrown"])
            .ok();
        let begin = [
            "create-conversation",
            "--from",
            "londo",
            "--to",
            "bayko",
            "hi",
        ];
        tool.run(&begin).ok();
        let write = ["create-message", "--group", GROUP, "--from", "londo", "hi"];
        tool.run(&write).ok();
        let generate = ["seed", "--generate", "20", "--messages-per-group", "10"];
        tool.run(&[&generate[..], &["--ends-at", "2026-03-22"]].concat())
            .ok();
        let help = tool.run(&["seed", "--help"]).ok();
        assert!(help.contains("--messages-per-conversation") && !help.contains("per-group"));
        for (command, old) in [
            ("seed", "--other"),
            ("create-conversation", "--from"),
            ("create-conversation", "--to"),
            ("create-message", "--from"),
        ] {
            let help = tool.run(&[command, "--help"]).ok();
            assert!(!help.contains(&format!("{old} ")), "{command} {old}");
            assert!(help.contains("--me"), "{command}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_people_expect_is_understood() {
    through_both_doors(async |_, tool| {
        tool.run(&["seed"]).ok();
        let same = |expected: &[&str], understood: &[&str]| {
            assert_eq!(
                tool.run(understood).ok(),
                tool.run(expected).ok(),
                "{expected:?}"
            );
        };
        same(&["scan", "-o", "json"], &["scan", "--json"]);
        same(&["scan", "-o", "jsonl"], &["scan", "--jsonl"]);
        same(
            &["list-conversations", "-o", "csv"],
            &["list-conversations", "--csv"],
        );
        same(
            &["list-conversations", "bayko"],
            &["list-conversations", "--me", "@Bayko"],
        );
        tool.run(&["list-conversations", "bayko", "--me", "bayko"])
            .fails(2, "cannot be used with");
        tool.run(&["scan", "--json", "-o", "csv"])
            .fails(2, "cannot be used with");
        tool.run(&["drop", "--csv", "nothing"])
            .fails(2, "--output csv is not a format of this command");
    })
    .await;
}

#[tokio::test]
async fn what_is_named_otherwise_is_answered_with_the_line_to_type() {
    through_both_doors(async |_, tool| {
        for (typed, line) in [
            ("drop --table cruddur-copy", "ddb drop cruddur-copy"),
            ("drop --table=cruddur-copy", "ddb drop cruddur-copy"),
            ("scan --format json --limit 5", "ddb scan -o json --limit 5"),
            ("scan --production", "ddb scan --prod"),
            ("scan --grep=cake", "ddb scan --contains cake"),
            (
                "get-conversation --id 5ae290ed",
                "ddb get-conversation 5ae290ed",
            ),
            (
                "create-message --to bayko Cake?",
                "ddb create-message bayko 'Cake?'",
            ),
            (
                "list-conversations --user bayko",
                "ddb list-conversations bayko",
            ),
            ("seed --table-name x", "ddb seed --table x"),
        ] {
            let words: Vec<&str> = typed.split(' ').collect();
            let ran = tool.run(&words);
            ran.fails_with_hint(2, "unexpected argument");
            assert!(
                ran.stderr.contains(&format!("hint: type `{line}`")),
                "{typed}: {}",
                ran.stderr
            );
        }
    })
    .await;
}

#[tokio::test]
async fn options_of_all_commands_may_stand_before_the_name() {
    let sandbox = Sandbox::with_table().await;
    let tool = tool(Door::Front, &sandbox);
    tool.run(&["seed"]).ok();
    assert!(
        tool.run(&["-v", "scan"])
            .stderr
            .contains("dummy credentials")
    );
    assert_eq!(tool.run(&["-q", "scan", "--limit", "1"]).stderr, "");
    assert_eq!(
        lines(tool.run(&["-o", "jsonl", "scan", "--limit", "2"])).len(),
        2
    );
    assert_eq!(
        lines(tool.run(&["--jsonl", "scan", "--limit", "2"])).len(),
        2
    );
    assert_eq!(
        lines(tool.run(&["-o", "csv", "scan", "-o", "jsonl", "--limit", "2"])).len(),
        2,
        "what stands after the name counts"
    );
    tool.run(&["--timeout", "x", "scan"])
        .fails(2, "not a duration");
    // Options that only some commands have go after the name, and the error says so.
    for (typed, line) in [
        ("--prod scan", "ddb scan --prod"),
        (
            "--table other scan --limit 5",
            "ddb scan --table other --limit 5",
        ),
    ] {
        let words: Vec<&str> = typed.split(' ').collect();
        let ran = tool.run(&words);
        ran.fails_with_hint(2, "unexpected argument");
        assert!(
            ran.stderr.contains(&format!("hint: type `{line}`")),
            "{}",
            ran.stderr
        );
    }
    let nonsense = tool.run(&["--nonsense", "scan"]);
    nonsense.fails(2, "unexpected argument '--nonsense'");
    assert!(!nonsense.stderr.contains("type `"), "{}", nonsense.stderr);
}

#[test]
fn a_command_offers_only_what_means_something_for_it() {
    let sandbox = Sandbox::new();
    let tool = tool(Door::Front, &sandbox);
    for (command, without) in [
        (
            "man",
            &[
                "--output",
                "--quiet",
                "--verbose",
                "--no-progress",
                "--timeout",
                "--tz",
            ][..],
        ),
        (
            "completions",
            &["--output", "--quiet", "--no-progress", "--timeout", "--tz"],
        ),
        ("local", &["--no-progress", "--timeout", "--tz"]),
        ("drop", &["--tz"]),
        ("list-users", &["--tz"]),
    ] {
        let help = tool.run(&[command, "--help"]).ok();
        for option in without {
            assert!(!help.contains(option), "{command} {option}");
        }
    }
    assert!(tool.run(&["scan", "--help"]).ok().contains("--tz"));
    tool.run(&["man", "-o", "json"])
        .fails(2, "not a format of this command");
}
