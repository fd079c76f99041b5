//! What each command shows, at a terminal of 80 columns and in a pipe, as text that a reviewer can read: the files in
//! `snapshots`. Where that changed on purpose, `bin-scripts/write-snapshots` writes them anew.

use std::path::Path;

use ddb_test_support::cognito::{Cognito, Hardship, POOL, PoolUser};
use ddb_test_support::{Door, Sandbox, Tool};
use serde_json::json;
use snapbox::data::DataFormat;
use snapbox::{Data, assert_data_eq};

use crate::setup::{ANDREW, BAYKO, GROUP, tool};

const TABLE: &str = "cruddur-messages";
const ANOTHER: &str = "0b6c8e5e-6f0a-4f6e-9d3f-3a1b7c2d4e5f";

/// What a command is, and what it is typed as, one after the other.
const SESSIONS: [(&str, &[&[&str]]); 11] = [
    (
        "schema-load",
        &[
            &["schema-load", "--table", "another"],
            &["schema-load"],
            &["schema-load", "--no-stream", "--billing", "on-demand"],
        ],
    ),
    (
        "list-tables",
        &[&["list-tables"], &["list-tables", "--details"]],
    ),
    (
        "seed",
        &[
            &[
                "seed",
                "--group-uuid",
                ANOTHER,
                "--ends-at",
                "2026-03-22",
                "--dry-run",
            ],
            &["seed", "--group-uuid", ANOTHER, "--ends-at", "2026-03-22"],
            &["seed"],
        ],
    ),
    (
        "scan",
        &[&["scan", "--limit", "8"], &["scan", "--kind", "unknown"]],
    ),
    ("get-conversation", &[&["get-conversation", "--limit", "5"]]),
    ("list-conversations", &[&["list-conversations"]]),
    ("stats", &[&["stats"]]),
    ("doctor", &[&["doctor"]]),
    ("drop", &[&["drop", "another", "--if-exists"]]),
    (
        "create-message",
        &[&[
            "create-message",
            "--group",
            GROUP,
            "--from",
            "bayko",
            "And the 19:10?",
        ]],
    ),
    (
        "create-conversation",
        &[&[
            "create-conversation",
            "--from",
            "londo",
            "--to",
            "altbrown",
            "Seen the viaduct?",
        ]],
    ),
];

async fn furnished() -> (Sandbox, Tool) {
    // An engine of its own, so that the table can have its name.
    let sandbox = Sandbox::embedded();
    let tool = tool(Door::Front, &sandbox).with("DDB_MESSAGE_TABLE", TABLE);
    tool.run(&["schema-load"]).ok();
    tool.run(&["seed", "--ends-at", "2026-03-22T21:04:00Z"])
        .ok();
    (sandbox, tool)
}

/// Shows a line as it is typed, and what came of it: first at a terminal, then in a pipe.
fn session(tool: &Tool, typed: &[&str], hidden: &[(&str, &str)]) -> String {
    let line = |arguments: &[&str]| {
        let words = arguments.iter().map(|word| match word.contains(' ') {
            true => format!("'{word}'"),
            false => (*word).to_owned(),
        });
        words.collect::<Vec<_>>().join(" ")
    };
    let uncolored = [typed, &["--color", "never", "--no-progress"]].concat();
    let (_, shown) = tool.at_terminal(&uncolored, 80).end();
    let ran = tool.run(typed);
    let text = format!(
        "$ ddb {line}\n{shown}\n$ ddb {line} | cat\n{}{}\n",
        ran.stdout,
        ran.stderr,
        line = line(typed),
        shown = shown.replace('\r', ""),
    );
    let text = hidden
        .iter()
        .fold(text, |text, (found, shown)| text.replace(found, shown));
    normalised(&text)
}

/// Replaces what differs from run to run: ids that are made anew, and the time now.
fn normalised(text: &str) -> String {
    // A new conversation is said with its first digits.
    const BEGAN: &str = "\nbegan ";
    let text = match text.split_once(BEGAN) {
        Some((before, after)) => format!("{before}{BEGAN}ffffffff{}", &after[8..]),
        None => text.to_owned(),
    };
    let mut out = String::new();
    for line in text.split_inclusive('\n') {
        let mut rest = line;
        while let Some(c) = rest.chars().next() {
            let word_before = out.ends_with(|c: char| c.is_ascii_alphanumeric());
            let (shown, length) = match word_before {
                false => replaced(rest).unwrap_or_default(),
                true => Default::default(),
            };
            let length = if length == 0 { c.len_utf8() } else { length };
            out.push_str(if shown.is_empty() {
                &rest[..length]
            } else {
                shown
            });
            rest = &rest[length..];
        }
    }
    out
}

/// Returns what stands in place of an id or a time at the start of a text, and how long that is.
fn replaced(text: &str) -> Option<(&'static str, usize)> {
    const ID: &str = "ffffffff-ffff-4fff-8fff-ffffffffffff";
    const TIME: &str = "2026-11-21 17:26:02";
    let known = [GROUP, ANDREW, BAYKO, ANOTHER];
    let like = |form: &str, found: &str| {
        form.len() == found.len()
            && form
                .bytes()
                .zip(found.bytes())
                .all(|(form, found)| match form {
                    b'-' | b':' | b' ' => form == found,
                    b'0'..=b'9' => found.is_ascii_digit(),
                    _ => found.is_ascii_hexdigit(),
                })
    };
    if let Some(found) = text
        .get(..ID.len())
        .filter(|found| like(&ID.replace(['4', '8'], "f"), found))
    {
        // Those of the fake pool follow from their number.
        let is_known = known.contains(&found) || found.starts_with("aaaaaaaa-");
        return (!is_known).then_some((ID, ID.len()));
    }
    if let Some(found) = text.get(..TIME.len()).filter(|found| like(TIME, found)) {
        return (!found.starts_with("2026-03-2")).then_some((TIME, TIME.len()));
    }
    None
}

fn compare(name: &str, shown: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/it/snapshots")
        .join(format!("{name}.txt"));
    let expected = Data::read_from(&path, Some(DataFormat::Text));
    assert_data_eq!(shown.trim_end().to_owned() + "\n", expected.raw());
}

#[tokio::test]
async fn each_command_shows_what_its_snapshot_has() {
    for (name, lines) in SESSIONS {
        let (sandbox, tool) = furnished().await;
        if name == "scan" {
            for (pk, sk) in [("hello", "world"), (&*format!("MSG#{GROUP}"), "soon")] {
                let item = json!({"pk": {"S": pk}, "sk": {"S": sk}});
                let put = json!({"TableName": TABLE, "Item": item});
                sandbox.post("PutItem", &put.to_string());
            }
        }
        let url = sandbox.url();
        let hidden = [(&*url, "http://localhost:8000")];
        let shown: String = lines
            .iter()
            .map(|typed| session(&tool, typed, &hidden))
            .collect::<Vec<_>>()
            .join("\n");
        compare(name, &shown);
    }
}

#[test]
fn list_users_shows_what_its_snapshot_has() {
    let mut users: Vec<PoolUser> = (0..4).map(PoolUser::numbered).collect();
    users[2].handle = None;
    let cognito = Cognito::start(users, Hardship::default());
    let tool = Tool::new(env!("CARGO_BIN_EXE_ddb"), Door::Front)
        .with("AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER", &cognito.url())
        .with("AWS_COGNITO_USER_POOL_ID", POOL);
    let url = cognito.url();
    let shown = session(&tool, &["list-users"], &[(&url, "http://localhost:9229")]);
    compare("list-users", &shown);
}
