//! `--prod`, against a fake of AWS on loopback: what is shown, what is asked, and what is never sent.

use ddb_test_support::aws::{ACCOUNT, Aws, Backups};
use ddb_test_support::http::Server;
use ddb_test_support::{Door, Ran, Sandbox, Tool};

use crate::setup::tool;

/// Returns a tool with its own credentials, and nothing else of an environment.
fn operator(door: Door, sandbox: &Sandbox) -> Tool {
    Tool::new(env!("CARGO_BIN_EXE_ddb"), door)
        .with("DDB_MESSAGE_TABLE", sandbox.table().as_str())
        .with("AWS_ACCESS_KEY_ID", "AKIATESTER")
        .with("AWS_SECRET_ACCESS_KEY", "secret")
        .with("AWS_EC2_METADATA_DISABLED", "true")
}

fn run(tool: &Tool, aws: &Aws, arguments: &[&str]) -> Ran {
    let options = aws.options();
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    tool.run(&[arguments, &options].concat())
}

fn banner(aws: &Aws, sandbox: &Sandbox) -> String {
    format!(
        "production account {ACCOUNT} eu-central-1 at {} {}",
        aws.url(),
        sandbox.table()
    )
}

/// Writes a users file, since production has no built-in users.
fn with_users(tool: &Tool) {
    tool.file("users.csv", include_str!("../../../../seed-data/users.csv"));
}

const WRITERS: [&[&str]; 2] = [&["schema-load"], &["seed", "--users", "users.csv"]];

#[tokio::test]
async fn p05_the_banner_is_true_and_nothing_hides_it() {
    for door in Door::BOTH {
        let sandbox = Sandbox::with_table().await;
        let aws = Aws::in_front_of(&sandbox, Backups::On);
        let tool = operator(door, &sandbox);
        with_users(&tool);
        let shown = banner(&aws, &sandbox);
        for arguments in [
            vec!["schema-load", "--yes"],
            vec!["seed", "--users", "users.csv", "--yes"],
            vec!["scan", "--count"],
            vec!["get-conversation"],
            vec!["list-conversations", "--users", "users.csv"],
        ] {
            for quiet in [false, true] {
                let quiet: &[&str] = if quiet { &["-q"] } else { &[] };
                let ran = run(&tool, &aws, &[&arguments[..], quiet].concat());
                assert!(ran.stderr.contains(&shown), "{arguments:?}: {}", ran.stderr);
                ran.ok();
            }
        }
        let seed = run(&tool, &aws, &["seed", "--users", "users.csv", "--yes"]);
        assert!(
            seed.stderr
                .contains(&format!("{shown}, users file users.csv")),
            "{}",
            seed.stderr
        );
        let listed = run(&tool, &aws, &["list-tables"]);
        assert!(listed.stderr.contains(ACCOUNT), "{}", listed.stderr);
        // Every command asks for the account before anything else.
        assert_eq!(aws.operations()[0], "GetCallerIdentity");
    }
}

#[tokio::test]
async fn p05_another_account_than_the_expected_one_is_refused() {
    let sandbox = Sandbox::with_table().await;
    let aws = Aws::in_front_of(&sandbox, Backups::On);
    let tool = operator(Door::Own, &sandbox);
    with_users(&tool);
    let other = ["--yes", "--expect-account", "999999999999"];
    for arguments in WRITERS {
        run(&tool, &aws, &[arguments, &other].concat()).fails_with_hint(
            2,
            "the credentials are for account 123456789012, not for 999999999999",
        );
    }
    let table = sandbox.table().as_str();
    let drop = ["drop", table, "--confirm", table, "--expect-account", "1"];
    run(&tool, &aws, &drop).fails_with_hint(2, "not for 1");
    assert_eq!(aws.writes(), [""; 0]);
    assert!(
        aws.operations()
            .iter()
            .all(|operation| operation == "GetCallerIdentity")
    );
    let expected = ["--yes", "--expect-account", ACCOUNT];
    run(&tool, &aws, &[WRITERS[1], &expected].concat()).ok();
    assert!(!aws.writes().is_empty());
}

