//! `seed --replace`: makes an edited file what is in the table, by a plan that can be taken back.

use ddb_core::item::Message;
use ddb_core::seed::{ReplaceAgain, Replacement, Script, Seed, plan_replacement};
use ddb_core::timestamp::Timestamp;
use ddb_people::users::Users;

use super::{Args, Row, text};
use crate::args::{TableTarget, When};
use crate::changes::{Ground, Job};
use crate::failure::Failure;
use crate::runner::Context;
use crate::ui::Ui;
use crate::wording::plural;

impl Args {
    /// Plans the replacement, says it, and carries it out. `None` where nothing was to be changed.
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
            ui.note("--ends-at may not be used: messages that are there fix the time");
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
            is_fixed: false,
            is_undo: false,
            ui,
            context,
        };
        let again = ReplaceAgain::new(store, seed, script, size);
        let see = |seen: ddb_core::changes::Seen<'_>| {
            if let ddb_core::changes::Seen::PlannedAnew(_) = seen {
                ui.note("the conversation changed meanwhile; it is planned anew");
            }
        };
        let Some(carried_out) = self.plan.carry_out(job, &again, see).await? else {
            return Ok(None);
        };
        carried_out.all_done()?;
        Ok(Some(row(&replacement, seed, users)))
    }
}

/// Says what goes and what stays.
fn say(replacement: &Replacement, ui: &Ui) {
    ui.note(&format!(
        "{} that the file does not have any more; {} that others wrote, which stay",
        plural(replacement.removed, "message", "messages"),
        plural(replacement.others, "message", "messages"),
    ));
}

fn row(replacement: &Replacement, seed: &Seed, users: &Users) -> Row {
    let messages = &replacement.messages;
    let at = |message: Option<&Message>| text(message.map(|message| &message.created_at));
    let total = messages.len() as u64;
    Row {
        group_uuid: seed.conversation.to_string(),
        messages: total,
        written: replacement.written,
        unchanged: total - replacement.written,
        first_at: at(messages.first()),
        last_at: at(messages.last()),
        users_source: users.source().to_string(),
        people: Some(format!("{}, {}", seed.me.handle, seed.other.handle)),
        dry_run: false,
    }
}
