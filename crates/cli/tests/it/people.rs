//! `list-users` and `update-cognito-user-ids`: the pool and the database.

use ddb_test_support::cognito::{Cognito, Hardship, MotoPool, POOL, PoolUser, sub};
use ddb_test_support::{Door, Postgres, Tool};
use serde_json::{Value, json};

use crate::setup::{document, field, lines, one};

pub fn people(door: Door, url: &str, pool: &str) -> Tool {
    Tool::new(env!("CARGO_BIN_EXE_ddb"), door)
        .with("AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER", url)
        .with("AWS_COGNITO_USER_POOL_ID", pool)
}

/// 131 users: one without a handle, one disabled, and the rest plain.
pub fn crowd() -> Vec<PoolUser> {
    let mut users: Vec<PoolUser> = (0..131).map(PoolUser::numbered).collect();
    users[17].handle = None;
    users[18].enabled = false;
    users
}

#[test]
fn p24_everyone_is_listed_exactly_once() {
    for door in Door::BOTH {
        let hardship = Hardship {
            throttled: 4,
            ..Hardship::default()
        };
        let cognito = Cognito::start(crowd(), hardship);
        let tool = people(door, &cognito.url(), POOL);
        let ran = tool.run(&["list-users", "-o", "jsonl"]);
        assert!(ran.stderr.contains("131 users"), "{}", ran.stderr);
        assert!(
            ran.stderr.contains("1 user has no handle"),
            "{}",
            ran.stderr
        );
        assert!(
            ran.stderr
                .contains(&format!("local {} {POOL}", cognito.url())),
            "{}",
            ran.stderr
        );
        let users = lines(ran);
        let expected: Vec<String> = (0..131).map(sub).collect();
        assert_eq!(field(&users, "sub"), expected);
        assert_eq!(users[17]["handle"], Value::Null);
        assert_eq!(
            (&users[18]["enabled"], &users[18]["status"]),
            (&json!(false), &json!("FORCE_CHANGE_PASSWORD"))
        );
        assert_eq!(
            users[0],
            json!({"handle": "user0", "sub": sub(0), "username": format!("name-{}", sub(0)),
                "email": format!("{}@example.com", sub(0)), "status": "CONFIRMED", "enabled": true})
        );
        let all = document(tool.run(&["list-users", "-o", "json"]));
        assert_eq!(
            (&all["count"], &all["truncated"]),
            (&json!(131), &json!(null))
        );
        let csv = tool.run(&["list-users", "-o", "csv"]).ok();
        assert!(
            csv.starts_with("handle,sub,username,email,status,enabled\nuser0,"),
            "{csv}"
        );
        assert_eq!(csv.lines().count(), 132);
    }
}

#[test]
fn a_filter_is_passed_through() {
    let cognito = Cognito::start(crowd(), Hardship::default());
    let tool = people(Door::Own, &cognito.url(), POOL);
    let handles = |filter: &str| -> Vec<Value> {
        lines(tool.run(&["list-users", "-o", "jsonl", "--filter", filter]))
    };
    assert_eq!(
        field(&handles("preferred_username=user7"), "handle"),
        ["user7"]
    );
    assert_eq!(handles("preferred_username^=user12").len(), 11);
    assert_eq!(handles("preferred_username=x\" or sub ^= \"a").len(), 0);
    tool.run(&["list-users", "--filter", "nonsense"])
        .fails(2, "ATTRIBUTE=VALUE");
    let none = tool.run(&["list-users", "--filter", "sub=x"]);
    assert!(none.stderr.contains("no users"), "{}", none.stderr);
    assert_eq!(none.ok(), "");
}

#[test]
fn what_is_wrong_with_a_pool_is_said() {
    let cognito = Cognito::start(crowd(), Hardship::default());
    let url = cognito.url();
    people(Door::Own, &url, "eu-central-1_Gone")
        .run(&["list-users"])
        .fails_with_hint(4, "eu-central-1_Gone: ResourceNotFoundException");
    people(Door::Own, &url, "nonsense")
        .run(&["list-users"])
        .fails(2, "AWS_COGNITO_USER_POOL_ID: not the id");
    people(Door::Own, &url, "")
        .run(&["list-users"])
        .fails_with_hint(2, "no user pool is named");
    let second = people(Door::Own, &url, "").with("AWS_USER_POOLS_ID", POOL);
    assert_eq!(lines(second.run(&["list-users", "-o", "jsonl"])).len(), 131);
    people(Door::Own, "http://127.0.0.1:1", POOL)
        .run(&["list-users"])
        .fails_with_hint(1, "no connection: Connection refused");
    assert!(
        people(Door::Own, "http://127.0.0.1:1", POOL)
            .run(&["list-users"])
            .stderr
            .contains("docker compose")
    );
    people(
        Door::Own,
        "https://cognito-idp.eu-central-1.amazonaws.com",
        POOL,
    )
    .run(&["list-users"])
    .fails_with_hint(2, "is AWS");

    let expired = Cognito::start(
        crowd(),
        Hardship {
            tokens_expire_after: 2,
            ..Hardship::default()
        },
    );
    let ran = people(Door::Own, &expired.url(), POOL).run(&["list-users", "-o", "json"]);
    ran.fails(1, "InvalidParameterException: Invalid pagination token");
    assert!(
        serde_json::from_str::<Value>(&ran.stdout).is_err(),
        "an incomplete list stays open"
    );
}

