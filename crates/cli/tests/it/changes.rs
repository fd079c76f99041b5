//! Plans, receipts and undo, from a terminal.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use ddb_core::item::RawItem;
use ddb_test_support::aws::{Aws, Backups};
use ddb_test_support::http::{Server, forward};
use ddb_test_support::proxy::{Fault, Proxy};
use ddb_test_support::{Door, Ran, Sandbox, Tool, is_deep, side_by_side};
use serde_json::Value;

use crate::kills::{block_on, with_table};
use crate::setup::{ANDREW, BAYKO, lines, message, strings, through_both_doors, tool};

const EARLIER: &str = "2026-03-22T08:00:00.000000+00:00";
const FILLER: &str = "this is a filler message";

pub fn conversation(n: u32) -> String {
    format!("aaaaaaaa-aaaa-4aaa-8aaa-{n:012}")
}

fn at(n: u32) -> String {
    format!("2026-03-22T08:35:09.{n:06}+00:00")
}

pub fn said(n: u32, sk: &str, text: &str) -> RawItem {
    let mut item = message(sk, text);
    let pk = format!("MSG#{}", conversation(n));
    item.extend(strings(&[("pk", &pk)]));
    item
}

pub fn row(n: u32, owner: &str, sk: &str, text: &str) -> RawItem {
    let (other, name, handle) = match owner {
        ANDREW => (BAYKO, "Andrew Bayko", "bayko"),
        _ => (ANDREW, "Andrew Brown", "andrewbrown"),
    };
    strings(&[
        ("pk", &format!("GRP#{owner}")),
        ("sk", sk),
        ("message_group_uuid", &conversation(n)),
        ("message", text),
        ("user_uuid", other),
        ("user_display_name", name),
        ("user_handle", handle),
    ])
}

/// Conversations whose second row is behind.
pub fn behind(conversations: u32) -> Vec<RawItem> {
    let items = (1..=conversations).flat_map(|n| {
        let earlier = EARLIER.replace("000000", &format!("{n:06}"));
        [
            said(n, &earlier, "old"),
            said(n, &at(n), "new"),
            row(n, ANDREW, &at(n), "new"),
            row(n, BAYKO, &earlier, "old"),
        ]
    });
    items.collect()
}

pub fn receipts(tool: &Tool) -> Vec<PathBuf> {
    let folder = tool.home().join(".local/state/ddb/receipts");
    let Ok(files) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    files
}

pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

pub fn json_lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

pub const REPAIR: [&str; 2] = ["check-conversations", "--repair"];

#[tokio::test]
async fn p33_p34_a_repair_is_taken_back_and_that_is_taken_back() {
    through_both_doors(async |sandbox, tool| {
        sandbox.fill(&behind(3)).await;
        let before = sandbox.items().await;
        let ran = tool.run(&[&REPAIR[..], &["--receipt", "0.jsonl"]].concat());
        assert!(ran.stderr.contains("plan: 6 changes in 3 steps"), "{ran:?}");
        assert!(ran.stderr.contains("    moves row of "), "{ran:?}");
        ran.ok();
        let after = sandbox.items().await;
        assert_eq!(tool.run(&["check-conversations"]).code, Some(0));
        for (n, expected) in [(1, &before), (2, &after), (3, &before)] {
            let (last, next) = (format!("{}.jsonl", n - 1), format!("{n}.jsonl"));
            let undone = lines(tool.run(&["undo", &last, "--receipt", &next, "-o", "jsonl"]));
            assert_eq!(undone.len(), 4);
            let done = |step: &Value| step["state"] == "done" && !step["group_uuid"].is_null();
            assert!(undone[..3].iter().all(done), "{undone:?}");
            assert_eq!(
                (&undone[3]["done"], &undone[3]["left"]),
                (&3.into(), &0.into())
            );
            assert_eq!(&sandbox.items().await, expected);
        }
        assert!(receipts(tool).is_empty(), "each was named");
    })
    .await;
}

