//! `create-message`: access pattern C, a message in a conversation.

use clap::Parser;
use ddb_core::conversation::{Membership, Text, create_message, membership};
use ddb_core::key::ConversationId;
use ddb_core::timestamp::Timestamp;
use serde::Serialize;

use crate::args::{TableArgs, UsersArgs, WriteArgs, id};
use crate::failure::{Exit, Failure, Outcome};
use crate::help::examples;
use crate::output::{Cell, Column, Format, Record};
use crate::runner::{Command, Context};
use crate::wording::utc;

/// Writes a message into a conversation.
///
/// The sender is one of its two people. The rows of the conversation follow by `ddb sync-conversations`
/// or by the Lambda function, as they do for what the application writes.
#[derive(Debug, Parser)]
#[command(name = "create-message", version, after_help = examples(&[
    ("Answer in the seeded conversation", "ddb create-message --from bayko 'And the 19:10?' \\\n      \
        --group 5ae290ed-55d1-47a0-bc6d-fe2bc2700399"),
]))]
pub struct Args {
    /// Text of the message: 1 to 1024 characters
    #[arg(value_name = "TEXT")]
    text: Text,
    /// Id of the conversation
    #[arg(long = "group", value_name = "UUID", value_parser = id::<ConversationId>)]
    conversation: ConversationId,
    /// Who writes it
    #[arg(long, value_name = "HANDLE")]
    from: String,
    #[command(flatten)]
    users: UsersArgs,
    #[command(flatten)]
    write: WriteArgs,
    #[command(flatten)]
    table: TableArgs,
}

/// The application's shape, with the conversation.
#[derive(Debug, Serialize)]
struct Row {
    uuid: String,
    display_name: String,
    handle: String,
    message: String,
    created_at: String,
    message_group_uuid: String,
}

impl Record for Row {
    type Of<'a> = Self;
    const COLUMNS: &'static [Column<Self>] = &[
        Column::kept("time (UTC)", |row| Cell::text(utc(&row.created_at))),
        Column::new("from", |row| Cell::text(&row.handle)),
        Column::new("message", |row| Cell::text(&row.message)),
        Column::id("group", |row| Cell::text(&row.message_group_uuid)),
    ];
}

impl Command for Args {
    const FORMATS: &'static [Format] = Format::BASIC;

    async fn run(self, context: Context) -> Result<Outcome, Failure> {
        let users = self
            .users
            .open(&context, self.table.is_production())
            .await?;
        let sender = users.by_handle(&self.from).await?.person();
        let site = self.table.open(&context, Some(users.source())).await?;
        let store = &site.store;
        match membership(store, self.conversation, sender.id).await? {
            Membership::Member => {}
            Membership::Stranger => {
                return Err(Failure::refused(format!(
                    "{}: `{}` takes no part in the conversation {}; nothing was written",
                    store.destination(),
                    self.from,
                    self.conversation
                ))
                .hint(format!(
                    "`ddb list-conversations {}` shows theirs",
                    self.from
                )));
            }
            Membership::NoConversation => {
                return Err(Failure::new(
                    Exit::NotFound,
                    format!(
                        "{}: no conversation {}",
                        store.destination(),
                        self.conversation
                    ),
                )
                .hint("`ddb create-conversation` begins one"));
            }
        }
        let writer = site.allow_writing(&self.write)?;
        let now = Timestamp::now();
        let message = create_message(&writer, self.conversation, sender, &self.text, now).await?;
        let done = format!("the message {} was written", message.id);
        let row = Row {
            uuid: message.id.to_string(),
            display_name: message.sender.display_name,
            handle: message.sender.handle,
            message: message.text,
            created_at: message.created_at.to_string(),
            message_group_uuid: message.conversation.to_string(),
        };
        context.ui.report(&row, &done)?;
        Ok(Outcome::Done)
    }
}
