//! A database elsewhere counts as production, with or without `--prod`.

use ddb_test_support::cognito::{Cognito, Hardship, POOL, PoolUser, sub};
use ddb_test_support::http::Server;
use ddb_test_support::{Door, Postgres, Sandbox, Tool};

use crate::people::{TWO, ids, people};
use crate::setup::{one, tool};
use crate::users::plaintext_server;

fn with_database(url: &str) -> Tool {
    Tool::new(env!("CARGO_BIN_EXE_ddb"), Door::Front).with("DATABASE_URL", url)
}

fn port(server: &Server) -> String {
    server.url().rsplit(':').next().unwrap().to_owned()
}

/// Nothing is contacted: a remote name points here by an address, and nobody connects.
#[test]
fn p05_p06_a_remote_database_is_asked_for_without_prod() {
    let trap = Server::trap();
    let port = port(&trap);
    let commands: [&[&str]; 3] = [
        &["db-setup"],
        &["db-setup", "--reset"],
        &["db-setup", "--reset", "--yes"],
    ];
    for host in [
        "db.example.org",
        "DB.Example.ORG.",
        "db%2Eexample%2Eorg",
        "10.0.0.1",
    ] {
        let url = format!("postgres://me:pw@{host}:{port}/cruddur?hostaddr=127.0.0.1");
        let tool = with_database(&url);
        for arguments in commands {
            // Nothing hides where it would write.
            for quiet in [&[][..], &["--quiet"]] {
                let ran = tool.run(&[arguments, quiet].concat());
                ran.fails_with_hint(2, "this needs confirmation, and there was no answer");
                let banner = "production postgres ";
                assert!(ran.stderr.starts_with(banner), "{}", ran.stderr);
            }
        }
        tool.run(&["db-setup", "--reset", "--yes", "--confirm", "other"])
            .fails_with_hint(2, "is not its name");
        with_database(&format!("{url}&sslmode=disable"))
            .run(&["db-setup", "--reset"])
            .fails_with_hint(2, "connections to production always use TLS");
    }
    // The host may come from a variable, or be one of several.
    let by_variable = with_database(&format!("postgres://me@/db?port={port}&hostaddr=127.0.0.1"));
    by_variable
        .with("PGHOST", "db.example.org")
        .run(&["db-setup"])
        .fails_with_hint(2, "this needs confirmation, and there was no answer");
    with_database(&format!(
        "postgres://me@127.0.0.1:{port},db.example.org:{port}/db"
    ))
    .run(&["db-setup", "--reset"])
    .fails_with_hint(2, "this needs confirmation, and there was no answer");
    assert_eq!(trap.connections(), 0);
}

/// AWS is only for `--prod`, for reading too.
#[test]
fn p05_a_database_at_aws_is_refused_without_prod() {
    let sandbox = Sandbox::new();
    let cognito = Cognito::start(Vec::new(), Hardship::default());
    let trap = Server::trap();
    let port = port(&trap);
    for host in [
        "x.rds.amazonaws.com",
        "X.RDS.AmazonAWS.com.",
        "localhost,x.rds.amazonaws.com.cn",
    ] {
        let addresses = if host.contains(',') {
            "127.0.0.1,127.0.0.1"
        } else {
            "127.0.0.1"
        };
        let url = format!("postgres://me:pw@{host}/cruddur?port={port}&hostaddr={addresses}");
        let all = people(Door::Own, &cognito.url(), POOL).with("DATABASE_URL", &url);
        for arguments in [
            &["db-setup", "--yes"][..],
            &["db-setup", "--reset", "--yes", "--confirm", "cruddur"],
            &["db-setup", "--with-cognito", "--yes"],
            &["update-cognito-user-ids", "--yes"],
        ] {
            let ran = all.run(arguments);
            ran.fails_with_hint(2, "DATABASE_URL: the database URL: its host is AWS");
            assert!(
                ran.stderr.contains("--prod is the switch"),
                "{}",
                ran.stderr
            );
        }
        let reader = tool(Door::Own, &sandbox).with("DATABASE_URL", &url);
        for arguments in [["seed"], ["list-conversations"]] {
            reader.run(&arguments).fails_with_hint(2, "its host is AWS");
        }
    }
    assert_eq!(trap.connections(), 0);
    assert_eq!(cognito.requests(), 0);
}

/// A command that only reads users from there does not ask, but never connects without TLS.
#[test]
fn p27_a_remote_database_is_never_read_in_the_clear() {
    let sandbox = Sandbox::new();
    let (port, sent) = plaintext_server();
    let url = format!("postgres://me:secret@db.example.org:{port}/db?hostaddr=127.0.0.1");
    for mode in ["", "&sslmode=prefer", "&sslmode=allow"] {
        let ran = tool(Door::Own, &sandbox)
            .with("DATABASE_URL", &format!("{url}{mode}"))
            .run(&["seed", "--quiet"]);
        ran.fails_with_hint(1, "TLS");
        let banner = "users: production postgres db.example.org (127.0.0.1):";
        assert!(ran.stderr.starts_with(banner), "{}", ran.stderr);
    }
    // TLS was requested three times, and nothing was sent after the refusal.
    assert_eq!(sent.lock().unwrap().len(), 3 * 8);
}

