//! The policies in `iam` grant what each command asks of AWS, and nothing else.

use std::collections::BTreeSet;
use std::fs::read_to_string;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use ddb_core::item::RawItem;
use ddb_test_support::aws::{Aws, Backups};
use ddb_test_support::cognito::{Cognito, Hardship, POOL, PoolUser};
use ddb_test_support::http::{Request, Server, forward};
use ddb_test_support::{Door, Postgres, Ran, Sandbox, Tool};
use serde_json::Value;

use crate::kills::{block_on, seeded, with_table};
use crate::setup::{ANDREW, BAYKO, GROUP, message, strings};

/// Actions, each with its kind of resource.
type Permissions = BTreeSet<(String, &'static str)>;

/// Returns the permissions that a request needs: see "Actions, resources, and condition keys" for each service in the
/// Service Authorization Reference. A transaction needs those of its actions.
fn permissions(request: &Request) -> Permissions {
    let target = request.header("x-amz-target").unwrap_or_default();
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let (service, kind) = match target.split('.').next().unwrap_or_default() {
        "AWSCognitoIdentityProviderService" => ("cognito-idp", "pool"),
        "DynamoDBStreams_20120810" => ("dynamodb", "stream"),
        "DynamoDB_20120810" if request.operation == "ListTables" => ("dynamodb", "any"),
        "DynamoDB_20120810" if body["IndexName"].is_string() => ("dynamodb", "index"),
        "DynamoDB_20120810" => ("dynamodb", "table"),
        // Everybody may ask for their own identity.
        _ if request.operation == "GetCallerIdentity" => return Permissions::new(),
        other => panic!("a service that no policy knows: {other}"),
    };
    // Our statements only insert.
    let statements = body["Statements"].as_array();
    for statement in statements.into_iter().flatten() {
        let text = statement["Statement"].as_str().unwrap();
        assert!(text.starts_with("INSERT "), "{text}");
    }
    let actions: Vec<String> = match body["TransactItems"].as_array() {
        None if statements.is_some() => vec!["PartiQLInsert".to_owned()],
        None => vec![request.operation.clone()],
        Some(items) => {
            let names = items
                .iter()
                .flat_map(|item| item.as_object().unwrap().keys());
            names.map(|name| format!("{name}Item")).collect()
        }
    };
    let actions = actions.into_iter();
    actions
        .map(|action| (format!("{service}:{action}"), kind))
        .collect()
}

fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// Reads what a policy grants.
fn granted(command: &str) -> Permissions {
    let text = read_to_string(root().join(format!("iam/{command}.json"))).unwrap();
    let policy: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(policy["Version"], "2012-10-17");
    let mut granted = Permissions::new();
    for statement in policy["Statement"].as_array().unwrap() {
        assert_eq!(statement["Effect"], "Allow");
        let kind = match statement["Resource"].as_str().unwrap() {
            "*" => "any",
            "arn:aws:dynamodb:REGION:ACCOUNT:table/cruddur-messages" => "table",
            "arn:aws:dynamodb:REGION:ACCOUNT:table/cruddur-messages/index/message-group-sk-index" => {
                "index"
            }
            "arn:aws:dynamodb:REGION:ACCOUNT:table/cruddur-messages/stream/*" => "stream",
            "arn:aws:cognito-idp:REGION:ACCOUNT:userpool/POOL" => "pool",
            other => panic!("{command}: {other}"),
        };
        for action in statement["Action"].as_array().unwrap() {
            let action = action.as_str().unwrap();
            assert!(!action.contains('*'), "{command}: {action}");
            assert!(
                granted.insert((action.to_owned(), kind)),
                "{command}: {action} twice"
            );
        }
    }
    granted
}

/// Runs production commands and records the permissions that they need.
struct Recorder {
    sandbox: Sandbox,
    server: Server,
    tool: Tool,
    asked: Arc<Mutex<Permissions>>,
    /// What somebody else writes just before the first transaction gets through.
    meanwhile: Arc<Mutex<Vec<RawItem>>>,
    _behind: (Aws, Cognito),
}

impl Recorder {
    fn on(sandbox: Sandbox) -> Self {
        let aws = Aws::in_front_of(&sandbox, Backups::On);
        let cognito = Cognito::start(vec![PoolUser::numbered(1)], Hardship::default());
        let asked = Arc::new(Mutex::new(Permissions::new()));
        let taken = Arc::clone(&asked);
        let (services, pool) = (aws.url(), cognito.url());
        let meanwhile = Arc::new(Mutex::new(Vec::new()));
        let (written, client) = (Arc::clone(&meanwhile), sandbox.client());
        let table = sandbox.table().to_string();
        let server = Server::start(move |request| {
            taken.lock().unwrap().extend(permissions(request));
            if request.operation == "TransactWriteItems" {
                for item in std::mem::take(&mut *written.lock().unwrap()) {
                    let put = client.put_item().table_name(&table).set_item(Some(item));
                    block_on(put.send()).unwrap();
                }
            }
            match request.operation.as_str() {
                "ListUsers" => forward(request, &pool),
                _ => forward(request, &services),
            }
        });
        let tool = Tool::new(env!("CARGO_BIN_EXE_ddb"), Door::Front)
            .with("DDB_MESSAGE_TABLE", sandbox.table().as_str())
            .with("AWS_COGNITO_USER_POOL_ID", POOL)
            .with("AWS_ACCESS_KEY_ID", "AKIATESTER")
            .with("AWS_SECRET_ACCESS_KEY", "secret");
        tool.file("users.csv", include_str!("../../../../seed-data/users.csv"));
        Self {
            sandbox,
            server,
            tool,
            asked,
            meanwhile,
            _behind: (aws, cognito),
        }
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        self.command(arguments).output().unwrap().into()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let url = self.server.url();
        let options = [
            "--prod",
            "--region",
            "eu-central-1",
            "--sts-endpoint-url",
            &url,
        ];
        let services: &[&str] = match arguments[0] {
            "list-users" => &["--cognito-endpoint-url", &url],
            "doctor" => &["--endpoint-url", &url, "--cognito-endpoint-url", &url],
            _ => &["--endpoint-url", &url],
        };
        self.tool.command(&[arguments, &options, services].concat())
    }

    /// Checks that the policy of a command grants exactly what was asked for.
    #[track_caller]
    fn is_what_is_granted(&self, command: &str) {
        assert_eq!(*self.asked.lock().unwrap(), granted(command), "{command}");
    }
}

const USERS: [&str; 2] = ["--users", "users.csv"];

fn with_users<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    [arguments, &USERS].concat()
}