/// Stdin of these commands is not a terminal, so there is nobody to ask.
#[tokio::test]
async fn p05_p06_without_a_terminal_and_a_flag_nothing_is_written() {
    let sandbox = Sandbox::new();
    let aws = Aws::in_front_of(&sandbox, Backups::On);
    let tool = operator(Door::Front, &sandbox);
    with_users(&tool);
    run(&tool, &aws, &["schema-load"])
        .fails_with_hint(2, "this needs confirmation, and there was no answer");
    assert!(sandbox.store().describe().await.unwrap().is_none());
    sandbox.create_table().await;
    let seed = run(&tool, &aws, WRITERS[1]);
    seed.fails_with_hint(2, "this needs confirmation, and there was no answer");
    assert!(seed.stderr.contains("--yes"), "{}", seed.stderr);
    let drift = run(&tool, &aws, &["schema-load", "--no-stream", "--apply"]);
    drift.fails_with_hint(2, "this needs confirmation, and there was no answer");
    let drop = run(&tool, &aws, &["drop", sandbox.table().as_str()]);
    drop.fails_with_hint(2, "this needs confirmation, and there was no answer");
    assert!(drop.stderr.contains("--confirm"), "{}", drop.stderr);
    // --yes is for writing; deleting requires the name.
    assert_eq!(
        run(&tool, &aws, &["drop", sandbox.table().as_str(), "--yes"]).code,
        Some(2)
    );
    assert_eq!(aws.writes(), [""; 0]);
    // A table that is as it should be needs no writing, so there is no question.
    run(&tool, &aws, &["schema-load"]).ok();
    run(&tool, &aws, &["seed", "--users", "users.csv", "--dry-run"]).ok();
    assert_eq!(aws.writes(), [""; 0]);
}

#[tokio::test]
async fn p06_the_name_that_is_given_has_to_be_that_of_the_table() {
    let sandbox = Sandbox::with_table().await;
    let table = sandbox.table().as_str();
    let aws = Aws::in_front_of(&sandbox, Backups::On);
    let tool = operator(Door::Own, &sandbox);
    for wrong in [
        "",
        "cruddur-messages",
        "yes",
        &table[1..],
        &table.to_uppercase(),
    ] {
        run(&tool, &aws, &["drop", table, "--confirm", wrong])
            .fails_with_hint(2, "is not its name");
    }
    assert_eq!(aws.writes(), [""; 0]);
    run(&tool, &aws, &["drop", table, "--confirm", table]).ok();
    assert_eq!(aws.writes(), ["DeleteTable"]);
    run(&tool, &aws, &["drop", table, "--confirm", table]).fails(4, "there is no such table");
}

#[tokio::test]
async fn p07_drop_says_whether_the_table_could_be_brought_back() {
    for (backups, said) in [
        (Backups::On, "point-in-time recovery is on"),
        (Backups::Off, "warning: point-in-time recovery is off"),
        (Backups::Denied, "is not known: DescribeContinuousBackups"),
    ] {
        let sandbox = Sandbox::with_table().await;
        let aws = Aws::in_front_of(&sandbox, backups);
        let tool = operator(Door::Own, &sandbox);
        let table = sandbox.table().as_str();
        let ran = run(&tool, &aws, &["drop", table, "--confirm", table]);
        assert!(ran.stderr.contains(said), "{}", ran.stderr);
        ran.ok();
    }
}

/// Whatever configures an endpoint, a production command names it and contacts nothing.
#[tokio::test]
async fn p02_configured_endpoints_are_refused_before_anything_is_contacted() {
    let sandbox = Sandbox::with_table().await;
    let trap = Server::trap();
    let url = trap.url();
    let config = format!(
        "[default]\nregion = eu-west-1\n[profile astray]\nregion = eu-west-1\nendpoint_url = {url}\n\
         [profile sections]\nregion = eu-west-1\nservices = s\n[services s]\ndynamodb =\n  endpoint_url = {url}\n"
    );
    for (variables, options, origin) in [
        (
            vec![("AWS_ENDPOINT_URL", url.as_str())],
            vec![],
            "the variable AWS_ENDPOINT_URL ",
        ),
        (
            vec![("AWS_ENDPOINT_URL_DYNAMODB", &url)],
            vec![],
            "the variable AWS_ENDPOINT_URL_DYNAMODB ",
        ),
        (
            vec![("AWS_ENDPOINT_URL_STS", &url)],
            vec![],
            "the variable AWS_ENDPOINT_URL_STS ",
        ),
        (
            vec![("AWS_PROFILE", "astray")],
            vec![],
            "the profile `astray`",
        ),
        (vec![], vec!["--profile", "astray"], "the profile `astray`"),
        (
            vec![],
            vec!["--profile", "sections"],
            "the profile `sections`",
        ),
        (
            vec![("AWS_ENDPOINT_URL", &url)],
            vec!["--endpoint-url", &url],
            "leads STS",
        ),
    ] {
        for door in Door::BOTH {
            let mut tool = operator(door, &sandbox).with("AWS_EC2_METADATA_SERVICE_ENDPOINT", &url);
            for (name, value) in &variables {
                tool = tool.with(name, value);
            }
            std::fs::create_dir(tool.home().join(".aws")).unwrap();
            tool.file(".aws/config", &config);
            with_users(&tool);
            for arguments in [
                vec!["scan"],
                vec!["list-tables"],
                vec!["schema-load", "--yes"],
                vec!["seed", "--yes", "--users", "users.csv"],
                vec!["drop", "a-table", "--confirm", "a-table"],
            ] {
                let ran = tool.run(&[&arguments[..], &["--prod"], &options].concat());
                ran.fails_with_hint(2, origin);
                assert!(ran.stderr.contains(&url), "{}", ran.stderr);
            }
        }
    }
    assert_eq!(trap.connections(), 0);
}

