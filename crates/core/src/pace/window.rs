//! Requests in flight.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Semaphore, SemaphorePermit};

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

    fn round(&self) -> MutexGuard<'_, Round> {
        self.round.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place<'_> {
    /// Leaves after the service took the request.
    pub fn taken(self) {
        let mut round = self.window.round();
        round.taken += 1;
        if round.taken >= round.places && round.places < self.window.most {
            round.places += 1;
            round.taken = 0;
            self.window.places.add_permits(1);
        }
    }

    /// Leaves after the service throttled the request, or a part of it.
    pub fn throttled(self) {
        let mut round = self.window.round();
        round.taken = 0;
        if round.places > 1 {
            round.places -= 1;
            self.permit.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
