//! Whole runs under faults that a seed determines. Each ends in the right state or reports truthfully that it did
//! not, and the next run without faults ends in the right state.

use std::collections::BTreeMap;
use std::sync::Mutex;

use ddb_core::item::RawItem;
use ddb_test_support::cognito::{Cognito, Hardship, POOL, PoolUser, sub};
use ddb_test_support::proxy::{Fault, Proxy};
use ddb_test_support::{Door, Postgres, Ran, Sandbox, Tool, is_deep, note, run_seeds};
use serde_json::Value;

use crate::kills::{Talk, block_on, by_way_of, rows, seed};
use crate::setup::{message, tool};

const FEW: u64 = 4;
const MANY: u64 = 200;
/// One request in so many gets a fault.
const ODDS: u64 = 6;
const NEWER: &str = "2026-04-01T00:00:00.000000+00:00";

/// Counts what happened over all seeds.
#[derive(Debug, Default)]
struct Tally {
    ends: BTreeMap<i32, usize>,
    faults: BTreeMap<Fault, usize>,
}

impl Tally {
    fn add(&mut self, ran: &Ran, proxy: &Proxy) {
        *self.ends.entry(ran.code.unwrap()).or_default() += 1;
        for (fault, times) in proxy.injected() {
            *self.faults.entry(fault).or_default() += times;
        }
    }

    /// Prints the figures. In a deep run, checks that there were faults to meet.
    fn say(self, promise: &str, seeds: usize) {
        let faults: usize = self.faults.values().sum();
        note(&format!(
            "{promise}: {seeds} seeds, {faults} faults {:?}, exit codes {:?}",
            self.faults, self.ends
        ));
        if is_deep() && seeds as u64 == MANY {
            assert!(faults >= seeds / 2, "{faults} faults");
            assert!(self.ends.len() >= 2, "{:?}", self.ends);
        }
    }
}

/// Checks that a run ended as it says. Returns whether it says that everything was done.
fn is_done(ran: &Ran) -> bool {
    assert!(!ran.stderr.contains("a fault in this program"), "{ran:?}");
    match ran.code {
        Some(0) => assert!(!ran.stderr.contains("error: "), "{ran:?}"),
        Some(code @ (1 | 5)) => ran.fails(code, ""),
        _ => panic!("{ran:?}"),
    }
    ran.code == Some(0)
}

/// Runs a command through a proxy with these faults.
fn run_under_faults(
    proxy: &Proxy,
    tool: &Tool,
    tally: &Mutex<Tally>,
    arguments: &[&str],
) -> (Ran, bool) {
    // A command that hangs is given up. Following a stream takes two seconds of silence by itself.
    let ran = proxy.run(tool, &[arguments, &["--timeout", "5s"]].concat());
    tally.lock().unwrap().add(&ran, proxy);
    let done = is_done(&ran);
    (ran, done)
}

fn seeded() -> Sandbox {
    seed(block_on(Sandbox::with_table()))
}

/// Reads `W of T items written` in an error.
fn written(ran: &Ran) -> Option<usize> {
    let (before, _) = ran.stderr.split_once(" items written")?;
    let mut words = before.rsplit(' ');
    words.nth(2)?.parse().ok()
}

#[test]
fn p11_a_seed_under_any_faults_counts_truthfully_and_converges() {
    let talk = Talk::new();
    let expected = block_on(seeded().items());
    let tally = Mutex::default();
    let seeds = run_seeds(FEW, MANY, |seed| {
        let sandbox = block_on(Sandbox::with_table());
        let proxy = Proxy::seeded(&sandbox.url(), seed, ODDS);
        let by_way = by_way_of(&proxy, &sandbox);
        let (ran, done) = run_under_faults(&proxy, &by_way, &tally, &talk.seed_until());
        let items = block_on(sandbox.items());
        if done {
            assert_eq!(items, expected);
        }
        assert!(items.iter().all(|item| expected.contains(item)), "{ran:?}");
        if ran.code == Some(5) {
            let written = written(&ran).unwrap();
            assert!(written <= items.len(), "{ran:?}, {} there", items.len());
        }
        tool(Door::Own, &sandbox).run(&talk.seed_until()).ok();
        assert_eq!(block_on(sandbox.items()), expected);
    });
    tally.into_inner().unwrap().say("p11, seed", seeds);
}

#[test]
fn p18_a_sync_under_any_faults_leaves_one_row_each_and_converges() {
    let tally = Mutex::default();
    let seeds = run_seeds(FEW, MANY, |seed| {
        let sandbox = seeded();
        block_on(sandbox.put(message(NEWER, "newer")));
        let proxy = Proxy::seeded(&sandbox.url(), seed, ODDS);
        let by_way = by_way_of(&proxy, &sandbox);
        let (ran, done) =
            run_under_faults(&proxy, &by_way, &tally, &["sync-conversations", "--once"]);
        let after = rows(&block_on(sandbox.items()));
        assert_eq!(after.len(), 2, "{after:?} {ran:?}");
        assert_ne!(after[0].0, after[1].0);
        if done {
            assert!(after.iter().all(|(_, at)| at == NEWER), "{after:?} {ran:?}");
        }
        let sync = ["sync-conversations", "--once"];
        tool(Door::Own, &sandbox).run(&sync).ok();
        let after = rows(&block_on(sandbox.items()));
        assert!(after.iter().all(|(_, at)| at == NEWER), "{after:?}");
        let check = tool(Door::Own, &sandbox).run(&["check-conversations"]);
        assert_eq!(check.ok(), "");
    });
    tally.into_inner().unwrap().say("p18, sync", seeds);
}

