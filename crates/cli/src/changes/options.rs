//! The options of commands that make plans and carry them out.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use clap::Args;
use ddb_core::changes::{Keep, Receipt, StepSize};
use ddb_core::environment::Environment;

use super::Ground;
use crate::args::TableTarget;
use crate::failure::Failure;
use crate::runner::Context;

const HEADING: &str = "Plan and receipt";

/// Options of every command that carries out a plan.
#[derive(Debug, Clone, Args)]
pub struct CarryOutArgs {
    /// Receipt for `ddb undo`: a new file, or `none` for a local table [default: in $XDG_STATE_HOME/ddb/receipts]
    #[arg(long, value_name = "FILE", help_heading = HEADING)]
    receipt: Option<PathBuf>,
    /// Use at most N write capacity units a second
    #[arg(long, value_name = "N", help_heading = HEADING)]
    pub(super) max_wcu: Option<NonZeroU32>,
    /// Make more than 100 changes in production even if point-in-time recovery is off
    #[arg(long, help_heading = HEADING)]
    pub(super) without_recovery: bool,
    /// Put messages in production although the table has a stream: its readers are stopped, or can take them
    #[arg(long, help_heading = HEADING)]
    pub(super) stream_readers_ready: bool,
}

/// Options of every command that makes a plan and carries it out.
#[derive(Debug, Clone, Args)]
pub struct PlanArgs {
    /// Show what would change, and change nothing
    #[arg(long, help_heading = HEADING)]
    pub(super) dry_run: bool,
    /// Save the plan in a new file (`-`: stdout) for `ddb apply`, and change nothing
    #[arg(long, value_name = "FILE", help_heading = HEADING)]
    pub(super) plan: Option<PathBuf>,
    #[command(flatten)]
    pub(super) carry_out: CarryOutArgs,
}

impl CarryOutArgs {
    /// Returns where to keep the receipt.
    pub(super) fn keep(&self, target: &TableTarget, context: &Context) -> Result<Keep, Failure> {
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
}

impl PlanArgs {
    /// Checks whether nothing is changed, whatever the plan contains.
    pub fn changes_nothing(&self) -> bool {
        self.dry_run || self.plan.is_some()
    }

    /// Checks whether the plan is only shown.
    pub fn is_dry_run(&self) -> bool {
        self.dry_run
    }

    /// Returns the limit of write capacity units per second, if there is one.
    pub fn max_wcu(&self) -> Option<NonZeroU32> {
        self.carry_out.max_wcu
    }

    /// Returns the given options that a command without a plan cannot honour, except `--dry-run` and `--max-wcu`.
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

    /// Checks whether an earlier run of the same command started a receipt and did not finish it.
    ///
    /// # Errors
    ///
    /// The named receipt is something else.
    pub fn is_started(
        &self,
        target: &TableTarget,
        ground: &Ground,
        context: &Context,
    ) -> Result<bool, Failure> {
        let keep = self.carry_out.keep(target, context)?;
        Ok(Receipt::find(&keep, ground.head())?.is_some())
    }

    /// Checks whether the plan goes to stdout.
    pub fn is_plan_on_stdout(&self) -> bool {
        self.plan.as_deref() == Some(Path::new("-"))
    }

    /// Returns the size of steps: the write capacity of one second.
    pub fn step_size(&self, ground: &Ground) -> StepSize {
        let given = self.carry_out.max_wcu.into_iter();
        StepSize::new(given.chain(ground.capacity()).min())
    }
}

/// Returns the folder of receipts.
///
/// # Errors
///
/// The environment does not name the folder.
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
