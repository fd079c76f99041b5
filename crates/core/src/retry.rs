//! Retries with backoff between attempts, and waits with a deadline.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use tokio::time::{Instant, sleep};

use crate::error::{CallError, Destination, Error};

/// A limited series of attempts, with exponential backoff and full jitter between them: a random wait
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

    /// Returns the backoff for batches and transactions that the service sent back: up to 10 attempts over at
    /// most about 20 seconds.
    pub const fn for_bulk() -> Self {
        Self::new(Duration::from_millis(25), Duration::from_secs(5), 10)
    }

    /// Counts a failed attempt and waits before the next one. Returns `false` at once if no attempt is left.
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

    /// Returns how many attempts have failed so far.
    pub const fn made(&self) -> u32 {
        self.made
    }
}

/// A listener that is called each time the service throttles a request, before the wait that follows.
#[derive(Clone, Default)]
pub struct ThrottleListener(Option<Arc<dyn Fn() + Send + Sync>>);

impl ThrottleListener {
    /// Makes a listener that calls a function each time.
    pub fn new(told: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(told)))
    }

    /// Calls the function, if there is one.
    pub(crate) fn tell(&self) {
        if let Some(told) = &self.0 {
            told();
        }
    }
}

impl fmt::Debug for ThrottleListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ThrottleListener")
            .field(&self.0.is_some())
            .finish()
    }
}

/// Retries a request that the service throttles, with backoff and jitter, up to 10 attempts in all. The SDK makes
/// only one attempt at a throttled request: its clients have no budget for throttling.
///
/// # Errors
///
/// The error of `ask`: throttling after the last attempt, any other error at once.
pub async fn retry_throttled<T, F>(
    listener: &ThrottleListener,
    mut ask: impl FnMut() -> F,
) -> Result<T, CallError>
where
    F: Future<Output = Result<T, CallError>>,
{
    let mut backoff = Backoff::for_bulk();
    loop {
        let error = match ask().await {
            Err(error) if error.is_throttling() => error,
            answer => return answer,
        };
        listener.tell();
        if !backoff.again().await {
            return Err(error);
        }
    }
}

/// Sends a request and retries it while the service throttles it, like [`retry_throttled`].
///
/// # Errors
///
/// The error of the last attempt.
pub async fn ask<T, E, F>(
    operation: &'static str,
    destination: &Destination,
    request: impl FnMut() -> F,
) -> Result<T, CallError>
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
    F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
{
    ask_telling(
        &ThrottleListener::default(),
        operation,
        destination,
        request,
    )
    .await
}

/// Sends a request like [`ask`], and tells a listener about each throttled attempt.
///
/// # Errors
///
/// The error of the last attempt.
pub async fn ask_telling<T, E, F>(
    listener: &ThrottleListener,
    operation: &'static str,
    destination: &Destination,
    mut request: impl FnMut() -> F,
) -> Result<T, CallError>
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
    F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
{
    retry_throttled(listener, || {
        let sent = request();
        async move {
            let answer = sent.await;
            answer.map_err(|error| CallError::new(operation, destination, error))
        }
    })
    .await
}

/// Polls until there is an answer, at intervals that grow from 10 ms to `poll`.
///
/// # Errors
///
/// The error of `ask`, or [`Error::WaitedTooLong`] at the deadline.
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
    use crate::error::Resource;
    use std::cell::Cell;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn p10_a_wait_ends_at_its_deadline_and_says_what_for() {
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
            "gave up after 1m, waiting for the table to be gone"
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
    async fn only_throttling_is_asked_again_and_not_for_ever() {
        for (code, asked) in [("ThrottlingException", 10), ("AccessDeniedException", 1)] {
            let count = Cell::new(0);
            let told = Arc::new(std::sync::atomic::AtomicU32::new(0));
            let telling = Arc::clone(&told);
            let listener = ThrottleListener::new(move || {
                telling.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            });
            let error = retry_throttled(&listener, || {
                count.set(count.get() + 1);
                async {
                    Err::<(), _>(CallError {
                        operation: "Scan",
                        destination: Destination::new("here", Resource::Tables),
                        cause: crate::Cause::Service {
                            code: code.to_owned(),
                            message: "no".to_owned(),
                        },
                    })
                }
            })
            .await
            .unwrap_err();
            assert_eq!((error.code(), count.get()), (Some(code), asked));
            let told = told.load(std::sync::atomic::Ordering::Relaxed);
            assert_eq!(told, if asked > 1 { asked } else { 0 });
        }
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
