//! `delete-message`: deletes one message, and updates the rows to the newest message that is left.

use clap::Parser;
use ddb_core::conversation::{
    DELETE_MESSAGE, DeleteAgain, Deletion, message_at, message_step, search_message,
};
use ddb_core::key::{ConversationId, MessageId, SortKey};

use super::deleted::{report, see};
use crate::args::{TableArgs, WriteArgs, id};
use crate::changes::{Ground, Job, PlanArgs, PlanKind};
use crate::failure::{Exit, Failure, Outcome};
use crate::help::examples;
use crate::output::Format;
use crate::runner::{Command, Context};

/// Deletes one message of a conversation.
///
/// If it is the newest message, both rows are updated to the newest one that is left, or deleted if none is left,
/// in one transaction. To find the message, the conversation is read, the newest first; --at skips that.
#[derive(Debug, Parser)]
#[command(name = "delete-message", version, after_help = examples(&[
    ("Delete the last message of the seeded conversation", "ddb delete-message 8a6362b4-6bc3-588d-bd6e-73ce06f84403 \\\n      \
        --group 5ae290ed-55d1-47a0-bc6d-fe2bc2700399"),
]))]
pub struct Args {
    /// Id of the message
    #[arg(value_name = "MESSAGE_UUID", value_parser = id::<MessageId>)]
    message: MessageId,
    /// Conversation that it is in
    #[arg(long, value_name = "UUID", value_parser = id::<ConversationId>)]
    group: ConversationId,
    /// Sort key of the message, as `created_at` shows it
    #[arg(long, value_name = "SK")]
    at: Option<String>,
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
        let target = self.table.open(&context, None).await?;
        let store = &target.store;
        let words = [DELETE_MESSAGE, &self.message.to_string()].map(str::to_owned);
        let ground = Ground::of(store, words.to_vec()).await?;
        let at = self.at.as_deref().map(SortKey::verbatim);
        let found = match &at {
            Some(at) => message_at(store, self.group, self.message, at).await?,
            None => {
                let search = search_message(store, self.group, self.message).await?;
                ui.note(&format!(
                    "finding the message took {} read capacity units; --at SK finds it without reading the conversation",
                    search.consumed
                ));
                search.found
            }
        };
        let mut plan = ground.plan()?;
        let mut deletion = Deletion::default();
        let mut at = SortKey::verbatim("");
        match found {
            Some(found) => {
                at = found.message.created_at.clone();
                let planned = message_step(store, found).await?;
                plan.push(&planned.0)?;
                deletion = planned.1;
            }
            // An earlier run may have deleted it without finishing its receipt.
            None if self.plan.is_started(&target, &ground, &context)? => {}
            None => {
                let message = format!(
                    "{}: no message {} in {}",
                    store.destination(),
                    self.message,
                    self.group
                );
                return Err(Failure::new(Exit::NotFound, message).hint(format!(
                    "`ddb get-conversation {} --all -o jsonl` has the ids",
                    self.group
                )));
            }
        }
        let again = DeleteAgain::message(store, self.message, at);
        let plan = plan.end()?;
        let job = Job {
            target: &target,
            ground: &ground,
            plan: &plan,
            allow: &|| target.allow_writing(&self.write),
            kind: PlanKind::Made,
            ui,
            context: &context,
        };
        let carried_out = self
            .plan
            .carry_out(job, &again, |seen| see(&seen, ui))
            .await?;
        report(self.group, deletion, carried_out, ui)
    }
}