#[tokio::test]
async fn a_dry_run_and_a_plan_change_nothing_and_leave_no_receipt() {
    through_both_doors(async |sandbox, tool| {
        sandbox.fill(&behind(2)).await;
        let before = sandbox.items().await;
        let ran = tool.run(&[&REPAIR[..], &["--dry-run"]].concat());
        assert!(ran.stderr.contains("nothing was changed"), "{ran:?}");
        ran.ok();
        tool.run(&[&REPAIR[..], &["--plan", "p"]].concat()).ok();
        let printed =
            tool.run(&[&REPAIR[..], &["--plan", "-", "-q", "--rule", "row-behind"]].concat());
        let printed = printed.ok();
        assert!(
            printed.starts_with("{\"format\":1,"),
            "stdout has the plan alone: {printed}"
        );
        assert!(printed.contains("\"end\":\"planned\",\"steps\":2"));
        assert_eq!(sandbox.items().await, before);
        assert!(receipts(tool).is_empty());
        tool.run(&[&REPAIR[..], &["--plan", "p"]].concat())
            .fails(2, "p: already exists");
        tool.run(&["check-conversations", "--dry-run"])
            .fails_with_hint(2, "only with --repair");
    })
    .await;
}

/// Returns the keys that each transaction changes.
fn keys_of_transactions(asked: &[Value]) -> Vec<Vec<String>> {
    let key = |action: &Value| {
        let (kind, action) = action.as_object().unwrap().iter().next().unwrap();
        let from = if kind == "Put" {
            &action["Item"]
        } else {
            &action["Key"]
        };
        format!("{kind} {} {}", from["pk"]["S"], from["sk"]["S"])
    };
    asked
        .iter()
        .map(|body| {
            body["TransactItems"]
                .as_array()
                .unwrap()
                .iter()
                .map(key)
                .collect()
        })
        .collect()
}

#[test]
fn p31_apply_sends_what_the_plan_says_and_no_more() {
    let sandbox = with_table();
    block_on(sandbox.fill(&behind(3)));
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (taken, engine) = (Arc::clone(&asked), sandbox.url());
    let server = Server::start(move |request| {
        if request.operation == "TransactWriteItems" {
            taken
                .lock()
                .unwrap()
                .push(serde_json::from_slice(&request.body).unwrap());
        } else {
            let reads = ["DescribeTable", "GetItem", "Query", "Scan"];
            assert!(
                reads.contains(&request.operation.as_str()),
                "{}",
                request.operation
            );
        }
        forward(request, &engine)
    });
    let tool = tool(Door::Front, &sandbox).with("AWS_ENDPOINT_URL_DYNAMODB", &server.url());
    tool.run(&[&REPAIR[..], &["--plan", "p"]].concat()).ok();
    let planned: Vec<Vec<String>> = json_lines(&tool.home().join("p"))
        .iter()
        .filter(|line| line["changes"].is_array())
        .map(|step| {
            let changes = step["changes"].as_array().unwrap().iter();
            let name = |change: &Value| {
                let kind = match (change["before"].is_null(), change["after"].is_null()) {
                    (false, true) => "Delete",
                    (false, false) if change["before"] == change["after"] => "ConditionCheck",
                    _ => "Put",
                };
                let key = &change["key"];
                format!("{kind} {} {}", key["pk"]["S"], key["sk"]["S"])
            };
            changes.map(name).collect()
        })
        .collect();
    // One conversation changes after the plan was made: its step is left, and nothing else is done for it.
    let earlier = EARLIER.replace("000000", "000002");
    block_on(sandbox.put(row(2, BAYKO, &earlier, "somebody else")));
    let applied = tool.run(&["apply", "p", "-o", "jsonl"]);
    applied.fails(5, "1 step was left");
    assert!(
        applied.stderr.contains("step 2 is left: GRP#"),
        "{applied:?}"
    );
    let mut sent = keys_of_transactions(&asked.lock().unwrap());
    sent.sort();
    let mut wanted = planned;
    wanted.sort();
    assert_eq!(sent, wanted);
    let items = block_on(sandbox.items());
    assert!(items.contains(&row(2, BAYKO, &earlier, "somebody else")));
    // If it is applied again, finished steps are found done.
    let again = tool.run(&["apply", "p", "-o", "jsonl"]);
    let states: Vec<Value> = again
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        states
            .iter()
            .filter(|step| step["state"] == "found done")
            .count(),
        2,
        "{again:?}"
    );
}

