//! Runs that are long enough to say something, and seeds that bring a failure back.

use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Set where the tests are to take their time: `bin-scripts/test --deep`.
const DEEP: &str = "DDB_TEST_DEEP";
/// Names the one seed to run: that of a failure.
const SEED: &str = "DDB_TEST_SEED";
/// Most of what a scenario does is waiting, so that there may be more of them than processors.
const WORKERS: usize = 8;

/// Tells whether the tests are to take their time.
pub fn is_deep() -> bool {
    std::env::var(DEEP).is_ok_and(|value| !value.is_empty())
}

/// Says a figure of a test, where the tests take their time.
pub fn note(figure: &str) {
    if is_deep() {
        say(figure);
    }
}

/// Says something that the capturing of the tests' output does not swallow.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "note: {text}");
}

/// Does the same with each of several things, several at a time.
///
/// # Panics
///
/// Where the work does.
pub fn side_by_side<T: Sync>(things: &[T], work: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..WORKERS.min(things.len()) {
            scope.spawn(|| {
                while let Some(thing) = things.get(next.fetch_add(1, Ordering::SeqCst)) {
                    work(thing);
                }
            });
        }
    });
}

/// Runs a scenario with the seeds from 0 on: `few`, or `many` where the tests take their time, or the one
/// that the environment names. Returns how many it were. A failure says its seed.
///
/// # Panics
///
/// Where the scenario does.
pub fn run_seeds(few: u64, many: u64, scenario: impl Fn(u64) + Sync) -> usize {
    let seeds: Vec<u64> = match std::env::var(SEED) {
        Ok(seed) => vec![seed.parse().expect("a seed is a number")],
        Err(_) if is_deep() => (0..many).collect(),
        Err(_) => (0..few).collect(),
    };
    side_by_side(&seeds, |seed| {
        let _replay = Replay(*seed);
        scenario(*seed);
    });
    seeds.len()
}

/// Says how to bring a failure back.
struct Replay(u64);

impl Drop for Replay {
    fn drop(&mut self) {
        if std::thread::panicking() {
            say(&format!("{SEED}={} brings this failure back", self.0));
        }
    }
}
