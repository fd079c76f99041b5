//! Plans, receipts and undo on an engine.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use ddb_core::changes::{
    ChangesError, Executor, Head, Keep, Never, Plan, PlanWriter, Receipt, Seen, StepSize,
    TableIdentity, Tally, list, prune, undo_plan,
};
use ddb_core::conversation::{RepairPlanner, RowRules, inspect};
use ddb_core::item::RawItem;
use ddb_core::key::{ConversationId, UserId};
use ddb_core::store::Writer;
use ddb_test_support::Sandbox;
use ddb_test_support::http::{Server, forward};
use serde_json::Value;

use crate::data::{at, conversation, message, person, raw, row};
use crate::kills::killing;

const T: &str = "2026-03-22T08:35:09.123456+00:00";
const EARLIER: &str = "2026-03-22T08:00:00.000000+00:00";
const NOW: &str = "2026-06-01T00:00:00Z";

pub async fn head(writer: &Writer, command: &[&str]) -> Result<Head, ChangesError> {
    let table = TableIdentity::of(writer).await?;
    let command = command.iter().map(|word| (*word).to_owned()).collect();
    Ok(Head::new("a test", command, table, at(NOW)))
}

pub async fn carry_out(
    writer: &Writer,
    plan: &Plan,
    keep: &Keep,
    planner: Option<&RepairPlanner<'_, ()>>,
) -> Result<Tally, ChangesError> {
    let receipt = match Receipt::find(keep, plan.head())? {
        Some(receipt) => receipt,
        None if plan.summary().steps == 0 => return Ok(Tally::default()),
        None => Receipt::begin(keep, plan.head())?,
    };
    let skip = if planner.is_none() {
        receipt.steps()
    } else {
        0
    };
    let mut executor = Executor::new(writer, receipt, None);
    executor.finish_open().await?;
    match planner {
        Some(planner) => executor.carry_out(plan, skip, planner, |_| {}).await?,
        None => executor.carry_out(plan, skip, &Never, |_| {}).await?,
    }
    executor.end()
}

fn planner(writer: &Writer) -> RepairPlanner<'_, ()> {
    RepairPlanner::new(
        writer,
        &(),
        RowRules::ALL,
        StepSize::new(None),
        HashMap::new(),
    )
}

/// Repairs the rows of conversations, as `check-conversations --repair` does.
pub async fn repair(
    writer: &Writer,
    found: &[(ConversationId, Vec<UserId>)],
    keep: &Keep,
) -> Result<Tally, ChangesError> {
    let mut planner = planner(writer);
    let plan = plan_repair(writer, found, &mut planner).await?;
    carry_out(writer, &plan, keep, Some(&planner)).await
}

async fn plan_repair(
    writer: &Writer,
    found: &[(ConversationId, Vec<UserId>)],
    planner: &mut RepairPlanner<'_, ()>,
) -> Result<Plan, ChangesError> {
    let mut plan = PlanWriter::begin(head(writer, &["check-conversations", "repair"]).await?)?;
    for (conversation, owners) in found {
        let seen = inspect(writer, *conversation, owners, &()).await?;
        if let (false, Ok(people)) = (seen.findings.is_empty(), seen.people) {
            for step in planner.rows(*conversation, &people).await? {
                plan.push(&step)?;
            }
        }
    }
    plan.end()
}

/// Undoes a receipt, as `ddb undo` does.
pub async fn undo(writer: &Writer, receipt: &Path, keep: &Keep) -> Result<Tally, ChangesError> {
    let name = receipt.file_name().unwrap().to_str().unwrap();
    let plan = undo_plan(receipt, head(writer, &["undo", name]).await?)?;
    carry_out(writer, &plan, keep, None).await
}

/// Creates a table with one conversation for each fault of rows: behind, doubled, missing.
async fn faulty() -> (Sandbox, Vec<(ConversationId, Vec<UserId>)>) {
    let sandbox = Sandbox::with_table().await;
    for n in 1..=3 {
        let last = at(T).plus_micros(n as i64).unwrap();
        sandbox
            .put(raw(&message(conversation(n), at(EARLIER), 2, "old")))
            .await;
        sandbox
            .put(raw(&message(conversation(n), last, 1, "new")))
            .await;
        sandbox
            .put(raw(&row(conversation(n), last, (1, 2), "new")))
            .await;
    }
    let earlier = at(EARLIER);
    sandbox
        .put(raw(&row(conversation(1), earlier, (2, 1), "old")))
        .await;
    let surplus = earlier.plus_micros(1).unwrap();
    sandbox
        .put(raw(&row(conversation(2), surplus, (2, 1), "old")))
        .await;
    let own = at(T).plus_micros(2).unwrap();
    sandbox
        .put(raw(&row(conversation(2), own, (2, 1), "new")))
        .await;
    let owners = [1, 2].map(|n| person(n).id).to_vec();
    let found = (1..=3).map(|n| (conversation(n), owners.clone())).collect();
    (sandbox, found)
}

