//! `list-conversations`: access pattern B, the conversations of a user.

use clap::Parser;
use ddb_core::conversation::Filter;
use ddb_core::handle::PersonName;
use ddb_core::key::{PartitionKey, UserId};
use ddb_core::store::Direction;
use ddb_core::timestamp::Timestamp;

use super::partition::{Entry, Layout, Reading};
use crate::args::{LimitArgs, RangeArgs, TableArgs, UsersArgs, id, me};
use crate::commands::explain::ExplainArgs;
use crate::failure::{Failure, Outcome};
use crate::help::examples;
use crate::output::{Column, Format};
use crate::runner::{Command, Context};

/// Lists the conversations of a user, the newest first.
///
/// Each is shown with the other person and the last message.
#[derive(Debug, Parser)]
#[command(name = "list-conversations", version, after_help = examples(&[
    ("Those of somebody else", "ddb list-conversations bayko"),
    ("Those with a message from today", "ddb list-conversations --since today --all"),
    ("The newest one, for a script", "ddb list-conversations --limit 1 -o jsonl"),
]))]
pub struct Args {
    /// Whose conversations [env: DDB_ME] [default: andrewbrown]
    #[arg(value_name = "HANDLE", conflicts_with = "user_uuid")]
    handle: Option<PersonName>,
    /// The same as HANDLE, as the other commands have it
    #[arg(long, hide = true, value_name = "HANDLE", conflicts_with_all = ["handle", "user_uuid"])]
    me: Option<PersonName>,
    /// Whose conversations, by id instead of handle
    #[arg(long, value_name = "UUID", value_parser = id::<UserId>)]
    user_uuid: Option<UserId>,
    #[command(flatten)]
    range: RangeArgs,
    #[command(flatten)]
    explain: ExplainArgs,
    #[command(flatten)]
    limit: LimitArgs,
    #[command(flatten)]
    users: UsersArgs,
    #[command(flatten)]
    table: TableArgs,
}

/// The layout of a conversation in a table.
struct Conversations;

impl Layout for Conversations {
    const MESSAGES: bool = false;
    const TIME: &'static str = "last_message_at";
    const TABLE: &'static [Column<Entry<Self>>] = &[
        Column::time("last message", |entry| entry.time()),
        Column::kept("conversation", |entry| entry.short_conversation()),
        Column::new("with", |entry| entry.handle()),
        Column::new("message", |entry| entry.message()),
    ];
    const COLUMNS: &'static [Column<Entry<Self>>] = &[
        Column::time("last message", |entry| entry.time()),
        Column::new("with", |entry| entry.handle()),
        Column::new("message", |entry| entry.message()),
        Column::id("group_uuid", |entry| entry.conversation()),
        Column::id("user_uuid", |entry| entry.user_uuid()),
        Column::new("display_name", |entry| entry.display_name()),
    ];
    const CSV: &'static [Column<Entry<Self>>] = &[
        Column::kept("group_uuid", |entry| entry.conversation()),
        Column::id("user_uuid", |entry| entry.user_uuid()),
        Column::new("handle", |entry| entry.handle()),
        Column::new("display_name", |entry| entry.display_name()),
        Column::new("message", |entry| entry.message()),
        Column::new("last_message_at", |entry| entry.stored_time()),
    ];
}

impl Command for Args {
    const FORMATS: &'static [Format] = Format::ITEMS;

    fn is_paged(&self) -> bool {
        true
    }

    async fn run(self, context: Context) -> Result<Outcome, Failure> {
        let ui = &context.ui;
        let explain = self.explain.is_wanted(ui)?;
        let range = self.range.range(Timestamp::now(), context.zones)?;
        let user = match self.user_uuid {
            Some(user) => user,
            None => self.look_up(&context).await?,
        };
        let store = self.table.open(&context, None).await?.store;
        let reading = Reading {
            partition: PartitionKey::Rows(user),
            filter: Filter::of_time(range),
            limit: self.limit.limit(),
            remember: false,
            shown: Direction::Descending,
        };
        if explain {
            return reading.explain(&store, ui).await;
        }
        let nothing_wrong = async || Ok(());
        let nothing_more = async |_: &mut _, _| Ok(());
        reading
            .show::<Conversations>(
                &store,
                ui.printer(),
                ui,
                ("conversation", "conversations"),
                nothing_wrong,
                nothing_more,
            )
            .await?;
        Ok(Outcome::Done)
    }
}

impl Args {
    async fn look_up(&self, context: &Context) -> Result<UserId, Failure> {
        let given = self.handle.as_ref().or(self.me.as_ref());
        let handle = match me(given, &context.environment)? {
            PersonName::Id(id) => return Ok(id),
            PersonName::Handle(handle) => handle,
        };
        let users = self.users.open(context, self.table.is_production()).await?;
        Ok(users.by_handle(&handle).await?.uuid)
    }
}
