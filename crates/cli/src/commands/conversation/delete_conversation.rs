//! `delete-conversation`: deletes a conversation, its rows first.

use clap::Parser;
use ddb_core::conversation::{
    ConversationName, DELETE_CONVERSATION, DeleteAgain, Deletion, NameError, has_items,
    plan_deletion,
};
use ddb_core::key::{ConversationId, PartitionKey};
use ddb_core::store::Store;

use super::deleted::{report, see};
use crate::args::{Asked, Me, TableArgs, UsersArgs, me};
use crate::changes::{Ground, Job, PlanArgs, PlanKind};
use crate::failure::{Exit, Failure, Outcome};
use crate::help::examples;
use crate::output::Format;
use crate::runner::{Command, Context};
use ddb_core::handle::PersonName;

/// Deletes a conversation, its rows first.
///
/// The receipt holds all of it, so `ddb undo` can bring it back. In production, type the first 8 digits of the
/// conversation's id, or give them with --confirm.
#[derive(Debug, Parser)]
#[command(name = "delete-conversation", version, after_help = examples(&[
    ("See what would be deleted", "ddb delete-conversation 5ae290ed-55d1-47a0-bc6d-fe2bc2700399 --dry-run"),
    ("Delete it, and bring it back", "ddb delete-conversation 5ae290ed-55d1-47a0-bc6d-fe2bc2700399 \\\n      \
        --receipt gone.jsonl\n    \
        ddb undo gone.jsonl"),
]))]
pub struct Args {
    /// Conversation to delete: its whole uuid, or @handle of the other person
    #[arg(value_name = "CONVERSATION")]
    conversation: String,
    /// Whose conversation with @handle it is [env: DDB_ME] [default: andrewbrown]
    #[arg(long, value_name = "HANDLE")]
    me: Option<PersonName>,
    /// First 8 digits of the conversation's id, instead of typing them; for production
    #[arg(long, value_name = "DIGITS")]
    confirm: Option<String>,
    #[command(flatten)]
    plan: PlanArgs,
    #[command(flatten)]
    users: UsersArgs,
    #[command(flatten)]
    table: TableArgs,
}

impl Command for Args {
    const FORMATS: &'static [Format] = Format::BASIC;

    async fn run(self, context: Context) -> Result<Outcome, Failure> {
        let ui = &context.ui;
        let wanted =
            "to delete a conversation, give its whole uuid, or the @handle of the other person";
        let named: ConversationName = self
            .conversation
            .parse()
            .map_err(|error: NameError| Failure::refused(error.to_string()).hint(wanted))?;
        let is_whole = matches!(named, ConversationName::Id(_));
        if !is_whole && !self.conversation.starts_with('@') {
            let message = format!("not a whole uuid: `{}`", self.conversation);
            return Err(Failure::refused(message).hint(wanted));
        }
        let target = self.table.open(&context, None).await?;
        let store = &target.store;
        let conversation = match named {
            ConversationName::Id(conversation) => conversation,
            name => self.find(store, name, &context).await?,
        };
        let words = vec![DELETE_CONVERSATION.to_owned(), conversation.to_string()];
        let ground = Ground::of(store, words).await?;
        let mut plan = ground.plan()?;
        let size = self.plan.step_size(&ground);
        let deletion =
            plan_deletion(store, conversation, size, &mut |step| plan.push(&step)).await?;
        let plan = plan.end()?;
        if deletion == Deletion::default() && !self.plan.is_started(&target, &ground, &context)? {
            let message = format!("{}: no conversation {conversation}", store.destination());
            return Err(Failure::new(Exit::NotFound, message)
                .hint("`ddb list-conversations HANDLE` shows those of a user"));
        }
        let digits = first_digits(conversation);
        let job = Job {
            target: &target,
            ground: &ground,
            plan: &plan,
            allow: &|| target.allow_deleting_from(&digits, self.confirm.as_deref()),
            kind: PlanKind::Made,
            ui,
            context: &context,
        };
        let again = DeleteAgain::conversation(store);
        let carried_out = self
            .plan
            .carry_out(job, &again, |seen| see(&seen, ui))
            .await?;
        if carried_out.is_some() && has_items(store, PartitionKey::Messages(conversation)).await? {
            let message = format!(
                "{conversation}: it still has items: somebody wrote in the meantime, or their shape is unknown"
            );
            return Err(Failure::new(Exit::Partly, message)
                .hint("run the same command again, or look with `ddb scan --kind unknown`"));
        }
        report(conversation, deletion, carried_out, ui)
    }
}

/// Returns the text that confirms the deletion of a conversation in production.
pub(in crate::commands) fn first_digits(conversation: ConversationId) -> String {
    conversation.to_string().chars().take(8).collect()
}

impl Args {
    /// Finds the conversation with a person.
    async fn find(
        &self,
        store: &Store,
        name: ConversationName,
        context: &Context,
    ) -> Result<ConversationId, Failure> {
        let me_name = me(self.me.as_ref(), &context.environment)?;
        let users = self.users.open(context, self.table.is_production()).await?;
        let me = Me {
            id: users.named(&me_name).await?.uuid,
            name: me_name,
        };
        match Asked::from(name) {
            Asked::Id(id) => Ok(id),
            Asked::LookUp(short) => short.find(store, &me, Some(&users), context).await,
        }
    }
}
