//! The documentation: every command in it works on a fresh engine, in the order of the page.
//!
//! Blocks marked `sh` are run. Those marked `sh people` need PostgreSQL and a user pool. Those marked `console`
//! contain what a test cannot do, and are of a few known kinds.

use std::path::{Path, PathBuf};

use aws_sdk_dynamodb::types::AttributeValue;
use ddb_test_support::aws::{Aws, Backups};
use ddb_test_support::cognito::MotoPool;
use ddb_test_support::{Door, Postgres, Ran, Sandbox, Tool};
use snapbox::{assert_data_eq, file};

use crate::setup::{BAYKO, tool};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Returns the pages that have commands, by their paths under the root.
fn pages() -> Vec<String> {
    let mut pages = vec!["README.md".to_owned()];
    for file in std::fs::read_dir(root().join("docs")).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        // The examples of the reference have their own test.
        if name.ends_with(".md") && name != "reference.md" {
            pages.push(format!("docs/{name}"));
        }
    }
    assert!(pages.len() > 5, "{pages:?}");
    pages
}

/// Returns the fenced blocks of a page with their marks.
fn blocks(page: &str) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(root().join(page)).unwrap();
    let mut blocks: Vec<(String, String)> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        match line.strip_prefix("```") {
            Some(mark) if !inside => {
                inside = true;
                blocks.push((mark.to_owned(), String::new()));
            }
            Some(_) => inside = false,
            None if inside => {
                let block = &mut blocks.last_mut().unwrap().1;
                block.push_str(line);
                block.push('\n');
            }
            None => {}
        }
    }
    blocks
}

/// Comes before the commands of a page. A command that reports a difference has done its part, one that would keep
/// running is stopped once it says so, and one for production reaches a stand-in for AWS.
const PRELUDE: &str = r#"
goes_on() {
  local line said=
  exec 3< <(exec ddb "$@" 2>&1)
  local pid=$!
  while read -r line <&3; do
    case $line in *'press Ctrl-C to stop') said=yes; kill "$pid" ;; esac
  done
  wait "$pid" && [ -n "$said" ]
}
ddb() {
  local code=0
  case " $* " in
    ' local '* | ' web '* | ' serve '*) goes_on "$@" --port 0 ;;
    *' --follow '*) goes_on "$@" ;;
    *' --prod '*) env -u AWS_ENDPOINT_URL_DYNAMODB ddb "$@" $STAND_IN || code=$? ;;
    *) command ddb "$@" || code=$? ;;
  esac
  [ "$code" -eq 0 ] || [ "$code" -eq 3 ]
}
set -x
"#;

async fn run(page: &str, marks: &[&str], prepared: impl FnOnce(Tool) -> Tool) {
    let sandbox = Sandbox::new();
    let aws = Aws::in_front_of(&sandbox, Backups::On);
    // The pages begin without a table, but some look at production first.
    let stand_in = format!(
        "--endpoint-url {url} --sts-endpoint-url {url}",
        url = aws.url()
    );
    let tool = prepared(tool(Door::Front, &sandbox))
        .with("STAND_IN", &stand_in)
        // Copies go to the same engine, to their own table.
        .with("DDB_ENDPOINT_URL", &sandbox.url())
        .with("AWS_REGION", "eu-central-1")
        .with("AWS_ACCESS_KEY_ID", "AKIATESTER")
        .with("AWS_SECRET_ACCESS_KEY", "secret");
    tool.file("users.csv", include_str!("../../../../seed-data/users.csv"));
    let mut script = PRELUDE.to_owned();
    for (mark, block) in blocks(page) {
        if marks.contains(&mark.as_str()) {
            script.push_str(&block);
        }
    }
    let script = script
        .replace("cruddur-messages", sandbox.table().as_str())
        .replace(" --region eu-central-1", "");
    let ran: Ran = tool.shell(&script).output().unwrap().into();
    assert_eq!(ran.code, Some(0), "{page}\n{}\n{}", ran.stdout, ran.stderr);
    // If no command ran, the fence has a typing error.
    assert!(ran.stderr.contains("+ ddb ") || !script.contains("\nddb "));
}

