//! `get-conversation`: access pattern A, the messages of a conversation.

use std::collections::HashSet;

use clap::Parser;
use ddb_core::conversation::{has_items, look};
use ddb_core::handle::PersonName;
use ddb_core::item::RawItem;
use ddb_core::key::PartitionKey;
use ddb_core::store::Direction;
use ddb_core::timestamp::Timestamp;

use super::follow::Following;
use super::partition::{Entry, Layout, Reading};
use super::stream::intervals;
use crate::args::{
    Asked, ConversationArgs, FilterArgs, LimitArgs, RangeArgs, SEEDED_GROUP, TableArgs, UsersArgs,
};
use crate::commands::explain::ExplainArgs;
use crate::failure::{Exit, Failure, Outcome};
use crate::help::examples;
use crate::output::{Column, Format, Printer};
use crate::runner::{Command, Context};
use crate::ui::Ui;

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Order {
    /// Oldest first.
    Asc,
    /// Newest first.
    Desc,
}

/// Shows the newest messages of a conversation.
#[derive(Debug, Parser)]
#[command(name = "get-conversation", version, after_help = examples(&[
    ("What bayko wrote yesterday about cake", "ddb get-conversation bayko --by bayko --since yesterday --until today \\\n      \
        --contains cake"),
    ("What bayko and you wrote since yesterday, and what comes next", "ddb get-conversation bayko --since yesterday --follow"),
    ("All of it, for a spreadsheet", "ddb get-conversation --all -o csv > conversation.csv"),
    ("All of it, as one web page to share", "ddb get-conversation --all -o html > conversation.html"),
]))]
pub struct Args {
    #[command(flatten)]
    conversation: ConversationArgs,
    /// Person whose conversations short names refer to [env: DDB_ME] [default: andrewbrown]
    #[arg(long, value_name = "HANDLE")]
    me: Option<PersonName>,
    /// Order of the messages: asc, the oldest first, or desc
    #[arg(
        long,
        value_enum,
        default_value = "asc",
        value_name = "ORDER",
        hide_possible_values = true
    )]
    order: Order,
    /// Keep showing new messages as they come, until Ctrl-C
    #[arg(long, conflicts_with_all = ["year", "until", "order", "explain"])]
    follow: bool,
    /// Add the rows of both people, for `ddb import`; with -o ddb-json
    #[arg(long, conflicts_with_all = ["follow", "explain"])]
    with_rows: bool,
    /// Show the plain table even at a terminal
    #[arg(long)]
    no_transcript: bool,
    #[command(flatten)]
    explain: ExplainArgs,
    #[command(flatten)]
    limit: LimitArgs,
    #[command(flatten)]
    range: RangeArgs,
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    users: UsersArgs,
    #[command(flatten)]
    table: TableArgs,
}

/// The layout of a message in a table.
struct Messages;

impl Layout for Messages {
    const MESSAGES: bool = true;
    const TIME: &'static str = "created_at";
    const TABLE: &'static [Column<Entry<Self>>] = &[
        Column::time("time", |entry| entry.time()),
        Column::new("from", |entry| entry.handle()),
        Column::new("message", |entry| entry.message()),
    ];
    const COLUMNS: &'static [Column<Entry<Self>>] = &[
        Column::time("time", |entry| entry.time()),
        Column::new("from", |entry| entry.handle()),
        Column::new("message", |entry| entry.message()),
        Column::id("message_uuid", |entry| entry.message_uuid()),
        Column::id("user_uuid", |entry| entry.user_uuid()),
        Column::new("display_name", |entry| entry.display_name()),
        Column::id("group_uuid", |entry| entry.conversation()),
    ];
    const CSV: &'static [Column<Entry<Self>>] = &[
        Column::id("group_uuid", |entry| entry.conversation()),
        Column::id("message_uuid", |entry| entry.message_uuid()),
        Column::id("user_uuid", |entry| entry.user_uuid()),
        Column::new("handle", |entry| entry.handle()),
        Column::new("display_name", |entry| entry.display_name()),
        Column::new("message", |entry| entry.message()),
        Column::new("created_at", |entry| entry.stored_time()),
    ];
}

