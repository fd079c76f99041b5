//! What each command shows, at a terminal of 80 columns and in a pipe, as text that a reviewer can read: the files in
//! `snapshots`. After an intended change, `bin-scripts/write-snapshots` writes them again.

use std::path::Path;

use ddb_test_support::cognito::{Cognito, Hardship, POOL, PoolUser};
use ddb_test_support::{Door, Postgres, Sandbox, Tool};
use serde_json::json;
use snapbox::data::DataFormat;
use snapbox::{Data, assert_data_eq};

use crate::people::{TWO, crowd};
use crate::setup::{ANDREW, BAYKO, GROUP, one, tool};

const TABLE: &str = "cruddur-messages";
const ANOTHER: &str = "0b6c8e5e-6f0a-4f6e-9d3f-3a1b7c2d4e5f";

/// The names of commands, and the lines that are typed for each, one after the other.
const SESSIONS: [(&str, &[&[&str]]); 17] = [
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
    (
        "sync-conversations",
        &[
            &["create-message", "bayko", "And the 19:10?"],
            &["sync-conversations", "--once"],
        ],
    ),
    (
        "check-conversations",
        &[
            &["check-conversations"],
            &["check-conversations", "--all"],
            &[
                "check-conversations",
                "--repair",
                "--times",
                "--receipt",
                "repair.jsonl",
            ],
            &["undo", "repair.jsonl", "--receipt", "undo.jsonl"],
        ],
    ),
    (
        "delete-message",
        &[
            &[
                "delete-message",
                NEWEST,
                "--group",
                GROUP,
                "--plan",
                "plan.jsonl",
            ],
            &["apply", "plan.jsonl"],
        ],
    ),
    (
        "import",
        &[
            &["import", "backup.jsonl"],
            &["import", "backup.jsonl", "--check"],
            &["import", "backup.jsonl", "--skip-bad"],
            &["import", "backup.jsonl", "--skip-bad", "--check"],
        ],
    ),
    (
        "pull",
        &[
            &["pull", "bayko", "--into-table", "another"],
            &[
                "pull",
                "bayko",
                "--mask",
                "--users-out",
                "people.csv",
                "--into-table",
                "another",
            ],
        ],
    ),
    (
        "delete-conversation",
        &[
            &["delete-conversation", "@bayko", "--dry-run"],
            &["delete-conversation", "@bayko"],
            &["receipts"],
        ],
    ),
];

/// A placeholder in command lines for the newest message of the seeded conversation.
const NEWEST: &str = "NEWEST";

/// Puts what the old scripts left: times without an offset, and a row that is behind its conversation.
fn old(sandbox: &Sandbox) {
    let message = |sk: &str, n: u8, text: &str| {
        json!({
            "pk": {"S": format!("MSG#{ANOTHER}")},
            "sk": {"S": sk},
            "message_uuid": {"S": format!("aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaa{n:02}")},
            "message": {"S": text},
            "user_uuid": {"S": ANDREW},
            "user_display_name": {"S": "Andrew Brown"},
            "user_handle": {"S": "andrewbrown"},
        })
    };
    let row = |owner: &str, sk: &str, (id, name, handle): (&str, &str, &str)| {
        json!({
            "pk": {"S": format!("GRP#{owner}")},
            "sk": {"S": sk},
            "message_group_uuid": {"S": ANOTHER},
            "message": {"S": "The viaduct, from the train."},
            "user_uuid": {"S": id},
            "user_display_name": {"S": name},
            "user_handle": {"S": handle},
        })
    };
    const LAST: &str = "2026-03-21T11:42:17";
    const LONDO: &str = "e94a2b70-3c5d-4f18-b6c9-08d7f1a5e264";
    for item in [
        message("2026-03-21T11:40:02", 1, "Guess where I am."),
        message(LAST, 2, "The viaduct, from the train."),
        row(ANDREW, LAST, (LONDO, "Londo Mollari", "londo")),
        row(
            LONDO,
            "2026-03-21T11:40:02",
            (ANDREW, "Andrew Brown", "andrewbrown"),
        ),
    ] {
        let put = json!({"TableName": TABLE, "Item": item});
        sandbox.post("PutItem", &put.to_string());
    }
}

async fn furnished() -> (Sandbox, Tool) {
    // Its own engine, so that the table can have this name.
    let sandbox = Sandbox::embedded();
    let tool = tool(Door::Front, &sandbox).with("DDB_MESSAGE_TABLE", TABLE);
    tool.run(&["schema-load"]).ok();
    tool.run(&["seed", "--ends-at", "2026-03-22T21:04:00Z"])
        .ok();
    (sandbox, tool)
}

/// Returns a line as it is typed, and its output: first at a terminal, then in a pipe.
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

