//! Processes are killed at each of their requests, before or after the engine saw it. Run again, they end in the
//! table that they would have made.

use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};

use ddb_core::item::{Item, RawItem};
use ddb_test_support::proxy::{Fault, Proxy};
use ddb_test_support::{Door, Sandbox, Tool, is_deep, note, side_by_side};

use crate::setup::{GROUP, message, tool};

/// A conversation of 106 items: 104 messages and two rows.
pub struct Talk(tempfile::NamedTempFile);

impl Talk {
    pub fn new() -> Self {
        Self::of(104)
    }

    fn of(messages: usize) -> Self {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        for n in 0..messages {
            writeln!(file, "Person {}: line {n}", n % 2 + 1).unwrap();
        }
        Self(file)
    }

    /// Returns a conversation that is seeded with one request for each message. It is killed at each of them, so it
    /// is short except in a deep run.
    fn to_be_killed() -> (Self, usize) {
        let messages = if is_deep() { 104 } else { 12 };
        (Self::of(messages), messages)
    }

    pub fn seed(&self) -> [&str; 5] {
        let file = self.0.path().to_str().unwrap();
        ["seed", "--conversation", file, "--group-uuid", GROUP]
    }

    pub fn seed_until(&self) -> [&str; 7] {
        let [seed, conversation, file, group, id] = self.seed();
        [
            seed,
            conversation,
            file,
            group,
            id,
            "--ends-at",
            "2026-03-22T08:35:09.123456Z",
        ]
    }
}

const NEWER: &str = "2026-04-01T00:00:00.000000+00:00";

/// Returns the utilities on a sandbox, through a proxy.
pub fn by_way_of(proxy: &Proxy, sandbox: &Sandbox) -> Tool {
    tool(Door::Own, sandbox).with("AWS_ENDPOINT_URL_DYNAMODB", &proxy.url())
}

/// Runs a command that is killed at a request, counted from 0. Returns `false` if it ended before.
fn is_killed_at(sandbox: &Sandbox, nth: usize, fault: Fault, arguments: &[&str]) -> bool {
    let proxy = Proxy::start(&sandbox.url(), move |n, _| (n == nth).then_some(fault));
    let ran = proxy.run(&by_way_of(&proxy, sandbox), arguments);
    assert!([None, Some(0)].contains(&ran.code), "{ran:?}");
    ran.code.is_none()
}

pub fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(work)
}

/// Opens an embedded sandbox with the table in it. There are too many of them for an engine that all tests share.
pub fn with_table() -> Sandbox {
    let sandbox = Sandbox::embedded();
    block_on(sandbox.create_table());
    sandbox
}

/// Opens a sandbox with a seeded table.
pub fn seeded() -> Sandbox {
    seed(with_table())
}

/// Seeds the table of a sandbox.
pub fn seed(sandbox: Sandbox) -> Sandbox {
    let talk = Talk::new();
    tool(Door::Own, &sandbox).run(&talk.seed_until()).ok();
    sandbox
}

#[test]
fn p14_a_seed_whose_process_is_killed_at_any_request_ends_in_the_same_table() {
    let (talk, messages) = Talk::to_be_killed();
    let expected = {
        let sandbox = with_table();
        tool(Door::Own, &sandbox).run(&talk.seed_until()).ok();
        block_on(sandbox.items())
    };
    assert_eq!(expected.len(), messages + 2);
    let kills = AtomicUsize::new(0);
    side_by_side(&[Fault::KilledBefore, Fault::KilledAfter], |fault| {
        for nth in 0.. {
            let sandbox = with_table();
            let killed = is_killed_at(&sandbox, nth, *fault, &talk.seed_until());
            tool(Door::Own, &sandbox).run(&talk.seed_until()).ok();
            let items = block_on(sandbox.items());
            assert_eq!(items, expected, "{fault:?} at {nth}");
            if !killed {
                break;
            }
            kills.fetch_add(1, Ordering::SeqCst);
        }
    });
    let kills = kills.into_inner();
    assert!(kills >= 14, "{kills}");
    note(&format!(
        "p14: {kills} kills of a seed of {} items, all converged",
        messages + 2
    ));
}