fn receipts(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
}

fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[tokio::test]
async fn p33_p34_undo_restores_and_undo_of_undo_is_the_change_again() {
    let (sandbox, found) = faulty().await;
    let before = sandbox.items().await;
    let writer = sandbox.writer();
    let folder = tempfile::tempdir().unwrap();
    let first = Keep::At(folder.path().join("1.jsonl"));
    let repaired = repair(&writer, &found, &first).await.unwrap();
    assert_eq!((repaired.done, repaired.left), (3, 0));
    let after = sandbox.items().await;
    assert_ne!(after, before);
    let mut last = folder.path().join("1.jsonl");
    for (n, expected) in [(2, &before), (3, &after), (4, &before)] {
        let next = folder.path().join(format!("{n}.jsonl"));
        let undone = undo(&writer, &last, &Keep::At(next.clone())).await.unwrap();
        assert_eq!((undone.done, undone.left), (3, 0));
        assert_eq!(&sandbox.items().await, expected);
        last = next;
    }
    let ended = lines(&last);
    assert_eq!(ended.last().unwrap()["end"], "done");
    assert_eq!(ended[0]["format"], 1);
}

#[tokio::test]
async fn p33_what_was_changed_since_is_left_and_named() {
    let (sandbox, found) = faulty().await;
    let before = sandbox.items().await;
    let writer = sandbox.writer();
    let folder = tempfile::tempdir().unwrap();
    let first = folder.path().join("1.jsonl");
    repair(&writer, &found, &Keep::At(first.clone()))
        .await
        .unwrap();
    // Somebody writes to the row that was made in conversation 3.
    let own = at(T).plus_micros(3).unwrap();
    let mut changed = raw(&row(conversation(3), own, (2, 1), "new"));
    let likes = aws_sdk_dynamodb::types::AttributeValue::S("changed".to_owned());
    changed.insert("message".to_owned(), likes);
    sandbox.put(changed.clone()).await;
    let second = folder.path().join("2.jsonl");
    let undone = undo(&writer, &first, &Keep::At(second.clone()))
        .await
        .unwrap();
    assert_eq!((undone.done, undone.left), (2, 1));
    let mut expected = before;
    expected.push(changed.clone());
    expected
        .sort_by_key(|item: &RawItem| ["pk", "sk"].map(|name| item[name].as_s().unwrap().clone()));
    assert_eq!(sandbox.items().await, expected);
    let written = lines(&second);
    let left = written.iter().find(|line| !line["left"].is_null()).unwrap();
    assert_eq!(left["left"][0]["key"]["sk"]["S"], own.to_string());
    assert_eq!(written.last().unwrap()["end"], "partly");
}

/// A caller that counts steps by what it is told knows at any time how many are still to be carried out.
#[tokio::test]
async fn a_step_that_is_planned_ends_or_is_planned_again() {
    let (sandbox, found) = faulty().await;
    let writer = sandbox.writer();
    let mut planner = planner(&writer);
    let plan = plan_repair(&writer, &found, &mut planner).await.unwrap();
    // Meanwhile, somebody changes a row that is about to be replaced.
    let changed = row(conversation(1), at(EARLIER), (2, 1), "changed");
    sandbox.put(raw(&changed)).await;
    let folder = tempfile::tempdir().unwrap();
    let receipt = Receipt::begin(&Keep::At(folder.path().join("1.jsonl")), plan.head()).unwrap();
    let (mut open, mut again) = (plan.summary().steps, 0);
    let see = |seen: Seen<'_>| match seen {
        Seen::Planned(_) => open += 1,
        Seen::PlannedAgain(_) => {
            open -= 1;
            again += 1;
        }
        Seen::Ended(..) => open -= 1,
    };
    let mut executor = Executor::new(&writer, receipt, None);
    executor.carry_out(&plan, 0, &planner, see).await.unwrap();
    assert_eq!(executor.end().unwrap().done, 3);
    assert_eq!((open, again), (0, 1));
}

