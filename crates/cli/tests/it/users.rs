//! Users from PostgreSQL: whose ids are used, and what is reported if the database is not as it should be.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ddb_test_support::aws::{Aws, Backups};
use ddb_test_support::{Door, Postgres, Sandbox, Tool};

use crate::setup::{field, lines, one, tool};

const ANN: &str = "0a0a0a0a-0a0a-4a0a-8a0a-0a0a0a0a0a0a";
const BO: &str = "0b0b0b0b-0b0b-4b0b-8b0b-0b0b0b0b0b0b";

fn canary(url: &str) -> (String, &'static str) {
    const CANARY: &str = "cAnArY";
    (url.replace("CANARY", CANARY), CANARY)
}

/// p26: no part of a password is in any output, on any path that fails, whatever the password contains.
#[test]
fn p26_no_part_of_a_password_is_ever_shown() {
    let sandbox = Sandbox::new();
    let dead = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    for special in ["@", ":", "/", "?", "#", "%", "%zz", " ", "'"] {
        for shape in [
            format!("postgres://me:CANARY{special}CANARY@127.0.0.1:{dead}/db"),
            format!("postgres://me:{special}CANARY@127.0.0.1:{dead}/db?sslmode=require"),
            format!(
                "postgres://me:CANARY@127.0.0.1:{dead}/db?password=CANARY{special}CANARY&bogus={special}"
            ),
            format!("mysql://me:CANARY{special}@127.0.0.1:{dead}/db"),
            format!("CANARY{special}CANARY"),
        ] {
            let (url, secret) = canary(&shape);
            let by_variable = tool(Door::Own, &sandbox).with("DATABASE_URL", &url);
            let by_flag = tool(Door::Front, &sandbox);
            for ran in [
                by_variable.run(&["seed", "-v"]),
                by_variable.run(&["list-conversations"]),
                by_flag.run(&["seed", "-v", "--database-url", &url]),
            ] {
                assert!(matches!(ran.code, Some(1 | 2)), "{ran:?}");
                for text in [&ran.stdout, &ran.stderr] {
                    assert!(!text.contains(secret), "{url}: {text}");
                }
            }
        }
    }
}

/// Starts a server that refuses TLS, as a server without it does, and keeps what it was sent.
pub fn plaintext_server() -> (u16, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let sent: Arc<Mutex<Vec<u8>>> = Arc::default();
    let kept = Arc::clone(&sent);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { break };
            // SSLRequest: see "Message Formats" in the PostgreSQL manual.
            let mut request = [0; 8];
            if stream.read_exact(&mut request).is_err() {
                continue;
            }
            kept.lock().unwrap().extend(request);
            let _ = stream.write_all(b"N");
            let mut rest = Vec::new();
            let _ = stream.set_read_timeout(Some(Duration::from_secs(1)));
            let _ = stream.read_to_end(&mut rest);
            kept.lock().unwrap().extend(rest);
        }
    });
    (port, sent)
}

#[tokio::test]
async fn p27_a_plaintext_server_is_refused_in_production() {
    let sandbox = Sandbox::with_table().await;
    let aws = Aws::in_front_of(&sandbox, Backups::On);
    let (port, sent) = plaintext_server();
    let url = format!("postgres://me:secret@127.0.0.1:{port}/db");
    let tool = Tool::new(env!("CARGO_BIN_EXE_ddb"), Door::Own)
        .with("DDB_MESSAGE_TABLE", sandbox.table().as_str())
        .with("AWS_ACCESS_KEY_ID", "AKIATESTER")
        .with("AWS_SECRET_ACCESS_KEY", "secret")
        .with("PROD_DATABASE_URL", &url);
    let options = aws.options();
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    for mode in ["", "?sslmode=prefer", "?sslmode=allow", "?sslmode=require"] {
        let url = format!("{url}{mode}");
        let ran = tool.run(&[&["seed", "--yes", "--database-url", &url], &options[..]].concat());
        ran.fails_with_hint(1, "postgres 127.0.0.1:");
        assert!(ran.stderr.contains("TLS"), "{}", ran.stderr);
    }
    let disabled = format!("{url}?sslmode=disable");
    let ran = tool.run(
        &[
            &["seed", "--yes", "--database-url", &disabled],
            &options[..],
        ]
        .concat(),
    );
    ran.fails_with_hint(2, "connections to production always use TLS");
    // TLS was requested four times, and nothing was sent after the refusal.
    assert_eq!(sent.lock().unwrap().len(), 4 * 8);
    assert_eq!(aws.writes(), [""; 0]);
}

