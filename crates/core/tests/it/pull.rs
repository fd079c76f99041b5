//! Pulling a conversation from one table into another: killed anywhere, under any faults, page by page.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use aws_sdk_dynamodb::types::AttributeValue;
use ddb_core::connect::{Local, TargetOptions};
use ddb_core::environment::{Environment, Given};
use ddb_core::item::{Item, RawItem};
use ddb_core::mask::Mask;
use ddb_core::pull::{People, Pull, PullError, Pulled};
use ddb_core::rate_limit::Rate;
use ddb_core::retry::ThrottleListener;
use ddb_core::schema::TableSpec;
use ddb_core::store::{LocalWriter, Store};
use ddb_test_support::http::Request;
use ddb_test_support::proxy::{Fault, Proxy};
use ddb_test_support::{Sandbox, note, run_seeds, side_by_side};

use crate::data::{at, conversation, message, raw, row};

const T: &str = "2026-03-22T08:35:09.123456+00:00";

/// Returns a writer for a sandbox's table that goes through a URL.
fn copy_at(sandbox: &Sandbox, url: &str) -> LocalWriter {
    let options = TargetOptions {
        endpoint_url: Some(Given {
            origin: "the test",
            value: url,
        }),
        ..TargetOptions::default()
    };
    let local = Local::resolve(&options, &Environment::default()).unwrap();
    local.writer(sandbox.table().clone(), ThrottleListener::default())
}

fn secret() -> Mask {
    Mask::from_secret(&[7; 32]).unwrap()
}

/// Creates a table with a conversation: some messages, its rows, and an item of unknown shape among the messages.
async fn source(messages: usize) -> Sandbox {
    let sandbox = Sandbox::embedded();
    sandbox.create_table().await;
    let mut items = Vec::new();
    let mut time = at(T);
    for n in 0..messages {
        time = time.plus_micros(1_000_000).unwrap();
        let text = format!("message {n} to be read by nobody else");
        items.push(raw(&message(
            conversation(1),
            time,
            n as u128 % 2 + 1,
            &text,
        )));
    }
    let last = format!("message {} to be read by nobody else", messages - 1);
    for pair in [(1, 2), (2, 1)] {
        items.push(raw(&row(conversation(1), time, pair, &last)));
    }
    let mut odd = raw(&message(conversation(1), at(T), 1, "odd"));
    odd.insert("likes".to_owned(), AttributeValue::N("1".to_owned()));
    items.push(odd);
    sandbox.fill(&items).await;
    sandbox
}

async fn pull(
    source: &Store,
    copy: &LocalWriter,
    mask: Option<&Mask>,
) -> Result<Pulled, PullError> {
    let mut people = People::new(mask.is_some());
    let pull = Pull { source, copy, mask };
    pull.conversation(conversation(1), &mut people, |_| ())
        .await
}

async fn empty() -> Sandbox {
    let copy = Sandbox::embedded();
    copy.create_table().await;
    copy
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(work)
}

#[tokio::test]
async fn a_copy_is_as_the_source_and_a_second_pull_brings_what_is_new() {
    let (from, into) = (source(30).await, empty().await);
    let copy = copy_at(&into, &into.url());
    let pulled = pull(&from.store(), &copy, None).await.unwrap();
    let first = Pulled {
        messages: 31,
        rows: 2,
        ..Pulled::default()
    };
    assert_eq!(pulled, first);
    assert_eq!(into.items().await, from.items().await);
    let again = pull(&from.store(), &copy, None).await.unwrap();
    assert_eq!((again.messages, again.rows, again.unchanged), (0, 0, 33));

    let newer = "2026-04-01T00:00:00.000000+00:00";
    from.put(raw(&message(conversation(1), at(newer), 1, "newer")))
        .await;
    let more = pull(&from.store(), &copy, None).await.unwrap();
    assert_eq!((more.messages, more.rows, more.unchanged), (1, 2, 31));
    let rows = into.items().await;
    let rows = rows
        .iter()
        .filter(|item| item["pk"].as_s().unwrap().starts_with("GRP#"));
    assert!(rows.clone().all(|row| row["sk"].as_s().unwrap() == newer));
    assert_eq!(rows.count(), 2);
}

