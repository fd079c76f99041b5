//! `seed --replace`: makes the table match an edited file, with a plan that can be undone.

use ddb_core::changes::Seen;
use ddb_core::seed::{ReplaceAgain, Replacement, Script, Seed, plan_replacement};
use ddb_core::timestamp::Timestamp;
use ddb_people::users::Users;

use super::Args;
use super::row::Row;
use crate::args::{TableTarget, When};
use crate::changes::{Ground, Job, PlanKind};
use crate::failure::Failure;
use crate::runner::Context;
use crate::ui::Ui;
use crate::wording::plural;

impl Args {
    /// Plans the replacement, prints it, and carries it out. Returns `None` if the plan was only saved or shown.
    pub(super) async fn carry_out_replacement(
        &self,
        seed: &Seed,
        script: &Script,
        users: &Users,
        target: &TableTarget,
        now: Timestamp,
        context: &Context,
    ) -> Result<Option<Row>, Failure> {
        let ui = &context.ui;
        let store = &target.store;
        let words = ["seed", "--replace"].map(str::to_owned).into_iter();
        let words = words.chain([seed.conversation.to_string()]).collect();
        let ground = Ground::of(store, words).await?;
        let size = self.plan.step_size(&ground);
        let replacement = plan_replacement(store, seed, script, now, size).await?;
        if self.ends_at != When::Now && replacement.written < replacement.messages.len() as u64 {
            ui.note("--ends-at cannot be used: existing messages fix the time");
        }
        say(&replacement, ui);
        let mut plan = ground.plan()?;
        for step in &replacement.steps {
            plan.push(step)?;
        }
        let plan = plan.end()?;
        let job = Job {
            target,
            ground: &ground,
            plan: &plan,
            allow: &|| target.allow_writing(&self.write),
            kind: PlanKind::Made,
            ui,
            context,
        };
        let again = ReplaceAgain::new(store, seed, script, size);
        let see = |seen: Seen<'_>| {
            if let Seen::PlannedAgain(_) = seen {
                ui.note("the conversation changed meanwhile; it is planned again");
            }
        };
        let Some(carried_out) = self.plan.carry_out(job, &again, see).await? else {
            return Ok(None);
        };
        carried_out.all_done()?;
        Ok(Some(Row::new(
            seed,
            users,
            &replacement.messages,
            replacement.written,
        )))
    }
}

/// Prints what is removed and what is kept.
fn say(replacement: &Replacement, ui: &Ui) {
    ui.note(&format!(
        "no longer in the file: {}; written by others, and kept: {}",
        plural(replacement.removed, "message", "messages"),
        plural(replacement.others, "message", "messages"),
    ));
}
