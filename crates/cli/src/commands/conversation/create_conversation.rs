//! `create-conversation`: access pattern D, a new conversation.

use clap::Parser;
use ddb_core::conversation::{Text, create_conversation};
use ddb_core::timestamp::Timestamp;
use serde::Serialize;

use crate::args::{TableArgs, UsersArgs, WriteArgs};
use crate::failure::{Failure, Outcome};
use crate::help::examples;
use crate::output::{Cell, Column, Format, Record};
use crate::runner::{Command, Context};
use crate::wording::utc;

/// Begins a conversation between two people.
///
/// Both rows and the first message are written in one transaction, or nothing is.
#[derive(Debug, Parser)]
#[command(name = "create-conversation", version, after_help = examples(&[
    ("Write to somebody for the first time", "ddb create-conversation --from londo --to altbrown 'Seen the viaduct?'"),
]))]
pub struct Args {
    /// Text of the first message: 1 to 1024 characters
    #[arg(value_name = "TEXT")]
    text: Text,
    /// Who begins it
    #[arg(long, value_name = "HANDLE")]
    from: String,
    /// With whom
    #[arg(long, value_name = "HANDLE")]
    to: String,
    #[command(flatten)]
    users: UsersArgs,
    #[command(flatten)]
    write: WriteArgs,
    #[command(flatten)]
    table: TableArgs,
}

/// The application's shape of a conversation: its id, the other person, the last message.
#[derive(Debug, Serialize)]
struct Row {
    uuid: String,
    display_name: String,
    handle: String,
    message: String,
    created_at: String,
}

impl Record for Row {
    type Of<'a> = Self;
    const COLUMNS: &'static [Column<Self>] = &[
        Column::kept("time (UTC)", |row| Cell::text(utc(&row.created_at))),
        Column::new("with", |row| Cell::text(&row.handle)),
        Column::new("message", |row| Cell::text(&row.message)),
        Column::kept("group", |row| Cell::text(&row.uuid)),
    ];
}

impl Command for Args {
    const FORMATS: &'static [Format] = Format::BASIC;

    async fn run(self, context: Context) -> Result<Outcome, Failure> {
        let oneself = || {
            Failure::refused(format!(
                "`{}` and `{}` are one person: a conversation has two",
                self.from, self.to
            ))
        };
        if self.from == self.to {
            return Err(oneself());
        }
        let users = self
            .users
            .open(&context, self.table.is_production())
            .await?;
        let from = users.by_handle(&self.from).await?.person();
        let to = users.by_handle(&self.to).await?.person();
        if from.id == to.id {
            return Err(oneself());
        }
        let site = self.table.open(&context, Some(users.source())).await?;
        let writer = site.allow_writing(&self.write)?;
        let now = Timestamp::now();
        let row = create_conversation(&writer, [from, to], &self.text, now).await?;
        let done = format!("the conversation {} was written", row.conversation);
        let row = Row {
            uuid: row.conversation.to_string(),
            display_name: row.other.display_name,
            handle: row.other.handle,
            message: row.text,
            created_at: row.last_message_at.to_string(),
        };
        context.ui.report(&row, &done)?;
        Ok(Outcome::Done)
    }
}
