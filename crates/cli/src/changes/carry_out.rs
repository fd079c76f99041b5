//! How a plan is saved, or carried out with a receipt.

use std::io::Write;
use std::path::{Path, PathBuf};

use ddb_core::changes::{ChangesError, Executor, Plan, Receipt, Replan, Seen, Tally};
use ddb_core::rate_limit::Rate;
use ddb_core::store::Writer;

use super::announce::announce;
use super::{CarryOutArgs, Ground, PlanArgs};
use crate::args::TableTarget;
use crate::failure::{Exit, Failure};
use crate::runner::Context;
use crate::ui::Ui;
use crate::wording::plural;

/// With more changes than this, a production table must have point-in-time recovery.
const WITHOUT_RECOVERY: u64 = 100;

/// Where a plan comes from, which decides how an interrupted run continues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlanKind {
    /// This run made it from the contents of the table. The next run plans the rest.
    Made,
    /// It was saved. The next run continues after the steps in its receipt.
    Saved,
    /// It undoes a receipt. The next run continues as with a saved plan. Point-in-time recovery is not required.
    Undo,
}

/// A plan that is about to be carried out on a table.
pub struct Job<'a> {
    /// The table.
    pub target: &'a TableTarget,
    /// What is known about it.
    pub ground: &'a Ground,
    /// The plan.
    pub plan: &'a Plan,
    /// Where the plan comes from.
    pub kind: PlanKind,
    /// Gets the permission to write, after the plan was shown.
    pub allow: &'a (dyn Fn() -> Result<Writer, Failure> + Sync),
    /// The user interface, which prints what is done.
    pub ui: &'a Ui,
    /// The environment and the rest of the context.
    pub context: &'a Context,
}

impl Job<'_> {
    fn announce(&self) {
        announce(self.plan, self.ground, self.ui);
    }
}

/// What was carried out.
#[derive(Debug)]
pub struct CarriedOut {
    /// What was done.
    pub tally: Tally,
    /// The path of the receipt, if there is one.
    pub receipt: Option<PathBuf>,
}

impl CarriedOut {
    /// Checks whether all steps were done, for a command that plans again.
    ///
    /// # Errors
    ///
    /// Steps were left because their items changed again and again.
    pub fn all_done(&self) -> Result<(), Failure> {
        let Tally { done, left, .. } = self.tally;
        if left == 0 {
            return Ok(());
        }
        let left = plural(left, "step was left", "steps were left");
        let message = format!("{left}: the items keep changing; {done} done");
        Err(Failure::new(Exit::Partly, message).hint("run the same command again"))
    }
}

