//! `sync-conversations`: access pattern E, group rows that follow the newest message.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use ddb_core::conversation::{Doubled, Missing, Settled, Settlement, settle};
use ddb_core::guard::WriteToken;
use ddb_core::key::MessageGroupId;
use ddb_core::store::Store;
use ddb_core::stream::{Batch, Begin, Checkpoint, Follower};
use ddb_core::timestamp::Timestamp;
use serde::Serialize;

use super::{counted, utc};
use crate::args::{CommonArgs, Site, TableArgs, WriteArgs};
use crate::failure::{Exit, Failure, Outcome};
use crate::help::examples;
use crate::launch::{Command, Context};
use crate::output::{Cell, Column, Format, Printer, Record, Totals};
use crate::ui::Ui;

/// Moves rows to their newest message, by the stream.
///
/// It follows the stream until Ctrl-C. A record only names a conversation; its newest message is read from the table. So nothing goes back,
/// and reading the stream again changes nothing.
#[derive(Debug, Parser)]
#[command(name = "sync-conversations", version, after_help = examples(&[
    ("Catch up with the stream, and end", "ddb sync-conversations --once"),
    ("Go on, and begin next time where this one ended", "ddb sync-conversations --checkpoint stream.json"),
]))]
pub struct Args {
    /// End when all that is in the stream now has been read
    #[arg(long)]
    once: bool,
    /// File that keeps how far the stream was read; without it, it is read from its oldest record
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    #[command(flatten)]
    write: WriteArgs,
    #[command(flatten)]
    table: TableArgs,
    #[command(flatten)]
    common: CommonArgs,
}

/// How often an open stream is looked at, and how long it has to give nothing to be at its end.
struct Pace {
    poll: Duration,
    empty: Duration,
}

impl Pace {
    fn of(site: &Site) -> Self {
        if site.is_production() {
            Self {
                poll: Duration::from_secs(1),
                empty: Duration::from_secs(5),
            }
        } else {
            Self {
                poll: Duration::from_millis(200),
                empty: Duration::from_secs(2),
            }
        }
    }
}

#[derive(Debug, Serialize)]
struct Row {
    group_uuid: String,
    from: Option<String>,
    to: String,
    message: String,
    #[serde(skip)]
    sender: String,
}

impl Row {
    /// Returns what is shown of a move; `None` where nothing moved.
    fn new(group: MessageGroupId, settled: &Settled) -> Option<Self> {
        let (old, new) = settled.moved.first()?;
        Some(Self {
            group_uuid: group.to_string(),
            from: Some(old.last_message_at.to_string()),
            to: new.last_message_at.to_string(),
            message: new.text.clone(),
            sender: settled
                .newest
                .as_ref()
                .map(|message| message.sender.handle.clone())
                .unwrap_or_default(),
        })
    }
}

impl Record for Row {
    const COLUMNS: &'static [Column] = &[
        Column::kept("time (UTC)"),
        Column::kept("group"),
        Column::new("from"),
        Column::new("message"),
    ];
    const LIVE: bool = true;

    fn rows(&self) -> Vec<Vec<Cell>> {
        vec![vec![
            Cell::text(utc(&self.to)),
            Cell::text(&self.group_uuid),
            Cell::text(&self.sender),
            Cell::text(&self.message),
        ]]
    }
}

impl Command for Args {
    const FORMATS: &'static [Format] = Format::BASIC;

    fn common(&self) -> &CommonArgs {
        &self.common
    }

    fn ends_on_signal(&self) -> bool {
        true
    }

    async fn run(self, context: Context) -> Result<Outcome, Failure> {
        let ui = &context.ui;
        let (site, streams) = self.table.open_with_streams(&context).await?;
        let stream_arn = stream_of(&site.store).await?;
        let begin = match &self.checkpoint {
            Some(path) => Checkpoint::read(path, &stream_arn)?.map_or(Begin::Oldest, Begin::After),
            None => Begin::Oldest,
        };
        let token = site.allow_writing(&self.write)?;
        let mut sync = Sync {
            follower: Follower::new(streams, &stream_arn, begin, Timestamp::now()),
            store: &site.store,
            token: &token,
            ui,
            records: 0,
            moved: 0,
            passed_over: 0,
        };
        if !self.once {
            ui.note("following the stream; Ctrl-C ends it");
        }
        let mut printer = ui.printer::<Row>();
        if let Err(failure) = self
            .follow(&mut sync, &mut printer, &Pace::of(&site), &context)
            .await
        {
            printer.abandon();
            return Err(failure);
        }
        printer.finish(Totals::default())?;
        sync.say();
        Ok(Outcome::Done)
    }
}