#[test]
fn a_dead_or_silent_server_is_reported_after_one_attempt() {
    let sandbox = Sandbox::new();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent_port = silent.local_addr().unwrap().port();
    let dead_port = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    for (port, part) in [
        (dead_port, "Connection refused"),
        (silent_port, "no answer within 2s 500ms"),
    ] {
        let url = format!("postgres://me:secret@127.0.0.1:{port}/db");
        let ran = tool(Door::Own, &sandbox)
            .with("DATABASE_URL", &url)
            .run(&["seed"]);
        ran.fails_with_hint(1, part);
    }
    // A connection that was made is waiting to be accepted.
    silent.set_nonblocking(true).unwrap();
    let attempts = silent.incoming().take_while(Result::is_ok).count();
    assert_eq!(attempts, 1);
}

#[tokio::test]
#[ignore = "needs PostgreSQL: bin-scripts/test --real"]
async fn keys_come_from_the_database() {
    let sandbox = Sandbox::with_table().await;
    let database = Postgres::with_users(&[("andrewbrown", ANN), ("bayko", BO)]).await;
    for variable in ["DATABASE_URL", "CONNECTION_URL"] {
        let tool = tool(Door::Own, &sandbox).with(variable, &database.url());
        let ran = tool.run(&["seed", "-o", "jsonl"]);
        assert!(
            ran.stderr.contains("users: postgres 127.0.0.1:"),
            "{}",
            ran.stderr
        );
        let seeded = one(ran);
        assert!(
            seeded["users_source"]
                .as_str()
                .unwrap()
                .starts_with("postgres 127.0.0.1:")
        );
        let rows = lines(tool.run(&["scan", "--kind", "group", "-o", "jsonl"]));
        let mut keys = field(&rows, "pk");
        keys.sort_unstable();
        assert_eq!(keys, [format!("GRP#{ANN}"), format!("GRP#{BO}")]);
        assert_eq!(field(&rows, "user_display_name").len(), 2);
        let listed = lines(tool.run(&["list-conversations", "bayko", "-o", "jsonl"]));
        assert_eq!(field(&listed, "display_name"), ["The andrewbrown"]);
        assert_eq!(
            lines(tool.run(&["get-conversation", "--with", "bayko", "-o", "jsonl"])).len(),
            20
        );
        tool.run(&["list-conversations", "nobody"])
            .fails_with_hint(4, "no user `nobody` (users: postgres 127.0.0.1:");
    }
}

/// Older databases have other types, no UNIQUE, and nulls.
#[tokio::test]
#[ignore = "needs PostgreSQL: bin-scripts/test --real"]
async fn an_older_database_is_read_and_doubled_handles_are_named() {
    let sandbox = Sandbox::with_table().await;
    let database = Postgres::open().await;
    database
        .execute(&format!(
            "CREATE TABLE public.users (uuid varchar(64), display_name varchar(255), handle varchar(80), \
             email text, cognito_user_id text, created_at timestamp); \
             INSERT INTO users VALUES ('{ANN}', NULL, 'andrewbrown', NULL, NULL, NULL), \
             ('{BO}', 'Bo', 'bayko', NULL, NULL, NULL), ('nonsense', 'N', 'broken', NULL, NULL, NULL)"
        ))
        .await;
    let tool = tool(Door::Own, &sandbox).with("DATABASE_URL", &database.url());
    tool.run(&["seed"]).ok();
    tool.run(&["seed", "--other", "broken"])
        .fails(1, "`broken` in public.users: its uuid is not a uuid");
    database
        .execute(&format!(
            "INSERT INTO users (uuid, handle) VALUES ('{ANN}', 'bayko')"
        ))
        .await;
    let table = sandbox.items().await;
    tool.run(&["seed"])
        .fails_with_hint(2, "the handle `bayko` has 2 users");
    assert_eq!(sandbox.items().await, table);
}