#[tokio::test]
async fn what_the_copy_has_of_its_own_is_left_and_counted() {
    let (from, into) = (source(3).await, empty().await);
    let mut other = from.items().await.pop().unwrap();
    other.insert("message".to_owned(), AttributeValue::S("mine".to_owned()));
    assert!(matches!(Item::decode(other.clone()), Item::Message(_)));
    into.put(other.clone()).await;
    let copy = copy_at(&into, &into.url());
    let pulled = pull(&from.store(), &copy, None).await.unwrap();
    assert_eq!((pulled.messages, pulled.different), (3, 1));
    assert!(into.items().await.contains(&other));
}

#[tokio::test]
async fn a_masked_copy_has_no_unknown_items_and_says_how_many() {
    let (from, into) = (source(5).await, empty().await);
    let mut odd_row = raw(&row(conversation(1), at(T), (3, 1), "x"));
    odd_row.insert("likes".to_owned(), AttributeValue::N("1".to_owned()));
    from.put(odd_row).await;
    from.put(raw(&message(
        conversation(1),
        ddb_core::key::SortKey::verbatim("soon"),
        1,
        "no time",
    )))
    .await;
    let copy = copy_at(&into, &into.url());
    let pulled = pull(&from.store(), &copy, Some(&secret())).await.unwrap();
    assert_eq!((pulled.messages, pulled.rows, pulled.left_out), (5, 2, 3));
    assert_eq!(into.items().await.len(), 7);
}

/// No row is invented: a copy has the rows of its source.
#[tokio::test]
async fn a_row_that_is_missing_at_the_source_is_missing_in_the_copy() {
    let (from, into) = (source(4).await, empty().await);
    let items = from.items().await;
    let is_row = |item: &&RawItem| item["pk"].as_s().unwrap().starts_with("GRP#");
    from.delete(items.iter().find(is_row).unwrap()).await;
    let copy = copy_at(&into, &into.url());
    let pulled = pull(&from.store(), &copy, None).await.unwrap();
    assert_eq!((pulled.rows, pulled.missing_rows), (1, 1));
    assert_eq!(into.items().await, from.items().await);
}

/// p39: the same key gives the same copy, another key a different one.
#[tokio::test]
async fn p39_one_key_gives_one_copy() {
    let from = source(40).await;
    let [one, same, other] = [empty().await, empty().await, empty().await];
    let another = Mask::random().unwrap();
    for (into, mask) in [(&one, &secret()), (&same, &secret()), (&other, &another)] {
        let copy = copy_at(into, &into.url());
        pull(&from.store(), &copy, Some(mask)).await.unwrap();
    }
    assert_eq!(one.items().await, same.items().await);
    assert_ne!(one.items().await, other.items().await);
}

/// A pull that is killed at each of its requests to either side, and run again, makes the same copy.
#[test]
fn p40_a_pull_that_is_killed_at_any_request_ends_in_the_same_copy() {
    let from = block_on(source(60));
    let expected = [None, Some(secret())].map(|mask| {
        let into = block_on(empty());
        let copy = copy_at(&into, &into.url());
        block_on(pull(&from.store(), &copy, mask.as_ref())).unwrap();
        (mask, block_on(into.items()))
    });
    let kills = AtomicU64::new(0);
    let faults = [Fault::KilledBefore, Fault::KilledAfter];
    let ways = expected.iter().flat_map(|expected| {
        let sides = faults.map(|fault| [(expected, fault, 0), (expected, fault, 1)]);
        sides.concat()
    });
    let ways: Vec<_> = ways.collect();
    side_by_side(&ways, |((mask, expected), fault, side)| {
        for nth in 0.. {
            let into = block_on(empty());
            let engine = if *side == 0 { &from } else { &into };
            let fault = *fault;
            let proxy = Proxy::start(&engine.url(), move |n, _| (n == nth).then_some(fault));
            let urls = [(0, from.url()), (1, into.url())]
                .map(|(of, url)| if of == *side { proxy.url() } else { url });
            let killed = block_on(async {
                let copy = copy_at(&into, &urls[1]);
                let store = from.store_at(&urls[0]);
                let work = proxy.work(pull(&store, &copy, mask.as_ref()));
                work.await.is_none()
            });
            block_on(async {
                let copy = copy_at(&into, &into.url());
                pull(&from.store(), &copy, mask.as_ref()).await.unwrap();
            });
            assert_eq!(
                block_on(into.items()),
                *expected,
                "{fault:?}, {side}, {nth}"
            );
            if !killed {
                break;
            }
            kills.fetch_add(1, Ordering::SeqCst);
        }
    });
    let kills = kills.into_inner();
    assert!(kills > 40, "{kills}");
    note(&format!("p40: {kills} kills of a pull, all converged"));
}

