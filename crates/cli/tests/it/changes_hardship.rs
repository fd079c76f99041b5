//! Plans under faults that a seed determines: lost replies, conflicts, throttling. Each run ends in the right table
//! or reports that it did not. The next run without faults continues in the same receipt and reaches that table.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;

use ddb_core::item::RawItem;
use ddb_test_support::proxy::{Fault, Proxy};
use ddb_test_support::{Door, Sandbox, is_deep, note, run_seeds, side_by_side};

use crate::changes::{
    behind, conversation, is_killed_at, json_lines, long, look_at, old_table, receipts, text,
};
use crate::kills::{block_on, by_way_of};
use crate::setup::tool;

/// Seeds of each command, normally and in a deep run.
const FEW: u64 = 20;
const MANY: u64 = 200;
/// One request in so many gets a fault.
const ODDS: u64 = 8;

/// If the tests have another engine than the embedded one, it takes so many of the seeds: it is shared, and slower.
const ON_THE_OTHER_ENGINE: u64 = 2;

const REPAIR: [&str; 2] = ["check-conversations", "--repair"];
const MIGRATE: [&str; 3] = ["check-conversations", "--repair", "--times"];

/// How the runs under faults ended, and how many faults they got.
type Met = Mutex<(BTreeMap<i32, usize>, BTreeMap<Fault, usize>)>;

/// Counts the rows of each owner in each conversation.
fn rows_by_owner(items: &[RawItem]) -> BTreeMap<(String, String), usize> {
    let mut rows = BTreeMap::new();
    for item in items {
        if let Some(conversation) = item.get("message_group_uuid") {
            let owner = item["pk"].as_s().unwrap().clone();
            let of = (conversation.as_s().unwrap().clone(), owner);
            *rows.entry(of).or_default() += 1;
        }
    }
    rows
}

/// Fills a table of the engine that the tests run on, if it is that engine's turn, or else of the embedded one.
fn fill(items: &[RawItem], is_its_turn: bool) -> Sandbox {
    let sandbox = match is_its_turn {
        true => Sandbox::new(),
        false => Sandbox::embedded(),
    };
    block_on(sandbox.create_table());
    block_on(sandbox.fill(items));
    sandbox
}

/// Counts each message.
fn messages(items: &[RawItem]) -> BTreeMap<[&str; 3], usize> {
    let mut messages = BTreeMap::new();
    for item in items {
        let part = |name: &str| item[name].as_s().unwrap().as_str();
        if part("pk").starts_with("MSG#") {
            let message = ["pk", "message_uuid", "message"].map(part);
            *messages.entry(message).or_default() += 1;
        }
    }
    messages
}

/// Describes what a reader must never see, in a table that had these items before. A deletion may remove items;
/// nothing may be doubled.
fn broken(before: &[RawItem], now: &[RawItem], deletes: bool) -> Option<String> {
    let (was, is) = (messages(before), messages(now));
    let is_known = |(message, count): (&[&str; 3], &usize)| was.get(message) >= Some(count);
    let are_right = match deletes {
        true => is.iter().all(is_known),
        false => is == was,
    };
    if !are_right {
        return Some(format!("messages: {is:?}"));
    }
    let (was, is) = (rows_by_owner(before), rows_by_owner(now));
    let most = |owner: &(String, String)| was.get(owner).copied().unwrap_or(1);
    let is_whole = is.iter().all(|(owner, count)| *count <= most(owner))
        && (deletes || was.keys().all(|owner| is.contains_key(owner)));
    let is_stray = [1, 2].into_iter().any(|n| look_at(now, n).0);
    (!is_whole || is_stray).then(|| format!("rows: {is:?}"))
}

