//! `ddb serve` and what is behind it: a pool, a database, a table, AWS.

use ddb_test_support::aws::{ACCOUNT, Aws, Backups};
use ddb_test_support::cognito::MotoPool;
use ddb_test_support::proxy::Proxy;
use ddb_test_support::{Door, Postgres, Sandbox, Tool};
use serde_json::json;

use crate::kills::{seed, seeded};
use crate::serve::{POOL, Pool, SUB, claims, header};
use crate::setup::{ANDREW, BAYKO, GROUP, tool};
use crate::web::Served;

/// In addition to the pool of these tests: one that issues its own tokens.
#[tokio::test]
#[ignore = "needs moto: bin-scripts/test --real"]
async fn p44_tokens_of_moto_are_believed_and_those_of_another_pool_are_not() {
    let sandbox = seed(Sandbox::with_table().await);
    let (pool, other) = (MotoPool::open().await, MotoPool::open().await);
    let sub = pool.add("andrew", Some("andrewbrown")).await;
    other.add("andrew", Some("andrewbrown")).await;
    let tool = tool(Door::Front, &sandbox);
    let users = include_str!("../../../../seed-data/users.csv");
    tool.file("users.csv", users.replacen("MOCK", &sub, 1));
    let (client, second, elsewhere) = (
        pool.add_client().await,
        pool.add_client().await,
        other.add_client().await,
    );
    let moto = MotoPool::url();
    let options = ["serve", "--users", "users.csv", "--client-id", &client];
    let of = ["--user-pool-id", &pool.id, "--cognito-endpoint-url", &moto];
    let served = Served::start(&tool, &[&options[..], &of].concat(), "url");
    let ask = |token: &str| {
        let header = format!("Authorization: Bearer {token}");
        served.get("/api/message_groups", &[&header])
    };
    let (access, id) = pool.tokens(&client, "andrew").await;
    let answer = ask(&access);
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.json()[0]["uuid"], GROUP);
    let (of_second, _) = pool.tokens(&second, "andrew").await;
    let (of_other, _) = other.tokens(&elsewhere, "andrew").await;
    for (what, token) in [
        ("an id token", id),
        ("another client", of_second),
        ("another pool", of_other),
    ] {
        assert_eq!(ask(&token).status, 401, "{what}");
    }
}

/// A database server is restarted now and then, while `ddb serve` keeps running.
#[tokio::test]
#[ignore = "needs PostgreSQL: bin-scripts/test --real"]
async fn users_are_found_again_after_their_database_was_away() {
    let sandbox = seed(Sandbox::with_table().await);
    let database = Postgres::with_users(&[("andrewbrown", ANDREW), ("bayko", BAYKO)]).await;
    let known =
        format!("UPDATE public.users SET cognito_user_id = '{SUB}' WHERE uuid = '{ANDREW}'");
    database.execute(&known).await;
    let (pool, tool) = (Pool::open(), tool(Door::Front, &sandbox));
    let (url, keys) = (database.url(), pool.server.url());
    let options = ["serve", "--database-url", &url, "--user-pool-id", POOL];
    let served = Served::start(
        &tool,
        &[&options[..], &["--cognito-endpoint-url", &keys]].concat(),
        "url",
    );
    let token = format!("Authorization: Bearer {}", pool.sign(&header(), &claims()));
    let ask = |path: &str| served.get(path, &[&token]).status;
    assert_eq!(ask("/api/message_groups"), 200);
    for _ in 0..3 {
        database.cut(false).await;
        assert_eq!(ask("/api/users/@bayko/short"), 200);
    }
    database.cut(true).await;
    for _ in 0..3 {
        assert_eq!(ask("/api/users/@bayko/short"), 503);
    }
    database.cut(false).await;
    assert_eq!(ask("/api/users/@bayko/short"), 200);
    assert_eq!(ask("/api/message_groups"), 200);
    let said = served.end();
    assert!(said.contains("warning: "), "{said}");
    assert!(!said.contains("tests:tests"), "{said}");
}

/// An answer costs what it shows, however many conversations a person has.
#[test]
fn what_is_asked_for_costs_two_requests() {
    let sandbox = seeded();
    let proxy = Proxy::start(&sandbox.url(), |_, _| None);
    let tool = tool(Door::Front, &sandbox).with("AWS_ENDPOINT_URL_DYNAMODB", &proxy.url());
    let served = Served::start(&tool, &["serve", "--me", "andrewbrown"], "url");
    let body = json!({"message": "Cake?", "message_group_uuid": GROUP}).to_string();
    for (asked, operations) in [
        ("messages", &["Query", "Query"][..]),
        ("groups", &["Query"]),
        ("write", &["Query", "PutItem"]),
    ] {
        let before = proxy.operations().len();
        let answer = match asked {
            "messages" => served.get(&format!("/api/messages/{GROUP}"), &[]),
            "groups" => served.get("/api/message_groups", &[]),
            _ => served.post("/api/messages", &[], &body),
        };
        assert_eq!(answer.status, 200, "{asked}: {}", answer.body);
        assert_eq!(proxy.operations()[before..], *operations, "{asked}");
    }
}

#[tokio::test]
async fn p05_production_is_asked_before_anybody_is_served() {
    let sandbox = seed(Sandbox::with_table().await);
    let (aws, pool) = (Aws::in_front_of(&sandbox, Backups::On), Pool::open());
    let tool = Tool::new(env!("CARGO_BIN_EXE_ddb"), Door::Front)
        .with("DDB_MESSAGE_TABLE", sandbox.table().as_str())
        .with("AWS_ACCESS_KEY_ID", "AKIATESTER")
        .with("AWS_SECRET_ACCESS_KEY", "secret");
    let users = include_str!("../../../../seed-data/users.csv");
    tool.file("users.csv", users.replacen("MOCK", SUB, 1));
    let (options, keys) = (aws.options(), pool.server.url());
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let of = ["--user-pool-id", POOL, "--cognito-endpoint-url", &keys];
    let serve = [&["serve", "--users", "users.csv"][..], &of, &options].concat();
    let ran = tool.run(&[&serve[..], &["--port", "0"]].concat());
    ran.fails_with_hint(2, "this needs confirmation, and there was no answer");
    let mut terminal = tool.at_terminal(&[&serve[..], &["--port", "0"]].concat(), 80);
    terminal.expect("to continue: ");
    terminal.enter("no\n");
    let (code, shown) = terminal.end();
    assert_eq!(code, Some(2), "{shown}");
    assert!(
        shown.contains(ACCOUNT) && !shown.contains("listening"),
        "{shown}"
    );

    let served = Served::start(&tool, &[&serve[..], &["--yes"]].concat(), "url");
    let token = format!("Authorization: Bearer {}", pool.sign(&header(), &claims()));
    let groups = served.get("/api/message_groups", &[&token]);
    assert_eq!(groups.json()[0]["uuid"], GROUP);
    assert_eq!(served.get("/api/message_groups", &[]).status, 401);
    assert_eq!(aws.writes(), [""; 0]);
    let body = json!({"message": "Cake?", "message_group_uuid": GROUP}).to_string();
    assert_eq!(served.post("/api/messages", &[&token], &body).status, 200);
    assert_eq!(aws.writes(), ["PutItem"]);
    let said = served.end();
    let banner = format!("production account {ACCOUNT} eu-central-1");
    assert!(said.contains(&banner), "{said}");
}