#[test]
fn throttling_without_end_is_given_up() {
    let cognito = Cognito::start(
        crowd(),
        Hardship {
            throttled: 1,
            ..Hardship::default()
        },
    );
    let ran = people(Door::Own, &cognito.url(), POOL).run(&["list-users"]);
    ran.fails(1, "TooManyRequestsException");
    assert!(
        (10..=60).contains(&cognito.requests()),
        "{}",
        cognito.requests()
    );
}

/// Only the word `aws` leads a local command to AWS: it uses the normal credential chain, and asks STS whose
/// credentials they are. Nothing in this test leaves the machine: the account is another one.
#[test]
fn p01_the_word_aws_takes_the_normal_chain() {
    let cognito = Cognito::start(crowd(), Hardship::default());
    let tool = people(Door::Own, "aws", POOL)
        .with("AWS_ACCESS_KEY_ID", "AKIATESTER")
        .with("AWS_SECRET_ACCESS_KEY", "secret")
        .with("AWS_ENDPOINT_URL", "http://127.0.0.1:1");
    let sts = [
        "--sts-endpoint-url",
        &cognito.url(),
        "--expect-account",
        "999999999999",
    ];
    for flag in [&[][..], &["--cognito-endpoint-url", "aws"]] {
        tool.run(&[&["list-users"], &sts[..], flag].concat())
            .fails_with_hint(2, "the credentials are for account 123456789012");
    }
    assert_eq!(cognito.requests(), 2, "GetCallerIdentity alone");
    let local = people(Door::Own, &cognito.url(), POOL);
    local
        .run(&["list-users", "--profile", "x"])
        .fails(2, "--profile goes with --prod");
    let absent = people(Door::Own, "aws", POOL).run(&["list-users", "--profile", "x"]);
    absent.fails_with_hint(2, "no AWS profile `x`");
}

#[test]
fn p02_a_configured_endpoint_is_refused_in_production() {
    let cognito = Cognito::start(crowd(), Hardship::default());
    let tool = people(Door::Own, &cognito.url(), POOL)
        .with("AWS_ACCESS_KEY_ID", "AKIATESTER")
        .with("AWS_SECRET_ACCESS_KEY", "secret");
    tool.run(&["list-users", "--prod"]).fails_with_hint(
        2,
        "the variable AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER leads",
    );
    assert_eq!(cognito.requests(), 0);
    let flags = [
        "--prod",
        "--cognito-endpoint-url",
        &cognito.url(),
        "--sts-endpoint-url",
        &cognito.url(),
    ];
    let ran = tool.run(&[&["list-users", "-q"], &flags[..]].concat());
    assert!(
        ran.stderr
            .contains("production account 123456789012 eu-central-1"),
        "{}",
        ran.stderr
    );
    ran.ok();
}

#[test]
fn a_database_is_needed_and_named() {
    let cognito = Cognito::start(crowd(), Hardship::default());
    let tool = people(Door::Front, &cognito.url(), POOL);
    for arguments in [["update-cognito-user-ids"], ["db-setup"]] {
        tool.run(&arguments)
            .fails_with_hint(2, "no users database is named");
    }
    assert_eq!(cognito.requests(), 0);
}

/// A password that is typed in the wrong place is not echoed.
#[test]
fn p26_a_misplaced_url_is_not_echoed() {
    let tool = Tool::new(env!("CARGO_BIN_EXE_ddb"), Door::Front);
    let url = "postgres://me:cAnArY@h/db";
    for arguments in [
        vec!["db-setup", url],
        vec!["scan", "--limit", url],
        vec!["list-conversations", url],
    ] {
        let ran = tool.run(&arguments);
        assert!(matches!(ran.code, Some(2 | 4)), "{ran:?}");
        assert!(ran.stderr.contains("postgres://***@h/db"), "{}", ran.stderr);
        assert!(!ran.stderr.contains("cAnArY"), "{}", ran.stderr);
    }
}