/// Runs a command under faults, then without faults until it is done, in one receipt. It ends in the table that a run
/// without faults makes, and undo restores the first one. `first` is carried out before, without faults.
fn under_any_faults(what: &str, items: &[RawItem], first: &[&str], command: &[&str]) {
    let few = if first.is_empty() { FEW } else { FEW / 2 };
    // Items that are deleted and restored are partly there in the meantime.
    let deletes = [first, command].concat().contains(&"delete-conversation");
    let whole = |sandbox: &Sandbox| {
        let tool = tool(Door::Own, sandbox);
        if !first.is_empty() {
            tool.run(&[first, &["--receipt", "first"]].concat()).ok();
        }
        tool
    };
    let expected = {
        let sandbox = fill(items, false);
        let tool = whole(&sandbox);
        tool.run(&[command, &["--receipt", "second"]].concat()).ok();
        block_on(sandbox.items())
    };
    let met = Met::default();
    let seeds = run_seeds(few, MANY, |seed| {
        let sandbox = fill(items, seed < ON_THE_OTHER_ENGINE);
        let peace = whole(&sandbox);
        let before = block_on(sandbox.items());
        let proxy = Proxy::seeded(&sandbox.url(), seed, ODDS);
        let receipt = peace.home().join("second");
        let receipt = receipt.to_str().unwrap();
        let home = peace.home().to_str().unwrap().to_owned();
        let in_receipt = |path: &str| match path {
            "first" => format!("{home}/first"),
            other => other.to_owned(),
        };
        let words: Vec<String> = command.iter().map(|word| in_receipt(word)).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let with_receipt = [&words[..], &["--receipt", receipt]].concat();
        let by_way = by_way_of(&proxy, &sandbox);
        let ran = proxy.run(&by_way, &[&with_receipt[..], &["--timeout", "5s"]].concat());
        assert!(!ran.stderr.contains("a fault in this program"), "{ran:?}");
        let code = ran.code.unwrap();
        {
            let mut met = met.lock().unwrap();
            *met.0.entry(code).or_default() += 1;
            for (fault, times) in proxy.injected() {
                *met.1.entry(fault).or_default() += times;
            }
        }
        assert!([0, 1, 3, 5].contains(&code), "{ran:?}");
        // A row that was there once is never there twice, and nobody who had rows is without any.
        let seen = broken(items, &block_on(sandbox.items()), deletes);
        assert_eq!(seen, None, "{ran:?}");
        if code == 0 {
            assert_eq!(block_on(sandbox.items()), expected, "{ran:?}");
        } else {
            let again = peace.run(&with_receipt);
            // Everything may have been done, except the end of the receipt or the last check.
            let text = format!("{ran:?} {again:?}");
            assert!(again.code == Some(0) || text.contains("already"), "{text}");
        }
        assert_eq!(block_on(sandbox.items()), expected, "{ran:?}");
        if peace.home().join("second").exists() {
            let undone = peace.run(&["undo", "second", "--receipt", "none"]);
            assert_eq!(undone.code, Some(0), "{undone:?} {ran:?}");
            assert_eq!(block_on(sandbox.items()), before, "{ran:?}");
        }
    });
    let (ends, faults) = met.into_inner().unwrap();
    let total: usize = faults.values().sum();
    note(&format!(
        "{what}: {seeds} seeds, {total} faults {faults:?}, exit codes {ends:?}"
    ));
    if is_deep() && seeds as u64 == MANY {
        assert!(total >= seeds / 2, "{total} faults");
        assert!(ends.len() >= 2, "{ends:?}");
    }
}

#[test]
fn p33_a_repair_under_any_faults_converges_in_its_receipt() {
    under_any_faults("p33, repair", &behind(6), &[], &REPAIR);
}

#[test]
fn p33_an_undo_under_any_faults_converges_in_its_receipt() {
    let undo = ["undo", "first"];
    under_any_faults("p33, undo", &behind(6), &REPAIR, &undo);
}

#[test]
fn p35_a_migration_under_any_faults_converges_in_its_receipt() {
    under_any_faults("p35, migration", &old_table(), &[], &MIGRATE);
}