/// Each transaction that the engine sees is in the receipt, with every item as it was before.
#[tokio::test]
async fn p32_a_step_is_on_disk_before_its_transaction_is_sent() {
    let (sandbox, found) = faulty().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("1.jsonl");
    let (file, engine) = (path.clone(), sandbox.url());
    let seen = Arc::new(Mutex::new(0));
    let count = Arc::clone(&seen);
    let server = Server::start(move |request| {
        if request.operation == "TransactWriteItems" {
            let body: Value = serde_json::from_slice(&request.body).unwrap();
            let steps: Vec<Value> = lines(&file)
                .into_iter()
                .filter(|line| line["changes"].is_array())
                .collect();
            for action in body["TransactItems"].as_array().unwrap() {
                let (kind, action) = action.as_object().unwrap().iter().next().unwrap();
                let key = |part: &str| match kind.as_str() {
                    "Put" => action["Item"][part].clone(),
                    _ => action["Key"][part].clone(),
                };
                let mut changes = steps
                    .iter()
                    .flat_map(|step| step["changes"].as_array().unwrap());
                let change = changes
                    .find(|change| {
                        change["key"]["pk"] == key("pk") && change["key"]["sk"] == key("sk")
                    })
                    .expect("the change is in the receipt");
                let is_new = action["ConditionExpression"] == "attribute_not_exists(#pk)";
                assert_eq!(change["before"].is_null(), is_new);
            }
            *count.lock().unwrap() += 1;
        }
        forward(request, &engine)
    });
    let writer = sandbox.writer_at(&server.url());
    let repaired = repair(&writer, &found, &Keep::At(path)).await.unwrap();
    assert_eq!((repaired.done, *seen.lock().unwrap()), (3, 3));
}

#[tokio::test]
async fn p32_nothing_is_changed_where_the_receipt_cannot_be_written() {
    let (sandbox, found) = faulty().await;
    let before = sandbox.items().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "no folder").unwrap();
    for keep in [
        Keep::At("/dev/full".into()),
        Keep::In(file.join("receipts")),
        Keep::At(file.clone()),
        Keep::At(folder.path().join("nowhere/1.jsonl")),
    ] {
        let error = repair(&sandbox.writer(), &found, &keep).await.unwrap_err();
        assert!(
            matches!(
                error,
                ChangesError::Unwritable { .. }
                    | ChangesError::Taken { .. }
                    | ChangesError::Foreign { .. }
            ),
            "{error}"
        );
        assert_eq!(sandbox.items().await, before, "{keep:?}");
    }
    assert_eq!(fs::read(&file).unwrap(), b"no folder");
}

/// A repair ended at any request and run again makes the same table, in the same receipt, and undo reverts all of it.
#[tokio::test]
async fn p33_a_repair_that_is_ended_anywhere_goes_on_in_its_receipt() {
    let whole = {
        let (sandbox, found) = faulty().await;
        // Only the conversation that has lost a row, which takes one step. The tests of the tools kill at more steps.
        repair(&sandbox.writer(), &found[2..], &Keep::Nowhere)
            .await
            .unwrap();
        sandbox.items().await
    };
    for next_is_seen in [false, true] {
        for requests in 0.. {
            let (sandbox, found) = faulty().await;
            let before = items_without_ids(sandbox.items().await);
            let original = sandbox.items().await;
            let folder = tempfile::tempdir().unwrap();
            let keep = Keep::In(folder.path().join("receipts"));
            let server = killing(&sandbox, requests, next_is_seen);
            let ended = repair(&sandbox.writer_at(&server.url()), &found[2..], &keep)
                .await
                .is_ok();
            repair(&sandbox.writer(), &found[2..], &keep).await.unwrap();
            let after = sandbox.items().await;
            assert_eq!(
                items_without_ids(after),
                items_without_ids(whole.clone()),
                "at {requests}"
            );
            let files = receipts(&folder.path().join("receipts"));
            assert_eq!(files.len(), 1, "at {requests}: {files:?}");
            assert_eq!(lines(&files[0]).last().unwrap()["end"], "done");
            let undone = undo(&sandbox.writer(), &files[0], &Keep::Nowhere)
                .await
                .unwrap();
            assert_eq!(undone.left, 0, "at {requests}");
            assert_eq!(sandbox.items().await, original, "at {requests}");
            assert_eq!(items_without_ids(original), before);
            if ended {
                break;
            }
        }
    }
}

/// Removes the ids of messages, which differ between two sandboxes.
fn items_without_ids(items: Vec<RawItem>) -> Vec<RawItem> {
    let mut items = items;
    for item in &mut items {
        item.remove("message_uuid");
    }
    items
}