#[test]
fn tables_are_listed_with_what_the_policy_grants() {
    let recorder = Recorder::on(seeded());
    recorder.run(&["list-tables", "--details"]).ok();
    recorder.is_what_is_granted("list-tables");
}

#[test]
fn a_table_is_made_changed_and_dropped_with_what_the_policies_grant() {
    let recorder = Recorder::on(Sandbox::embedded());
    let table = recorder.sandbox.table().to_string();
    recorder.run(&["schema-load", "--yes"]).ok();
    let apply = ["schema-load", "--no-stream", "--apply", "--confirm", &table];
    recorder.run(&apply).ok();
    recorder.is_what_is_granted("schema-load");

    let Recorder { sandbox, .. } = recorder;
    let recorder = Recorder::on(sandbox);
    recorder.run(&["drop", &table, "--confirm", &table]).ok();
    recorder.is_what_is_granted("drop");
}

#[test]
fn a_seed_writes_with_what_the_policy_grants() {
    let recorder = Recorder::on(with_table());
    let seed = with_users(&["seed", "--yes", "--ends-at", "2026-03-22T08:35:09Z"]);
    // Somebody else makes a row at the same time: one of the two is removed.
    let made = row_of_bayko("2026-01-01T00:00:00.000000+00:00");
    recorder.meanwhile.lock().unwrap().push(made);
    recorder.run(&seed).ok();
    let rows = block_on(recorder.sandbox.items()).into_iter();
    let rows = rows.filter(|item| item["pk"].as_s().unwrap().starts_with("GRP#"));
    assert_eq!(rows.count(), 2);
    // Rows that are behind are moved.
    block_on(
        recorder
            .sandbox
            .put(message("2026-04-01T00:00:00.000000+00:00", "newer")),
    );
    recorder.run(&seed).ok();
    let load = [
        "seed",
        "--yes",
        "--generate",
        "30",
        "--ends-at",
        "2026-03-22",
    ];
    recorder.run(&load).ok();
    // The edited file has nothing of the built-in conversation, so all of that is removed.
    recorder.tool.file("edited.txt", "Person 1: all is new\n");
    let file = ["--conversation", "edited.txt", "--group-uuid", GROUP];
    let replace = ["--replace", "--stream-readers-ready", "--without-recovery"];
    recorder.run(&[&seed[..], &file, &replace].concat()).ok();
    recorder.is_what_is_granted("seed");
}

