//! A limit on requests in flight.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Semaphore, SemaphorePermit};

/// A limit on requests in flight that all its clones share: one more after each round that the service
/// accepted, one fewer for each request that it throttled.
#[derive(Debug, Clone)]
pub struct ConcurrencyLimit {
    permits: Arc<Semaphore>,
    round: Arc<Mutex<Round>>,
    most: usize,
}

#[derive(Debug)]
struct Round {
    permits: usize,
    accepted: usize,
}

/// Permission for one request of a [`ConcurrencyLimit`].
#[derive(Debug)]
pub struct Permit<'a> {
    limit: &'a ConcurrencyLimit,
    permit: SemaphorePermit<'a>,
}

impl ConcurrencyLimit {
    /// Starts with up to 4 permits, and never has more than `most`.
    pub fn new(most: usize) -> Self {
        let permits = most.clamp(1, 4);
        Self {
            permits: Arc::new(Semaphore::new(permits)),
            round: Arc::new(Mutex::new(Round {
                permits,
                accepted: 0,
            })),
            most,
        }
    }

    /// Waits for a permit.
    pub async fn acquire(&self) -> Permit<'_> {
        // The semaphore is never closed.
        let permit = self.permits.acquire().await.expect("the semaphore is open");
        Permit {
            limit: self,
            permit,
        }
    }

    fn round(&self) -> MutexGuard<'_, Round> {
        self.round.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit<'_> {
    /// Returns the permit after the service accepted the request.
    pub fn accepted(self) {
        let mut round = self.limit.round();
        round.accepted += 1;
        if round.accepted >= round.permits && round.permits < self.limit.most {
            round.permits += 1;
            round.accepted = 0;
            self.limit.permits.add_permits(1);
        }
    }

    /// Returns the permit after the service throttled the request, or a part of it.
    pub fn throttled(self) {
        let mut round = self.limit.round();
        round.accepted = 0;
        if round.permits > 1 {
            round.permits -= 1;
            self.permit.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_window_grows_with_what_is_taken_and_shrinks_with_what_is_throttled() {
        let limit = ConcurrencyLimit::new(6);
        let permits = || limit.permits.available_permits();
        assert_eq!(permits(), 4);
        for _ in 0..100 {
            limit.acquire().await.accepted();
        }
        assert_eq!(permits(), 6);
        for left in [5, 4, 3, 2, 1, 1] {
            limit.acquire().await.throttled();
            assert_eq!(permits(), left);
        }
        limit.acquire().await.accepted();
        assert_eq!(permits(), 2);
    }
}