/// Endpoints that are to be ignored are ignored, an empty variable counts as unset, and flags say where to go.
#[tokio::test]
async fn p02_what_is_ignored_or_empty_leads_nowhere() {
    let sandbox = Sandbox::with_table().await;
    let aws = Aws::in_front_of(&sandbox, Backups::On);
    let trap = Server::trap();
    for variables in [
        vec![
            ("AWS_ENDPOINT_URL", trap.url()),
            ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true".to_owned()),
        ],
        vec![
            ("AWS_ENDPOINT_URL", String::new()),
            ("AWS_ENDPOINT_URL_DYNAMODB", String::new()),
        ],
        // Flags name both endpoints, so what is configured for them does not matter.
        vec![
            ("AWS_ENDPOINT_URL_DYNAMODB", trap.url()),
            ("AWS_ENDPOINT_URL_STS", trap.url()),
        ],
    ] {
        let mut tool = operator(Door::Own, &sandbox);
        for (name, value) in &variables {
            tool = tool.with(name, value);
        }
        run(&tool, &aws, &["scan", "--count"]).ok();
    }
    assert_eq!(trap.connections(), 0);
}

/// Even in an environment full of production settings, a local command contacts only its endpoint.
#[tokio::test]
async fn p01_p04_a_local_command_contacts_and_reads_nothing_else() {
    let sandbox = Sandbox::with_table().await;
    let trap = Server::trap();
    let url = trap.url();
    for door in Door::BOTH {
        let tool = tool(door, &sandbox)
            .with("AWS_ENDPOINT_URL", &url)
            .with("AWS_ENDPOINT_URL_STS", &url)
            .with("AWS_EC2_METADATA_SERVICE_ENDPOINT", &url)
            .with("AWS_CONTAINER_CREDENTIALS_FULL_URI", &url)
            .with("AWS_PROFILE", "astray")
            .with("AWS_ACCESS_KEY_ID", "AKIAREAL")
            .with("AWS_SECRET_ACCESS_KEY", "real-secret")
            .with("AWS_SESSION_TOKEN", "real-token")
            .with("HTTP_PROXY", &url)
            .with("http_proxy", &url)
            .with("ALL_PROXY", &url);
        std::fs::create_dir(tool.home().join(".aws")).unwrap();
        // Opening a pipe that nobody writes to would wait forever.
        for file in ["config", "credentials"] {
            let pipe = tool.home().join(".aws").join(file);
            let made = std::process::Command::new("mkfifo")
                .arg(pipe)
                .status()
                .unwrap();
            assert!(made.success());
        }
        for arguments in [
            vec!["schema-load"],
            vec!["seed"],
            vec!["list-tables"],
            vec!["scan", "--count"],
            vec!["get-conversation"],
            vec!["list-conversations"],
        ] {
            tool.run(&[&arguments[..], &["--timeout", "20s"]].concat())
                .ok();
        }
    }
    assert_eq!(trap.connections(), 0);
}

