//! `get-conversation`: access pattern A, the messages of a conversation.

use std::collections::HashSet;

use clap::Parser;
use ddb_core::conversation::{conversation_between, has_items};
use ddb_core::key::{ConversationId, PartitionKey};
use ddb_core::store::{Direction, Store};
use ddb_core::timestamp::Timestamp;
use ddb_people::users::User;

use super::follow::Following;
use super::partition::{Entry, Layout, Reading};
use super::stream::intervals;
use crate::args::SEEDED_GROUP;
use crate::args::{LimitArgs, RangeArgs, TableArgs, UsersArgs, id, me};
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
    ("The newest five messages of the seeded conversation", "ddb get-conversation --limit 5"),
    ("What bayko and you wrote since yesterday, as it comes", "ddb get-conversation --with bayko --since -1d --follow"),
    ("All of it, for a spreadsheet", "ddb get-conversation --all -o csv > conversation.csv"),
    ("All of it, as one page to hand over", "ddb get-conversation --all -o html > conversation.html"),
]))]
pub struct Args {
    /// Id of the conversation; the seeded one where none is given
    #[arg(value_name = "GROUP_UUID", conflicts_with = "with", value_parser = id::<ConversationId>)]
    conversation: Option<ConversationId>,
    /// Find the conversation with this person
    #[arg(long, value_name = "HANDLE")]
    with: Option<String>,
    /// Whose conversation --with finds [env: DDB_ME] [default: andrewbrown]
    #[arg(long, value_name = "HANDLE", requires = "with")]
    me: Option<String>,
    /// Order of the messages: asc, the oldest first, or desc
    #[arg(
        long,
        value_enum,
        default_value = "asc",
        value_name = "ORDER",
        hide_possible_values = true
    )]
    order: Order,
    /// Go on showing new messages as they come, until Ctrl-C
    #[arg(long, conflicts_with_all = ["year", "until", "order", "explain"])]
    follow: bool,
    /// Show the plain table at a terminal, too
    #[arg(long)]
    no_transcript: bool,
    #[command(flatten)]
    explain: ExplainArgs,
    #[command(flatten)]
    limit: LimitArgs,
    #[command(flatten)]
    range: RangeArgs,
    #[command(flatten)]
    users: UsersArgs,
    #[command(flatten)]
    table: TableArgs,
}

/// Lays a message out in a table.
struct Messages;

impl Layout for Messages {
    const COLUMNS: &'static [Column<Entry<Self>>] = &[
        Column::kept("time (UTC)", |entry| entry.time()),
        Column::new("from", |entry| entry.handle()),
        Column::new("message", |entry| entry.message()),
    ];
}

impl Command for Args {
    const FORMATS: &'static [Format] = Format::MESSAGES;

    fn ends_on_signal(&self) -> bool {
        self.follow
    }

    async fn run(self, context: Context) -> Result<Outcome, Failure> {
        let ui = &context.ui;
        let explain = self.explain.is_wanted(ui)?;
        let range = self.range.range(Timestamp::now())?;
        let people = match &self.with {
            Some(with) => Some(self.people(with, &context).await?),
            None => None,
        };
        let (store, streams) = if self.follow {
            let (site, streams) = self.table.open_with_streams(&context).await?;
            let intervals = intervals(&site);
            (site.store, Some((streams, intervals)))
        } else {
            (self.table.open(&context, None).await?.store, None)
        };
        let conversation = match people {
            Some(people) => find_conversation(&store, &people).await?,
            None => self.conversation.unwrap_or(SEEDED_GROUP),
        };
        let reading = Reading {
            partition: PartitionKey::Messages(conversation),
            range,
            limit: self.limit.limit(),
            remember: self.follow,
            shown: match self.order {
                Order::Asc => Direction::Ascending,
                Order::Desc => Direction::Descending,
            },
        };
        if explain {
            return reading.explain(&store, ui).await;
        }
        let absent = async || {
            if !range.is_everything() && has_items(&store, reading.partition).await? {
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
        // What comes while the conversation is read is not to be missed, so the following begins before.
        let following = match streams {
            Some((streams, intervals)) => {
                Some(Following::begin(&store, streams, intervals, conversation, ui).await?)
            }
            None => None,
        };
        let follow = async |printer: &mut Printer<Entry<Messages>>, shown: HashSet<String>| {
            match following {
                Some(following) => {
                    context.ui.note("following; Ctrl-C ends it");
                    following.go_on::<Messages>(printer, shown, &context).await
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
                follow,
            )
            .await?;
        Ok(Outcome::Done)
    }
}

impl Args {
    /// Opens a transcript at a terminal, unless the table is wanted.
    fn printer(&self, ui: &Ui) -> Printer<Entry<Messages>> {
        let wanted = !self.no_transcript;
        let transcript = wanted.then(|| ui.transcript()).flatten();
        transcript.unwrap_or_else(|| ui.printer())
    }

    /// Finds the two people of `--with` and `--me`.
    async fn people(&self, with: &str, context: &Context) -> Result<[User; 2], Failure> {
        let me = me(self.me.as_deref(), &context.environment)?;
        if me == with {
            return Err(Failure::refused(format!(
                "--with and --me are both `{me}`: a conversation has two people"
            )));
        }
        let users = self.users.open(context, self.table.is_production()).await?;
        Ok([users.by_handle(me).await?, users.by_handle(with).await?])
    }
}

/// Finds the one conversation of two people.
async fn find_conversation(
    store: &Store,
    [me, with]: &[User; 2],
) -> Result<ConversationId, Failure> {
    match conversation_between(store, me.uuid, with.uuid)
        .await?
        .as_slice()
    {
        [conversation] => Ok(*conversation),
        [] => Err(Failure::new(
            Exit::NotFound,
            format!(
                "{}: no conversation of {} with {}",
                store.destination(),
                me.handle,
                with.handle
            ),
        )
        .hint(format!(
            "`ddb list-conversations {}` shows what there is",
            me.handle
        ))),
        several => {
            let ids: Vec<String> = several.iter().map(ToString::to_string).collect();
            Err(Failure::refused(format!(
                "{}: {} and {} have {} conversations",
                store.destination(),
                me.handle,
                with.handle,
                several.len()
            ))
            .hint(format!("name one of them: {}", ids.join(", "))))
        }
    }
}