#[tokio::test]
#[ignore = "needs PostgreSQL: bin-scripts/test --real"]
async fn what_is_wrong_with_a_database_is_said() {
    let sandbox = Sandbox::with_table().await;
    let empty = Postgres::open().await;
    let wrong_password = empty.url().replace("tests:tests@", "tests:cAnArY%23wrong@");
    let no_database = format!("{}_gone", empty.url());
    let unencrypted_ca = format!("{}?sslmode=require", empty.url());
    for (url, code, part, hint) in [
        (
            empty.url(),
            4,
            "42P01: relation \"public.users\" does not exist",
            "`ddb db-setup`",
        ),
        (no_database, 4, "3D000: database", "`ddb db-setup`"),
        (
            wrong_password,
            1,
            "28P01: password authentication failed",
            "is the password right",
        ),
        (unencrypted_ca, 1, "", "--db-ca"),
    ] {
        let ran = tool(Door::Front, &sandbox)
            .with("DATABASE_URL", &url)
            .run(&["seed", "-v"]);
        ran.fails_with_hint(code, part);
        assert!(ran.stderr.contains(hint), "{}", ran.stderr);
        assert!(!ran.stderr.contains("cAnArY"), "{}", ran.stderr);
    }
    assert!(sandbox.items().await.is_empty());
}

/// The certificate of the tests' server is for two names, and is signed by the tests' own authority.
#[tokio::test]
#[ignore = "needs PostgreSQL: bin-scripts/test --real"]
async fn p27_chain_and_host_name_are_checked() {
    let sandbox = Sandbox::with_table().await;
    let aws = Aws::in_front_of(&sandbox, Backups::On);
    let database = Postgres::with_users(&[("andrewbrown", ANN), ("bayko", BO)]).await;
    let named = database.url().replace("127.0.0.1", "localhost");
    let misnamed = database.url();
    let tool = Tool::new(env!("CARGO_BIN_EXE_ddb"), Door::Own)
        .with("DDB_MESSAGE_TABLE", sandbox.table().as_str())
        .with("AWS_ACCESS_KEY_ID", "AKIATESTER")
        .with("AWS_SECRET_ACCESS_KEY", "secret");
    tool.file("empty.pem", "");
    let ca = Postgres::ca();
    let seed = |url: &str, more: &[&str]| {
        let options = aws.options();
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        tool.run(&[&["seed", "--yes", "--database-url", url], more, &options].concat())
    };
    // The system does not know the authority.
    let unknown = seed(&named, &[]);
    unknown.fails_with_hint(1, "postgres localhost:");
    assert!(
        unknown.stderr.contains("certificate") || unknown.stderr.contains("root"),
        "{}",
        unknown.stderr
    );
    let misnamed = seed(&misnamed, &["--db-ca", &ca]);
    misnamed.fails_with_hint(1, "postgres 127.0.0.1:");
    assert!(
        misnamed.stderr.contains("certificate"),
        "{}",
        misnamed.stderr
    );
    seed(&named, &["--db-ca", "absent.pem"]).fails(1, "absent.pem");
    seed(&named, &["--db-ca", "empty.pem"]).fails(1, "empty.pem");
    assert_eq!(aws.writes(), [""; 0]);

    let seeded = seed(&named, &["--db-ca", &ca]);
    assert!(
        seeded.stderr.contains(", users postgres localhost:"),
        "{}",
        seeded.stderr
    );
    seeded.ok();
    let by_url = format!("{named}?sslmode=verify-full&sslrootcert={ca}");
    seed(&by_url, &[]).ok();
}