#[test]
fn p31_a_plan_of_another_table_or_an_edited_one_is_refused() {
    let (sandbox, other) = (with_table(), with_table());
    block_on(sandbox.fill(&behind(1)));
    let tool = tool(Door::Front, &sandbox);
    tool.run(&[&REPAIR[..], &["--plan", "p", "--receipt", "r"]].concat())
        .ok();
    let elsewhere = [
        "apply",
        "p",
        "--endpoint-url",
        &other.url(),
        "--table",
        other.table().as_str(),
    ];
    tool.run(&elsewhere)
        .fails_with_hint(2, "it belongs to local");
    let plan = std::fs::read_to_string(tool.home().join("p")).unwrap();
    let before = block_on(sandbox.items());
    for (edited, said) in [
        (
            plan.replace("\"new\"", "\"evil\""),
            "changed after it was written",
        ),
        (plan[..plan.len() - 20].to_owned(), "it is incomplete"),
        (plan.replace("\"format\":1", "\"format\":9"), "format 9"),
        ("id,name\n".to_owned(), "neither a plan nor a receipt"),
    ] {
        tool.file("edited", edited);
        tool.run(&["apply", "edited"]).fails_with_hint(2, said);
        if said != "it is incomplete" && said != "changed after it was written" {
            tool.run(&["undo", "edited"]).fails_with_hint(2, said);
        }
    }
    tool.run(&["undo", "p"])
        .fails_with_hint(2, "it is a plan and not a receipt");
    tool.run(&["undo", "nowhere"]).fails_with_hint(4, "nowhere");
    assert_eq!(block_on(sandbox.items()), before);
    tool.run(&REPAIR).ok();
    tool.run(&["apply", text(&receipts(&tool)[0])])
        .fails_with_hint(2, "a receipt and not a plan");
}

/// Runs a command whose files may not grow beyond so many blocks. `ulimit -f` counts 512 or 1024 bytes for each,
/// depending on the shell.
fn with_small_files(tool: &Tool, blocks: u32, arguments: &[&str]) -> Ran {
    let command = tool.command(arguments);
    let mut shell = Command::new("sh");
    shell
        .arg("-c")
        .arg(format!(
            "trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\""
        ))
        .arg(command.get_program())
        .args(command.get_args())
        .env_clear()
        .current_dir(tool.home());
    for (name, value) in command.get_envs() {
        shell.env(name, value.unwrap_or_default());
    }
    shell.output().unwrap().into()
}

#[test]
fn p32_a_full_disk_stops_the_work_before_what_it_cannot_take_down() {
    let sandbox = with_table();
    block_on(sandbox.fill(&behind(12)));
    let before = block_on(sandbox.items());
    let tool = tool(Door::Front, &sandbox);
    tool.run(&[&REPAIR[..], &["--plan", "p"]].concat()).ok();
    for options in [
        &["--receipt", "/dev/full"][..],
        &["--receipt", "p/receipt"],
        &["--receipt", "p"],
    ] {
        let ran = tool.run(&[&["apply", "p"], options].concat());
        assert_ne!(ran.code, Some(0), "{ran:?}");
        assert!(
            ran.stderr.contains("nothing was changed") || ran.code == Some(2),
            "{ran:?}"
        );
        assert_eq!(block_on(sandbox.items()), before, "{options:?}");
    }
    let nowhere = tool.with("XDG_STATE_HOME", "/dev/null");
    nowhere
        .run(&["apply", "p"])
        .fails_with_hint(1, "nothing was changed");
    assert_eq!(block_on(sandbox.items()), before);
    // Room for the head and some steps.
    let ran = with_small_files(&nowhere, 24, &["apply", "p", "--receipt", "r"]);
    ran.fails(5, "cannot be written");
    let between = block_on(sandbox.items());
    assert_ne!(between, before);
    let undone = nowhere.run(&["undo", "r", "--receipt", "u"]);
    undone.ok();
    assert_eq!(block_on(sandbox.items()), before);
}

/// Checks whether a command is killed at a request, counted from 0.
pub fn is_killed_at(
    tool: &Tool,
    sandbox: &Sandbox,
    nth: usize,
    fault: Fault,
    arguments: &[&str],
) -> bool {
    let proxy = Proxy::start(&sandbox.url(), move |n, _| (n == nth).then_some(fault));
    let url = proxy.url();
    let options = ["--endpoint-url", &url];
    let ran = proxy.run(tool, &[arguments, &options].concat());
    assert!([None, Some(0)].contains(&ran.code), "{ran:?}");
    ran.code.is_none()
}

