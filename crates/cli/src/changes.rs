//! What commands that change items share: the plan is said before the question, and a receipt is written while it is
//! carried out.

use std::io::Write;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use clap::Args;
use ddb_core::changes::{
    ChangesError, Executor, Head, Keep, Plan, PlanWriter, Receipt, Replan, Seen, Step, StepSize,
    Summary, TableIdentity, Tally,
};
use ddb_core::environment::Environment;
use ddb_core::item::RawItem;
use ddb_core::rate_limit::Rate;
use ddb_core::schema::{Billing, Shape};
use ddb_core::store::{ItemChange, Store, Writer};
use ddb_core::timestamp::Timestamp;

use crate::args::TableTarget;
use crate::failure::{Exit, Failure};
use crate::output::width;
use crate::runner::Context;
use crate::ui::Ui;
use crate::version;
use crate::wording::{plural, short};

const HEADING: &str = "Plan and receipt";
/// Changes that are shown one by one, in whole steps. A saved plan has all of them.
const SHOWN: usize = 20;
/// With more changes than this, a table of production has to have point-in-time recovery.
const WITHOUT_RECOVERY: u64 = 100;

/// Options of every command that carries out a plan.
#[derive(Debug, Clone, Args)]
pub struct CarryOutArgs {
    /// Receipt for `ddb undo`: a new file, or `none` for a local table [default: in $XDG_STATE_HOME/ddb/receipts]
    #[arg(long, value_name = "FILE", help_heading = HEADING)]
    receipt: Option<PathBuf>,
    /// Use at most N write capacity units a second
    #[arg(long, value_name = "N", help_heading = HEADING)]
    max_wcu: Option<NonZeroU32>,
    /// Make more than 100 changes in production even if point-in-time recovery is off
    #[arg(long, help_heading = HEADING)]
    without_recovery: bool,
    /// Put messages in production though the table has a stream: its readers are stopped, or do not mind
    #[arg(long, help_heading = HEADING)]
    stream_readers_ready: bool,
}

/// Options of every command that makes a plan and carries it out.
#[derive(Debug, Clone, Args)]
pub struct PlanArgs {
    /// Say what would be changed, and change nothing
    #[arg(long, help_heading = HEADING)]
    dry_run: bool,
    /// Save the plan in a new file (`-`: stdout) for `ddb apply`, and change nothing
    #[arg(long, value_name = "FILE", help_heading = HEADING)]
    plan: Option<PathBuf>,
    #[command(flatten)]
    carry_out: CarryOutArgs,
}

/// Returns the folder of receipts.
///
/// # Errors
///
/// Where the environment does not say where it is.
pub fn folder(environment: &Environment) -> Result<PathBuf, Failure> {
    let state = environment.get("XDG_STATE_HOME")?.map(PathBuf::from);
    let home = || -> Result<Option<PathBuf>, Failure> {
        let home = environment.get("HOME")?;
        Ok(home.map(|home| Path::new(home).join(".local/state")))
    };
    let state = match state {
        // A relative path is ignored: see the XDG Base Directory Specification.
        Some(state) if state.is_absolute() => Some(state),
        _ => home()?,
    };
    state
        .map(|state| state.join("ddb/receipts"))
        .ok_or_else(|| {
            Failure::refused(
                "there is no folder for receipts: neither XDG_STATE_HOME nor HOME is set",
            )
            .hint("--receipt FILE names a file")
        })
}

/// What is known of the table before it is changed.
#[derive(Debug)]
pub struct Ground {
    head: Head,
    shape: Shape,
}

impl Ground {
    /// Describes the table. `command` is the command with the options that decide what it does.
    ///
    /// # Errors
    ///
    /// Where there is no such table, or the request fails.
    pub async fn of(store: &Store, command: Vec<String>) -> Result<Self, Failure> {
        let found = store.describe_existing().await?;
        let tool = format!("ddb {}", version::NUMBER);
        let table = TableIdentity::new(store, &found);
        Ok(Self {
            head: Head::new(&tool, command, table, Timestamp::now()),
            shape: found.shape,
        })
    }

    /// Begins a plan.
    ///
    /// # Errors
    ///
    /// Where it cannot be written.
    pub fn plan(&self) -> Result<PlanWriter, Failure> {
        Ok(PlanWriter::begin(self.head.clone())?)
    }

    /// Returns the first line of the plan and the receipt.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Returns the write capacity units of the table a second; `None` where it is paid for by request.
    fn capacity(&self) -> Option<NonZeroU32> {
        match self.shape.billing {
            Billing::Provisioned(capacity) => Some(capacity.write),
            Billing::OnDemand => None,
        }
    }
}

/// What was carried out.
#[derive(Debug)]
pub struct CarriedOut {
    /// What was done.
    pub tally: Tally,
    /// Where the receipt is, where there is one.
    pub receipt: Option<PathBuf>,
}