#[test]
fn what_is_read_is_read_with_what_the_policies_grant() {
    let recorder = Recorder::on(seeded());
    for arguments in [
        &["scan"][..],
        &["scan", "--segments", "3", "--consistent"],
        &["scan", "--count"],
    ] {
        recorder.run(arguments).ok();
    }
    recorder.is_what_is_granted("scan");

    let recorder = Recorder::on(seeded());
    recorder.run(&["stats", "--segments", "2"]).ok();
    recorder.is_what_is_granted("stats");

    let recorder = Recorder::on(seeded());
    recorder.run(&["get-conversation", GROUP]).ok();
    let with_rows = ["get-conversation", GROUP, "--with-rows", "-o", "ddb-json"];
    recorder.run(&with_rows).ok();
    recorder
        .run(&with_users(&[
            "get-conversation",
            "--with",
            "bayko",
            "--all",
        ]))
        .ok();
    a_message_is_followed(&recorder);
    recorder.is_what_is_granted("get-conversation");

    let recorder = Recorder::on(seeded());
    recorder
        .run(&with_users(&["list-conversations", "bayko"]))
        .ok();
    recorder.is_what_is_granted("list-conversations");
}

/// The copy is made elsewhere, so production is only read.
#[test]
fn conversations_are_pulled_with_what_the_policy_grants() {
    let recorder = Recorder::on(seeded());
    let copy = Sandbox::embedded();
    let place = ["--into", &copy.url(), "--into-table", copy.table().as_str()];
    for arguments in [
        &["pull", GROUP, "--max-rcu", "1000"][..],
        &["pull", "bayko", "--mask"],
        &["pull", "--all-of", "bayko"],
    ] {
        let arguments = [arguments, &place].concat();
        recorder.run(&with_users(&arguments)).ok();
    }
    let policy = read_to_string(root().join("iam/pull.json")).unwrap();
    for action in ["Put", "Update", "Delete", "Write", "PartiQL", "Create"] {
        assert!(!policy.contains(action), "{action}");
    }
    recorder.is_what_is_granted("pull");
}

/// Items are put one by one, each with a condition, so there is no BatchWriteItem among the permissions.
#[test]
fn items_are_imported_with_what_the_policy_grants() {
    let from = seeded();
    let backup = crate::import::backup(&from);
    let recorder = Recorder::on(with_table());
    recorder.tool.file("backup.jsonl", backup);
    let import = ["import", "backup.jsonl"];
    let write = ["--yes", "--stream-readers-ready"];
    recorder.run(&[&import[..], &write].concat()).ok();
    recorder.run(&[&import[..], &["--check"]].concat()).ok();
    recorder.is_what_is_granted("import");
}