#[test]
fn two_operators_who_repair_at_once_do_it_once() {
    let sandbox = with_table();
    block_on(sandbox.fill(&behind(6)));
    let (one, two) = (tool(Door::Own, &sandbox), tool(Door::Own, &sandbox));
    side_by_side(&[&one, &two], |tool| {
        tool.run(&REPAIR).ok();
    });
    assert_eq!(one.run(&["check-conversations"]).code, Some(0));
    assert_eq!(block_on(sandbox.items()).len(), 6 * 4);
}

#[test]
fn receipts_are_listed_and_pruned() {
    let sandbox = with_table();
    block_on(sandbox.fill(&behind(1)));
    let tool = tool(Door::Front, &sandbox);
    assert_eq!(tool.run(&["receipts"]).ok(), "");
    tool.run(&REPAIR).ok();
    let listed = lines(tool.run(&["receipts", "-o", "jsonl"]));
    assert_eq!(listed.len(), 1);
    assert_eq!(
        (
            &listed[0]["command"],
            &listed[0]["state"],
            &listed[0]["done"]
        ),
        (
            &"check-conversations --repair".into(),
            &"done".into(),
            &1.into()
        )
    );
    assert_eq!(
        lines(tool.run(&["receipts", "--prune", "90d", "-o", "jsonl"])).len(),
        0
    );
    // A receipt that is being written stays.
    let file = std::fs::File::open(&receipts(&tool)[0]).unwrap();
    file.lock().unwrap();
    let prune = ["receipts", "--prune", "0s", "-o", "jsonl"];
    assert_eq!(lines(tool.run(&prune)).len(), 0);
    drop(file);
    assert_eq!(lines(tool.run(&prune)).len(), 1);
    assert!(receipts(&tool).is_empty());
}

fn production(sandbox: &Sandbox) -> Tool {
    Tool::new(env!("CARGO_BIN_EXE_ddb"), Door::Own)
        .with("DDB_MESSAGE_TABLE", sandbox.table().as_str())
        .with("AWS_ACCESS_KEY_ID", "AKIATESTER")
        .with("AWS_SECRET_ACCESS_KEY", "secret")
}

#[test]
fn large_plans_for_production_want_recovery_and_a_receipt() {
    for (backups, said) in [(Backups::Off, "is off"), (Backups::Denied, "is not known")] {
        let sandbox = with_table();
        block_on(sandbox.fill(&behind(51)));
        let before = block_on(sandbox.items());
        let aws = Aws::in_front_of(&sandbox, backups);
        let options = aws.options();
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        let prod = production(&sandbox);
        let repair = [&REPAIR[..], &["--yes"], &options].concat();
        let refused = prod.run(&repair);
        refused.fails(2, said);
        assert!(refused.stderr.contains("--without-recovery"), "{refused:?}");
        assert!(
            refused.stdout.contains("row-behind"),
            "what was found is shown: {refused:?}"
        );
        assert_eq!(aws.writes(), [""; 0]);
        assert_eq!(block_on(sandbox.items()), before);
        prod.run(&[&repair[..], &["--receipt", "none"]].concat())
            .fails(2, "--receipt none is for local tables");
        let done = prod.run(&[&repair[..], &["--without-recovery"]].concat());
        assert_eq!(done.code, Some(0), "{done:?}");
        // Undo does not ask for recovery.
        let files = receipts(&prod);
        let undo = [&["undo", text(&files[0]), "--yes"][..], &options].concat();
        prod.run(&undo).ok();
        assert_eq!(block_on(sandbox.items()), before);
    }
}

#[tokio::test]
async fn a_rule_narrows_the_report_and_the_repair_and_the_last_line_says_what_repairs() {
    through_both_doors(async |sandbox, tool| {
        sandbox.fill(&behind(1)).await;
        let surplus = row(1, ANDREW, EARLIER, "surplus");
        sandbox.put(surplus.clone()).await;
        let naive = said(1, "2026-01-01T00:00:00.000000", "naive");
        sandbox.put(naive).await;
        let table = sandbox.table().as_str();
        let url = sandbox.url();
        let ran = tool.run(&[
            "check-conversations",
            "--table",
            table,
            "--endpoint-url",
            &url,
        ]);
        assert_eq!(ran.code, Some(3));
        assert!(
            ran.stdout.contains("repaired by"),
            "a summary comes first: {ran:?}"
        );
        let rules: Vec<usize> = ["row-doubled", "row-behind", "time-form"]
            .map(|rule| ran.stdout.find(rule).unwrap())
            .to_vec();
        assert!(rules.is_sorted(), "the worst first: {ran:?}");
        let whole = format!("--endpoint-url {url} --table {table}` repairs what can be repaired");
        assert!(ran.stderr.contains(&whole), "{ran:?}");
        let narrow = tool.run(&["check-conversations", "--rule", "row-missing"]);
        assert_eq!(narrow.code, Some(0), "{narrow:?}");
        let doubled = ["--rule", "row-doubled"];
        tool.run(&[&REPAIR[..], &doubled].concat()).ok();
        let items = sandbox.items().await;
        assert!(!items.contains(&surplus), "the surplus row goes");
        let earlier = EARLIER.replace("000000", "000001");
        assert!(
            items.contains(&row(1, BAYKO, &earlier, "old")),
            "the other one is not moved"
        );
        tool.run(&["check-conversations", "--rule", "row-dobled"])
            .fails(2, "unknown rule");
    })
    .await;
}