/// If no end of the conversation is given, the first messages that were written determine the times.
#[test]
fn p14_without_an_end_the_first_write_fixes_the_times() {
    let (talk, messages) = Talk::to_be_killed();
    for nth in 0.. {
        let sandbox = with_table();
        let killed = is_killed_at(&sandbox, nth, Fault::KilledAfter, &talk.seed());
        let first = block_on(sandbox.items());
        tool(Door::Own, &sandbox).run(&talk.seed()).ok();
        let second = block_on(sandbox.items());
        assert!(first.iter().all(|item| second.contains(item)), "at {nth}");
        let times = times(&second);
        assert_eq!(times.len(), messages);
        let minute = 60_000_000;
        assert!(
            times.windows(2).all(|two| two[1] - two[0] == minute),
            "at {nth}"
        );
        tool(Door::Own, &sandbox).run(&talk.seed()).ok();
        assert_eq!(block_on(sandbox.items()), second, "at {nth}");
        if !killed {
            break;
        }
    }
}

/// Returns the times of the messages, in microseconds.
fn times(items: &[RawItem]) -> Vec<i64> {
    items
        .iter()
        .filter_map(|item| match Item::decode(item.clone()) {
            Item::Message(message) => Some(message.created_at.time().unwrap().micros()),
            _ => None,
        })
        .collect()
}

/// Returns the owner and the sort key of each row.
pub fn rows(items: &[RawItem]) -> Vec<(String, String)> {
    items
        .iter()
        .filter_map(|item| match Item::decode(item.clone()) {
            Item::ConversationRow(row) => {
                Some((row.owner.to_string(), row.last_message_at.to_string()))
            }
            _ => None,
        })
        .collect()
}

#[test]
fn p18_p21_a_sync_whose_process_is_killed_at_any_request_leaves_one_row_each() {
    let ready = || {
        let sandbox = seeded();
        block_on(sandbox.put(message(NEWER, "newer")));
        sandbox
    };
    let sandbox = ready();
    let proxy = Proxy::start(&sandbox.url(), |_, _| None);
    let sync = ["sync-conversations", "--once"];
    proxy.run(&by_way_of(&proxy, &sandbox), &sync).ok();
    let operations = proxy.operations();
    let moved = operations
        .iter()
        .position(|name| name == "TransactWriteItems");
    // The move itself, and two requests after it.
    let requests = moved.unwrap() + 3;
    let expected = block_on(sandbox.items());
    assert!(rows(&expected).iter().all(|(_, at)| at == NEWER));

    let kills: Vec<(usize, Fault)> = (0..requests)
        .flat_map(|nth| [Fault::KilledBefore, Fault::KilledAfter].map(|fault| (nth, fault)))
        .collect();
    side_by_side(&kills, |(nth, fault)| {
        let sandbox = ready();
        // If a checkpoint were written too soon, the next run would miss the message.
        let folder = tempfile::tempdir().unwrap();
        let checkpoint = folder.path().join("checkpoint");
        let checkpoint = ["--checkpoint", checkpoint.to_str().unwrap()];
        let sync = [sync, checkpoint].concat();
        assert!(is_killed_at(&sandbox, *nth, *fault, &sync));
        let between = rows(&block_on(sandbox.items()));
        assert_eq!(between.len(), 2, "{fault:?} at {nth}: {between:?}");
        assert_ne!(between[0].0, between[1].0, "{fault:?} at {nth}");
        tool(Door::Own, &sandbox).run(&sync).ok();
        let items = block_on(sandbox.items());
        assert_eq!(items, expected, "{fault:?} at {nth}");
        let check = tool(Door::Own, &sandbox).run(&["check-conversations"]);
        assert_eq!(check.ok(), "");
    });
    note(&format!(
        "p18: {} kills of a move, all converged",
        kills.len()
    ));
}