/// Returns the stream of the table, where it has one.
pub(super) async fn stream_if_any(store: &Store) -> Result<Option<String>, Failure> {
    let missing = || {
        let message = format!("DescribeTable on {}: there is no such table", store.place());
        Failure::new(Exit::NotFound, message).hint("`ddb schema-load` creates the table")
    };
    let table = store.describe().await?.ok_or_else(missing)?;
    let enabled = table
        .stream_specification()
        .is_some_and(|stream| stream.stream_enabled());
    Ok(table
        .latest_stream_arn()
        .filter(|_| enabled)
        .map(str::to_owned))
}

async fn stream_of(store: &Store) -> Result<String, Failure> {
    stream_if_any(store).await?.ok_or_else(|| {
        Failure::refused(format!("{}: the table has no stream", store.place()))
            .hint("`ddb schema-load --apply` turns it on")
    })
}

impl Args {
    async fn follow<W: Write>(
        &self,
        sync: &mut Sync<'_>,
        printer: &mut Printer<W>,
        pace: &Pace,
        context: &Context,
    ) -> Result<(), Failure> {
        loop {
            // Reading may be cut off at any point; writing is always finished.
            let batch = tokio::select! {
                () = context.stopped() => return Ok(()),
                batch = sync.follower.next() => batch?,
            };
            let records = batch.records;
            sync.settle(batch, printer).await?;
            if let Some(path) = self.checkpoint.as_ref().filter(|_| records > 0) {
                sync.follower.checkpoint().write(path)?;
            }
            if records > 0 {
                continue;
            }
            if self.once && sync.follower.is_caught_up(pace.empty) {
                return Ok(());
            }
            tokio::select! {
                () = context.stopped() => return Ok(()),
                () = tokio::time::sleep(pace.poll) => {}
            }
        }
    }
}

struct Sync<'a> {
    follower: Follower,
    store: &'a Store,
    token: &'a WriteToken,
    ui: &'a Ui,
    records: u64,
    moved: u64,
    passed_over: u64,
}

impl Sync<'_> {
    /// Moves the rows of every conversation of a batch once, and takes the batch for read after that.
    async fn settle<W: Write>(
        &mut self,
        batch: Batch,
        printer: &mut Printer<W>,
    ) -> Result<(), Failure> {
        for shard in &batch.trimmed {
            self.ui.warn(&format!(
                "records of {shard} were gone before they were read (a stream keeps 24 hours): conversations may have been missed"
            ));
        }
        for group in batch.groups() {
            let settlement = Settlement {
                group,
                missing: Missing::PassOver,
                doubled: Doubled::Leave,
                never_back: false,
            };
            let settled = settle(self.store, self.token, &settlement).await?;
            self.say_odd(group, &settled);
            if let Some(row) = Row::new(group, &settled) {
                self.moved += 1;
                let printed = printer.print(&row).and_then(|()| printer.flush());
                printed
                    .map_err(|failure| failure.after(&format!("the rows of {group} were moved")))?;
            }
        }
        self.records += batch.records;
        self.follower.commit(batch);
        Ok(())
    }

    fn say_odd(&mut self, group: MessageGroupId, settled: &Settled) {
        if settled.newest.is_some() && settled.missing == 2 {
            self.passed_over += 1;
            self.ui
                .warn(&format!("{group} has messages and no rows; passed over"));
        } else if settled.newest.is_some() && settled.missing == 1 {
            self.ui
                .warn(&format!("{group} has a row for one of its people only"));
        }
        if !settled.doubled.is_empty() {
            self.ui
                .warn(&format!("{group} has more than one row for a participant"));
        }
    }

    fn say(&self) {
        let moved = counted(self.moved, "conversation moved", "conversations moved");
        let passed_over = match self.passed_over {
            0 => String::new(),
            some => format!(", {some} passed over"),
        };
        self.ui.note(&format!(
            "{}, {moved}{passed_over}",
            counted(self.records, "record", "records")
        ));
    }
}
