//! Older times are rewritten while others are at work: a second operator, and the course's own function.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use ddb_core::changes::{Keep, Tally};
use ddb_core::item::{Item, RawItem};
use ddb_test_support::http::{Server, forward};
use ddb_test_support::proxy::{Fault, Proxy, Traffic};
use ddb_test_support::{Sandbox, is_deep, note, run_seeds};
use fastrand::Rng;

use crate::data::raw;
use crate::times::{
    all_written, contents, course_lambda, inserted, migrate, old_sandbox, old_table, said, suspects,
};

const FEW: u64 = 4;
const MANY: u64 = 200;

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(work)
}

/// Counts each message, and each person's rows of each conversation.
fn counts(items: &[RawItem]) -> (BTreeMap<String, usize>, BTreeMap<String, usize>) {
    let (mut messages, mut rows) = (BTreeMap::new(), BTreeMap::new());
    for item in items {
        match Item::decode(item.clone()) {
            Item::Message(message) => {
                let name = format!("{} {}", message.id, message.text);
                *messages.entry(name).or_default() += 1;
            }
            Item::ConversationRow(row) => {
                let name = format!("{} {}", row.conversation, row.owner);
                *rows.entry(name).or_default() += 1;
            }
            Item::Unknown { raw, .. } => panic!("{raw:?}"),
        }
    }
    (messages, rows)
}

/// Describes what a reader of the whole table must never see, if it is there.
fn broken(before: &[RawItem], now: &[RawItem]) -> Option<String> {
    let ((messages, rows), (messages_now, rows_now)) = (counts(before), counts(now));
    if messages_now != messages {
        return Some(format!("messages {messages_now:?}"));
    }
    let is_wrong = |(name, now): (&String, &usize)| {
        let most = rows.get(name).copied().unwrap_or(1).max(1);
        *now > most
    };
    let is_gone = |name: &String| !rows_now.contains_key(name);
    let any = rows_now.iter().any(is_wrong) || rows.keys().any(is_gone);
    any.then(|| format!("rows {rows_now:?}"))
}

/// Starts a server in front of the engine. A reader looks at the whole table after every transaction, one at a time.
fn looked_at(sandbox: &Arc<Sandbox>, seen: &Arc<Mutex<(usize, Vec<String>)>>) -> Server {
    let (engine, reader, seen) = (sandbox.url(), Arc::clone(sandbox), Arc::clone(seen));
    let before = old_table();
    Server::start(move |request| {
        if request.operation != "TransactWriteItems" {
            return forward(request, &engine);
        }
        let mut seen = seen.lock().unwrap();
        let answer = forward(request, &engine);
        seen.0 += 1;
        seen.1.extend(broken(&before, &block_on(reader.items())));
        answer
    })
}

/// Holds requests back until others have passed them, so that what was read is out of date when it is acted on.
fn in_the_way(rng: &mut Rng, traffic: &Traffic, url: &str) -> Proxy {
    let seed = rng.u64(..);
    Proxy::start_in(traffic, url, move |nth, request| {
        let mut rng = Rng::with_seed(seed.wrapping_add(nth as u64));
        match (request.operation.as_str(), rng.u8(..20)) {
            ("TransactWriteItems", 0..8) => Some(Fault::Held(rng.u8(1..20))),
            ("TransactWriteItems", 8) => Some(Fault::ReplyLost),
            ("TransactWriteItems", 9) => Some(Fault::Cancelled),
            (_, 0..4) => Some(Fault::Held(rng.u8(1..10))),
            _ => None,
        }
    })
}

#[test]
fn p35_two_operators_at_once_lose_and_double_nothing() {
    let totals = Mutex::new((0, 0, 0));
    let seeds = run_seeds(FEW, MANY, |seed| {
        let mut rng = Rng::with_seed(seed);
        let sandbox = Arc::new(block_on(old_sandbox()));
        let zone = ["UTC", "Europe/Berlin", "America/New_York"][rng.usize(..3)];
        let seen = Arc::default();
        let looked = looked_at(&sandbox, &seen);
        let traffic = Traffic::default();
        let proxies = [(); 2].map(|()| in_the_way(&mut rng, &traffic, &looked.url()));
        let writers = proxies
            .each_ref()
            .map(|proxy| sandbox.writer_at(&proxy.url()));
        let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let keeps = folders
            .each_ref()
            .map(|folder| Keep::In(folder.path().to_owned()));
        let (one, two) = block_on(async {
            futures::join!(
                Box::pin(migrate(&writers[0], zone, &keeps[0])),
                Box::pin(migrate(&writers[1], zone, &keeps[1])),
            )
        });
        traffic.drain();
        let (one, two) = (one.unwrap(), two.unwrap());
        block_on(migrate(&sandbox.writer(), zone, &Keep::Nowhere)).unwrap();
        let items = block_on(sandbox.items());
        assert!(all_written(&items), "{items:?}");
        assert_eq!(broken(&old_table(), &items), None);
        assert!(contents(&items).1.values().all(|rows| *rows == 1));
        assert_eq!(suspects(&items), 0);
        assert_eq!(
            block_on(migrate(&sandbox.writer(), zone, &Keep::Nowhere)).unwrap(),
            Tally::default()
        );
        let seen = seen.lock().unwrap();
        assert!(seen.1.is_empty(), "{:?}", seen.1);
        let mut totals = totals.lock().unwrap();
        totals.0 += seen.0;
        totals.1 += one.done + two.done;
        totals.2 += one.left + two.left;
    });
    let (looks, done, left) = totals.into_inner().unwrap();
    assert!(looks as u64 >= done / 2 && looks > seeds, "{looks} {done}");
    note(&format!(
        "p35, two operators: {seeds} seeds, a reader looked {looks} times, {done} steps done and {left} left"
    ));
}