#[tokio::test]
async fn every_command_in_the_documentation_works() {
    for page in pages() {
        run(&page, &["sh"], |tool| tool).await;
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL and moto: bin-scripts/test --real"]
async fn every_command_about_people_in_the_documentation_works() {
    let database = Postgres::absent();
    let pool = MotoPool::open().await;
    run("docs/how-to.md", &["sh people"], |tool| {
        tool.with(
            "AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER",
            &MotoPool::url(),
        )
        .with("AWS_COGNITO_USER_POOL_ID", &pool.id)
        .with("DATABASE_URL", &database.url())
    })
    .await;
}

/// Blocks that no test runs here are run by `.ci/run`, or belong to another tool.
#[test]
fn every_other_block_is_of_a_known_kind() {
    const ELSEWHERE: [&str; 19] = [
        "bin-scripts/bench",
        "bin-scripts/quickstart",
        "bin-scripts/test",
        "bin-scripts/package",
        "bin-scripts/reproduce",
        // `bin-scripts/try-packages` runs these.
        "ddb demo",
        "ddb-0.2.0-x86_64-unknown-linux-gnu/bin/ddb demo",
        "tar xf ddb-",
        "sudo dpkg --",
        "skopeo copy oci-archive:",
        "docker run --rm ",
        // It asks AWS for the keys of a pool. Its own tests have a key server.
        "ddb serve --user-pool-id ",
        "cargo bench -p ddb-bench",
        "cargo install --path crates/cli --bin ddb",
        "docker compose up -d --wait",
        "aws dynamodb ",
        "aws sso login ",
        "export DATABASE_URL=",
        "export AWS_COGNITO_USER_POOL_ID=",
    ];
    for page in pages() {
        for (mark, block) in blocks(&page) {
            match mark.as_str() {
                "sh" | "sh people" => {}
                "console" => {
                    for line in block.lines() {
                        let known = ELSEWHERE.iter().any(|known| line.starts_with(known));
                        assert!(known, "{page}: {line}");
                    }
                }
                other => panic!("{page}: a block marked `{other}`"),
            }
        }
    }
}

/// Links lead to existing files of this project.
#[test]
fn links_between_pages_lead_somewhere() {
    for page in pages() {
        let text = std::fs::read_to_string(root().join(&page)).unwrap();
        let folder = root().join(&page).parent().unwrap().to_owned();
        for (_, link) in text
            .split("](")
            .skip(1)
            .map(|rest| rest.split_once(')').unwrap())
            .map(|(link, _)| ((), link))
        {
            let file = link.split('#').next().unwrap();
            if !file.is_empty() && !file.contains("://") {
                assert!(folder.join(file).exists(), "{page}: {link}");
            }
        }
    }
}

/// The README's table of commands has them all.
#[test]
fn the_readme_names_every_command() {
    let sandbox = Sandbox::new();
    let help = tool(Door::Front, &sandbox).run(&["--help"]).ok();
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let listed = help
        .lines()
        .skip_while(|line| *line != "Set up:")
        .take_while(|line| *line != "Options:")
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    for command in listed.filter(|name| !["", "help"].contains(name)) {
        assert!(readme.contains(&format!("`{command}`")), "{command}");
    }
}

/// Runs commands at a terminal, and returns what it showed.
fn recorded(tool: &Tool, commands: &[&str]) -> String {
    let mut session = String::new();
    for typed in commands {
        let arguments: Vec<&str> = typed.split(' ').collect();
        let (_, shown) = tool.at_terminal(&arguments, 100).end();
        session.push_str(&format!("\u{1b}[1m$ ddb {typed}\u{1b}[0m\r\n{shown}\r\n"));
    }
    session.replace('\r', "").trim_end().to_owned()
}

/// The recordings in the pages are what a terminal shows. After an intended change, `SNAPSHOTS=overwrite` with this
/// test draws them again.
#[tokio::test]
async fn the_recordings_are_what_a_terminal_shows() {
    const TABLE: &str = "cruddur-messages";
    // Its own engine, so that the table can have this name.
    let sandbox = Sandbox::embedded();
    let tool = tool(Door::Front, &sandbox).with("DDB_MESSAGE_TABLE", TABLE);
    let record = |commands: &[&str]| {
        let shown = recorded(&tool, commands);
        let target = format!(" --endpoint-url {}", sandbox.url());
        let shown = shown
            .replace(&target, "")
            .replace(&sandbox.url(), "http://localhost:8000");
        shown.replace(&format!(" --table {TABLE}"), "")
    };
    let first = record(&[
        "schema-load",
        "seed --ends-at 2026-03-22T21:04:00Z",
        "list-conversations",
        "get-conversation --limit 6",
    ]);
    assert_data_eq!(first, file!["../../../../docs/recording.term.svg"].raw());
    let scan = record(&["scan --by bayko --contains cake", "scan --kind group"]);
    assert_data_eq!(scan, file!["../../../../docs/scan.term.svg"].raw());
    let talk = record(&["get-conversation bayko --since 2026-03-22T20:55:00Z"]);
    assert_data_eq!(talk, file!["../../../../docs/transcript.term.svg"].raw());
    let stats = record(&["stats"]);
    assert_data_eq!(stats, file!["../../../../docs/stats.term.svg"].raw());
    // The application writes a message, and nothing syncs it.
    let message = [
        ("pk", "MSG#5ae290ed-55d1-47a0-bc6d-fe2bc2700399"),
        ("sk", "2026-03-22T21:05:00.000000+00:00"),
        ("message_uuid", "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"),
        ("message", "Cake?"),
        ("user_uuid", BAYKO),
        ("user_display_name", "Andrew Bayko"),
        ("user_handle", "bayko"),
    ];
    let item = message.map(|(name, text)| (name.to_owned(), AttributeValue::S(text.to_owned())));
    let put = sandbox.client().put_item().table_name(TABLE);
    put.set_item(Some(item.into())).send().await.unwrap();
    let check = record(&[
        "check-conversations",
        "check-conversations --repair --receipt none",
        "check-conversations",
    ]);
    assert_data_eq!(check, file!["../../../../docs/check.term.svg"].raw());
}
