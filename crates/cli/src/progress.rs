//! Progress on stderr for anything that takes more than a moment: only on a terminal, and erased at the end.

use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

/// How long it takes until something is shown.
const PATIENCE: Duration = Duration::from_millis(500);
/// How often a wait is redrawn.
const TICK: Duration = Duration::from_millis(100);

/// The last line of the terminal, which shows progress. Any other output to the terminal has to go around it.
#[derive(Debug, Clone, Default)]
pub(crate) struct LastLine(Arc<Mutex<Option<ProgressBar>>>);

impl LastLine {
    /// Writes something else to the same terminal.
    pub(crate) fn around<T>(&self, write: impl FnOnce() -> T) -> T {
        match &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    fn show(&self, bar: ProgressBar) {
        bar.set_draw_target(ProgressDrawTarget::stderr());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar);
    }

    /// Erases the line for good.
    pub(crate) fn erase(&self) {
        let bar = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(bar) = bar {
            bar.finish_and_clear();
        }
    }
}

/// A line that shows progress. It is erased when this value is dropped.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    begun: Instant,
    /// The line to use, until it is shown.
    waiting: Option<LastLine>,
    shown: LastLine,
}

impl Progress {
    /// Starts; `total` is the final count, if it is known. Without a `line` it is never shown.
    pub(crate) fn new(line: Option<LastLine>, what: &'static str, total: Option<u64>) -> Self {
        let form = match total {
            Some(_) => "{msg} {wide_bar} {human_pos}/{human_len} ({rate}/s, {eta_precise} to go)",
            None => "{spinner} {msg} {human_pos} ({rate}/s, {elapsed_precise})",
        };
        Self::in_form(form, line, what, total)
    }

    /// Starts a wait for something that cannot be counted.
    pub(crate) fn waiting(line: Option<LastLine>, what: &'static str) -> Self {
        Self::in_form("{spinner} {msg} ({elapsed})", line, what, None)
    }

    fn in_form(form: &str, line: Option<LastLine>, what: &'static str, total: Option<u64>) -> Self {
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::hidden());
        // The templates are constants, and a test draws both.
        if let Ok(style) = ProgressStyle::with_template(form) {
            bar.set_style(style.with_key("rate", rate));
        }
        Self {
            bar: bar.with_message(what),
            begun: Instant::now(),
            shown: LastLine::default(),
            waiting: line,
        }
    }

    /// Updates the position.
    pub fn set(&mut self, position: u64) {
        self.bar.set_position(position);
        self.show();
    }

    /// Shows the elapsed time until `work` is done.
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

    fn show(&mut self) {
        if self.begun.elapsed() >= PATIENCE
            && let Some(line) = self.waiting.take()
        {
            line.show(self.bar.clone());
            self.shown = line;
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.shown.erase();
        self.bar.finish_and_clear();
    }
}

/// Writes the rate per second, without a fraction.
fn rate(state: &ProgressState, out: &mut dyn Write) {
    // If it cannot be written, there is nobody to tell.
    let _ = write!(out, "{}", HumanCount(state.per_sec() as u64));
}

#[cfg(test)]
mod tests {
    use super::*;
    use indicatif::{InMemoryTerm, TermLike};

    #[test]
    fn both_forms_can_be_drawn() {
        for (total, wanted) in [(Some(10_000), "1,000/10,000"), (None, "items 1,000")] {
            let term = InMemoryTerm::new(4, 100);
            let mut progress = Progress::new(None, "items", total);
            let target = ProgressDrawTarget::term_like(Box::new(term.clone()));
            progress.bar.set_draw_target(target);
            progress.set(1_000);
            progress.bar.tick();
            assert!(term.contents().contains(wanted), "{}", term.contents());
            let drawn = term.contents();
            let rate = drawn
                .split_once('(')
                .unwrap()
                .1
                .split_once("/s, ")
                .unwrap()
                .0;
            assert!(
                rate.chars().all(|c| c.is_ascii_digit() || c == ','),
                "{drawn}"
            );
            assert!(term.width() == 100);
            drop(progress);
            assert_eq!(term.contents(), "");
        }
    }

    #[tokio::test]
    async fn a_wait_is_drawn_while_it_lasts_and_gone_at_its_end() {
        let term = InMemoryTerm::new(4, 100);
        let progress = Progress::waiting(None, "waiting for the table");
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
