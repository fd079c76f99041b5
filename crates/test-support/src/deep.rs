//! Runs that are long enough to be meaningful, and seeds that reproduce a failure.

use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The variable that makes the tests take their time: `bin-scripts/test --deep`.
const DEEP: &str = "DDB_TEST_DEEP";
/// The variable that names the only seed to run: that of a failure.
const SEED: &str = "DDB_TEST_SEED";
/// A scenario mostly waits, so there may be more workers than processors.
const WORKERS: usize = 8;

/// Checks whether the tests should take their time.
pub fn is_deep() -> bool {
    std::env::var(DEEP).is_ok_and(|value| !value.is_empty())
}

/// Prints a figure of a test if the tests take their time.
pub fn note(figure: &str) {
    if is_deep() {
        say(figure);
    }
}

/// Prints a text that is shown even though the tests' output is captured.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "note: {text}");
}

/// Does the same work with each of several things, several at a time.
///
/// # Panics
///
/// If the work does.
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

/// Runs a scenario with the seeds from 0 on: `few`, or `many` if the tests take their time, or only the one that
/// the environment names. Returns how many there were. A failure prints its seed.
///
/// # Panics
///
/// If the scenario does.
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

/// Prints how to reproduce a failure, when it is dropped during a panic.
struct Replay(u64);

impl Drop for Replay {
    fn drop(&mut self) {
        if std::thread::panicking() {
            say(&format!("{SEED}={} brings this failure back", self.0));
        }
    }
}
