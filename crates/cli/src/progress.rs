//! Progress on stderr, for whatever takes more than a moment: only on a terminal, and gone at the end.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Nothing is shown before.
const PATIENCE: Duration = Duration::from_millis(500);
/// How often a wait is drawn.
const TICK: Duration = Duration::from_millis(100);

/// A line that says how far something is. It is erased when this value is dropped.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    begun: Instant,
    /// Whether it is still to be shown.
    waiting: bool,
}

impl Progress {
    /// Begins; `total` is what the end will be, where that is known. Only a `visible` one is ever shown.
    pub(crate) fn new(visible: bool, what: &'static str, total: Option<u64>) -> Self {
        let form = match total {
            Some(_) => "{msg} {wide_bar} {human_pos}/{human_len} ({per_sec}, {eta_precise} to go)",
            None => "{spinner} {msg} {human_pos} ({per_sec}, {elapsed_precise})",
        };
        Self::in_form(form, visible, what, total)
    }

    /// Begins a wait for something of which nothing can be counted.
    pub(crate) fn waiting(visible: bool, what: &'static str) -> Self {
        Self::in_form("{spinner} {msg} ({elapsed})", visible, what, None)
    }

    fn in_form(form: &str, visible: bool, what: &'static str, total: Option<u64>) -> Self {
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::hidden());
        // The forms are constants, and a test draws both.
        if let Ok(style) = ProgressStyle::with_template(form) {
            bar.set_style(style);
        }
        Self {
            bar: bar.with_message(what),
            begun: Instant::now(),
            waiting: visible,
        }
    }

    /// Says how far it is.
    pub fn set(&mut self, position: u64) {
        self.bar.set_position(position);
        self.show();
    }

    /// Says how long it takes until `work` is done.
    pub async fn during<T>(mut self, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        let mut ticks = tokio::time::interval(TICK);
        loop {
            tokio::select! {
                done = &mut work => return done,
                _ = ticks.tick() => {
                    self.show();
                    self.bar.tick();
                }
            }
        }
    }

    /// Says that the end will be elsewhere.
    pub fn set_total(&mut self, total: u64) {
        self.bar.set_length(total);
    }

    /// Writes to the same terminal, around the line.
    pub fn suspend<T>(&self, write: impl FnOnce() -> T) -> T {
        self.bar.suspend(write)
    }

    fn show(&mut self) {
        if self.waiting && self.begun.elapsed() >= PATIENCE {
            self.waiting = false;
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use indicatif::{InMemoryTerm, TermLike};

    #[test]
    fn both_forms_can_be_drawn() {
        for (total, wanted) in [(Some(10_000), "1,000/10,000"), (None, "items 1,000")] {
            let term = InMemoryTerm::new(4, 100);
            let mut progress = Progress::new(false, "items", total);
            let target = ProgressDrawTarget::term_like(Box::new(term.clone()));
            progress.bar.set_draw_target(target);
            progress.set(1_000);
            progress.bar.tick();
            assert!(term.contents().contains(wanted), "{}", term.contents());
            assert!(term.width() == 100);
            drop(progress);
            assert_eq!(term.contents(), "");
        }
    }

    #[tokio::test]
    async fn a_wait_is_drawn_while_it_lasts_and_gone_at_its_end() {
        let term = InMemoryTerm::new(4, 100);
        let progress = Progress::waiting(false, "waiting for the table");
        let target = ProgressDrawTarget::term_like(Box::new(term.clone()));
        progress.bar.set_draw_target(target);
        let work = async {
            tokio::time::sleep(3 * TICK).await;
            term.contents()
        };
        let seen = progress.during(work).await;
        assert!(seen.contains("waiting for the table ("), "{seen}");
        assert_eq!(term.contents(), "");
    }
}