#[test]
fn a_step_whose_items_change_is_planned_anew() {
    let sandbox = with_table();
    block_on(sandbox.fill(&behind(1)));
    let (engine, client, table) = (sandbox.url(), sandbox.client(), sandbox.table().to_string());
    let newer = Mutex::new(Some([
        said(1, "2026-04-01T00:00:00.000000+00:00", "newer"),
        row(1, BAYKO, &EARLIER.replace("000000", "000001"), "changed"),
    ]));
    let server = Server::start(move |request| {
        if request.operation == "TransactWriteItems"
            && let Some(items) = newer.lock().unwrap().take()
        {
            for item in items {
                let put = client.put_item().table_name(&table).set_item(Some(item));
                block_on(put.send()).unwrap();
            }
        }
        forward(request, &engine)
    });
    let tool = tool(Door::Own, &sandbox);
    let ran = tool.run(&[&REPAIR[..], &["--endpoint-url", &server.url()]].concat());
    assert!(ran.stderr.contains("it is planned again"), "{ran:?}");
    ran.ok();
    assert_eq!(tool.run(&["check-conversations"]).code, Some(0));
}

/// Checks whether a conversation has rows without messages, and counts its items.
pub fn look_at(items: &[RawItem], n: u32) -> (bool, usize) {
    let is_of = |item: &RawItem, name: &str, value: &str| {
        item.get(name)
            .is_some_and(|text| text.as_s().unwrap() == value)
    };
    let pk = format!("MSG#{}", conversation(n));
    let messages = items.iter().filter(|item| is_of(item, "pk", &pk)).count();
    let rows = items
        .iter()
        .filter(|item| is_of(item, "message_group_uuid", &conversation(n)))
        .count();
    (rows > 0 && messages == 0, messages + rows)
}

/// A conversation with 25 messages, and another one.
pub fn long() -> Vec<RawItem> {
    let mut items = behind(2);
    items
        .extend((10..33).map(|at| said(1, &format!("2026-03-20T08:35:{at}.000000+00:00"), "more")));
    items
}

#[tokio::test]
async fn p36_a_conversation_is_deleted_rows_first_and_brought_back() {
    through_both_doors(async |sandbox, tool| {
        sandbox.fill(&long()).await;
        let before = sandbox.items().await;
        let id = conversation(1);
        let delete = ["delete-conversation", id.as_str()];
        let dry = tool.run(&[&delete[..], &["--dry-run"]].concat());
        assert!(dry.stderr.contains("plan: 27 changes"), "{dry:?}");
        assert_eq!(sandbox.items().await, before);
        let deleted = lines(tool.run(&[&delete[..], &["-o", "jsonl", "--receipt", "r"]].concat()));
        assert_eq!(
            (
                &deleted[0]["messages"],
                &deleted[0]["rows"],
                &deleted[0]["receipt"]
            ),
            (&25.into(), &2.into(), &"r".into())
        );
        let items = sandbox.items().await;
        assert_eq!(look_at(&items, 1), (false, 0));
        assert_eq!(items.len(), 4, "the other one is untouched");
        let first = json_lines(&tool.home().join("r")).remove(1);
        let mut keys = first["changes"].as_array().unwrap().iter();
        assert!(keys.all(|change| {
            change["key"]["pk"]["S"]
                .as_str()
                .unwrap()
                .starts_with("GRP#")
        }));
        tool.run(&delete).fails_with_hint(4, "no conversation");
        tool.run(&["undo", "r"]).ok();
        assert_eq!(sandbox.items().await, before);
        tool.run(&["delete-conversation", "aaaaaaaa"])
            .fails_with_hint(2, "not a whole uuid");
        tool.run(&["delete-conversation", "@bayko"])
            .fails_with_hint(2, "have 2 conversations");
        tool.run(&["delete-conversation", "@londo"])
            .fails_with_hint(4, "no conversation of andrewbrown");
        tool.run(&[&delete[..], &["--confirm", "bbbbbbbb"]].concat())
            .fails(2, "is not its name");
    })
    .await;
}

