//! `db-setup`: the database, its table, and the seed users.

use ddb_test_support::cognito::{Cognito, Hardship, POOL, PoolUser, sub};
use ddb_test_support::{Door, Postgres, Ran, Tool};
use serde_json::json;

use crate::people::{TWO, crowd, ids, people};
use crate::setup::one;

/// The account that was named is checked even if nothing else of AWS is needed.
#[test]
fn p05_db_setup_expects_the_account_that_was_named() {
    let cognito = Cognito::start(crowd(), Hardship::default());
    let tool = Tool::new(env!("CARGO_BIN_EXE_ddb"), Door::Own)
        .with("AWS_ACCESS_KEY_ID", "AKIATESTER")
        .with("AWS_SECRET_ACCESS_KEY", "secret")
        .with("DATABASE_URL", "postgres://me@127.0.0.1:1/db")
        .with("PROD_DATABASE_URL", "postgres://me@127.0.0.1:1/db");
    let setup = ["db-setup", "--yes"];
    let url = cognito.url();
    let prod = [
        "--prod",
        "--region",
        "eu-west-1",
        "--sts-endpoint-url",
        &url,
        "--expect-account",
    ];
    tool.run(&[&setup, &prod[..], &["999999999999"]].concat())
        .fails_with_hint(2, "the credentials are for account 123456789012");
    tool.run(&[&setup, &prod[..], &["123456789012"]].concat())
        .fails_with_hint(1, "Connection refused");
    tool.run(&["db-setup", "--profile", "x"])
        .fails_with_hint(2, "--profile goes with --prod");
    tool.run(&["db-setup", "--expect-account", "1"])
        .fails_with_hint(2, "goes with --prod");
}

async fn seed_rows(database: &Postgres) -> Vec<Vec<Option<String>>> {
    database
        .query("SELECT uuid::text, display_name::text, handle::text, email::text, cognito_user_id::text \
                FROM public.users ORDER BY handle")
        .await
}

#[tokio::test]
#[ignore = "needs PostgreSQL: bin-scripts/test --real"]
async fn db_setup_makes_everything_and_runs_again() {
    for door in Door::BOTH {
        let database = Postgres::absent();
        let tool = Tool::new(env!("CARGO_BIN_EXE_ddb"), door).with("DATABASE_URL", &database.url());
        let run =
            |options: &[&str]| one(tool.run(&[&["db-setup", "-o", "jsonl"], options].concat()));
        assert_eq!(
            run(&["--wait"]),
            json!({"database": "created", "schema": "created", "inserted": 4, "updated": 0, "unchanged": 0})
        );
        let rows = seed_rows(&database).await;
        assert_eq!(rows.len(), 4);
        assert!(rows.iter().all(|row| row[4].as_deref() == Some("MOCK")));
        let bayko = |rows: &[Vec<Option<String>>]| rows[2][0].clone().unwrap();
        assert_eq!(bayko(&rows), crate::setup::BAYKO);
        assert_eq!(
            run(&[]),
            json!({"database": "unchanged", "schema": "unchanged", "inserted": 0, "updated": 0, "unchanged": 4})
        );
        // A Cognito id that was set stays; a name that was changed is restored.
        database
            .execute("UPDATE users SET cognito_user_id = 'real' WHERE handle = 'bayko'; \
                      UPDATE users SET display_name = 'Old Name', cognito_user_id = 'mine' WHERE handle = 'londo'; \
                      DELETE FROM users WHERE handle = 'altbrown'")
            .await;
        assert_eq!(
            run(&[]),
            json!({"database": "unchanged", "schema": "unchanged", "inserted": 1, "updated": 1, "unchanged": 2})
        );
        let rows = seed_rows(&database).await;
        assert_eq!(rows[2][4].as_deref(), Some("real"));
        assert_eq!(
            (rows[3][1].as_deref(), rows[3][4].as_deref()),
            (Some("Londo Mollari"), Some("mine"))
        );
        // --reset starts over. Locally nothing asks.
        let anew = run(&["--reset"]);
        assert_eq!(
            (&anew["database"], &anew["inserted"]),
            (&json!("created"), &json!(4))
        );
        tool.run(&["db-setup", "--reset", "--confirm", "other"])
            .fails(2, "is not its name");
        assert_eq!(seed_rows(&database).await.len(), 4);
    }
}

