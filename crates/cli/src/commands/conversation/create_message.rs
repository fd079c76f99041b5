//! `create-message`: access pattern C, a message in a conversation.

use clap::Parser;
use ddb_core::conversation::{Membership, create_message, membership};
use ddb_core::handle::PersonName;
use ddb_core::timestamp::Timestamp;
use ddb_core::timezone::Zone;
use serde::Serialize;

use super::text::TextArg;
use crate::args::{Asked, ConversationArgs, Me, TableArgs, UsersArgs, WriteArgs, me};
use crate::failure::{Exit, Failure, Outcome};
use crate::help::examples;
use crate::output::{Cell, Column, Format, Record};
use crate::runner::{Command, Context};
use crate::wording::{in_zone, short};

/// Writes a message into a conversation.
///
/// The sender must be one of its two people. The rows of the conversation are updated by `ddb sync-conversations`
/// or by the Lambda function, as they are when the application writes.
#[derive(Debug, Parser)]
#[command(name = "create-message", version, allow_missing_positional = true, after_help = examples(&[
    ("Answer bayko", "ddb create-message bayko 'And the 19:10?'"),
    ("Answer as somebody else, with text from another command", "echo 'Cake?' | ddb create-message 5ae290ed - --me bayko"),
]))]
pub struct Args {
    #[command(flatten)]
    conversation: ConversationArgs,
    /// Text of the message: 1 to 1024 characters; `-` reads it from stdin
    #[arg(value_name = "TEXT", required = true)]
    text: TextArg,
    /// Who writes it [env: DDB_ME] [default: andrewbrown]
    #[arg(long, alias = "from", value_name = "HANDLE")]
    me: Option<PersonName>,
    #[command(flatten)]
    users: UsersArgs,
    #[command(flatten)]
    write: WriteArgs,
    #[command(flatten)]
    table: TableArgs,
}

/// A message as the application represents it, with its conversation.
#[derive(Debug, Serialize)]
struct Row {
    group_uuid: String,
    message_uuid: String,
    user_uuid: String,
    handle: String,
    display_name: String,
    message: String,
    created_at: String,
}

impl Record for Row {
    type Of<'a> = Self;
    const COLUMNS: &'static [Column<Self>] = &[
        Column::time("time", |row| Cell::time(&row.created_at)),
        Column::new("from", |row| Cell::text(&row.handle)),
        Column::new("message", |row| Cell::text(&row.message)),
        Column::id("group_uuid", |row| Cell::text(&row.group_uuid)),
        Column::id("message_uuid", |row| Cell::text(&row.message_uuid)),
    ];

    fn sentence(row: &Self, zone: Zone) -> Option<String> {
        Some(format!(
            "wrote to {} as {}, {} {zone}",
            short(&row.group_uuid),
            row.handle,
            in_zone(&row.created_at, zone)
        ))
    }
}

impl Command for Args {
    const FORMATS: &'static [Format] = Format::BASIC;

    async fn run(self, context: Context) -> Result<Outcome, Failure> {
        let Some(asked) = self.conversation.asked() else {
            return Err(Failure::refused("no conversation is named").hint(
                "name the other person or the conversation: `ddb create-message bayko 'Cake?'`",
            ));
        };
        let name = me(self.me.as_ref(), &context.environment)?;
        let users = self
            .users
            .open(&context, self.table.is_production())
            .await?;
        let sender = users.named(&name).await?.person();
        let text = self.text.read(&context.ui)?;
        let site = self.table.open(&context, Some(users.source())).await?;
        let store = &site.store;
        let conversation = match &asked {
            Asked::Id(id) => *id,
            Asked::LookUp(short) => {
                let id = sender.id;
                let me = Me {
                    id,
                    name: name.clone(),
                };
                short.find(store, &me, Some(&users), &context).await?
            }
        };
        match membership(store, conversation, sender.id).await? {
            Membership::Member => {}
            Membership::Stranger => {
                return Err(Failure::refused(format!(
                    "{}: `{name}` is not in the conversation {conversation}; nothing was written",
                    store.destination(),
                ))
                .hint(format!("`ddb list-conversations {name}` shows theirs")));
            }
            Membership::NoConversation => {
                return Err(Failure::new(
                    Exit::NotFound,
                    format!("{}: no conversation {conversation}", store.destination()),
                )
                .hint("`ddb create-conversation` starts one"));
            }
        }
        let writer = site.allow_writing(&self.write)?;
        let now = Timestamp::now();
        let message = create_message(&writer, conversation, sender, &text, now).await?;
        let done = format!("the message {} was written", message.id);
        let row = Row {
            group_uuid: message.conversation.to_string(),
            message_uuid: message.id.to_string(),
            user_uuid: message.sender.id.to_string(),
            handle: message.sender.handle,
            display_name: message.sender.display_name,
            message: message.text,
            created_at: message.created_at.to_string(),
        };
        context.ui.report(&row, &done)?;
        Ok(Outcome::Done)
    }
}
