//! The storm: seeds, messages, conversations, moves and repairs at once on one table, each through a proxy that
//! delays requests and kills. A seed determines what happens, except how the operating system runs the threads.
//! Afterwards an operator seeds again, syncs and repairs. Then everything has to be there once, and each row at its
//! place.

mod actors;
mod verdict;

use ddb_test_support::http::Request;
use ddb_test_support::proxy::{Fault, Proxy, Traffic};
use ddb_test_support::{Sandbox, note, run_seeds};
use fastrand::Rng;
use futures::future::join_all;

pub use actors::scan;
use actors::{Deed, Stage, Talk, Told};
use verdict::Broken;

const FEW: u64 = 20;
const MANY: u64 = 2_000;

/// Returns the conversations of one round, and what the actors do.
fn scene(rng: &mut Rng) -> (Vec<Talk>, Vec<Deed>) {
    let talks: Vec<Talk> = (0..rng.usize(1..=3))
        .map(|n| Talk {
            number: n as u128 + 1,
            // All conversations are of one person, so their rows are in one partition.
            other: if n < 2 { 2 } else { 3 },
            is_begun: rng.bool(),
            ends_at: rng.bool(),
        })
        .collect();
    let mut deeds = Vec::new();
    let form = rng.usize(..9);
    for (place, talk) in talks.iter().enumerate() {
        let scripts = match rng.usize(..4) {
            0 => vec![0],
            1 => vec![0, 0],
            2 => vec![0, 1],
            _ => vec![0, 1, 0],
        };
        deeds.extend(
            scripts
                .into_iter()
                .map(|script| Deed::Seed { place, script }),
        );
        for _ in 0..rng.usize(..3) {
            let sender = [1, talk.other][rng.usize(..2)];
            deeds.push(Deed::Message { place, sender });
        }
        // In a third of the rounds the old backend writes too, always at the same instant.
        if form < actors::OLD_FORMS.len() {
            deeds.push(Deed::OldMessage { place, form });
        }
    }
    deeds.extend((0..rng.usize(..2)).map(|_| Deed::Conversation));
    deeds.extend((0..rng.usize(1..=3)).map(|_| Deed::Sync));
    deeds.extend((0..rng.usize(..=2)).map(|_| Deed::Repair));
    rng.shuffle(&mut deeds);
    (talks, deeds)
}

/// Returns the faults that the requests of one actor get.
fn weather(
    mut rng: Rng,
    may_kill: bool,
) -> impl Fn(usize, &Request) -> Option<Fault> + Send + Sync + 'static {
    let killed_at = (may_kill && rng.u8(..4) == 0).then(|| rng.usize(..16));
    let killed = [Fault::KilledBefore, Fault::KilledAfter][rng.usize(..2)];
    // Half of the actors come when the others are in the middle of their work.
    let late = rng.bool().then(|| Fault::Held(rng.u8(10..120)));
    let seed = rng.u64(..);
    move |nth, request| {
        if killed_at == Some(nth) {
            return Some(killed);
        }
        if nth == 0 && late.is_some() {
            return late;
        }
        let mut rng = Rng::with_seed(seed.wrapping_add(nth as u64));
        // Delayed writes act on reads that are out of date.
        let longest = match request.operation.as_str() {
            "TransactWriteItems" | "PutItem" | "BatchExecuteStatement" => 60,
            _ => 15,
        };
        match rng.u8(..40) {
            0..10 => Some(Fault::Held(rng.u8(1..=longest))),
            13..24 if longest > 15 => Some(Fault::Held(rng.u8(8..=longest))),
            10 => Some(Fault::Cancelled),
            11 => Some(Fault::ReplyLost),
            12 => Some(Fault::StaleIndex),
            _ => None,
        }
    }
}

/// Lets all actors act at once. Returns what was broken during and after it.
async fn round(seed: u64) -> Vec<Broken> {
    let mut rng = Rng::with_seed(seed);
    let (talks, deeds) = scene(&mut rng);
    let stage = Stage::new(Sandbox::with_table().await, talks);
    stage.begin().await;

    let may_kill = rng.bool();
    let traffic = Traffic::default();
    let proxies: Vec<Proxy> = deeds
        .iter()
        .map(|_| {
            Proxy::start_in(
                &traffic,
                &stage.sandbox.url(),
                weather(rng.fork(), may_kill),
            )
        })
        .collect();
    let acts = deeds.iter().zip(&proxies).map(|(deed, proxy)| {
        let micros = rng.i64(1..1_500);
        let writer = stage.sandbox.writer_at(&proxy.url());
        let stage = &stage;
        async move {
            // An actor that was killed promised nothing.
            proxy.work(stage.act(&writer, *deed, micros)).await
        }
    });
    let acts = join_all(acts.collect::<Vec<_>>()).await;
    traffic.drain();

    let (mut told, mut broken) = (Told::default(), Vec::new());
    let any_killed = acts.iter().any(Option::is_none);
    for (deed, done) in deeds.iter().zip(acts) {
        match done {
            None => {}
            Some(Ok(more)) => told.extend(more),
            Some(Err(error)) => broken.push(Broken::failed(format!("{deed:?}"), &error)),
        }
    }
    broken.extend(verdict::at_once(&stage, &told, any_killed).await);
    let (more, failed) = stage.sync_rows(&deeds).await;
    told.extend(more);
    broken.extend(failed);
    broken.extend(verdict::judge(&stage, &told).await);
    broken
}

#[test]
fn a_storm_loses_nothing_doubles_nothing_and_leaves_each_row_at_its_place() {
    let seeds = run_seeds(FEW, MANY, |seed| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let broken = runtime.block_on(round(seed));
        assert!(broken.is_empty(), "round {seed}:{}", verdict::tell(&broken));
    });
    note(&format!("storm: {seeds} rounds"));
}