/// Somebody changes the row just before each transaction.
#[tokio::test]
async fn a_step_is_planned_anew_five_times_and_then_left() {
    let (sandbox, found) = faulty().await;
    let sandbox = Arc::new(sandbox);
    let (engine, other) = (sandbox.url(), Arc::clone(&sandbox));
    let sent = Arc::new(Mutex::new(0));
    let count = Arc::clone(&sent);
    let server = Server::start(move |request| {
        let body = String::from_utf8_lossy(&request.body);
        if request.operation == "TransactWriteItems" && body.contains(EARLIER) {
            let mut count = count.lock().unwrap();
            *count += 1;
            let text = format!("changed {count}");
            let changed = raw(&row(conversation(1), at(EARLIER), (2, 1), &text));
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.unwrap().block_on(other.put(changed));
        }
        forward(request, &engine)
    });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("1.jsonl");
    let writer = sandbox.writer_at(&server.url());
    let done = repair(&writer, &found, &Keep::At(path.clone())).await;
    let done = done.unwrap();
    assert_eq!((done.done, done.left), (2, 1), "the others are not held up");
    assert_eq!(*sent.lock().unwrap(), 6);
    let written = lines(&path);
    assert_eq!(written.last().unwrap()["end"], "partly");
    let is_left = |line: &&Value| !line["left"].is_null();
    assert_eq!(written.iter().filter(is_left).count(), 6);
    // Undo reverts what was done. The rest was never there.
    let undone = undo(&sandbox.writer(), &path, &Keep::Nowhere)
        .await
        .unwrap();
    assert_eq!((undone.done, undone.left), (2, 0));
}

