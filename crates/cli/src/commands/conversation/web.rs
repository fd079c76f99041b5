//! `ddb web`: conversations in the browser.

use std::io::{BufRead, IsTerminal};

use axum::Router;
use clap::Parser;
use ddb_core::conversation::has_items;
use ddb_core::handle::PersonName;
use ddb_core::key::PartitionKey;
use ddb_web::{LiveSource, Pages, Pen, Readable, Server, Setting};
use serde::Serialize;
use tokio::sync::mpsc;

use super::stream::intervals;
use crate::args::{Asked, ConversationArgs, TableArgs, UsersArgs, WriteArgs};
use crate::commands::local::listening;
use crate::failure::{Exit, Failure, Outcome};
use crate::help::examples;
use crate::output::{Cell, Column, Format, Record, Totals};
use crate::runner::{Command, Context};

/// Shows conversations in the browser.
///
/// It prints a link that works once; press Enter for a new one, and Ctrl-C to stop. The page shows the conversations
/// of --me, new messages as they come, a search, and each item as it is stored. It can write only with --write.
#[derive(Debug, Parser)]
#[command(name = "web", version, after_help = examples(&[
    ("Open the conversation with bayko", "ddb web bayko"),
    ("Write in the browser as bayko", "ddb web --me bayko --write"),
]))]
pub struct Args {
    #[command(flatten)]
    conversation: ConversationArgs,
    /// Whose conversations are shown, and who writes [env: DDB_ME] [default: andrewbrown]
    #[arg(long, value_name = "HANDLE")]
    me: Option<PersonName>,
    /// Port to listen on; 0 picks a free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    port: u16,
    /// Let the page write messages
    #[arg(long)]
    write: bool,
    #[command(flatten)]
    users: UsersArgs,
    #[command(flatten)]
    allow: WriteArgs,
    #[command(flatten)]
    table: TableArgs,
}

#[derive(Debug, Serialize)]
struct Row {
    link: String,
}

impl Record for Row {
    type Of<'a> = Self;
    const COLUMNS: &'static [Column<Self>] = &[Column::kept("link", |row| Cell::text(&row.link))];
}

impl Command for Args {
    const FORMATS: &'static [Format] = Format::BASIC;
    const WITHOUT: &'static [&'static str] = &["no_progress", "timeout"];

    fn ends_on_signal(&self) -> bool {
        true
    }

    async fn run(self, context: Context) -> Result<Outcome, Failure> {
        let production = self.table.is_production();
        let (me, users) = self
            .users
            .open_me(self.me.as_ref(), &context, production)
            .await?;
        let source = users.as_ref().map(|users| users.source());
        let (site, live) = if production {
            // A stream has at most two readers, and the application's function is one of them.
            (self.table.open(&context, source).await?, LiveSource::Table)
        } else {
            let (site, streams) = self.table.open_with_streams(&context).await?;
            let live = LiveSource::Stream(streams, intervals(&site));
            (site, live)
        };
        let store = site.store.clone();
        // If the table does not exist or cannot be read, that is reported here and not in the browser.
        has_items(&store, PartitionKey::Rows(me.id)).await?;
        let open = match self.conversation.asked() {
            None => None,
            Some(Asked::Id(id)) => Some(id),
            Some(Asked::LookUp(short)) => {
                Some(short.find(&store, &me, users.as_ref(), &context).await?)
            }
        };
        let setting = Setting {
            target: store.destination().to_string(),
            production,
            me: me.id,
            name: me.name.to_string(),
            zone: context.zones.times,
            open,
            writes: self.write,
        };
        if !self.write {
            let server = Server::bind(self.port)?;
            let pages = Pages::<ddb_core::store::Store>::new(store, setting, live, server.port());
            let router = pages.router();
            return show(server, pages, router, &context).await;
        }
        let users = users.ok_or_else(|| {
            Failure::refused("the writer has to be among the users, and no users are named")
                .hint("--users or --database-url names one")
        })?;
        let sender = users.named(&me.name).await?.person();
        let writer = site.allow_writing(&self.allow)?;
        let server = Server::bind(self.port)?;
        let pages = Pages::<Pen>::new(Pen { writer, sender }, setting, live, server.port());
        let router = pages.router();
        show(server, pages, router, &context).await
    }
}

/// Serves the pages until the command is stopped.
async fn show<S: Readable>(
    server: Server,
    pages: Pages<S>,
    router: Router,
    context: &Context,
) -> Result<Outcome, Failure> {
    let ui = &context.ui;
    let no_link = |error| Failure::new(Exit::Failed, format!("making a link: {error}"));
    let mut printer = ui.printer::<Row>();
    printer.print(&Row {
        link: pages.link().map_err(no_link)?,
    })?;
    printer.finish(Totals::default())?;
    let enter = lines_of_terminal();
    if enter.is_some() {
        ui.note("the link works once; press Enter for a new one");
    }
    ui.note(&listening(server.addresses()));
    let renewing = async {
        let Some(mut enter) = enter else {
            return std::future::pending().await;
        };
        while enter.recv().await.is_some() {
            match pages.link() {
                Ok(link) => ui.note(&link),
                Err(error) => return Err(no_link(error)),
            }
        }
        std::future::pending().await
    };
    tokio::select! {
        served = server.run(router, context.stopped()) => served.map_err(served_badly)?,
        renewed = renewing => renewed?,
        () = pages.follow() => {}
    }
    ui.note("ended");
    Ok(Outcome::Done)
}

/// Describes a failure while a server was listening.
pub(super) fn served_badly(error: std::io::Error) -> Failure {
    Failure::new(Exit::Failed, format!("listening: {error}"))
}

/// Reports each line that is typed, or returns `None` if there is no terminal.
fn lines_of_terminal() -> Option<mpsc::Receiver<()>> {
    if !std::io::stdin().is_terminal() {
        return None;
    }
    let (typed, lines) = mpsc::channel(1);
    // Reading from a terminal cannot be cancelled, so this thread ends with the process.
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            if line.is_err() || typed.blocking_send(()).is_err() {
                return;
            }
        }
    });
    Some(lines)
}