#[test]
fn p36_a_deletion_that_is_killed_anywhere_leaves_no_row_without_messages() {
    let id = conversation(1);
    let delete = ["delete-conversation", id.as_str()];
    let apart = if is_deep() { 1 } else { 3 };
    side_by_side(&[Fault::KilledBefore, Fault::KilledAfter], |fault| {
        for nth in (0..).step_by(apart) {
            let sandbox = with_table();
            block_on(sandbox.fill(&long()));
            let before = block_on(sandbox.items());
            let tool = tool(Door::Own, &sandbox);
            let killed = is_killed_at(&tool, &sandbox, nth, *fault, &delete);
            let (is_stray, _) = look_at(&block_on(sandbox.items()), 1);
            assert!(!is_stray, "{fault:?} at {nth}");
            // Everything in the receipt can be undone from any point.
            let again = tool.run(&delete);
            assert!([Some(0), Some(4)].contains(&again.code), "{again:?}");
            assert_eq!(
                look_at(&block_on(sandbox.items()), 1),
                (false, 0),
                "{fault:?} at {nth}"
            );
            let files = receipts(&tool);
            assert_eq!(files.len(), 1, "{fault:?} at {nth}");
            tool.run(&["undo", text(&files[0])]).ok();
            assert_eq!(block_on(sandbox.items()), before, "{fault:?} at {nth}");
            if !killed {
                break;
            }
        }
    });
}

#[tokio::test]
async fn a_message_is_deleted_and_the_rows_follow() {
    through_both_doors(async |sandbox, tool| {
        let with_id = |sk: &str, text: &str, id: u32| {
            let mut item = said(1, sk, text);
            item.extend(strings(&[(
                "message_uuid",
                &format!("22222222-2222-4222-8222-{id:012}"),
            )]));
            item
        };
        let (old, new) = (EARLIER, at(1));
        sandbox.put(with_id(old, "old", 1)).await;
        sandbox.put(with_id(&new, "new", 2)).await;
        for owner in [ANDREW, BAYKO] {
            sandbox.put(row(1, owner, &new, "new")).await;
        }
        let before = sandbox.items().await;
        let group = conversation(1);
        let delete = |id: u32, more: &[&str]| {
            let id = format!("22222222-2222-4222-8222-{id:012}");
            let base = ["delete-message", &id, "--group", &group];
            tool.run(&[&base[..], more].concat())
        };
        delete(9, &[]).fails_with_hint(4, "no message");
        delete(2, &["--at", EARLIER]).fails_with_hint(4, "no message");
        delete(2, &["--receipt", "1", "--at", &new]).ok();
        let items = sandbox.items().await;
        assert_eq!(items.len(), 3);
        for owner in [ANDREW, BAYKO] {
            assert!(items.contains(&row(1, owner, EARLIER, "old")), "{items:?}");
        }
        assert_eq!(tool.run(&["check-conversations"]).code, Some(0));
        delete(1, &["--receipt", "2"]).ok();
        assert!(
            sandbox.items().await.is_empty(),
            "both rows go with the last message"
        );
        tool.run(&["undo", "2"]).ok();
        tool.run(&["undo", "1"]).ok();
        assert_eq!(sandbox.items().await, before);
    })
    .await;
}