/// A database as the old scripts made it: random ids, handles that may repeat, no e-mail.
#[tokio::test]
#[ignore = "needs PostgreSQL: bin-scripts/test --real"]
async fn db_setup_leaves_an_older_database_as_it_is_and_says_so() {
    let database = Postgres::open().await;
    let other = TWO[0].1;
    database
        .execute(&format!(
            "CREATE TABLE public.users (uuid UUID DEFAULT gen_random_uuid() PRIMARY KEY, display_name text NOT NULL, \
             handle text NOT NULL, cognito_user_id text NOT NULL, created_at TIMESTAMP default current_timestamp NOT NULL); \
             INSERT INTO users (uuid, display_name, handle, cognito_user_id) VALUES \
             ('{other}', 'Andrew Brown', 'andrewbrown', 'real'); \
             INSERT INTO users (display_name, handle, cognito_user_id) VALUES ('Twin', 'bayko', 'a'), ('Twin', 'bayko', 'b'); \
             INSERT INTO users (uuid, display_name, handle, cognito_user_id) VALUES ('e94a2b70-3c5d-4f18-b6c9-08d7f1a5e264', 'L', 'renamed', 'c')"
        ))
        .await;
    let rows = "SELECT uuid::text, display_name, handle, cognito_user_id FROM users WHERE handle <> 'altbrown' ORDER BY 1";
    let before = database.query(rows).await;
    let tool =
        Tool::new(env!("CARGO_BIN_EXE_ddb"), Door::Own).with("DATABASE_URL", &database.url());
    let ran = tool.run(&["db-setup", "-o", "jsonl"]);
    for said in [
        format!("`andrewbrown` exists with the uuid {other}"),
        "`bayko` has several rows".to_owned(),
        "e94a2b70-3c5d-4f18-b6c9-08d7f1a5e264 exists as `renamed`".to_owned(),
        "handles may repeat".to_owned(),
        "no column email".to_owned(),
    ] {
        assert!(ran.stderr.contains(&said), "{said}: {}", ran.stderr);
    }
    let done = one(ran);
    assert_eq!(
        (&done["inserted"], &done["updated"], &done["unchanged"]),
        (&json!(1), &json!(0), &json!(3))
    );
    assert_eq!(database.query(rows).await, before);
    // The existing rows can be used with their own ids.
    let cognito = Cognito::start(
        vec![PoolUser {
            handle: Some("andrewbrown".into()),
            sub: sub(1),
            enabled: true,
        }],
        Hardship::default(),
    );
    let update = people(Door::Own, &cognito.url(), POOL).with("DATABASE_URL", &database.url());
    update.run(&["update-cognito-user-ids"]).fails(2, "bayko");
    update
        .run(&["update-cognito-user-ids", "--skip-ambiguous"])
        .ok();
}

#[tokio::test]
#[ignore = "needs PostgreSQL: bin-scripts/test --real"]
async fn db_setup_copies_the_ids_on_demand_and_asks_in_production() {
    let users = ["andrewbrown", "bayko", "londo", "altbrown"];
    let users = users.iter().enumerate().map(|(n, handle)| PoolUser {
        handle: Some((*handle).to_owned()),
        ..PoolUser::numbered(n)
    });
    let cognito = Cognito::start(users.collect(), Hardship::default());
    let database = Postgres::absent();
    let tool = people(Door::Own, &cognito.url(), POOL).with("DATABASE_URL", &database.url());
    let ran: Ran = tool.run(&["db-setup", "--with-cognito"]);
    assert!(ran.stderr.contains("4 Cognito ids set"), "{}", ran.stderr);
    ran.ok();
    let set = ids(&database).await;
    assert!(
        set.iter()
            .all(|row| row[1].as_deref().unwrap().starts_with("aaaaaaaa-"))
    );
    tool.run(&["db-setup"]).ok();
    assert_eq!(ids(&database).await, set, "the ids stay as they are");

    let named = database.url().replace("127.0.0.1", "localhost");
    let prod = Tool::new(env!("CARGO_BIN_EXE_ddb"), Door::Own)
        .with("PROD_DATABASE_URL", &named)
        .with("PGSSLROOTCERT", &Postgres::ca());
    let refused = prod.run(&["db-setup", "--prod"]);
    refused.fails_with_hint(2, "this needs confirmation, and there was no answer");
    assert!(
        refused.stderr.contains("production postgres localhost:"),
        "{}",
        refused.stderr
    );
    prod.run(&["db-setup", "--prod", "--reset", "--yes"])
        .fails_with_hint(2, "this needs confirmation, and there was no answer");
    prod.run(&[
        "db-setup",
        "--prod",
        "--reset",
        "--yes",
        "--confirm",
        "cruddur",
    ])
    .fails(2, "is not its name");
    assert_eq!(ids(&database).await, set);
    // The right name, but no permission to write: nothing is deleted.
    let name = database.name();
    prod.run(&["db-setup", "--prod", "--reset", "--confirm", name])
        .fails_with_hint(2, "this needs confirmation, and there was no answer");
    assert_eq!(ids(&database).await, set);
    prod.run(&["db-setup", "--prod", "--yes"]).ok();
    prod.run(&[
        "db-setup",
        "--prod",
        "--reset",
        "--yes",
        "--confirm",
        database.name(),
    ])
    .ok();
    assert_ne!(ids(&database).await, set);
}

#[tokio::test]
#[ignore = "needs PostgreSQL: bin-scripts/test --real"]
async fn db_setups_at_once_make_one_database() {
    let database = Postgres::absent();
    let tool =
        Tool::new(env!("CARGO_BIN_EXE_ddb"), Door::Own).with("DATABASE_URL", &database.url());
    let running: Vec<_> = (0..4)
        .map(|_| tool.spawn(&["db-setup", "-o", "jsonl"]))
        .collect();
    let mut created = 0;
    for child in running {
        let ran = Ran::from(child.wait_with_output().unwrap());
        created += usize::from(one(ran)["database"] == "created");
    }
    assert_eq!(created, 1);
    assert_eq!(seed_rows(&database).await.len(), 4);
}

#[tokio::test]
#[ignore = "needs PostgreSQL: bin-scripts/test --real"]
async fn db_setup_with_an_ambiguous_pool_says_what_was_done() {
    let mut users = crowd();
    users[1].handle = Some("bayko".to_owned());
    users[2].handle = Some("bayko".to_owned());
    let cognito = Cognito::start(users, Hardship::default());
    let database = Postgres::absent();
    let tool = people(Door::Own, &cognito.url(), POOL).with("DATABASE_URL", &database.url());
    let ran = tool.run(&["db-setup", "--with-cognito"]);
    ran.fails(
        5,
        "the database is set up, but no Cognito id was set: several users have the handle bayko",
    );
    assert!(
        ran.stderr
            .contains("`ddb update-cognito-user-ids --skip-ambiguous`"),
        "{}",
        ran.stderr
    );
    assert_eq!(seed_rows(&database).await.len(), 4);
}