#[test]
fn p36_a_deletion_under_any_faults_converges_in_its_receipt() {
    let id = conversation(1);
    let delete = ["delete-conversation", id.as_str()];
    under_any_faults("p36, deletion", &long(), &[], &delete);
}

#[test]
fn p35_an_undo_of_a_migration_under_any_faults_converges_in_its_receipt() {
    let undo = ["undo", "first"];
    under_any_faults("p35, undo", &old_table(), &MIGRATE, &undo);
}

#[test]
fn p36_an_undo_of_a_deletion_under_any_faults_converges_in_its_receipt() {
    let id = conversation(1);
    let delete = ["delete-conversation", id.as_str()];
    under_any_faults("p36, undo", &long(), &delete, &["undo", "first"]);
}

/// Kills a command at its requests, and its undo at its own. A reader looks after each kill; then both are run again.
fn killed_anywhere(what: &str, items: &[RawItem], command: &[&str], apart: usize) {
    let deletes = command.contains(&"delete-conversation");
    let expected = {
        let sandbox = fill(items, false);
        tool(Door::Own, &sandbox).run(command).ok();
        block_on(sandbox.items())
    };
    let kills = Mutex::new([0; 2]);
    let apart = if is_deep() { 1 } else { apart };
    side_by_side(&[Fault::KilledBefore, Fault::KilledAfter], |fault| {
        // Both faults together cover twice as many requests.
        let first = if *fault == Fault::KilledAfter {
            apart / 2
        } else {
            0
        };
        for (turn, nth) in (first..).step_by(apart).enumerate() {
            let sandbox = fill(items, turn % 16 == 8);
            let before = block_on(sandbox.items());
            let tool = tool(Door::Own, &sandbox);
            let look = |when: &str| {
                let seen = broken(items, &block_on(sandbox.items()), deletes);
                assert_eq!(seen, None, "{fault:?} at {nth}, {when}");
            };
            let killed = is_killed_at(&tool, &sandbox, nth, *fault, command);
            look("the command");
            let again = tool.run(command);
            // Everything may have been deleted, and the receipt ended.
            let ended = again.code == Some(0) || (deletes && again.code == Some(4));
            assert!(ended, "{fault:?} at {nth}: {again:?}");
            assert_eq!(block_on(sandbox.items()), expected, "{fault:?} at {nth}");
            let files = receipts(&tool);
            assert_eq!(files.len(), 1, "{fault:?} at {nth}");
            let undo = ["undo", text(&files[0])];
            let undo_killed = is_killed_at(&tool, &sandbox, nth, *fault, &undo);
            look("its undo");
            if undo_killed {
                tool.run(&undo).ok();
            }
            assert_eq!(block_on(sandbox.items()), before, "{fault:?} at {nth}");
            let done = |file: &PathBuf| json_lines(file).last().unwrap()["end"] == "done";
            assert!(receipts(&tool).iter().all(done), "{fault:?} at {nth}");
            let mut kills = kills.lock().unwrap();
            kills[0] += u32::from(killed);
            kills[1] += u32::from(undo_killed);
            if !killed && !undo_killed {
                break;
            }
        }
    });
    let [command, undo] = kills.into_inner().unwrap();
    assert!(command >= 2 && undo >= 2, "{command} {undo}");
    note(&format!("{what}: {command} kills, and {undo} of its undo"));
}

#[test]
fn p33_killed_at_any_request_a_repair_and_its_undo_go_on_in_their_receipts() {
    killed_anywhere("p33, repair", &behind(2), &REPAIR, 3);
}

#[test]
fn p35_a_migration_and_its_undo_killed_anywhere_are_whole_to_every_reader() {
    killed_anywhere("p35, migration", &old_table(), &MIGRATE, 15);
}

#[test]
fn p36_a_deletion_and_its_undo_killed_anywhere_are_whole_to_every_reader() {
    let id = conversation(1);
    let delete = ["delete-conversation", id.as_str()];
    killed_anywhere("p36, deletion", &long(), &delete, 8);
}
