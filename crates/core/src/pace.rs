//! Pacing: backoff between attempts, and waits that end.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep, sleep_until};

use crate::error::Error;

/// Bounds a series of attempts, with exponential backoff and full jitter between them: a random wait
/// from 0 to `base` times 2 to the power of the attempt, at most `cap`. See "Exponential Backoff And
/// Jitter" in the AWS Architecture Blog.
#[derive(Debug, Clone)]
pub struct Backoff {
    base: Duration,
    cap: Duration,
    attempts: u32,
    made: u32,
}

impl Backoff {
    /// Allows `attempts` attempts in all, the first one included.
    pub const fn new(base: Duration, cap: Duration, attempts: u32) -> Self {
        Self {
            base,
            cap,
            attempts,
            made: 0,
        }
    }

    /// The pacing of batches and transactions that the service sent back: up to 10 attempts over at
    /// most about 20 seconds.
    pub const fn for_bulk() -> Self {
        Self::new(Duration::from_millis(25), Duration::from_secs(5), 10)
    }

    /// Counts an attempt that failed, and waits before the next one. Returns `false`, at once, where
    /// no attempt is left.
    pub async fn again(&mut self) -> bool {
        self.made += 1;
        if self.made >= self.attempts {
            return false;
        }
        let ceiling = self
            .base
            .saturating_mul(2u32.saturating_pow(self.made))
            .min(self.cap);
        sleep(ceiling.mul_f64(fastrand::f64())).await;
        true
    }

    /// Returns how many attempts failed so far.
    pub const fn made(&self) -> u32 {
        self.made
    }
}

/// Holds a rate of units a second, together with all clones of itself: capacity is reserved before a
/// request, and settled by what the service says that it used.
#[derive(Debug, Clone)]
pub struct Rate {
    per_second: f64,
    /// When all that was reserved is paid for.
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

    /// Waits until all that was reserved before is paid for, and reserves more.
    pub async fn reserve(&self, units: f64) {
        let turn = {
            let mut paid = self.paid.lock().unwrap_or_else(PoisonError::into_inner);
            let turn = (*paid).max(Instant::now());
            *paid = turn + self.time(units);
            turn
        };
        sleep_until(turn).await;
    }

    /// Corrects a reservation by what was used.
    pub fn settle(&self, reserved: f64, used: f64) {
        let mut paid = self.paid.lock().unwrap_or_else(PoisonError::into_inner);
        if used >= reserved {
            *paid += self.time(used - reserved);
        } else {
            *paid = paid
                .checked_sub(self.time(reserved - used))
                .unwrap_or(*paid);
        }
    }

    fn time(&self, units: f64) -> Duration {
        Duration::try_from_secs_f64(units / self.per_second).unwrap_or(Duration::MAX)
    }
}

/// Bounds how many requests are in flight, together with all clones of itself: one more after each round
/// that the service took, one fewer for each request that it throttled.
#[derive(Debug, Clone)]
pub struct Window {
    places: Arc<Semaphore>,
    round: Arc<Mutex<Round>>,
    most: usize,
}

#[derive(Debug)]
struct Round {
    places: usize,
    taken: usize,
}

/// A place in a [`Window`].
#[derive(Debug)]
pub struct Place<'a> {
    window: &'a Window,
    permit: SemaphorePermit<'a>,
}

impl Window {
    /// Begins with few places, and never has more than `most`.
    pub fn new(most: usize) -> Self {
        let places = most.clamp(1, 4);
        Self {
            places: Arc::new(Semaphore::new(places)),
            round: Arc::new(Mutex::new(Round { places, taken: 0 })),
            most,
        }
    }

    /// Waits for a place.
    pub async fn enter(&self) -> Place<'_> {
        // Nobody closes it.
        let permit = self.places.acquire().await.expect("the semaphore is open");
        Place {
            window: self,
            permit,
        }
    }
}

impl Place<'_> {
    /// Leaves after the service took the request.
    pub fn taken(self) {
        let mut round = self
            .window
            .round
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        round.taken += 1;
        if round.taken >= round.places && round.places < self.window.most {
            round.places += 1;
            round.taken = 0;
            self.window.places.add_permits(1);
        }
    }

    /// Leaves after the service throttled the request, or a part of it.
    pub fn throttled(self) {
        let mut round = self
            .window
            .round
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        round.taken = 0;
        if round.places > 1 {
            round.places -= 1;
            self.permit.forget();
        }
    }
}

/// Asks again and again until there is an answer, at intervals that grow from 10 ms to `poll`.
///
/// # Errors
///
/// What `ask` fails with, and [`Error::WaitedTooLong`] at the deadline.
pub async fn wait_until<T, F>(
    what: &str,
    deadline: Duration,
    poll: Duration,
    mut ask: impl FnMut() -> F,
) -> Result<T, Error>
where
    F: Future<Output = Result<Option<T>, Error>>,
{
    let end = Instant::now() + deadline;
    let mut interval = Duration::from_millis(10).min(poll);
    loop {
        if let Some(answer) = ask().await? {
            return Ok(answer);
        }
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Error::WaitedTooLong {
                what: what.to_owned(),
                after: deadline,
            });
        }
        sleep(interval.min(left)).await;
        interval = (interval * 2).min(poll);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_wait_ends_at_its_deadline_and_says_what_for() {
        let start = Instant::now();
        let asked = Cell::new(0);
        let error = wait_until("the table to be gone", SECOND * 60, SECOND, || {
            asked.set(asked.get() + 1);
            async { Ok(None::<()>) }
        })
        .await
        .unwrap_err();
        assert_eq!(start.elapsed(), SECOND * 60);
        assert_eq!(
            error.to_string(),
            "waited 1m for the table to be gone, in vain"
        );
        assert!((60..80).contains(&asked.get()), "{}", asked.get());
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_ends_with_the_answer() {
        let asked = Cell::new(0);
        let answer = wait_until("it", SECOND * 60, SECOND, || {
            asked.set(asked.get() + 1);
            let answer = (asked.get() == 5).then_some("there");
            async move { Ok(answer) }
        });
        assert_eq!(answer.await.unwrap(), "there");
    }

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

    #[tokio::test]
    async fn a_window_grows_with_what_is_taken_and_shrinks_with_what_is_throttled() {
        let window = Window::new(6);
        let places = || window.places.available_permits();
        assert_eq!(places(), 4);
        for _ in 0..100 {
            window.enter().await.taken();
        }
        assert_eq!(places(), 6);
        for left in [5, 4, 3, 2, 1, 1] {
            window.enter().await.throttled();
            assert_eq!(places(), left);
        }
        window.enter().await.taken();
        assert_eq!(places(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn attempts_are_bounded_and_waits_are_capped() {
        let start = Instant::now();
        let mut backoff = Backoff::new(SECOND, SECOND * 2, 4);
        let mut tried = 1;
        while backoff.again().await {
            tried += 1;
        }
        assert_eq!(tried, 4);
        assert_eq!(backoff.made(), 4);
        assert!(start.elapsed() <= SECOND * 6);
    }
}
