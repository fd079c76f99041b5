//! Hints: each is a correct next step for what went wrong, with the whole target.

use std::sync::atomic::{AtomicU32, Ordering};

use ddb_test_support::aws::{Aws, Backups};
use ddb_test_support::http::{Answer, Breakage, Server, forward};
use ddb_test_support::{Door, Ran, Sandbox, Tool};

use crate::setup::tool;

fn bare(door: Door) -> Tool {
    Tool::new(env!("CARGO_BIN_EXE_ddb"), door)
}

fn operator(door: Door) -> Tool {
    bare(door)
        .with("AWS_ACCESS_KEY_ID", "AKIATESTER")
        .with("AWS_SECRET_ACCESS_KEY", "secret")
        .with("AWS_EC2_METADATA_DISABLED", "true")
}

fn hint(ran: &Ran) -> &str {
    let hint = ran
        .stderr
        .lines()
        .find_map(|line| line.strip_prefix("hint: "));
    hint.unwrap_or_else(|| panic!("{ran:?}"))
}

/// Returns the words of the first command line in a hint, without the program.
fn line(hint: &str) -> Vec<&str> {
    let line = hint.split('`').nth(1).expect(hint);
    line.strip_prefix("ddb ").expect(hint).split(' ').collect()
}

#[tokio::test]
async fn following_a_hint_acts_at_the_same_place() {
    for door in Door::BOTH {
        let sandbox = Sandbox::new();
        // The target is given by options, and by variables.
        let url = sandbox.url();
        let table = format!("{}-2", sandbox.table());
        let scan = ["scan", "--endpoint-url", &url, "--table", &table];
        let by_option = bare(door).run(&scan);
        let named = bare(door)
            .with("DDB_ENDPOINT_URL", &url)
            .with("DDB_MESSAGE_TABLE", &table);
        let by_variable = named.run(&["scan"]);
        let whole = format!("`ddb schema-load --endpoint-url {url} --table {table}` creates");
        for ran in [&by_option, &by_variable] {
            ran.fails_with_hint(4, &table);
            assert!(hint(ran).starts_with(&whole), "{ran:?}");
        }
        // It does what it says, in an environment that names no target.
        bare(Door::Front).run(&line(hint(&by_option))).ok();
        assert_eq!(bare(door).run(&scan).ok(), "");
        named.run(&["drop", &table]).ok();
    }
}

#[tokio::test]
async fn a_hint_for_production_is_about_production() {
    let sandbox = Sandbox::new();
    let aws = Aws::in_front_of(&sandbox, Backups::On);
    let options = aws.options();
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let scan = [&["scan", "--table", "gone"], &options[..]].concat();
    let ran = operator(Door::Own).run(&scan);
    ran.fails_with_hint(4, "gone");
    let expected = format!(
        "`ddb schema-load --prod --endpoint-url {url} --sts-endpoint-url {url} --region eu-central-1 --table gone` creates",
        url = aws.url()
    );
    assert!(hint(&ran).starts_with(&expected), "{ran:?}");
}

#[tokio::test]
async fn a_stream_that_is_off_is_turned_on_where_it_is_missed() {
    let sandbox = Sandbox::new();
    let tool = tool(Door::Own, &sandbox);
    let table = format!("{}-3", sandbox.table());
    tool.run(&["schema-load", "--table", &table, "--no-stream"])
        .ok();
    let ran = tool.run(&["sync-conversations", "--table", &table, "--once"]);
    ran.fails_with_hint(2, "the table has no stream");
    let said = hint(&ran);
    assert!(said.starts_with("`ddb schema-load --apply "), "{said}");
    bare(Door::Front).run(&line(said)).ok();
    tool.run(&["sync-conversations", "--table", &table, "--once"])
        .ok();
    tool.run(&["drop", &table]).ok();
}

#[tokio::test]
async fn the_same_command_again_is_the_whole_line() {
    let sandbox = Sandbox::with_table().await;
    let tool = tool(Door::Own, &sandbox);
    let ran = tool.run(&["schema-load", "--no-stream"]);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    let expected = "`ddb schema-load --no-stream --apply ";
    assert!(hint(&ran).starts_with(expected), "{ran:?}");
    bare(Door::Front).run(&line(hint(&ran))).ok();
    assert_eq!(tool.run(&["schema-load", "--no-stream"]).code, Some(0));
}