impl CarriedOut {
    /// Tells a command that plans anew whether all of its steps were done.
    ///
    /// # Errors
    ///
    /// How the command ends where its items changed again and again, so that steps were left.
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
    /// Tells whether nothing is changed, whatever the plan is.
    pub fn changes_nothing(&self) -> bool {
        self.dry_run || self.plan.is_some()
    }

    /// Tells whether the plan is only said.
    pub fn is_dry_run(&self) -> bool {
        self.dry_run
    }

    /// Returns how many write capacity units a second may be used, where that is bounded.
    pub fn max_wcu(&self) -> Option<NonZeroU32> {
        self.carry_out.max_wcu
    }

    /// Returns the options that a command which makes no plan cannot honour, but for `--dry-run` and `--max-wcu`.
    pub fn of_plans_alone(&self) -> impl Iterator<Item = &'static str> {
        let given = &self.carry_out;
        let options = [
            ("--plan", self.plan.is_some()),
            ("--receipt", given.receipt.is_some()),
            ("--without-recovery", given.without_recovery),
            ("--stream-readers-ready", given.stream_readers_ready),
        ];
        options
            .into_iter()
            .filter_map(|(option, is_given)| is_given.then_some(option))
    }

    /// Tells whether an earlier run of the same command began a receipt and did not end it.
    ///
    /// # Errors
    ///
    /// Where the receipt that was named is something else.
    pub fn is_started(
        &self,
        target: &TableTarget,
        ground: &Ground,
        context: &Context,
    ) -> Result<bool, Failure> {
        let keep = self.carry_out.keep(target, context)?;
        Ok(Receipt::find(&keep, ground.head())?.is_some())
    }

    /// Tells whether stdout is for the plan.
    pub fn is_plan_on_stdout(&self) -> bool {
        self.plan.as_deref() == Some(Path::new("-"))
    }

    /// Returns the size of steps: that of the capacity of a second.
    pub fn step_size(&self, ground: &Ground) -> StepSize {
        let given = self.carry_out.max_wcu.into_iter();
        StepSize::new(given.chain(ground.capacity()).min())
    }

    /// Says what a plan is, then carries it out, where that is wanted and allowed. `None` where nothing was to be
    /// changed.
    ///
    /// # Errors
    ///
    /// Where it is not allowed, a request fails, or the receipt cannot be written.
    pub async fn carry_out(
        &self,
        job: Job<'_>,
        replan: &impl Replan,
        see: impl FnMut(Seen<'_>),
    ) -> Result<Option<CarriedOut>, Failure> {
        if let Some(path) = &self.plan {
            job.say();
            save(job.plan, path, job.ui)?;
            return Ok(None);
        }
        if self.dry_run {
            job.say();
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

/// A plan that is about to be carried out on a table.
pub struct Job<'a> {
    /// The table.
    pub target: &'a TableTarget,
    /// What is known of it.
    pub ground: &'a Ground,
    /// The plan.
    pub plan: &'a Plan,
    /// Gets the permission to write, once the plan was said.
    pub allow: &'a (dyn Fn() -> Result<Writer, Failure> + Sync),
    /// Whether the steps of the plan are those of its receipt, one by one: then the next run goes on after them.
    pub is_fixed: bool,
    /// Whether point-in-time recovery is no condition.
    pub is_undo: bool,
    /// What says what is done.
    pub ui: &'a Ui,
    /// The environment and the rest.
    pub context: &'a Context,
}

impl Job<'_> {
    /// Says what the plan is, in lines that a person can check.
    fn say(&self) {
        let summary = self.plan.summary();
        if summary.steps == 0 {
            self.ui.note("plan: nothing to change");
            return;
        }
        self.ui.announce(&total(summary, self.ground.capacity()));
        let Ok(steps) = self.plan.steps() else {
            return;
        };
        // Steps of several conversations take turns; people see those of one together.
        let mut shown: Vec<(String, Vec<String>)> = Vec::new();
        let (mut shown_steps, mut shown_lines) = (0, 0);
        for step in steps.flatten() {
            let (heading, lines) = (heading_of(&step), lines_of(&step));
            shown_lines += lines.len();
            if shown_steps > 0 && shown_lines > SHOWN {
                break;
            }
            shown_steps += 1;
            match shown.iter_mut().find(|(seen, _)| *seen == heading) {
                Some((_, seen)) => seen.extend(lines),
                None => shown.push((heading, lines)),
            }
        }
        for (heading, lines) in shown {
            self.ui.announce(&heading);
            lines.iter().for_each(|line| self.ui.announce(line));
        }
        let more = summary.steps.saturating_sub(shown_steps);
        if more > 0 {
            let more = plural(more, "more step", "more steps");
            self.ui
                .announce(&format!("  and {more}; --plan FILE saves all of them"));
        }
        if summary.messages_put > 0 && self.ground.shape.stream.is_some() {
            let messages = plural(summary.messages_put, "message", "messages");
            self.ui.announce(&format!(
                "{messages} are put anew, and the table has a stream: each is an INSERT there, for whoever reads it"
            ));
        }
    }
}

/// Says what a plan comes to.
fn total(summary: &Summary, capacity: Option<NonZeroU32>) -> String {
    let time = capacity.map_or_else(String::new, |capacity| {
        let seconds = summary.units.div_ceil(u64::from(capacity.get()));
        let time = humantime::format_duration(std::time::Duration::from_secs(seconds));
        format!(", {time} at the table's {capacity} units a second")
    });
    format!(
        "plan: {} in {}, {} write capacity units{time}",
        plural(summary.changes, "change", "changes"),
        plural(summary.steps, "step", "steps"),
        summary.units
    )
}

/// Says why a step is, and which conversation it is about.
fn heading_of(step: &Step) -> String {
    let conversation = step
        .conversation
        .map(|conversation| conversation.to_string());
    match conversation {
        Some(conversation) => format!("  {}, conversation {}:", step.why, short(&conversation)),
        None => format!("  {}:", step.why),
    }
}

/// Names an item of the step's conversation, in a line that fits a terminal.
fn item_of(change: &ItemChange) -> String {
    let (pk, sk) = (change.pk(), change.sk());
    match pk.split_once('#') {
        Some(("MSG", _)) => format!("message {sk}"),
        Some(("GRP", owner)) => format!("row of {} {sk}", short(owner)),
        _ => format!("{pk} {sk}"),
    }
}

/// Says what a step does: a line for each item that it changes.
fn lines_of(step: &Step) -> Vec<String> {
    let text = |item: Option<&RawItem>| -> String {
        const MOST: usize = 17;
        let text = item.and_then(|item| item.get("message")?.as_s().ok());
        width::cut(text.map_or("", String::as_str), MOST)
    };
    let put_in = |pk: &str| {
        let mut puts = step
            .changes
            .iter()
            .filter(|change| change.before().is_none());
        puts.find(|change| change.pk() == pk)
    };
    let line = |change: &ItemChange| -> Option<String> {
        let key = item_of(change);
        let deletes_in = |pk: &str| {
            let deleted = |other: &&ItemChange| other.after().is_none() && other.pk() == pk;
            step.changes.iter().filter(deleted).count()
        };
        Some(match (change.before(), change.after()) {
            _ if change.is_check() => return None,
            (Some(before), None) => match put_in(change.pk()) {
                Some(put) if deletes_in(change.pk()) == 1 => {
                    format!("moves {key} to {} `{}`", put.sk(), text(put.after()))
                }
                _ => format!("deletes {key} `{}`", text(Some(before))),
            },
            (None, after) if deletes_in(change.pk()) != 1 => {
                format!("puts {key} `{}`", text(after))
            }
            (None, _) => return None,
            (Some(before), Some(after)) if text(Some(before)) != text(Some(after)) => {
                format!(
                    "changes {key} `{}` to `{}`",
                    text(Some(before)),
                    text(Some(after))
                )
            }
            (Some(_), Some(_)) => format!("changes the names in {key}"),
        })
    };
    let lines = step.changes.iter().filter_map(line);
    lines.map(|line| format!("    {line}")).collect()
}

impl CarryOutArgs {
    /// Returns where the receipt is kept.
    fn keep(&self, target: &TableTarget, context: &Context) -> Result<Keep, Failure> {
        match &self.receipt {
            Some(none) if none == Path::new("none") => {
                if target.is_production() {
                    return Err(Failure::refused("--receipt none is for local tables")
                        .hint("without --receipt it is kept where `ddb receipts` finds it"));
                }
                Ok(Keep::Nowhere)
            }
            Some(file) => Ok(Keep::At(file.clone())),
            None => Ok(Keep::In(folder(&context.environment)?)),
        }
    }

    /// Says what a plan is, then carries it out, where that is allowed.
    ///
    /// # Errors
    ///
    /// Where it is not allowed, a request fails, or the receipt cannot be written.
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
        let skip = match &started {
            Some(started) if job.is_fixed => started.steps(),
            _ => 0,
        };
        job.say();
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

    /// Holds what is asked of a plan for production.
    async fn check_production(&self, job: &Job<'_>) -> Result<(), Failure> {
        if !job.target.is_production() {
            return Ok(());
        }
        let summary = job.plan.summary();
        if summary.messages_put > 0
            && job.ground.shape.stream.is_some()
            && !self.stream_readers_ready
        {
            return Err(Failure::refused(
                "the plan puts messages, and the table has a stream; nothing was changed",
            )
            .hint(
                "stop what reads the stream, as the how-to says, then add --stream-readers-ready",
            ));
        }
        if job.is_undo {
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
            "going on with {}: {} were carried out, and {} under way",
            path.display(),
            plural(started.known, "step", "steps"),
            started.open.len(),
        ));
    }
}

/// Says what was done before a failure, and how to go on.
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
        format!("{message}; {steps} carried out before it"),
    );
    match receipt {
        Some(receipt) => failure.hint(format!(
            "run the same command again to go on, or take it back with `ddb undo {}`",
            receipt.display()
        )),
        None => failure.hint("run the same command again to go on"),
    }
}