pub const TWO: [(&str, &str); 2] = [
    ("user1", "0a0a0a0a-0a0a-4a0a-8a0a-0a0a0a0a0a0a"),
    ("stranger", "0b0b0b0b-0b0b-4b0b-8b0b-0b0b0b0b0b0b"),
];

pub async fn ids(database: &Postgres) -> Vec<Vec<Option<String>>> {
    database
        .query("SELECT handle::text, cognito_user_id::text FROM public.users ORDER BY 1, 2")
        .await
}

#[tokio::test]
#[ignore = "needs PostgreSQL: bin-scripts/test --real"]
async fn p25_ids_are_set_once_and_the_rest_is_reported() {
    for door in Door::BOTH {
        let database = Postgres::with_users(&TWO).await;
        let cognito = Cognito::start(
            crowd(),
            Hardship {
                throttled: 5,
                ..Hardship::default()
            },
        );
        let tool = people(door, &cognito.url(), POOL).with("DATABASE_URL", &database.url());
        let before = ids(&database).await;
        let run = |options: &[&str]| {
            tool.run(&[&["update-cognito-user-ids", "-o", "jsonl"], options].concat())
        };
        let would = json!({
            "updated": 1, "unchanged": 0, "unmatched_in_pool": 129, "unmatched_in_database": 1,
            "without_handle": 1, "ambiguous": 0,
            "changes": [{"handle": "user1", "from": "MOCK", "to": sub(1)}],
        });
        let check = run(&["--check"]);
        assert_eq!(check.code, Some(3), "{check:?}");
        assert_eq!(serde_json::from_str::<Value>(&check.stdout).unwrap(), would);
        assert_eq!(one(run(&["--dry-run"])), would);
        assert_eq!(ids(&database).await, before);

        let ran = run(&[]);
        assert!(
            ran.stderr
                .contains("1 updated, 0 unchanged, 129 only in the pool"),
            "{}",
            ran.stderr
        );
        assert_eq!(one(ran), would);
        let after = ids(&database).await;
        assert_eq!(after[1], [Some("user1".to_owned()), Some(sub(1))]);
        assert_eq!(after[0][1].as_deref(), Some("MOCK"));
        let again = one(run(&[]));
        assert_eq!(
            (&again["updated"], &again["unchanged"]),
            (&json!(0), &json!(1))
        );
        run(&["--check"]).ok();
        let table = tool.run(&["update-cognito-user-ids"]).ok();
        assert!(
            table.contains("stranger") && table.contains("not in the pool"),
            "{table}"
        );
        assert!(table.contains("no handle in the pool"), "{table}");
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL: bin-scripts/test --real"]
async fn p25_doubled_handles_on_either_side_are_refused_by_name() {
    let database = Postgres::open().await;
    database
        .execute("CREATE TABLE public.users (uuid text, handle text, cognito_user_id text); \
                  INSERT INTO users VALUES ('1', 'user1', 'MOCK'), ('2', 'user2', 'MOCK'), ('3', 'user2', 'MOCK')")
        .await;
    let mut doubled = crowd();
    doubled[5].handle = Some("user6".to_owned());
    for (users, options, code, part) in [
        (
            crowd(),
            vec![],
            2,
            "1 handle has several users in the pool or several rows: user2",
        ),
        (
            doubled.clone(),
            vec![],
            2,
            "2 handles have several users in the pool or several rows: user2, user6",
        ),
        (doubled.clone(), vec!["--check"], 2, "user2, user6"),
        (doubled.clone(), vec!["--dry-run"], 2, "user2, user6"),
    ] {
        let cognito = Cognito::start(users, Hardship::default());
        let tool = people(Door::Own, &cognito.url(), POOL).with("DATABASE_URL", &database.url());
        tool.run(&[&["update-cognito-user-ids"], &options[..]].concat())
            .fails_with_hint(code, part);
        assert!(
            ids(&database)
                .await
                .iter()
                .all(|row| row[1].as_deref() == Some("MOCK"))
        );
    }
    let cognito = Cognito::start(doubled, Hardship::default());
    let tool = people(Door::Own, &cognito.url(), POOL).with("DATABASE_URL", &database.url());
    let skipped = one(tool.run(&["update-cognito-user-ids", "--skip-ambiguous", "-o", "jsonl"]));
    assert_eq!(
        (&skipped["updated"], &skipped["ambiguous"]),
        (&json!(1), &json!(2))
    );
    let after = ids(&database).await;
    assert_eq!(after[0][1], Some(sub(1)));
    assert_eq!(after[1][1].as_deref(), Some("MOCK"));
}

/// Killed while the server works on its statement, it leaves everything as it was.
#[tokio::test]
#[ignore = "needs PostgreSQL: bin-scripts/test --real"]
async fn p25_killed_in_the_middle_it_leaves_all_or_nothing() {
    let many: Vec<(String, String)> = (0..100)
        .map(|n| {
            (
                format!("user{n}"),
                format!("0a0a0a0a-0a0a-4a0a-8a0a-{n:012x}"),
            )
        })
        .collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    let database = Postgres::with_users(&many).await;
    // A trigger that sleeps makes the update slow.
    database
        .execute("CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS \
                  $$ BEGIN PERFORM pg_sleep(0.05); RETURN NEW; END $$; \
                  CREATE TRIGGER slow BEFORE UPDATE ON public.users FOR EACH ROW EXECUTE FUNCTION slow()")
        .await;
    let cognito = Cognito::start(crowd(), Hardship::default());
    let tool = people(Door::Own, &cognito.url(), POOL).with("DATABASE_URL", &database.url());
    let before = ids(&database).await;
    for signal in ["KILL", "INT", "TERM"] {
        let mut child = tool.spawn(&["update-cognito-user-ids"]);
        // It is in the middle once the server works on its statement.
        let working = format!(
            "SELECT pid::text FROM pg_stat_activity WHERE datname = '{}' \
            AND application_name = 'ddb' AND query LIKE 'UPDATE%' AND state = 'active'",
            database.name()
        );
        while database.query(&working).await.is_empty() {
            assert!(child.try_wait().unwrap().is_none(), "it ended too soon");
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        crate::faults::kill(&child, signal);
        child.wait().unwrap();
        let waiting = working.replace(" AND state = 'active'", "");
        while !database.query(&waiting).await.is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        assert_eq!(ids(&database).await, before, "{signal}");
    }
    database.execute("DROP TRIGGER slow ON public.users").await;
    let done = one(tool.run(&["update-cognito-user-ids", "-o", "jsonl"]));
    assert_eq!(done["updated"], 99);
}

#[tokio::test]
#[ignore = "needs PostgreSQL and moto: bin-scripts/test --real"]
async fn a_pool_in_moto_is_listed_and_copied() {
    let pool = MotoPool::open().await;
    let mut subs = Vec::new();
    for n in 0..131 {
        let handle = format!("user{n}");
        let handle = (n != 17).then_some(handle.as_str());
        subs.push(pool.add(&format!("name{n}"), handle).await);
    }
    let users = [("user0", TWO[0].1), ("user1", TWO[1].1)];
    let database = Postgres::with_users(&users).await;
    let tool =
        people(Door::Front, &MotoPool::url(), &pool.id).with("DATABASE_URL", &database.url());
    let listed = lines(tool.run(&["list-users", "-o", "jsonl"]));
    let mut found = field(&listed, "sub");
    found.sort_unstable();
    let mut expected: Vec<&str> = subs.iter().map(String::as_str).collect();
    expected.sort_unstable();
    assert_eq!(found, expected);
    assert_eq!(
        tool.run(&["update-cognito-user-ids", "--check"]).code,
        Some(3)
    );
    let done = one(tool.run(&["update-cognito-user-ids", "-o", "jsonl"]));
    assert_eq!(
        (&done["updated"], &done["without_handle"]),
        (&json!(2), &json!(1))
    );
    tool.run(&["update-cognito-user-ids", "--check"]).ok();
    let after = ids(&database).await;
    assert_eq!(
        (after[0][1].as_ref(), after[1][1].as_ref()),
        (Some(&subs[0]), Some(&subs[1]))
    );
}

/// Older schemas store the id in other types.
#[tokio::test]
#[ignore = "needs PostgreSQL: bin-scripts/test --real"]
async fn p25_ids_are_set_whatever_the_type_of_the_column() {
    for kind in ["text", "varchar(80)", "char(36)", "uuid"] {
        let database = Postgres::open().await;
        database
            .execute(&format!(
                "CREATE TABLE public.users (uuid uuid DEFAULT gen_random_uuid(), display_name text, handle text, \
                 email text, cognito_user_id {kind}); INSERT INTO users (handle) VALUES ('user1'), ('user2')"
            ))
            .await;
        let cognito = Cognito::start(crowd(), Hardship::default());
        let tool = people(Door::Own, &cognito.url(), POOL).with("DATABASE_URL", &database.url());
        for updated in [2, 0] {
            let done = one(tool.run(&["update-cognito-user-ids", "-o", "jsonl"]));
            assert_eq!(done["updated"], updated, "{kind}");
        }
        let set = database
            .query("SELECT cognito_user_id::text FROM users ORDER BY handle")
            .await;
        assert_eq!(set, [[Some(sub(1))], [Some(sub(2))]], "{kind}");
    }
}
