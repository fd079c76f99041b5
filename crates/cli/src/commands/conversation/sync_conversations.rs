//! `sync-conversations`: access pattern E, rows that follow the newest message.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use ddb_core::Error;
use ddb_core::conversation::{Doubled, Missing, SyncRequest, SyncedRows, sync_rows};
use ddb_core::key::ConversationId;
use ddb_core::store::{Store, Writer};
use ddb_core::stream::{Batch, Begin, CheckpointFile, Lost, News, TableFollower, TableStream};
use serde::Serialize;

use super::stream::{intervals, say_lost, say_renewed};
use crate::args::{TableArgs, TableTarget, WriteArgs};
use crate::failure::{Exit, Failure, Outcome};
use crate::help::examples;
use crate::output::{Cell, Column, Format, Printer, Record, Totals};
use crate::runner::{Command, Context};
use crate::ui::Ui;
use crate::wording::{plural, short};

/// Follows the stream and syncs rows.
///
/// It follows the stream until Ctrl-C. A record only says which conversation changed; its newest message is read
/// from the table. So rows never go back to older messages, and reading the stream again changes nothing.
#[derive(Debug, Parser)]
#[command(name = "sync-conversations", version, after_help = examples(&[
    ("Catch up with the stream, and stop", "ddb sync-conversations --once"),
    ("Follow it, and continue next time where this run stopped", "ddb sync-conversations --checkpoint stream.json"),
]))]
pub struct Args {
    /// Stop when everything in the stream has been read
    #[arg(long)]
    once: bool,
    /// File that keeps the position in the stream; without it, reading starts at the oldest record
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    #[command(flatten)]
    write: WriteArgs,
    #[command(flatten)]
    table: TableArgs,
}

/// Returns how long to wait if an open stream returned nothing.
fn poll(target: &TableTarget) -> Duration {
    Duration::from_millis(if target.is_production() { 1000 } else { 200 })
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
    /// Returns the output for a sync, or `None` if no row changed.
    fn new(conversation: ConversationId, synced: &SyncedRows) -> Option<Self> {
        let (old, new) = synced.updated.first()?;
        Some(Self {
            group_uuid: conversation.to_string(),
            from: Some(old.last_message_at.to_string()),
            to: new.last_message_at.to_string(),
            message: new.text.clone(),
            sender: synced
                .newest
                .as_ref()
                .map(|message| message.sender.handle.clone())
                .unwrap_or_default(),
        })
    }
}

impl Record for Row {
    type Of<'a> = Self;
    const TABLE: &'static [Column<Self>] = &[
        Column::time("time", |row| Cell::time(&row.to)),
        Column::kept("conversation", |row| Cell::text(short(&row.group_uuid))),
        Column::new("from", |row| Cell::text(&row.sender)),
        Column::new("message", |row| Cell::text(&row.message)),
    ];
    const COLUMNS: &'static [Column<Self>] = &[
        Column::time("time", |row| Cell::time(&row.to)),
        Column::kept("group_uuid", |row| Cell::text(&row.group_uuid)),
        Column::new("from", |row| Cell::text(&row.sender)),
        Column::new("message", |row| Cell::text(&row.message)),
    ];
    const LIVE: bool = true;
}

impl Command for Args {
    const FORMATS: &'static [Format] = Format::BASIC;

    fn ends_on_signal(&self) -> bool {
        true
    }

    async fn run(self, context: Context) -> Result<Outcome, Failure> {
        let ui = &context.ui;
        let (target, streams) = self.table.open_with_streams(&context).await?;
        let stream_arn = stream_of(&target.store).await?;
        let stream = TableStream::On(stream_arn.clone());
        let checkpoint = self.checkpoint.as_deref().map(CheckpointFile::take);
        let checkpoint = checkpoint.transpose()?;
        let begin = match &checkpoint {
            Some(file) => file.read(&stream_arn)?.map_or(Begin::Oldest, Begin::After),
            None => Begin::Oldest,
        };
        let writer = target.allow_writing(&self.write)?;
        let store = target.store.clone();
        let mut sync = Sync {
            follower: TableFollower::new(store, streams, &stream, begin, intervals(&target)),
            checkpoint,
            writer,
            ui,
            records: 0,
            updated: 0,
            passed_over: 0,
            failed: 0,
        };
        if !self.once {
            ui.note("following the stream; press Ctrl-C to stop");
        }
        let mut printer = ui.printer::<Row>();
        self.follow(&mut sync, &mut printer, poll(&target), &context)
            .await?;
        printer.finish(Totals::default())?;
        sync.say();
        match sync.failed {
            0 => Ok(Outcome::Done),
            some => {
                let failed = plural(some, "conversation", "conversations");
                let message = format!("{failed} could not be synced; the warnings say why");
                Err(Failure::new(Exit::Partly, message))
            }
        }
    }
}

