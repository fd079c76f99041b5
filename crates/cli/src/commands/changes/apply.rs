//! `apply`: carries out a saved plan.

use std::path::PathBuf;

use clap::Parser;
use ddb_core::changes::{Never, Plan};
use ddb_core::conversation::DELETE_CONVERSATION;

use super::steps::Steps;
use crate::args::{TableArgs, WriteArgs};
use crate::changes::{CarryOutArgs, Ground, Job, PlanKind};
use crate::commands::conversation::delete_conversation::first_digits;
use crate::failure::{Failure, Outcome};
use crate::help::examples;
use crate::output::Format;
use crate::runner::{Command, Context};

/// Carries out a plan that was saved with --plan.
///
/// If the items of a step have changed since the plan was made, the step is left alone and reported, and the exit
/// code is 5. A plan that was edited, or made for another table, is refused.
#[derive(Debug, Parser)]
#[command(name = "apply", version, after_help = examples(&[
    ("Save a plan, read it, carry it out", "ddb check-conversations --repair --plan repair.plan\n    ddb apply repair.plan"),
]))]
pub struct Args {
    /// Plan to carry out
    #[arg(value_name = "PLAN")]
    plan: PathBuf,
    /// First 8 digits of the id of the conversation to delete, instead of typing them; for production
    #[arg(long, value_name = "DIGITS")]
    confirm: Option<String>,
    #[command(flatten)]
    carry_out: CarryOutArgs,
    #[command(flatten)]
    write: WriteArgs,
    #[command(flatten)]
    table: TableArgs,
}

impl Command for Args {
    const FORMATS: &'static [Format] = Format::BASIC;

    async fn run(self, context: Context) -> Result<Outcome, Failure> {
        let ui = &context.ui;
        let plan = Plan::open(&self.plan)?;
        let target = self.table.open(&context, None).await?;
        let ground = Ground::of(&target.store, plan.head().command.clone()).await?;
        plan.head().hold(&ground.head().table(), &self.plan)?;
        let deleted = deleted(&plan)?;
        let job = Job {
            target: &target,
            ground: &ground,
            plan: &plan,
            allow: &|| match &deleted {
                Some(digits) => target.allow_deleting_from(digits, self.confirm.as_deref()),
                None => target.allow_writing(&self.write),
            },
            kind: PlanKind::Saved,
            ui,
            context: &context,
        };
        let mut steps = Steps::new(ui);
        let carried_out = self
            .carry_out
            .carry_out(job, &Never, |seen| steps.see(&seen))
            .await?;
        steps.end(&carried_out)
    }
}

/// Returns the text that confirms the deletion of a conversation, if the plan deletes one.
fn deleted(plan: &Plan) -> Result<Option<String>, Failure> {
    for step in plan.steps()? {
        let step = step?;
        if step.why == DELETE_CONVERSATION
            && let Some(conversation) = step.conversation
        {
            return Ok(Some(first_digits(conversation)));
        }
    }
    Ok(None)
}