/// Requests of local commands are signed with the dummy key, whatever the environment contains.
#[tokio::test]
async fn p01_a_local_command_carries_no_real_credentials() {
    use std::sync::{Arc, Mutex};
    let heads: Arc<Mutex<Vec<String>>> = Arc::default();
    let kept = Arc::clone(&heads);
    let server = Server::start(move |request| {
        kept.lock().unwrap().push(request.head.clone());
        ddb_test_support::http::Answer::json(200, r#"{"TableNames":[]}"#)
    });
    let tool = Tool::new(env!("CARGO_BIN_EXE_ddb"), Door::Own)
        .with("AWS_ENDPOINT_URL_DYNAMODB", &server.url())
        .with("AWS_ACCESS_KEY_ID", "AKIAREAL")
        .with("AWS_SECRET_ACCESS_KEY", "real-secret")
        .with("AWS_SESSION_TOKEN", "real-token");
    tool.run(&["list-tables"]).ok();
    let heads = heads.lock().unwrap();
    assert_eq!(heads.len(), 1);
    assert!(heads[0].contains("Credential=local/"), "{}", heads[0]);
    assert!(
        !heads[0].contains("AKIAREAL") && !heads[0].contains("real-token"),
        "{}",
        heads[0]
    );
}

#[test]
fn what_is_for_production_is_refused_elsewhere() {
    let sandbox = Sandbox::new();
    let tool = tool(Door::Own, &sandbox);
    for (flag, value) in [
        ("--profile", "x"),
        ("--expect-account", "1"),
        ("--sts-endpoint-url", "http://localhost:1"),
    ] {
        tool.run(&["scan", flag, value])
            .fails_with_hint(2, &format!("{flag} goes with --prod"));
    }
}

/// Region variables: an empty one counts as unset, and what is not a region never becomes part of a host name.
#[tokio::test]
async fn a_region_is_found_as_the_aws_tools_find_it() {
    let sandbox = Sandbox::with_table().await;
    let aws = Aws::in_front_of(&sandbox, Backups::On);
    let url = aws.url();
    let options = ["--prod", "--endpoint-url", &url, "--sts-endpoint-url", &url];
    let count = |variables: &[(&str, &str)], more: &[&str]| {
        let mut tool = operator(Door::Own, &sandbox);
        for (name, value) in variables {
            tool = tool.with(name, value);
        }
        tool.run(&[&["scan", "--count"], &options[..], more].concat())
    };
    let both = [("AWS_REGION", ""), ("AWS_DEFAULT_REGION", "eu-west-1")];
    let found = count(&both, &[]);
    assert!(
        found.stderr.contains("123456789012 eu-west-1 at"),
        "{}",
        found.stderr
    );
    assert!(
        count(&both, &["--region", "eu-west-3"])
            .stderr
            .contains("eu-west-3")
    );
    count(&both[..1], &[]).fails_with_hint(2, "no region");
    count(&[], &["--region", "x.example.org/"]).fails_with_hint(2, "not a region");
    count(&[], &["--region", ""]).fails_with_hint(2, "not a region");
}

/// Settings that are to be ignored do not redirect a profile, and an empty variable is not an error.
#[tokio::test]
async fn p02_a_profile_is_led_nowhere_by_what_is_ignored() {
    let sandbox = Sandbox::with_table().await;
    let trap = Server::trap();
    let config = "[profile plain]\nregion = eu-west-1\naws_access_key_id = AKIAPLAIN\naws_secret_access_key = plain\n";
    let aws = Aws::in_front_of(&sandbox, Backups::On);
    for (name, value) in [
        ("AWS_ENDPOINT_URL", trap.url()),
        ("AWS_ENDPOINT_URL_STS", trap.url()),
        ("AWS_ENDPOINT_URL", String::new()),
    ] {
        let tool = operator(Door::Own, &sandbox)
            .with(name, &value)
            .with("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true");
        std::fs::create_dir(tool.home().join(".aws")).unwrap();
        tool.file(".aws/config", config);
        let ran = run(&tool, &aws, &["scan", "--count", "--profile", "plain"]);
        assert!(ran.stderr.contains("production account"), "{}", ran.stderr);
        ran.ok();
    }
    assert_eq!(trap.connections(), 0);
}

#[test]
fn what_production_lacks_is_said_soon() {
    let sandbox = Sandbox::new();
    let bare = || {
        Tool::new(env!("CARGO_BIN_EXE_ddb"), Door::Own).with("AWS_EC2_METADATA_DISABLED", "true")
    };
    bare()
        .run(&["scan", "--prod"])
        .fails_with_hint(2, "no region");
    bare()
        .run(&["scan", "--prod", "--profile", "gone"])
        .fails_with_hint(2, "no AWS profile `gone`");
    let ran = bare().run(&["scan", "--prod", "--region", "eu-west-1"]);
    ran.fails_with_hint(1, "GetCallerIdentity on production eu-west-1: ");
    assert!(ran.stderr.contains("credentials"), "{}", ran.stderr);

    let aws = Aws::in_front_of(&sandbox, Backups::On);
    let tool = operator(Door::Own, &sandbox);
    for arguments in [
        vec!["seed", "--yes"],
        vec!["list-conversations"],
        vec!["get-conversation", "--with", "bayko"],
    ] {
        run(&tool, &aws, &arguments).fails_with_hint(2, "the built-in ones");
        let local =
            operator(Door::Own, &sandbox).with("DATABASE_URL", "postgres://me@localhost/db");
        run(&local, &aws, &arguments).fails_with_hint(2, "the built-in ones");
    }
    assert_eq!(aws.writes(), [""; 0]);
}