/// Which records the course's function handles, and when.
#[derive(Debug, Clone, Copy)]
enum Handled {
    /// The records of each step, right after it, until it is stopped after a step of this number.
    Until(usize),
    /// The records of the first step, but late: after a step of this number.
    FirstAfter(usize),
}

/// The function handles records between any two steps, until it is stopped. The how-to stops it first. If it was not
/// stopped, the messages are still complete, and running the command again leaves a clean table. Then the function
/// starts at LATEST, and the table stays clean.
#[tokio::test]
async fn p35_a_foreign_function_between_any_two_steps_is_repaired_by_the_order_of_the_how_to() {
    const ZONE: &str = "America/Toronto";
    // In a quick run, not between all of them.
    let apart = if is_deep() { 1 } else { 3 };
    for late in [false, true] {
        for nth in (0..).step_by(apart) {
            let handled = match late {
                false => Handled::Until(nth),
                true => Handled::FirstAfter(nth),
            };
            let sandbox = Arc::new(old_sandbox().await);
            let (engine, table) = (sandbox.url(), Arc::clone(&sandbox));
            // The number of transactions, the records that wait, and the number of records that were handled.
            let state = Arc::new(Mutex::new((0, Vec::new(), 0)));
            let shared = Arc::clone(&state);
            let server = Server::start(move |request| {
                if request.operation != "TransactWriteItems" {
                    return forward(request, &engine);
                }
                let mut state = shared.lock().unwrap();
                let before = block_on(table.items());
                let answer = forward(request, &engine);
                let step = state.0;
                state.0 += 1;
                let records = inserted(&before, &block_on(table.items()));
                let due = match handled {
                    Handled::Until(last) if step < last => records,
                    Handled::Until(_) => Vec::new(),
                    Handled::FirstAfter(last) => {
                        if state.1.is_empty() {
                            state.1 = records;
                        }
                        match step == last {
                            true => state.1.clone(),
                            false => Vec::new(),
                        }
                    }
                };
                for message in &due {
                    block_on(course_lambda(&table, message));
                }
                state.2 += due.len();
                answer
            });
            let writer = sandbox.patient_writer_at(&server.url());
            Box::pin(migrate(&writer, ZONE, &Keep::Nowhere))
                .await
                .unwrap();
            let texts = contents(&old_table()).0;
            assert_eq!(contents(&sandbox.items().await).0, texts, "{handled:?}");
            // The function is stopped by now, and the operator runs the command again.
            Box::pin(migrate(&sandbox.writer(), ZONE, &Keep::Nowhere))
                .await
                .unwrap();
            let items = sandbox.items().await;
            let (messages, rows) = contents(&items);
            assert_eq!(messages, texts, "{handled:?}");
            assert!(all_written(&items), "{handled:?}");
            assert!(
                rows.len() == 4 && rows.values().all(|rows| *rows == 1),
                "{rows:?}"
            );
            assert_eq!(suspects(&items), 0, "{handled:?}");
            // The function starts at LATEST, so it does not get the records of the work.
            for n in [1, 2] {
                let at = format!("2026-05-01T10:00:00.00000{n}+00:00");
                let next = said(n, &at, 1, "after it");
                sandbox.put(raw(&next)).await;
                course_lambda(&sandbox, &next).await;
            }
            let items = sandbox.items().await;
            assert_eq!(suspects(&items), 0, "{handled:?}");
            assert_eq!(contents(&items).1.len(), 4);
            assert!(
                items
                    .iter()
                    .any(|item| item["sk"].as_s().unwrap().starts_with("2026-05-01")
                        && item["pk"].as_s().unwrap().starts_with("GRP#"))
            );
            let (steps, records) = {
                let state = state.lock().unwrap();
                (state.0, state.2)
            };
            assert!(
                records > 0 || nth < 4 || steps <= nth || late,
                "{handled:?}"
            );
            if steps <= nth {
                break;
            }
        }
    }
}