impl PlanArgs {
    /// Prints a plan, then carries it out if that is wanted and allowed. Returns `None` if the plan was only saved or
    /// shown.
    ///
    /// # Errors
    ///
    /// It is not allowed, a request fails, or the receipt cannot be written.
    pub async fn carry_out(
        &self,
        job: Job<'_>,
        replan: &impl Replan,
        see: impl FnMut(Seen<'_>),
    ) -> Result<Option<CarriedOut>, Failure> {
        if let Some(path) = &self.plan {
            job.announce();
            save(job.plan, path, job.ui)?;
            return Ok(None);
        }
        if self.dry_run {
            job.announce();
            job.ui.note("nothing was changed: this was a dry run");
            return Ok(None);
        }
        self.carry_out.carry_out(job, replan, see).await.map(Some)
    }
}

fn save(plan: &Plan, path: &Path, ui: &Ui) -> Result<(), Failure> {
    if path == Path::new("-") {
        let mut stdout = std::io::stdout().lock();
        plan.copy_to(&mut stdout, Path::new("stdout"))?;
        return Ok(stdout.flush()?);
    }
    plan.save(path)?;
    ui.note("the plan is saved; nothing was changed");
    ui.hint(format!("`ddb apply {}` carries it out", path.display()));
    Ok(())
}

impl CarryOutArgs {
    /// Prints a plan, then carries it out if that is allowed.
    ///
    /// # Errors
    ///
    /// It is not allowed, a request fails, or the receipt cannot be written.
    pub async fn carry_out(
        &self,
        job: Job<'_>,
        replan: &impl Replan,
        mut see: impl FnMut(Seen<'_>),
    ) -> Result<CarriedOut, Failure> {
        let ui = job.ui;
        let keep = self.keep(job.target, job.context)?;
        let started = Receipt::find(&keep, job.plan.head())?;
        if let Some(started) = &started {
            say_started(started, ui);
        }
        let skip = match (&started, job.kind) {
            (Some(started), PlanKind::Saved | PlanKind::Undo) => started.steps(),
            _ => 0,
        };
        job.announce();
        if job.plan.summary().steps == 0 && started.is_none() {
            return Ok(CarriedOut {
                tally: Tally::default(),
                receipt: None,
            });
        }
        self.check_production(&job).await?;
        let writer = (job.allow)()?;
        let receipt = match started {
            Some(started) => started,
            None => Receipt::begin(&keep, job.plan.head())
                .map_err(|error| Failure::from(error).before("nothing was changed"))?,
        };
        let path = receipt.path().map(Path::to_owned);
        let mut executor = Executor::new(&writer, receipt, self.max_wcu.map(Rate::new));
        let total = job.plan.summary().steps;
        let mut progress = ui.progress("steps", Some(total));
        let mut ended = 0;
        let done = async {
            executor.finish_open().await?;
            let see = |seen: Seen<'_>| {
                if let Seen::Ended(..) = seen {
                    ended += 1;
                    progress.set(ended);
                }
                see(seen);
            };
            executor.carry_out(job.plan, skip, replan, see).await
        }
        .await;
        drop(progress);
        let tally = executor.tally();
        let done = match done {
            Ok(()) => executor.end().map(drop),
            Err(error) => Err(error),
        };
        done.map_err(|error| cut_short(error, tally, path.as_deref()))?;
        if let Some(path) = &path {
            ui.note(&format!("receipt: {}", path.display()));
        }
        Ok(CarriedOut {
            tally,
            receipt: path,
        })
    }

    /// Checks the requirements for a plan on production.
    async fn check_production(&self, job: &Job<'_>) -> Result<(), Failure> {
        if !job.target.is_production() {
            return Ok(());
        }
        let summary = job.plan.summary();
        if job.ground.puts_into_stream(summary) && !self.stream_readers_ready {
            return Err(Failure::refused(
                "the plan puts messages, and the table has a stream; nothing was changed",
            )
            .hint(
                "stop what reads the stream, as the how-to says, then add --stream-readers-ready",
            ));
        }
        if job.kind == PlanKind::Undo {
            return Ok(());
        }
        let (why, hint) = match job.target.store.has_point_in_time_recovery().await {
            Ok(true) => return Ok(()),
            Ok(false) => ("is off".to_owned(), "turn it on"),
            Err(error) => (
                format!("is not known: {error}"),
                "allow the role dynamodb:DescribeContinuousBackups",
            ),
        };
        if summary.changes <= WITHOUT_RECOVERY || self.without_recovery {
            job.ui.warn(&format!("point-in-time recovery {why}"));
            return Ok(());
        }
        let message = format!(
            "{} changes, and point-in-time recovery {why}; nothing was changed",
            summary.changes
        );
        Err(Failure::refused(message).hint(format!("{hint}, or add --without-recovery")))
    }
}

fn say_started(receipt: &Receipt, ui: &Ui) {
    if let (Some(path), Some(started)) = (receipt.path(), receipt.started()) {
        ui.note(&format!(
            "continuing {}: {} were carried out, and {} under way",
            path.display(),
            plural(started.known, "step", "steps"),
            started.open.len(),
        ));
    }
}

/// Adds to a failure what was done before it, and how to continue.
fn cut_short(error: ChangesError, tally: Tally, receipt: Option<&Path>) -> Failure {
    let is_of_receipt = matches!(error, ChangesError::Unwritable { .. });
    let failure = Failure::from(error);
    if tally.done == 0 {
        return match is_of_receipt {
            true => failure.before("nothing was changed"),
            false => failure,
        };
    }
    let Failure::Error { message, .. } = failure else {
        return failure;
    };
    let steps = plural(tally.done, "step", "steps");
    let failure = Failure::new(
        Exit::Partly,
        format!("{message}; {steps} carried out before that"),
    );
    match receipt {
        Some(receipt) => failure.hint(format!(
            "run the same command again to go on, or take it back with `ddb undo {}`",
            receipt.display()
        )),
        None => failure.hint("run the same command again to go on"),
    }
}
