//! Counts requests, so that one can be held until others have passed it.

use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

/// How long a request is held if no other is answered: long compared with the few hundred microseconds of a
/// request. No result depends on it, only the order of the requests.
const QUIET: Duration = Duration::from_millis(20);

/// The requests that go to an engine through one or more proxies.
#[derive(Debug, Clone, Default)]
pub struct Traffic(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    counts: Mutex<Counts>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Counts {
    under_way: usize,
    answered: usize,
}

/// A request that is in progress until this value is dropped.
#[derive(Debug)]
pub(super) struct UnderWay(Arc<Shared>);

impl Traffic {
    pub(super) fn enter(&self) -> UnderWay {
        self.0.counts().under_way += 1;
        UnderWay(Arc::clone(&self.0))
    }

    /// Waits until `others` requests have been answered, or until none has been for a while: the others may be held,
    /// too, or there may be none.
    pub(super) fn hold(&self, others: usize) {
        let mut counts = self.0.counts();
        let until = counts.answered + others;
        while counts.answered < until {
            let waited = self.0.changed.wait_timeout(counts, QUIET);
            let (after, waited) = waited.expect("it is whole");
            counts = after;
            if waited.timed_out() {
                break;
            }
        }
    }

    /// Waits until no request is in progress: those of a killed client may still be on their way.
    ///
    /// # Panics
    ///
    /// If a thread of a proxy panicked.
    pub fn drain(&self) {
        let counts = self.0.counts();
        let idle = self.0.changed.wait_while(counts, |now| now.under_way > 0);
        drop(idle.expect("it is whole"));
    }
}

impl Shared {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().expect("it is whole")
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if let Ok(mut counts) = self.0.counts.lock() {
            counts.under_way -= 1;
            counts.answered += 1;
        }
        self.0.changed.notify_all();
    }
}
