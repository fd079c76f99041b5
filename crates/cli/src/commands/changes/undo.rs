//! `undo`: takes back the changes in a receipt.

use std::path::{Path, PathBuf};

use clap::Parser;
use ddb_core::changes::{Never, undo_plan};

use super::steps::Steps;
use crate::args::{TableArgs, WriteArgs};
use crate::changes::{Ground, Job, PlanArgs, PlanKind, folder};
use crate::failure::{Failure, Outcome};
use crate::help::examples;
use crate::output::Format;
use crate::runner::{Command, Context};

/// Takes back what a command changed, by its receipt.
///
/// Steps are undone one by one, the last first. If the items of a step have changed since, the step is left alone
/// and reported, and the exit code is 5. Undo writes its own receipt, so it can be undone, too.
#[derive(Debug, Parser)]
#[command(name = "undo", version, after_help = examples(&[
    ("Take back a deletion", "ddb delete-conversation 5ae290ed-55d1-47a0-bc6d-fe2bc2700399 \\\n      \
        --receipt deleted.jsonl\n    \
        ddb undo deleted.jsonl"),
    ("See what would be taken back", "ddb undo deleted.jsonl --dry-run"),
]))]
pub struct Args {
    /// Receipt of the command to undo; a bare name is also looked up among those that `ddb receipts` lists
    #[arg(value_name = "RECEIPT")]
    undo: PathBuf,
    #[command(flatten)]
    plan: PlanArgs,
    #[command(flatten)]
    write: WriteArgs,
    #[command(flatten)]
    table: TableArgs,
}

impl Command for Args {
    const FORMATS: &'static [Format] = Format::BASIC;

    async fn run(self, context: Context) -> Result<Outcome, Failure> {
        let ui = &context.ui;
        let path = find(&self.undo, &context);
        let target = self.table.open(&context, None).await?;
        let name = path.file_name().unwrap_or(path.as_os_str());
        let words = vec!["undo".to_owned(), name.to_string_lossy().into_owned()];
        let ground = Ground::of(&target.store, words).await?;
        let plan = undo_plan(&path, ground.head().clone())?;
        let job = Job {
            target: &target,
            ground: &ground,
            plan: &plan,
            allow: &|| target.allow_writing(&self.write),
            kind: PlanKind::Undo,
            ui,
            context: &context,
        };
        let mut steps = Steps::new(ui);
        let carried_out = self
            .plan
            .carry_out(job, &Never, |seen| steps.see(&seen))
            .await?;
        match carried_out {
            Some(carried_out) => steps.end(&carried_out),
            None => Ok(Outcome::Done),
        }
    }
}

/// Finds a receipt by its path, or by its name in the folder of receipts.
fn find(path: &Path, context: &Context) -> PathBuf {
    let is_name = path.components().count() == 1 && !path.exists();
    match folder(&context.environment) {
        Ok(folder) if is_name && folder.join(path).exists() => folder.join(path),
        _ => path.to_owned(),
    }
}
