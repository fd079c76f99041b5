//! `list-conversations`: access pattern B, the conversations of a user.

use clap::Parser;
use ddb_core::key::{PartitionKey, UserId};
use ddb_core::store::Direction;
use ddb_core::timestamp::TimeRange;

use super::partition::{Entry, Layout, Reading};
use crate::args::{LimitArgs, TableArgs, UsersArgs, id, me};
use crate::commands::explain::ExplainArgs;
use crate::failure::{Failure, Outcome};
use crate::help::examples;
use crate::output::{Column, Format};
use crate::runner::{Command, Context};

/// Lists the conversations of a user, the newest first.
///
/// Each is shown by the other person and the last message.
#[derive(Debug, Parser)]
#[command(name = "list-conversations", version, after_help = examples(&[
    ("Those of somebody else", "ddb list-conversations bayko"),
    ("The newest one, for a script", "ddb list-conversations --limit 1 -o jsonl"),
]))]
pub struct Args {
    /// Whose conversations [env: DDB_ME] [default: andrewbrown]
    #[arg(value_name = "HANDLE", conflicts_with = "user_uuid")]
    handle: Option<String>,
    /// Whose conversations, by id, without looking the handle up
    #[arg(long, value_name = "UUID", value_parser = id::<UserId>)]
    user_uuid: Option<UserId>,
    /// Only those whose last message is of this calendar year, UTC
    #[arg(long, value_name = "YYYY", value_parser = clap::value_parser!(u16).range(1000..=9999), help_heading = "Range")]
    year: Option<u16>,
    #[command(flatten)]
    explain: ExplainArgs,
    #[command(flatten)]
    limit: LimitArgs,
    #[command(flatten)]
    users: UsersArgs,
    #[command(flatten)]
    table: TableArgs,
}

/// Lays a conversation out in a table.
struct Conversations;

impl Layout for Conversations {
    const COLUMNS: &'static [Column<Entry<Self>>] = &[
        Column::kept("last message (UTC)", |entry| entry.time()),
        Column::new("with", |entry| entry.handle()),
        Column::new("message", |entry| entry.message()),
        Column::kept("group", |entry| entry.uuid()),
    ];
}

impl Command for Args {
    const FORMATS: &'static [Format] = Format::ITEMS;

    async fn run(self, context: Context) -> Result<Outcome, Failure> {
        let ui = &context.ui;
        let explain = self.explain.is_wanted(ui)?;
        let range = match self.year {
            Some(year) => TimeRange::year(year)
                .ok_or_else(|| Failure::refused("--year is outside the years 0000 to 9999"))?,
            None => TimeRange::default(),
        };
        let user = match self.user_uuid {
            Some(user) => user,
            None => self.look_up(&context).await?,
        };
        let store = self.table.open(&context, None).await?.store;
        let reading = Reading {
            partition: PartitionKey::Rows(user),
            range,
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
        let users = self.users.open(context, self.table.is_production()).await?;
        let handle = me(self.handle.as_deref(), &context.environment)?;
        Ok(users.by_handle(handle).await?.uuid)
    }
}
