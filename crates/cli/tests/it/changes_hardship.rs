//! Plans under faults that follow from a seed: lost replies, conflicts, throttling. Each run ends in the right table or
//! says that it did not, and the next one that is left in peace goes on in the same receipt and ends there.

use std::collections::BTreeMap;
use std::sync::Mutex;

use ddb_core::item::RawItem;
use ddb_test_support::proxy::{Fault, Proxy};
use ddb_test_support::{Door, Sandbox, is_deep, note, run_seeds};

use crate::changes::{behind, conversation, long, old_table};
use crate::kills::{block_on, by_way_of, with_table};
use crate::setup::tool;

/// Seeds of each command: everyday, and in a deep run.
const FEW: u64 = 20;
const MANY: u64 = 200;
/// One request of so many meets a fault.
const ODDS: u64 = 8;

const REPAIR: [&str; 2] = ["check-conversations", "--repair"];

/// How the runs under faults ended, and how many faults they met.
type Met = Mutex<(BTreeMap<i32, usize>, BTreeMap<Fault, usize>)>;

/// Whose rows a conversation has, and how many of each.
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

fn fill(items: &[RawItem]) -> Sandbox {
    let sandbox = with_table();
    block_on(sandbox.fill(items));
    sandbox
}

/// Runs a command under faults, then in peace until it is done, in one receipt. It ends in the table that a run in
/// peace makes, and undo brings the first one back. `first` is carried out in peace before.
fn under_any_faults(what: &str, items: &[RawItem], first: &[&str], command: &[&str]) {
    let whole = |sandbox: &Sandbox| {
        let tool = tool(Door::Own, sandbox);
        if !first.is_empty() {
            tool.run(&[first, &["--receipt", "first"]].concat()).ok();
        }
        tool
    };
    let expected = {
        let sandbox = fill(items);
        let tool = whole(&sandbox);
        tool.run(&[command, &["--receipt", "second"]].concat()).ok();
        block_on(sandbox.items())
    };
    let met = Met::default();
    let seeds = run_seeds(FEW, MANY, |seed| {
        let sandbox = fill(items);
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
        // A row is never there twice where it was there once, and never without any that there were.
        let doubled = rows_by_owner(&before).values().filter(|n| **n > 1).count();
        let between = rows_by_owner(&block_on(sandbox.items()));
        let doubled_between = between.values().filter(|n| **n > 1).count();
        assert!(doubled_between <= doubled, "{between:?} {ran:?}");
        if code == 0 {
            assert_eq!(block_on(sandbox.items()), expected, "{ran:?}");
        } else {
            let again = peace.run(&with_receipt);
            // All may have been done, but for the end of the receipt or the last look.
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
    let migrate = [&REPAIR[..], &["--times"]].concat();
    under_any_faults("p35, migration", &old_table(), &[], &migrate);
}

#[test]
fn p36_a_deletion_under_any_faults_converges_in_its_receipt() {
    let id = conversation(1);
    let delete = ["delete-conversation", id.as_str()];
    under_any_faults("p36, deletion", &long(), &[], &delete);
}
