//! `create-conversation`: access pattern D, a new conversation.

use clap::Parser;
use ddb_core::conversation::create_conversation;
use ddb_core::handle::PersonName;
use ddb_core::timestamp::Timestamp;
use ddb_core::timezone::Zone;
use serde::Serialize;

use super::text::TextArg;
use crate::args::{TableArgs, UsersArgs, WriteArgs, me};
use crate::failure::{Failure, Outcome};
use crate::help::examples;
use crate::output::{Cell, Column, Format, Record};
use crate::runner::{Command, Context};
use crate::wording::{in_zone, short};

/// Starts a conversation between two people.
///
/// Both rows and the first message are written in one transaction.
#[derive(Debug, Parser)]
#[command(name = "create-conversation", version, after_help = examples(&[
    ("Write to somebody for the first time", "ddb create-conversation --me londo --with altbrown 'Seen the viaduct?'"),
]))]
pub struct Args {
    /// Text of the first message: 1 to 1024 characters; `-` reads it from stdin
    #[arg(value_name = "TEXT")]
    text: TextArg,
    /// Who starts it [env: DDB_ME] [default: andrewbrown]
    #[arg(long, alias = "from", value_name = "HANDLE")]
    me: Option<PersonName>,
    /// With whom
    #[arg(long, alias = "to", value_name = "HANDLE")]
    with: PersonName,
    #[command(flatten)]
    users: UsersArgs,
    #[command(flatten)]
    write: WriteArgs,
    #[command(flatten)]
    table: TableArgs,
}

/// A conversation as the application represents it: its id, the other person, the last message.
#[derive(Debug, Serialize)]
struct Row {
    group_uuid: String,
    user_uuid: String,
    handle: String,
    display_name: String,
    message: String,
    last_message_at: String,
}

impl Record for Row {
    type Of<'a> = Self;
    const COLUMNS: &'static [Column<Self>] = &[
        Column::time("time", |row| Cell::time(&row.last_message_at)),
        Column::new("with", |row| Cell::text(&row.handle)),
        Column::new("message", |row| Cell::text(&row.message)),
        Column::kept("group_uuid", |row| Cell::text(&row.group_uuid)),
    ];

    fn sentence(row: &Self, zone: Zone) -> Option<String> {
        Some(format!(
            "started {} with {}, {} {zone}",
            short(&row.group_uuid),
            row.handle,
            in_zone(&row.last_message_at, zone)
        ))
    }
}

impl Command for Args {
    const FORMATS: &'static [Format] = Format::BASIC;

    async fn run(self, context: Context) -> Result<Outcome, Failure> {
        let me = me(self.me.as_ref(), &context.environment)?;
        let oneself = || {
            Failure::refused(format!(
                "--me `{me}` and --with `{}` are one person: a conversation has two",
                self.with
            ))
        };
        if me == self.with {
            return Err(oneself());
        }
        let users = self
            .users
            .open(&context, self.table.is_production())
            .await?;
        let from = users.named(&me).await?.person();
        let with = users.named(&self.with).await?.person();
        if from.id == with.id {
            return Err(oneself());
        }
        let text = self.text.read(&context.ui)?;
        let site = self.table.open(&context, Some(users.source())).await?;
        let writer = site.allow_writing(&self.write)?;
        let now = Timestamp::now();
        let row = create_conversation(&writer, [from, with], &text, now).await?;
        let done = format!("the conversation {} was written", row.conversation);
        let row = Row {
            group_uuid: row.conversation.to_string(),
            user_uuid: row.other.id.to_string(),
            handle: row.other.handle,
            display_name: row.other.display_name,
            message: row.text,
            last_message_at: row.last_message_at.to_string(),
        };
        context.ui.report(&row, &done)?;
        Ok(Outcome::Done)
    }
}