#[tokio::test]
async fn changes_that_no_transaction_holds_are_refused_before_anything_is_changed() {
    // Early versions of DynamoDB Local allow 25 actions in a transaction, not 100.
    let sandbox = Sandbox::embedded();
    sandbox.create_table().await;
    let writer = sandbox.writer();
    let put = |n: i64| {
        let item = raw(&message(
            conversation(1),
            at(T).plus_micros(n).unwrap(),
            1,
            "x",
        ));
        ddb_core::store::ItemChange::new(None, Some(item)).unwrap()
    };
    let step = |changes: i64| ddb_core::changes::Step {
        conversation: Some(conversation(1)),
        why: "test".into(),
        changes: (0..changes).map(put).collect(),
    };
    let mut plan = PlanWriter::begin(head(&writer, &["test"]).await.unwrap()).unwrap();
    plan.push(&step(100)).unwrap();
    let error = plan.push(&step(101)).unwrap_err();
    assert!(
        matches!(error, ChangesError::TooLarge { changes: 101, .. }),
        "{error}"
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plan");
    plan.end().unwrap().save(&path).unwrap();
    let done = carry_out(&writer, &Plan::open(&path).unwrap(), &Keep::Nowhere, None).await;
    assert_eq!(done.unwrap().changes, 100);
    assert_eq!(sandbox.items().await.len(), 100);
}

#[tokio::test]
async fn p31_a_plan_that_is_not_as_it_was_written_is_refused() {
    let (sandbox, found) = faulty().await;
    let writer = sandbox.writer();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plan");
    let size = StepSize::new(None);
    let mut planner = RepairPlanner::new(&writer, &(), RowRules::ALL, size, HashMap::new());
    let mut plan = PlanWriter::begin(head(&writer, &["x"]).await.unwrap()).unwrap();
    for (conversation, owners) in &found {
        let people = inspect(&writer, *conversation, owners, &())
            .await
            .unwrap()
            .people;
        for step in planner.rows(*conversation, &people.unwrap()).await.unwrap() {
            plan.push(&step).unwrap();
        }
    }
    let plan = plan.end().unwrap();
    plan.save(&path).unwrap();
    assert!(plan.save(&path).is_err(), "nothing is written over");
    let opened = Plan::open(&path).unwrap();
    assert_eq!(opened.summary(), plan.summary());
    assert_eq!(opened.summary().steps, 3);
    let whole = fs::read_to_string(&path).unwrap();
    let edit = |from: &str, to: &str| whole.replacen(from, to, 1);
    let cut = |bytes: usize| whole[..bytes].to_owned();
    for (text, said) in [
        (edit("\"new\"", "\"newer\""), "changed after it was written"),
        (edit("\"format\":1", "\"format\":2"), "format 2"),
        (cut(whole.len() - 1), "it is incomplete"),
        (cut(whole.rfind("{\"end\"").unwrap()), "it is incomplete"),
        (cut(whole.len() / 2), "it is incomplete"),
        (edit("\"step\":2", "\"step\":3"), "not in order"),
        ("hello\n".to_owned(), "neither a plan nor a receipt"),
        (String::new(), "neither a plan nor a receipt"),
        (format!("{whole}{{}}\n"), "line 6"),
        (edit("\"after\":null", "\"after\":7"), "line"),
    ] {
        fs::write(&path, text).unwrap();
        let error = Plan::open(&path).unwrap_err();
        assert!(error.to_string().contains(said), "{said}: {error}");
    }
}

#[tokio::test]
async fn a_receipt_of_another_table_or_a_torn_one_is_told_from_its_own() {
    let (sandbox, found) = faulty().await;
    let before = sandbox.items().await;
    let writer = sandbox.writer();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("1.jsonl");
    repair(&writer, &found, &Keep::At(path.clone()))
        .await
        .unwrap();
    let (other, _) = faulty().await;
    let error = undo(&other.writer(), &path, &Keep::Nowhere)
        .await
        .unwrap_err();
    assert!(matches!(error, ChangesError::OtherTable { .. }), "{error}");
    // A last line that is cut off does not count; one in the middle is an error.
    let whole = fs::read_to_string(&path).unwrap();
    let torn = &whole[..whole.len() - 5];
    fs::write(&path, torn).unwrap();
    let (listed, unread) = list(folder.path()).unwrap();
    assert_eq!(
        (listed[0].state, listed[0].done, unread.len()),
        ("started", 3, 0)
    );
    fs::write(&path, whole.replacen("\"step\":2", "\"step\":", 1)).unwrap();
    let error = undo(&writer, &path, &Keep::Nowhere).await.unwrap_err();
    assert!(error.to_string().contains("line 3"), "{error}");
    assert_eq!(list(folder.path()).unwrap().1.len(), 1);
    // Lines that somebody changed, added or removed are never put back into a table.
    let after = sandbox.items().await;
    let at_line = |nth: usize| whole.lines().nth(nth).unwrap();
    let (first, second) = (at_line(1), at_line(2));
    for (edited, line) in [
        (whole.replacen("\"old\"", "\"evil\"", 1), "line 2"),
        (whole.replacen("check-conv", "delete-conv", 1), "line 1"),
        (whole.replacen(&format!("{first}\n"), "", 1), "line 2"),
        (
            whole.replacen(first, &format!("{first}\n{first}"), 1),
            "line 3",
        ),
        (
            whole.replacen(&second[second.len() - 20..], "}", 1),
            "line 3",
        ),
        (
            whole.replacen("\"end\":\"done\"", "\"end\":\"partly\"", 1),
            "changed",
        ),
        (format!("{whole}{first}\n"), "continues after its end"),
        (format!("\n{whole}"), "neither a plan nor a receipt"),
    ] {
        fs::write(&path, edited).unwrap();
        let error = undo(&writer, &path, &Keep::Nowhere).await.unwrap_err();
        assert!(error.to_string().contains(line), "{line}: {error}");
        // A repair does not continue in it, either.
        let gone_on = repair(&writer, &found, &Keep::At(path.clone())).await;
        assert!(gone_on.is_err(), "{line}");
        assert_eq!(sandbox.items().await, after, "{line}");
    }
    fs::write(&path, torn).unwrap();
    undo(&writer, &path, &Keep::Nowhere).await.unwrap();
    assert_eq!(sandbox.items().await, before);
    let old = std::time::Duration::from_secs(86_400);
    assert!(prune(folder.path(), old, at(NOW)).unwrap().is_empty());
    let later = at("2026-06-03T00:00:00Z");
    assert_eq!(prune(folder.path(), old, later).unwrap().len(), 1);
    assert!(list(folder.path()).unwrap().0.is_empty());
}

/// Only the owner may read a receipt: it contains texts of messages.
#[tokio::test]
async fn a_receipt_is_readable_by_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let (sandbox, found) = faulty().await;
    let folder = tempfile::tempdir().unwrap();
    let receipts_folder = folder.path().join("a/receipts");
    repair(
        &sandbox.writer(),
        &found,
        &Keep::In(receipts_folder.clone()),
    )
    .await
    .unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&receipts_folder), 0o700);
    let files = receipts(&receipts_folder);
    assert_eq!((files.len(), mode(&files[0])), (1, 0o600));
}