impl Command for Args {
    const FORMATS: &'static [Format] = Format::MESSAGES;

    fn ends_on_signal(&self) -> bool {
        self.follow
    }

    fn is_paged(&self) -> bool {
        !self.follow
    }

    async fn run(self, context: Context) -> Result<Outcome, Failure> {
        let ui = &context.ui;
        let explain = self.explain.is_wanted(ui)?;
        if self.with_rows && ui.format() != Format::DdbJson {
            return Err(Failure::refused("--with-rows is for -o ddb-json")
                .hint("the other formats have messages only: add -o ddb-json"));
        }
        let now = Timestamp::now();
        let filter = self.filter.within(&self.range, now, context.zones)?;
        let asked = self.conversation.asked();
        let looked_up = match &asked {
            Some(Asked::LookUp(short)) => {
                let (users, production) = (&self.users, self.table.is_production());
                let (me, users) = users
                    .open_me(self.me.as_ref(), &context, production)
                    .await?;
                Some((short, me, users))
            }
            _ => None,
        };
        let (store, streams) = if self.follow {
            let (site, streams) = self.table.open_with_streams(&context).await?;
            let intervals = intervals(&site);
            (site.store, Some((streams, intervals)))
        } else {
            (self.table.open(&context, None).await?.store, None)
        };
        let conversation = match (looked_up, &asked) {
            (Some((short, me, users)), _) => {
                short.find(&store, &me, users.as_ref(), &context).await?
            }
            (None, Some(Asked::Id(id))) => *id,
            _ => SEEDED_GROUP,
        };
        let reading = Reading {
            partition: PartitionKey::Messages(conversation),
            filter,
            limit: self.limit.limit(),
            remember: self.follow,
            shown: match self.order {
                Order::Asc => Direction::Ascending,
                Order::Desc => Direction::Descending,
            },
        };
        if explain {
            if self
                .conversation
                .asked()
                .is_some_and(|asked| asked.is_short())
            {
                ui.note(&format!(
                    "looked up in the rows: conversation {conversation}"
                ));
            }
            return reading.explain(&store, ui).await;
        }
        let absent = async || {
            if !reading.filter.is_everything() && has_items(&store, reading.partition).await? {
                return Ok(());
            }
            Err(Failure::new(
                Exit::NotFound,
                format!("{}: no conversation {conversation}", store.destination()),
            )
            .hint(if conversation == SEEDED_GROUP {
                "`ddb seed` loads one"
            } else {
                "`ddb list-conversations` shows yours"
            }))
        };
        // Following starts before the conversation is read, so that no message is missed.
        let following = match streams {
            Some((streams, intervals)) => {
                Some(Following::begin(&store, streams, intervals, conversation, ui).await?)
            }
            None => None,
        };
        let after = async |printer: &mut Printer<Entry<Messages>>, shown: HashSet<String>| {
            if self.with_rows {
                let found = look(&store, conversation, &[]).await?;
                for row in found.into_iter().flat_map(|(_, rows)| rows) {
                    printer.print(&Entry::new(RawItem::from(&row)))?;
                }
            }
            match following {
                Some(following) => {
                    context.ui.note("following; press Ctrl-C to stop");
                    following
                        .go_on::<Messages>(printer, &reading.filter, shown, &context)
                        .await
                }
                None => Ok(()),
            }
        };
        reading
            .show::<Messages>(
                &store,
                self.printer(ui),
                ui,
                ("message", "messages"),
                absent,
                after,
            )
            .await?;
        Ok(Outcome::Done)
    }
}

impl Args {
    /// Opens a transcript on a terminal, unless the table is wanted.
    fn printer(&self, ui: &Ui) -> Printer<Entry<Messages>> {
        let wanted = !self.no_transcript;
        let transcript = wanted.then(|| ui.transcript()).flatten();
        transcript.unwrap_or_else(|| ui.printer())
    }
}