/// p28: a question shows a name as all output does. The name comes from the URL; no server is needed.
#[test]
fn p28_a_question_shows_no_control_raw() {
    let hostile = "e%1B%5D0;pwn%07%C2%9B31m%E2%80%AEx%0Ay";
    let url = |host: &str| format!("postgres://me@{host}:1/{hostile}?hostaddr=127.0.0.1");
    let (local, remote) = (url("localhost"), url("db.example.org"));
    for (variable, url, prod) in [
        ("PROD_DATABASE_URL", &local, &["--prod"][..]),
        ("DATABASE_URL", &remote, &[]),
    ] {
        let tool = Tool::new(env!("CARGO_BIN_EXE_ddb"), Door::Own).with(variable, url);
        let reset = ["db-setup", "--reset", "--color", "never", "--no-progress"];
        let mut terminal = tool.at_terminal(&[&reset[..], prod].concat(), 200);
        terminal.expect("Type e\\u{1b}]0;pwn\\u{7}\\u{9b}31m\\u{202e}x\\ny to continue: ");
        terminal.enter("e\n");
        let (code, shown) = terminal.end();
        assert_eq!(code, Some(2), "{shown:?}");
        let raw = |c: char| c.is_control() && !matches!(c, '\r' | '\n') || c == '\u{202e}';
        assert!(!shown.contains(raw), "{shown:?}");
    }
}

/// The certificate of the tests' server is also for the remote name.
#[tokio::test]
#[ignore = "needs PostgreSQL: bin-scripts/test --real"]
async fn p05_a_remote_database_is_written_to_only_when_that_was_allowed() {
    let database = Postgres::with_users(&TWO).await;
    let cognito = Cognito::start(vec![PoolUser::numbered(1)], Hardship::default());
    let tool = people(Door::Own, &cognito.url(), POOL)
        .with("DATABASE_URL", &database.remote_url())
        .with("PGSSLROOTCERT", &Postgres::ca());
    let before = ids(&database).await;
    for arguments in [
        &["update-cognito-user-ids"][..],
        &["db-setup"],
        &["db-setup", "--with-cognito"],
        &["db-setup", "--reset", "--yes"],
        &["db-setup", "--reset", "--confirm", database.name()],
    ] {
        let ran = tool.run(arguments);
        ran.fails_with_hint(2, "this needs confirmation, and there was no answer");
        let banner = "production postgres db.tests.example (127.0.0.1):";
        assert!(ran.stderr.starts_with(banner), "{}", ran.stderr);
        assert_eq!(ids(&database).await, before, "{arguments:?}");
    }
    // Looking needs no permission.
    assert_eq!(
        tool.run(&["update-cognito-user-ids", "--check"]).code,
        Some(3)
    );
    assert_eq!(ids(&database).await, before);

    let mut terminal = tool.at_terminal(&["update-cognito-user-ids", "--quiet"], 200);
    terminal.expect(&format!("user1: MOCK becomes {}", sub(1)));
    terminal.expect("Type yes to continue: ");
    terminal.enter("no\n");
    assert_eq!(terminal.end().0, Some(2));
    assert_eq!(ids(&database).await, before);

    let set = one(tool.run(&["update-cognito-user-ids", "--yes", "-o", "jsonl"]));
    assert_eq!(set["updated"], 1);
    assert_ne!(ids(&database).await, before);
    let name = database.name();
    let reset = [
        "db-setup",
        "--reset",
        "--yes",
        "--confirm",
        name,
        "-o",
        "jsonl",
    ];
    assert_eq!(one(tool.run(&reset))["inserted"], 4);
}

#[tokio::test]
#[ignore = "needs PostgreSQL: bin-scripts/test --real"]
async fn p05_users_of_a_remote_database_are_read_without_a_question() {
    let sandbox = Sandbox::with_table().await;
    let database = Postgres::with_users(&[("andrewbrown", TWO[0].1), ("bayko", TWO[1].1)]).await;
    let tool = tool(Door::Own, &sandbox)
        .with("DATABASE_URL", &database.remote_url())
        .with("PGSSLROOTCERT", &Postgres::ca());
    let ran = tool.run(&["seed", "--quiet"]);
    assert!(
        ran.stderr
            .starts_with("users: production postgres db.tests.example"),
        "{}",
        ran.stderr
    );
    ran.ok();
}
