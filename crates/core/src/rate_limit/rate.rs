//! A rate of units a second.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// The most time that a single request may cost: a bound on what a service reports.
const LONGEST: Duration = Duration::from_secs(86_400);

/// A limit on units a second that all its clones share: capacity is reserved before a request, and
/// corrected by what the service reports as used.
#[derive(Debug, Clone)]
pub struct Rate {
    per_second: f64,
    /// The time at which everything reserved is paid for.
    paid: Arc<Mutex<Instant>>,
}

impl Rate {
    /// Allows so many units a second.
    pub fn new(per_second: NonZeroU32) -> Self {
        Self {
            per_second: f64::from(per_second.get()),
            paid: Arc::new(Mutex::new(Instant::now())),
        }
    }

    /// Returns how many units a second are allowed.
    pub fn per_second(&self) -> f64 {
        self.per_second
    }

    /// Waits until everything reserved before is paid for, and reserves more.
    pub async fn reserve(&self, units: f64) {
        let turn = {
            let mut paid = self.paid();
            let turn = (*paid).max(Instant::now());
            *paid = turn + self.time(units);
            turn
        };
        sleep_until(turn).await;
    }

    /// Corrects a reservation by what was actually used.
    pub fn settle(&self, reserved: f64, used: f64) {
        let mut paid = self.paid();
        if used >= reserved {
            *paid += self.time(used - reserved);
        } else {
            *paid = paid
                .checked_sub(self.time(reserved - used))
                .unwrap_or(*paid);
        }
    }

    fn paid(&self) -> MutexGuard<'_, Instant> {
        self.paid.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn time(&self, units: f64) -> Duration {
        let seconds = units.max(0.0) / self.per_second;
        Duration::try_from_secs_f64(seconds).map_or(LONGEST, |time| time.min(LONGEST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_rate_is_held_by_what_was_used_over_all_who_share_it() {
        let start = Instant::now();
        let rate = Rate::new(NonZeroU32::new(10).unwrap());
        let mut used = 0.0;
        for page in 0..100 {
            let other = rate.clone();
            other.reserve(5.0).await;
            // Reservations are too high and too low in turn.
            let cost = if page % 2 == 0 { 1.0 } else { 12.0 };
            rate.settle(5.0, cost);
            used += cost;
        }
        let seconds = start.elapsed().as_secs_f64();
        // The last page is paid for after the end.
        assert!(
            ((used - 12.0) / 10.0 - seconds).abs() < 0.1,
            "{used} units in {seconds} s"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn nonsense_that_a_service_reports_does_no_harm() {
        for used in [f64::MAX, f64::NAN, f64::INFINITY, -1.0] {
            let start = Instant::now();
            let rate = Rate::new(NonZeroU32::MIN);
            rate.settle(0.0, used);
            rate.reserve(1.0).await;
            assert!(start.elapsed() <= LONGEST);
        }
    }
}