fn shown(ran: &Ran) -> Vec<(String, String)> {
    let text = |line: &Value, name: &str| line[name].as_str().unwrap().to_owned();
    // The last line of a run that failed may be cut off.
    let lines = ran
        .stdout
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    let mut keys: Vec<_> = lines
        .map(|line: Value| (text(&line, "pk"), text(&line, "sk")))
        .collect();
    keys.sort_unstable();
    keys
}

fn keys(items: &[RawItem]) -> Vec<(String, String)> {
    let text = |item: &RawItem, name: &str| item[name].as_s().unwrap().clone();
    items
        .iter()
        .map(|item| (text(item, "pk"), text(item, "sk")))
        .collect()
}

#[test]
fn p22_a_scan_under_any_faults_is_whole_or_says_so() {
    let sandbox = seeded();
    let expected = keys(&block_on(sandbox.items()));
    let tally = Mutex::default();
    let seeds = run_seeds(FEW, MANY, |seed| {
        let proxy = Proxy::seeded(&sandbox.url(), seed, ODDS / 2);
        let by_way = by_way_of(&proxy, &sandbox);
        let arguments = ["scan", "-o", "jsonl", "--segments", "4"];
        let (ran, done) = run_under_faults(&proxy, &by_way, &tally, &arguments);
        let mut shown = shown(&ran);
        let count = shown.len();
        shown.dedup();
        assert_eq!(shown.len(), count, "none twice");
        assert!(shown.iter().all(|key| expected.contains(key)));
        assert!(!done || shown == expected, "{ran:?}");
    });
    tally.into_inner().unwrap().say("p22, scan", seeds);
}

fn pool() -> Vec<PoolUser> {
    (0..131).map(PoolUser::numbered).collect()
}

fn at_pool(proxy: &Proxy) -> Tool {
    Tool::new(env!("CARGO_BIN_EXE_ddb"), Door::Own)
        .with("AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER", &proxy.url())
        .with("AWS_COGNITO_USER_POOL_ID", POOL)
}

/// Returns the ids of the users that a run listed.
fn subs(ran: &Ran) -> Vec<String> {
    // The last line of a run that failed may be cut off.
    let users = ran
        .stdout
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    users
        .map(|user: Value| user["sub"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn p24_a_list_of_users_under_any_faults_is_whole_or_says_so() {
    let mut expected: Vec<String> = (0..131).map(sub).collect();
    expected.sort_unstable();
    let tally = Mutex::default();
    let seeds = run_seeds(FEW, MANY, |seed| {
        let cognito = Cognito::start(pool(), Hardship::default());
        let proxy = Proxy::seeded(&cognito.url(), seed, ODDS);
        let arguments = ["list-users", "-o", "jsonl"];
        let (ran, done) = run_under_faults(&proxy, &at_pool(&proxy), &tally, &arguments);
        let mut subs = subs(&ran);
        subs.sort_unstable();
        if done {
            // One user twice and another one missing would give the same number.
            assert_eq!(subs, expected, "{ran:?}");
        } else {
            let listed = subs.len();
            subs.dedup();
            assert_eq!(subs.len(), listed, "none twice: {ran:?}");
            assert!(subs.iter().all(|sub| expected.contains(sub)), "{ran:?}");
        }
    });
    tally.into_inner().unwrap().say("p24, list-users", seeds);
}

#[test]
#[ignore = "needs PostgreSQL: bin-scripts/test --real"]
fn p25_ids_under_any_faults_are_all_set_or_none() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let users: Vec<(String, String)> = (0..40)
        .map(|n| {
            (
                format!("user{n}"),
                format!("0a0a0a0a-0a0a-4a0a-8a0a-{n:012x}"),
            )
        })
        .collect();
    let users: Vec<(&str, &str)> = users
        .iter()
        .map(|(a, b)| (a.as_str(), b.as_str()))
        .collect();
    let set: Vec<Option<String>> = (0..40).map(|n| Some(sub(n))).collect();
    let unset = vec![Some("MOCK".to_owned()); 40];
    let tally = Mutex::default();
    let seeds = run_seeds(FEW, MANY, |seed| {
        let database = runtime.block_on(Postgres::with_users(&users));
        let ids = || {
            let ids = "SELECT cognito_user_id FROM users ORDER BY uuid";
            runtime.block_on(database.query(ids)).concat()
        };
        let cognito = Cognito::start(pool(), Hardship::default());
        let proxy = Proxy::seeded(&cognito.url(), seed, ODDS / 2);
        let by_way = at_pool(&proxy).with("DATABASE_URL", &database.url());
        let arguments = ["update-cognito-user-ids"];
        let (ran, done) = run_under_faults(&proxy, &by_way, &tally, &arguments);
        let after = ids();
        assert_eq!(&after, if done { &set } else { &unset }, "{ran:?}");
        let peace = at_pool(&proxy)
            .with("AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER", &cognito.url())
            .with("DATABASE_URL", &database.url());
        peace.run(&["update-cognito-user-ids"]).ok();
        assert_eq!(ids(), set);
    });
    tally
        .into_inner()
        .unwrap()
        .say("p25, update-cognito-user-ids", seeds);
}