async fn stream_of(store: &Store) -> Result<String, Failure> {
    match TableStream::of(store).await? {
        TableStream::On(arn) => Ok(arn),
        TableStream::Off => Err(Failure::refused(format!(
            "{}: the table has no stream",
            store.destination()
        ))
        .hint("`ddb schema-load --apply` turns it on")),
        TableStream::NoTable => Err(Failure::no_table(store)),
    }
}

impl Args {
    async fn follow(
        &self,
        sync: &mut Sync<'_>,
        printer: &mut Printer<Row>,
        poll: Duration,
        context: &Context,
    ) -> Result<(), Failure> {
        loop {
            // Reading may be interrupted at any point; writing is always finished.
            let news = tokio::select! {
                () = context.stopped() => return Ok(()),
                news = sync.follower.next() => news?,
            };
            match news {
                News::Batch(batch) if batch.records > 0 => {
                    sync.sync_rows(batch, printer).await?;
                    sync.keep()?;
                    continue;
                }
                News::Batch(batch) => sync.sync_rows(batch, printer).await?,
                News::Lost(lost) if self.once => return sync.end(lost),
                News::Lost(lost) => say_lost(lost, &sync.writer, sync.ui, "waiting for it"),
                News::Renewed => {
                    sync.say_renewed();
                    sync.keep()?;
                    continue;
                }
            }
            if self.once && sync.follower.is_caught_up() {
                return Ok(());
            }
            tokio::select! {
                () = context.stopped() => return Ok(()),
                () = tokio::time::sleep(poll) => {}
            }
        }
    }
}

struct Sync<'a> {
    follower: TableFollower,
    checkpoint: Option<CheckpointFile>,
    writer: Writer,
    ui: &'a Ui,
    records: u64,
    updated: u64,
    passed_over: u64,
    /// Conversations whose rows could not be written.
    failed: u64,
}

impl Sync<'_> {
    /// Syncs the rows of every conversation of a batch once, and then marks the batch as read.
    async fn sync_rows(&mut self, batch: Batch, printer: &mut Printer<Row>) -> Result<(), Failure> {
        for shard in &batch.trimmed {
            self.ui.warn(&format!(
                "records of {shard} were gone before they were read (a stream keeps 24 hours): conversations may have been missed"
            ));
        }
        for conversation in batch.conversations() {
            let request = SyncRequest {
                conversation,
                missing: Missing::PassOver,
                doubled: Doubled::Leave,
                never_back: false,
            };
            let synced = match sync_rows(&self.writer, &request).await {
                Ok(synced) => synced,
                Err(Error::Call(error))
                    if error.is_missing() && self.follower.has_lost_its_table().await? =>
                {
                    return Ok(());
                }
                // Other conversations are not affected, and the stream continues.
                Err(error) if error.is_of_one_conversation() => {
                    self.failed += 1;
                    self.ui
                        .warn(&format!("{conversation} is left as it is: {error}"));
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            self.say_odd(conversation, &synced);
            if let Some(row) = Row::new(conversation, &synced) {
                self.updated += 1;
                let printed = printer.print(&row).and_then(|()| printer.flush());
                printed.map_err(|failure| {
                    failure.after(&format!("the rows of {conversation} were updated"))
                })?;
            }
        }
        self.records += batch.records;
        self.follower.commit(batch);
        Ok(())
    }

    /// Saves how far the stream was read, after all of that was processed.
    fn keep(&self) -> Result<(), Failure> {
        if let (Some(file), Some(checkpoint)) = (&self.checkpoint, self.follower.checkpoint()) {
            file.write(&checkpoint)?;
        }
        Ok(())
    }

    /// Ends a run with `--once`.
    fn end(&self, lost: Lost) -> Result<(), Failure> {
        match lost {
            Lost::Table => Err(Failure::no_table(&self.writer)),
            Lost::Stream => {
                say_lost(lost, &self.writer, self.ui, "what it held was read");
                Ok(())
            }
        }
    }

    fn say_renewed(&self) {
        say_renewed(&self.writer, self.ui);
        self.ui.hint("messages that were written while there was no stream are not in it; `ddb check-conversations` finds rows that are behind");
    }

    fn say_odd(&mut self, conversation: ConversationId, synced: &SyncedRows) {
        if synced.newest.is_some() && synced.missing == 2 {
            self.passed_over += 1;
            self.ui
                .warn(&format!("{conversation} has messages and no rows; skipped"));
        } else if synced.newest.is_some() && synced.missing == 1 {
            self.ui.warn(&format!(
                "{conversation} has a row for one of its people only"
            ));
        }
        if !synced.doubled.is_empty() {
            self.ui.warn(&format!(
                "{conversation} has more than one row for a participant"
            ));
        }
    }

    fn say(&self) {
        let synced = plural(self.updated, "conversation synced", "conversations synced");
        let passed_over = match self.passed_over {
            0 => String::new(),
            some => format!(", {some} skipped"),
        };
        self.ui.note(&format!(
            "{}, {synced}{passed_over}",
            plural(self.records, "record", "records")
        ));
    }
}