/// Follows a conversation until a new message is shown.
fn a_message_is_followed(recorder: &Recorder) {
    let follow = ["get-conversation", GROUP, "--follow", "--timeout", "40s"];
    let mut following = recorder
        .command(&follow)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let says = |output: &mut dyn BufRead, part: &str| {
        let mut lines = output.lines().map(Result::unwrap);
        assert!(lines.any(|line| line.contains(part)), "{part}");
    };
    says(
        &mut BufReader::new(following.stderr.take().unwrap()),
        "following",
    );
    block_on(
        recorder
            .sandbox
            .put(message("2026-04-01T00:00:00.000000+00:00", "newer")),
    );
    says(
        &mut BufReader::new(following.stdout.take().unwrap()),
        "newer",
    );
    following.kill().unwrap();
    following.wait().unwrap();
}

#[test]
fn messages_and_conversations_are_made_with_what_the_policies_grant() {
    let recorder = Recorder::on(seeded());
    let nowhere = "00000000-0000-4000-8000-000000000000";
    for (conversation, from, code) in [
        (GROUP, "bayko", 0),
        (GROUP, "londo", 2),
        (nowhere, "londo", 4),
    ] {
        let create = [
            "create-message",
            "--yes",
            "--group",
            conversation,
            "--from",
            from,
            "x",
        ];
        assert_eq!(recorder.run(&with_users(&create)).code, Some(code));
    }
    recorder.is_what_is_granted("create-message");

    let recorder = Recorder::on(seeded());
    let create = [
        "create-conversation",
        "--yes",
        "--from",
        "londo",
        "--to",
        "bayko",
        "x",
    ];
    recorder.run(&with_users(&create)).ok();
    recorder.is_what_is_granted("create-conversation");
}

#[test]
fn rows_are_moved_with_what_the_policy_grants() {
    let recorder = Recorder::on(seeded());
    block_on(
        recorder
            .sandbox
            .put(message("2026-04-01T00:00:00.000000+00:00", "newer")),
    );
    recorder
        .run(&["sync-conversations", "--once", "--yes"])
        .ok();
    recorder.is_what_is_granted("sync-conversations");
}

fn row_of_bayko(sk: &str) -> RawItem {
    strings(&[
        ("pk", &format!("GRP#{BAYKO}")),
        ("sk", sk),
        ("message_group_uuid", GROUP),
        ("message", "long ago"),
        ("user_uuid", ANDREW),
        ("user_display_name", "Andrew Brown"),
        ("user_handle", "andrewbrown"),
    ])
}

#[test]
fn a_table_is_checked_and_repaired_with_what_the_policy_grants() {
    let recorder = Recorder::on(seeded());
    let bayko = row_of_bayko("2026-01-01T00:00:00.000000+00:00");
    // Rows that are behind, one of them doubled, and a name that changed.
    block_on(
        recorder
            .sandbox
            .put(message("2026-04-01T00:00:00.000000+00:00", "newer")),
    );
    block_on(recorder.sandbox.put(bayko));
    let users = include_str!("../../../../seed-data/users.csv");
    recorder.tool.file(
        "users.csv",
        users.replace("Andrew Bayko,bayko", "Andrew B.,bayko"),
    );
    let check = with_users(&["check-conversations"]);
    assert_eq!(recorder.run(&check).code, Some(3));
    recorder
        .run(&[&check[..], &["--repair", "--names", "--yes"]].concat())
        .ok();
    // A doubled row beside one in the right place is removed.
    let bayko = row_of_bayko("2026-01-02T00:00:00.000000+00:00");
    block_on(recorder.sandbox.put(bayko));
    recorder
        .run(&[&check[..], &["--repair", "--names", "--yes"]].concat())
        .ok();
    recorder.run(&check).ok();
    recorder.is_what_is_granted("check-conversations");
}