/// Throttling, resets, lost replies, unprocessed items, empty pages and cancelled transactions, on both sides.
#[test]
fn p40_a_pull_under_any_faults_counts_truthfully_and_converges() {
    const PASSING: [Fault; 6] = [
        Fault::Throttled,
        Fault::Reset,
        Fault::ReplyLost,
        Fault::Unprocessed,
        Fault::EmptyPage,
        Fault::Cancelled,
    ];
    let from = block_on(source(60));
    let expected = {
        let into = block_on(empty());
        let copy = copy_at(&into, &into.url());
        block_on(pull(&from.store(), &copy, Some(&secret()))).unwrap();
        block_on(into.items())
    };
    let faults = AtomicU64::new(0);
    let seeds = run_seeds(20, 1_000, |seed| {
        let into = block_on(empty());
        let plan = |side: u64| {
            move |nth: usize, _: &Request| {
                let mut rng = fastrand::Rng::with_seed(seed << 33 | side << 32 | nth as u64);
                (rng.u8(..4) == 0).then(|| PASSING[rng.usize(..PASSING.len())])
            }
        };
        let proxies = [
            Proxy::start(&from.url(), plan(0)),
            Proxy::start(&into.url(), plan(1)),
        ];
        block_on(async {
            let copy = copy_at(&into, &proxies[1].url());
            let pulled = pull(&from.store_at(&proxies[0].url()), &copy, Some(&secret())).await;
            let items = into.items().await;
            assert!(
                items.iter().all(|item| expected.contains(item)),
                "{pulled:?}"
            );
            if let Ok(pulled) = pulled {
                assert_eq!(items, expected);
                assert_eq!((pulled.different, pulled.left_out), (0, 1));
                assert_eq!(pulled.messages, 60);
            }
            let copy = copy_at(&into, &into.url());
            pull(&from.store(), &copy, Some(&secret())).await.unwrap();
            assert_eq!(into.items().await, expected);
        });
        let met = proxies
            .iter()
            .flat_map(|proxy| proxy.injected().into_values());
        faults.fetch_add(met.sum::<usize>() as u64, Ordering::SeqCst);
    });
    let faults = faults.into_inner();
    assert!(faults >= seeds as u64, "{faults}");
    note(&format!(
        "p40: {seeds} seeds with {faults} faults, all converged"
    ));
}

/// Pages are as small as the rate, and reading waits for what they cost.
#[tokio::test]
async fn reading_keeps_to_its_rate() {
    let (from, into) = (source(60).await, empty().await);
    let proxy = Proxy::start(&from.url(), |_, _| None);
    let rate = Rate::new(NonZeroU32::new(4).unwrap());
    let store = from.store_at(&proxy.url()).keeping_to(Some(rate));
    let begun = Instant::now();
    let copy = copy_at(&into, &into.url());
    let pulled = pull(&store, &copy, None).await.unwrap();
    assert_eq!(pulled.messages, 61);
    let queries = proxy.operations();
    let queries = queries.iter().filter(|name| *name == "Query").count();
    // Without a rate, the messages are one page.
    assert!(queries > 4, "{queries}");
    // Only a lower bound: how long it takes beyond that depends on the machine.
    assert!(begun.elapsed().as_secs_f64() > 0.5, "{:?}", begun.elapsed());
}

/// A table that is created for a copy is the same as the one that `schema-load` creates.
#[tokio::test]
async fn a_local_writer_makes_the_table() {
    let into = Sandbox::embedded();
    let copy = copy_at(&into, &into.url());
    assert!(copy.needs_creation().await.unwrap());
    let spec = TableSpec::default();
    let patience = std::time::Duration::from_secs(30);
    copy.create_table(&spec, patience).await.unwrap();
    let found = copy.describe_existing().await.unwrap().shape;
    assert_eq!(spec.shape().differences(&found), []);
}