/// Replaces what differs between runs: new ids, and the current time.
fn normalised(text: &str) -> String {
    // A new conversation is shown with its first digits.
    const BEGAN: &str = "\nstarted ";
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

/// What differs between runs, and its replacement: `0` is any digit, `f` any hexadecimal one.
const FORMS: [(&str, &str); 5] = [
    (
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
        "ffffffff-ffff-4fff-8fff-ffffffffffff",
    ),
    ("0000-00-00 00:00:00", "2026-11-21 17:26:02"),
    ("0000-00-00T00:00:00.000000", "2026-11-21T17:26:02.000000"),
    ("00000000T000000", "20261121T172602"),
    ("ffffffff.jsonl", "ffffffff.jsonl"),
];

/// Returns the replacement for what a text starts with, and the length of the replaced part.
fn replaced(text: &str) -> Option<(&'static str, usize)> {
    let is_like = |form: &str, found: &str| {
        form.bytes()
            .zip(found.bytes())
            .all(|(form, found)| match form {
                b'0' => found.is_ascii_digit(),
                b'f' => found.is_ascii_hexdigit(),
                _ => form == found,
            })
    };
    // The ids and times of the seed and of the fake pool are the same in each run.
    let is_known = |found: &str| {
        [GROUP, ANDREW, BAYKO, ANOTHER].contains(&found)
            || found.starts_with("aaaaaaaa-")
            || found.starts_with("2026-03-2")
    };
    FORMS.into_iter().find_map(|(form, shown)| {
        let found = text.get(..form.len())?;
        (is_like(form, found) && !is_known(found)).then_some((shown, form.len()))
    })
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
        let newest = one(tool.run(&["get-conversation", GROUP, "--limit", "1", "-o", "jsonl"]));
        let newest = newest["message_uuid"].as_str().unwrap();
        if name == "scan" {
            for (pk, sk) in [("hello", "world"), (&*format!("MSG#{GROUP}"), "soon")] {
                let item = json!({"pk": {"S": pk}, "sk": {"S": sk}});
                let put = json!({"TableName": TABLE, "Item": item});
                sandbox.post("PutItem", &put.to_string());
            }
        }
        if name == "check-conversations" {
            old(&sandbox);
        }
        if name == "import" {
            let lines = tool.run(&["scan", "-o", "ddb-json", "--limit", "4"]).ok();
            let other = r#"{"Item":{"pk":{"S":"hello"},"sk":{"S":"world"}}}"#;
            tool.file(
                "backup.jsonl",
                format!("{lines}{other}\n{{\"Item\":{{}}}}\n"),
            );
        }
        let tool = match name {
            "pull" => tool.with("DDB_ENDPOINT_URL", &sandbox.url()),
            _ => tool,
        };
        let (url, home) = (sandbox.url(), tool.home().display().to_string());
        let hidden = [(&*url, "http://localhost:8000"), (&*home, "/home/me")];
        let shown = lines.iter().map(|typed| {
            let typed = typed.iter().map(|word| match *word {
                NEWEST => newest,
                word => word,
            });
            session(&tool, &typed.collect::<Vec<_>>(), &hidden)
        });
        let shown = shown.collect::<Vec<_>>().join("\n");
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

/// Returns the server and the name of a database as they are shown, since both differ between runs.
fn hidden(database: &Postgres) -> (String, String) {
    let url = database.url();
    let (_, server) = url
        .rsplit_once('@')
        .unwrap_or_else(|| url.split_once("//").unwrap());
    let (server, _) = server.rsplit_once('/').unwrap();
    (server.to_owned(), database.name().to_owned())
}

#[test]
#[ignore = "needs PostgreSQL: bin-scripts/test --real"]
fn db_setup_shows_what_its_snapshot_has() {
    let database = Postgres::absent();
    let tool =
        Tool::new(env!("CARGO_BIN_EXE_ddb"), Door::Front).with("DATABASE_URL", &database.url());
    let (server, name) = hidden(&database);
    let hidden = [(&*server, "localhost:5432"), (&*name, "cruddur")];
    let lines = [&["db-setup"][..], &["db-setup", "--reset"]];
    let shown = lines.map(|typed| session(&tool, typed, &hidden));
    compare("db-setup", &shown.join("\n"));
}

#[tokio::test]
#[ignore = "needs PostgreSQL: bin-scripts/test --real"]
async fn update_cognito_user_ids_shows_what_its_snapshot_has() {
    let database = Postgres::with_users(&TWO).await;
    let mut users = crowd();
    users.truncate(6);
    let cognito = Cognito::start(users, Hardship::default());
    let tool = Tool::new(env!("CARGO_BIN_EXE_ddb"), Door::Front)
        .with("AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER", &cognito.url())
        .with("AWS_COGNITO_USER_POOL_ID", POOL)
        .with("DATABASE_URL", &database.url());
    let (url, (server, name)) = (cognito.url(), hidden(&database));
    let hidden = [
        (&*url, "http://localhost:9229"),
        (&*server, "localhost:5432"),
        (&*name, "cruddur"),
    ];
    let lines = [
        &["update-cognito-user-ids", "--check"][..],
        &["update-cognito-user-ids"],
    ];
    let shown = lines.map(|typed| session(&tool, typed, &hidden));
    compare("update-cognito-user-ids", &shown.join("\n"));
}