#[test]
fn a_conversation_of_production_is_deleted_by_its_first_digits() {
    let sandbox = with_table();
    block_on(sandbox.fill(&long()));
    let aws = Aws::in_front_of(&sandbox, Backups::On);
    let options = aws.options();
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let prod = production(&sandbox);
    let id = conversation(1);
    let delete = [&["delete-conversation", id.as_str()][..], &options].concat();
    let refused = prod.run(&delete);
    refused.fails(2, "this needs confirmation");
    assert!(
        refused.stderr.contains("    deletes row of "),
        "{refused:?}"
    );
    prod.run(&[&delete[..], &["--confirm", "00000000"]].concat())
        .fails(2, "is not its name");
    assert_eq!(aws.writes(), [""; 0]);
    // A plan asks for the same confirmation.
    prod.run(&[&delete[..], &["--plan", "p"]].concat()).ok();
    let apply = [&["apply", "p", "--yes"][..], &options].concat();
    prod.run(&apply).fails(2, "this needs confirmation");
    assert_eq!(aws.writes(), [""; 0]);
    prod.run(&[&apply[..], &["--confirm", "aaaaaaaa"]].concat())
        .ok();
    // Restoring messages puts them into the stream.
    let files = receipts(&prod);
    let undo = [&["undo", text(&files[0]), "--yes"][..], &options].concat();
    let refused = prod.run(&undo);
    refused.fails(2, "the table has a stream");
    prod.run(&[&undo[..], &["--stream-readers-ready"]].concat())
        .ok();
    assert_eq!(block_on(sandbox.items()).len(), long().len());
}

/// Two conversations as the old scripts and the web backend left them: naive times, filler rows in the future, one
/// doubled row, one message of the backend with microseconds and no offset, and one row with an offset.
pub fn old_table() -> Vec<RawItem> {
    let mut items = Vec::new();
    let with_id = |n: u32, sk: &str, text: &str, id: u32| {
        let mut item = said(n, sk, text);
        let id = format!("33333333-3333-4333-8333-{id:012}");
        item.extend(strings(&[("message_uuid", &id)]));
        item
    };
    for n in 1..=2 {
        for minute in 0..12 {
            let sk = format!("2023-05-0{n}T10:{minute:02}:00.00000{n}");
            let text = format!("line {minute}");
            items.push(with_id(n, &sk, &text, n * 100 + minute));
        }
        items.push(row(
            n,
            ANDREW,
            &format!("2023-05-1{n}T10:00:00.000000"),
            FILLER,
        ));
    }
    items.push(with_id(
        1,
        "2023-05-01T10:30:07.654321",
        "from the web",
        999,
    ));
    items.push(row(1, BAYKO, "2023-05-11T10:00:00.000000", FILLER));
    items.push(row(1, BAYKO, "2023-05-10T10:00:00.000000", FILLER));
    items.push(row(2, BAYKO, "2023-05-12T10:00:00+01:00", FILLER));
    items
}

/// The table that the scripts of the course and the web backend leave is checked, planned, updated, checked again,
/// and restored byte for byte.
#[tokio::test]
async fn p35_a_table_of_the_old_scripts_is_brought_up_to_date_and_back() {
    through_both_doors(async |sandbox, tool| {
        sandbox.fill(&old_table()).await;
        let before = sandbox.items().await;
        let migrate = [
            &REPAIR[..],
            &["--times", "--assume-zone", "America/Toronto"],
        ]
        .concat();
        let check = tool.run(&["check-conversations"]);
        assert_eq!(check.code, Some(3));
        assert!(
            check
                .stderr
                .contains("check-conversations --repair --times"),
            "{check:?}"
        );
        let narrow = [
            "check-conversations",
            "--rule",
            "row-missing",
            "--rule",
            "row-stray",
        ];
        assert_eq!(
            tool.run(&narrow).code,
            Some(0),
            "a table that keeps its old times can be watched"
        );
        let plan = tool.run(&[&migrate[..], &["--dry-run"]].concat());
        assert!(
            plan.stderr
                .contains("25 messages are put again, and the table has a stream"),
            "{plan:?}"
        );
        assert_eq!(sandbox.items().await, before);
        tool.run(&[&migrate[..], &["--receipt", "r"]].concat()).ok();
        assert_eq!(tool.run(&["check-conversations"]).code, Some(0));
        let times = sandbox.items().await;
        let noon = |item: &RawItem| item["sk"].as_s().unwrap().starts_with("2023-05-01T14:0");
        assert!(
            times.iter().any(noon),
            "10:00 in Toronto is 14:00 UTC: {times:?}"
        );
        tool.run(&["undo", "r"]).ok();
        assert_eq!(sandbox.items().await, before);
        tool.run(&[&REPAIR[..], &["--assume-zone", "UTC"]].concat())
            .fails(2, "--times");
        tool.run(&[&REPAIR[..], &["--times", "--assume-zone", "Toronto"]].concat())
            .fails(2, "no time zone `Toronto`; similar: America/Toronto");
    })
    .await;
}