#[test]
fn conversations_and_messages_are_deleted_with_what_the_policies_grant() {
    let recorder = Recorder::on(seeded());
    let newest = block_on(recorder.sandbox.items())
        .into_iter()
        .filter(|item| item["pk"].as_s().unwrap().starts_with("MSG#"))
        .max_by_key(|item| item["sk"].as_s().unwrap().clone())
        .unwrap();
    let id = newest["message_uuid"].as_s().unwrap();
    let again = ["delete-message", id, "--group", GROUP, "--yes", "--at"];
    let sk = newest["sk"].as_s().unwrap();
    let delete = &again[..again.len() - 1];
    recorder
        .run(&[&again[..], &[sk, "--dry-run"]].concat())
        .ok();
    recorder.run(delete).ok();
    recorder.is_what_is_granted("delete-message");
    let Recorder { sandbox, .. } = recorder;

    let recorder = Recorder::on(sandbox);
    recorder
        .run(&["delete-conversation", GROUP, "--confirm", &GROUP[..8]])
        .ok();
    recorder.is_what_is_granted("delete-conversation");
}

/// A plan is applied and undone. A step whose items changed is inspected again.
#[test]
fn plans_are_carried_out_and_taken_back_with_what_the_policies_grant() {
    let sandbox = seeded();
    let newer = message("2026-04-01T00:00:00.000000+00:00", "newer");
    block_on(sandbox.put(newer));
    block_on(sandbox.put(row_of_bayko("2026-01-01T00:00:00.000000+00:00")));
    let recorder = Recorder::on(sandbox);
    let repair = ["check-conversations", "--repair", "--plan", "p"];
    // A doubled row is removed beside rows that are moved, and then one beside a row that stays.
    let rows = [&repair[..], &["--rule", "row-behind"]].concat();
    recorder.run(&with_users(&rows)).ok();
    let Recorder {
        sandbox,
        tool: planned,
        ..
    } = recorder;
    let behind = std::fs::read(planned.home().join("p")).unwrap();
    let doubled = Recorder::on(sandbox);
    let rows = [&repair[..], &["--rule", "row-doubled"]].concat();
    doubled.run(&with_users(&rows)).ok();
    let plan = std::fs::read(doubled.tool.home().join("p")).unwrap();
    let Recorder { sandbox, .. } = doubled;

    let recorder = Recorder::on(sandbox);
    recorder.tool.file("doubled", plan);
    recorder.tool.file("behind", behind);
    let receipt = ["--yes", "--receipt"];
    recorder
        .run(&[&["apply", "doubled"][..], &receipt, &["r"]].concat())
        .ok();
    recorder
        .run(&[&["apply", "behind"][..], &receipt, &["s"]].concat())
        .ok();
    let again = recorder.run(&[&["apply", "doubled"][..], &receipt, &["t"]].concat());
    assert_eq!(again.code, Some(5), "{again:?}");
    recorder.is_what_is_granted("apply");
    let receipts = ["r", "s"].map(|name| std::fs::read(recorder.tool.home().join(name)).unwrap());
    let Recorder { sandbox, .. } = recorder;

    let recorder = Recorder::on(sandbox);
    for (name, text) in ["r", "s"].into_iter().zip(receipts) {
        recorder.tool.file(name, text);
    }
    recorder
        .run(&[&["undo", "s"][..], &receipt, &["u"]].concat())
        .ok();
    recorder
        .run(&[&["undo", "r"][..], &receipt, &["v"]].concat())
        .ok();
    let again = recorder.run(&[&["undo", "s"][..], &receipt, &["w"]].concat());
    assert!([Some(0), Some(5)].contains(&again.code), "{again:?}");
    recorder.is_what_is_granted("undo");
}

#[test]
fn users_are_listed_with_what_the_policy_grants() {
    let recorder = Recorder::on(Sandbox::embedded());
    recorder.run(&["list-users"]).ok();
    recorder.is_what_is_granted("list-users");
}

#[test]
fn the_doctor_looks_with_what_the_policy_grants() {
    for sandbox in [seeded(), with_table()] {
        let recorder = Recorder::on(sandbox);
        let ran = recorder.run(&with_users(&["doctor"]));
        assert!(
            ran.stdout.contains("ListUsers") || ran.stdout.contains("user"),
            "{ran:?}"
        );
        recorder.is_what_is_granted("doctor");
    }
}