/// An AWS that knows the caller, and answers everything else with one error.
fn refusing(code: &'static str) -> Server {
    let sandbox = Sandbox::new();
    let aws = Aws::in_front_of(&sandbox, Backups::On);
    Server::start(move |request| match request.operation.as_str() {
        "GetCallerIdentity" => forward(request, &aws.url()),
        _ => Answer::json(
            400,
            format!(r#"{{"__type":"com.amazon.coral.service#{code}","message":"no"}}"#),
        ),
    })
}

fn in_production(tool: &Tool, server: &Server, arguments: &[&str]) -> Ran {
    let url = server.url();
    let options = [
        "--prod",
        "--region",
        "eu-central-1",
        "--endpoint-url",
        &url,
        "--sts-endpoint-url",
        &url,
    ];
    tool.run(&[arguments, &options].concat())
}

#[tokio::test]
async fn what_aws_refuses_has_a_hint_of_its_own() {
    for door in Door::BOTH {
        let tool = operator(door);
        let denied = in_production(&tool, &refusing("AccessDeniedException"), &["scan"]);
        denied.fails_with_hint(1, "AccessDeniedException");
        assert_eq!(
            hint(&denied),
            "the role may not do dynamodb:Scan; iam/scan.json in the repository has all that this command needs"
        );
        let expired = in_production(&tool, &refusing("ExpiredTokenException"), &["scan"]);
        expired.fails_with_hint(1, "ExpiredToken");
        assert!(hint(&expired).starts_with("`aws sso login`"), "{expired:?}");
    }
}

#[test]
fn an_sso_session_that_ended_names_the_line_that_begins_another() {
    for (config, cached) in [
        (
            "[profile ops]\nsso_session = s\nsso_account_id = 1\nsso_role_name = r\n\
          region = eu-central-1\n[sso-session s]\nsso_region = eu-central-1\n\
          sso_start_url = https://example.awsapps.com/start\n",
            true,
        ),
        (
            "[profile ops]\nsso_start_url = https://example.awsapps.com/start\nsso_account_id = 1\n\
          sso_region = eu-central-1\nsso_role_name = r\nregion = eu-central-1\n",
            false,
        ),
    ] {
        let tool = bare(Door::Front);
        std::fs::create_dir_all(tool.home().join(".aws/sso/cache")).unwrap();
        tool.file(".aws/config", config);
        if cached {
            // Under the SHA-1 of the session's name, as the AWS CLI stores it.
            tool.file(
                ".aws/sso/cache/a0f1490a20d0211c997b44bc357e1972deab8ae3.json",
                r#"{"accessToken":"x","expiresAt":"2020-01-01T00:00:00Z"}"#,
            );
        }
        let ran = tool.run(&["scan", "--prod", "--profile", "ops"]);
        ran.fails_with_hint(1, "no credentials: ");
        assert!(
            hint(&ran).starts_with("`aws sso login --profile ops`"),
            "{ran:?}"
        );
    }
}

#[test]
fn no_credentials_are_one_line_with_the_ways_there_are() {
    let tool = bare(Door::Own).with("AWS_EC2_METADATA_DISABLED", "true");
    let ran = tool.run(&["scan", "--prod", "--region", "eu-central-1"]);
    ran.fails_with_hint(1, "no credentials: none are configured");
    assert!(!ran.stderr.contains("\\n"), "{ran:?}");
    for way in [
        "`aws configure`",
        "`aws sso login",
        "AWS_PROFILE",
        "AWS_ACCESS_KEY_ID",
    ] {
        assert!(hint(&ran).contains(way), "{ran:?}");
    }
}

#[test]
fn a_host_that_dns_does_not_know_is_said_to_be_one() {
    let ran = bare(Door::Own).run(&["scan", "--endpoint-url", "http://no-such-host.invalid:1"]);
    ran.fails_with_hint(1, "no connection: DNS does not know the host: ");
    let production = [
        "scan",
        "--prod",
        "--region",
        "eu-central-1",
        "--endpoint-url",
        "https://no-such-host.invalid",
        "--sts-endpoint-url",
        "https://no-such-host.invalid",
    ];
    let ran = operator(Door::Own).run(&production);
    ran.fails_with_hint(1, "no connection: ");
    assert!(!ran.stderr.contains("ddb local"), "{ran:?}");
}

#[test]
fn tls_to_a_plain_port_is_told_from_a_broken_server() {
    let server = Server::start(|_| Answer::json(200, "{}"));
    let url = server.url().replace("http://", "https://");
    let ran = bare(Door::Own).run(&["scan", "--endpoint-url", &url]);
    ran.fails_with_hint(1, "the server does not seem to speak TLS");
    assert_eq!(hint(&ran), "write the endpoint with http://");
    let broken = Server::blunt(Breakage::Reset, b"");
    let ran = bare(Door::Own).run(&["scan", "--endpoint-url", &broken.url()]);
    assert!(!ran.stderr.contains("TLS"), "{ran:?}");
}

#[tokio::test]
async fn throttling_is_said_while_it_waits() {
    let sandbox = Sandbox::with_table().await;
    let engine = sandbox.url();
    let asked = AtomicU32::new(0);
    let server = Server::start(move |request| {
        if request.operation == "Scan" && asked.fetch_add(1, Ordering::Relaxed) < 3 {
            return Answer::json(
                400,
                r#"{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException","message":"slow down"}"#,
            );
        }
        forward(request, &engine)
    });
    let tool = tool(Door::Own, &sandbox).with("DDB_ENDPOINT_URL", &server.url());
    let ran = tool.run(&["scan"]);
    let said = ran
        .stderr
        .matches("the service is throttling requests")
        .count();
    assert_eq!(said, 1, "{ran:?}");
    assert!(hint(&ran).starts_with("--max-rcu N"), "{ran:?}");
    assert!(hint(&ran).contains("--billing on-demand"), "{ran:?}");
    ran.ok();
}

#[test]
fn what_we_write_ourselves_is_not_taken_for_a_password() {
    let ran = bare(Door::Own).run(&["db-setup"]);
    ran.fails_with_hint(2, "no users database is named");
    assert!(
        hint(&ran).contains("postgres://postgres:password@localhost"),
        "{ran:?}"
    );
    let ran = bare(Door::Own).run(&["db-setup", "--database-url", "nonsense"]);
    assert!(
        hint(&ran).contains("postgres://user:password@host"),
        "{ran:?}"
    );
}

#[tokio::test]
async fn a_file_in_another_encoding_names_iconv() {
    let sandbox = Sandbox::with_table().await;
    let tool = tool(Door::Own, &sandbox);
    tool.file("old.txt", b"Person 1: caf\xe9\n");
    let ran = tool.run(&["seed", "--conversation", "old.txt"]);
    ran.fails_with_hint(2, "not UTF-8");
    assert!(
        hint(&ran).contains("`iconv -f WINDOWS-1252 -t UTF-8 old.txt > old.txt.utf8`"),
        "{ran:?}"
    );
    tool.file(
        "old.csv",
        b"uuid,display_name,handle,email,cognito_user_id\n\xe9,,,,\n",
    );
    let ran = tool.run(&["seed", "--users", "old.csv"]);
    ran.fails_with_hint(2, "not UTF-8");
    assert!(hint(&ran).contains("`iconv "), "{ran:?}");
}

#[tokio::test]
async fn our_own_variable_is_for_local_commands_alone() {
    for door in Door::BOTH {
        let sandbox = Sandbox::with_table().await;
        let aws = Aws::in_front_of(&sandbox, Backups::On);
        // It takes precedence over the variables of the AWS tools.
        let tool = tool(door, &sandbox)
            .with("AWS_ENDPOINT_URL_DYNAMODB", "http://localhost:1")
            .with("DDB_ENDPOINT_URL", &sandbox.url());
        tool.run(&["scan"]).ok();
        // A local endpoint and production in one shell.
        let shell = operator(door)
            .with("DDB_MESSAGE_TABLE", sandbox.table().as_str())
            .with("DDB_ENDPOINT_URL", "http://localhost:1");
        let options = aws.options();
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        shell.run(&[&["scan"], &options[..]].concat()).ok();
        let sts = aws.url();
        let another = [
            "--prod",
            "--region",
            "eu-central-1",
            "--sts-endpoint-url",
            &sts,
            "--expect-account",
            "1",
        ];
        let ran = shell.run(&[&["list-tables"], &another[..]].concat());
        ran.fails_with_hint(2, "the credentials are for account");

        let amazon = "https://dynamodb.eu-central-1.amazonaws.com";
        let ran = bare(door).with("DDB_ENDPOINT_URL", amazon).run(&["scan"]);
        ran.fails_with_hint(2, &format!("DDB_ENDPOINT_URL: {amazon} is AWS"));
    }
}
