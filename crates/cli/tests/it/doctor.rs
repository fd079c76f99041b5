//! `ddb doctor`: the truth, and the next command to type.

use ddb_test_support::cognito::{Cognito, Hardship, POOL, PoolUser};
use ddb_test_support::{Door, Postgres, Ran, Sandbox, Tool};
use serde_json::Value;

use crate::setup::tool;

fn checks(ran: &Ran) -> Vec<(String, String, String)> {
    let text = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
    ran.stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .map(|row: Value| {
            (
                text(&row, "check"),
                text(&row, "status"),
                format!("{} {}", text(&row, "detail"), text(&row, "hint")),
            )
        })
        .collect()
}

/// Checks the status of each check, and that its output contains a text.
#[track_caller]
fn says(tool: &Tool, code: i32, expected: [(&str, &str); 5]) {
    let ran = tool.run(&["doctor", "-o", "jsonl"]);
    assert_eq!(ran.code, Some(code), "{ran:?}");
    let found = checks(&ran);
    let names: Vec<&str> = found.iter().map(|(name, ..)| name.as_str()).collect();
    assert_eq!(names, ["dynamodb", "table", "users", "user ids", "cognito"]);
    for ((name, status, said), (wanted, part)) in found.iter().zip(expected) {
        assert_eq!(status, wanted, "{name}: {said}");
        assert!(said.contains(part), "{part:?} in {name}: {said}");
    }
}

#[tokio::test]
async fn a_fresh_machine_and_each_step_from_there() {
    let fresh = Tool::new(env!("CARGO_BIN_EXE_ddb"), Door::Front)
        .with("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:1");
    let built_in = ("ok", "the built-in seed users are used");
    let nothing = ("ok", "there is no database");
    let no_pool = ("ok", "no user pool is named");
    says(
        &fresh,
        3,
        [
            ("fail", "`ddb local`"),
            ("fail", "Connection refused"),
            built_in,
            nothing,
            no_pool,
        ],
    );

    let sandbox = Sandbox::new();
    let half = tool(Door::Front, &sandbox);
    says(
        &half,
        3,
        [
            ("ok", "answers"),
            ("fail", "`ddb schema-load --endpoint-url http://"),
            built_in,
            nothing,
            no_pool,
        ],
    );
    half.run(&["schema-load", "--no-stream"]).ok();
    says(
        &half,
        3,
        [
            ("ok", "answers"),
            ("warn", "differs in: stream"),
            built_in,
            nothing,
            no_pool,
        ],
    );
    half.run(&["schema-load", "--apply"]).ok();
    says(
        &half,
        0,
        [
            ("ok", "answers"),
            ("ok", "`ddb seed --"),
            built_in,
            nothing,
            no_pool,
        ],
    );
    half.run(&["seed"]).ok();
    says(
        &half,
        0,
        [
            ("ok", "answers"),
            ("ok", "matches the schema"),
            built_in,
            nothing,
            no_pool,
        ],
    );

    let dead = tool(Door::Front, &sandbox)
        .with("DATABASE_URL", "postgres://me:cAnArY@127.0.0.1:1/db")
        .with("AWS_COGNITO_USER_POOL_ID", POOL)
        .with(
            "AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER",
            "http://127.0.0.1:1",
        );
    let refused = ("fail", "Connection refused");
    says(
        &dead,
        3,
        [
            ("ok", "answers"),
            ("ok", "matches the schema"),
            refused,
            refused,
            refused,
        ],
    );
    let ran = dead.run(&["doctor"]);
    assert!(!format!("{ran:?}").contains("cAnArY"));
}

#[tokio::test]
#[ignore = "needs PostgreSQL: bin-scripts/test --real"]
async fn a_complete_machine_and_what_may_be_missing_there() {
    let sandbox = Sandbox::with_table().await;
    let users = ["andrewbrown", "bayko", "londo", "altbrown"];
    let users = users.iter().enumerate().map(|(n, handle)| PoolUser {
        handle: Some((*handle).to_owned()),
        ..PoolUser::numbered(n)
    });
    let cognito = Cognito::start(users.collect(), Hardship::default());
    let database = Postgres::absent();
    let tool = tool(Door::Front, &sandbox)
        .with("DATABASE_URL", &database.url())
        .with("AWS_COGNITO_USER_POOL_ID", POOL)
        .with("AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER", &cognito.url());
    let ok = ("ok", "");
    let pool = ("ok", "answers, 4 users");
    says(
        &tool,
        3,
        [
            ok,
            ok,
            ("fail", "`ddb db-setup`"),
            ("fail", "`ddb db-setup`"),
            pool,
        ],
    );
    tool.run(&["db-setup"]).ok();
    says(
        &tool,
        3,
        [
            ok,
            ok,
            ("ok", "postgres 127.0.0.1:"),
            (
                "warn",
                "4 of 4 users have no Cognito id `ddb update-cognito-user-ids`",
            ),
            pool,
        ],
    );
    tool.run(&["update-cognito-user-ids"]).ok();
    says(
        &tool,
        0,
        [ok, ok, ok, ("ok", "4 users, each with a Cognito id"), pool],
    );
    database.execute("ALTER TABLE users DROP CONSTRAINT users_handle_key; UPDATE users SET handle = 'bayko' WHERE handle = 'londo'").await;
    says(
        &tool,
        3,
        [
            ok,
            ok,
            ok,
            ("warn", "handles of several users: bayko"),
            pool,
        ],
    );
    database.execute("DELETE FROM users").await;
    says(&tool, 3, [ok, ok, ok, ("warn", "there are no users"), pool]);
    database.execute("DROP TABLE users").await;
    says(&tool, 3, [ok, ok, ok, ("fail", "`ddb db-setup`"), pool]);
}