#[test]
fn the_browser_and_the_application_are_served_with_what_the_policies_grant() {
    use crate::serve::{self, Pool, SUB};
    use crate::web::Served;
    let recorder = Recorder::on(seeded());
    let url = recorder.server.url();
    let target = [
        "--prod",
        "--yes",
        "--region",
        "eu-central-1",
        "--sts-endpoint-url",
        &url,
        "--endpoint-url",
        &url,
        "--users",
        "users.csv",
    ];
    let served = Served::start(
        &recorder.tool,
        &[&["web", "--write"][..], &target].concat(),
        "link",
    );
    let (cookie, own) = (served.enter(), served.own_origin());
    let path = format!("/c/{GROUP}");
    let page = served.get(&path, &[&cookie]);
    assert!(page.body.contains("production"), "{}", page.body);
    let raw = page.body.split("/raw?sk=").nth(1).unwrap();
    let raw = format!("{path}/raw?sk={}", raw.split('"').next().unwrap());
    assert_eq!(served.get(&raw, &[&cookie]).status, 200);
    let form = "Content-Type: application/x-www-form-urlencoded";
    let with = [cookie.as_str(), &own, form];
    assert_eq!(served.post(&path, &with, "text=Cake").status, 303);
    let nowhere = "/c/00000000-0000-4000-8000-000000000000";
    assert_eq!(served.post(nowhere, &with, "text=Cake").status, 404);
    recorder.is_what_is_granted("web");

    let Recorder { sandbox, .. } = recorder;
    let recorder = Recorder::on(sandbox);
    let pool = Pool::open();
    let users = include_str!("../../../../seed-data/users.csv").replacen("MOCK", SUB, 1);
    recorder.tool.file("users.csv", users);
    let (url, keys) = (recorder.server.url(), pool.server.url());
    let of = [
        "--user-pool-id",
        serve::POOL,
        "--cognito-endpoint-url",
        &keys,
    ];
    let target = target.map(|word| {
        if word.starts_with("http") {
            &*url
        } else {
            word
        }
    });
    let served = Served::start(
        &recorder.tool,
        &[&["serve"][..], &target, &of].concat(),
        "url",
    );
    let token = pool.sign(&serve::header(), &serve::claims());
    let token = format!("Authorization: Bearer {token}");
    assert_eq!(
        served
            .get(&format!("/api/messages/{GROUP}"), &[&token])
            .status,
        200
    );
    let body = r#"{"message":"Cake?","handle":"londo"}"#;
    assert_eq!(served.post("/api/messages", &[&token], body).status, 200);
    let nowhere = "/api/messages/00000000-0000-4000-8000-000000000000";
    assert_eq!(served.get(nowhere, &[&token]).status, 404);
    recorder.is_what_is_granted("serve");
}

/// Commands that fill the database need the same permissions as listing users.
#[test]
#[ignore = "needs PostgreSQL: bin-scripts/test --real"]
fn the_database_is_filled_with_what_listing_users_takes() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for command in [
        &["update-cognito-user-ids"][..],
        &["db-setup", "--with-cognito"],
    ] {
        let database = runtime.block_on(Postgres::with_users(&[("user1", ANDREW)]));
        let recorder = Recorder::on(Sandbox::embedded());
        let url = recorder.server.url();
        // Without `--prod`: a production database is encrypted, which another test covers.
        let options = [
            "--cognito-endpoint-url",
            &url,
            "--database-url",
            &database.url(),
        ];
        recorder.tool.run(&[command, &options].concat()).ok();
        recorder.is_what_is_granted("list-users");
    }
}

/// SECURITY.md names each policy once, and no others.
#[test]
fn every_policy_is_named_in_the_documentation() {
    let said = read_to_string(root().join("SECURITY.md")).unwrap();
    let mut policies = 0;
    for file in std::fs::read_dir(root().join("iam")).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        assert!(said.contains(&format!("(iam/{name})")), "{name}");
        policies += 1;
    }
    assert_eq!(said.matches("(iam/").count(), policies);
}
