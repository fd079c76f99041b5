//! `import`: restores items from the files of a scan or an export.

mod counts;

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use ddb_core::import::{Checked, Import, ImportError, Left, LinesRead, Source, SourceError, Tally};
use ddb_core::rate_limit::Rate;
use ddb_core::store::TableSummary;

use crate::args::{TableArgs, TableTarget, WriteArgs};
use crate::failure::{Exit, Failure, Outcome};
use crate::help::examples;
use crate::output::Format;
use crate::runner::{Command, Context};
use crate::ui::Ui;
use crate::wording::plural;
use counts::{Counts, What};

/// How often the progress is updated.
const TICK: Duration = Duration::from_millis(100);
/// The bytes of the unit in which progress is shown.
const KILOBYTE: u64 = 1000;

/// Imports items from files that `scan -o ddb-json` or an export to S3 wrote.
///
/// Each line is `{"Item": {...}}`, in DynamoDB JSON; the files may be compressed with gzip. The folder of an
/// export to S3 is read as a whole and checked against its checksums.
///
/// The files are read twice: nothing is written until every line has been checked. Items in the table are never
/// changed. An item that is already there counts as unchanged. If its key holds other content, or the person has
/// another row for the conversation, it is skipped and counts as different, and the exit code is 5. To continue an
/// import that was interrupted, run it again.
#[derive(Debug, Parser)]
#[command(name = "import", version, after_help = examples(&[
    ("Back up, and restore", "ddb scan -o ddb-json | gzip > backup.jsonl.gz\n    \
        ddb import backup.jsonl.gz"),
    ("Check that the table has all of it, and nothing else", "ddb import backup.jsonl.gz --check"),
]))]
pub struct Args {
    /// Files with one item a line, folders of exports to S3, or - for standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Compare the whole table with the files, both ways, and write nothing; exit 3 if they differ
    #[arg(long, conflicts_with_all = ["dry_run", "max_wcu", "stream_readers_ready", "yes"])]
    check: bool,
    /// Show what would be written, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Skip lines that cannot be imported, and count them
    #[arg(long)]
    skip_bad: bool,
    /// Use at most N write capacity units a second
    #[arg(long, value_name = "N")]
    max_wcu: Option<NonZeroU32>,
    /// Use at most N read capacity units a second for --check
    #[arg(long, value_name = "N", requires = "check")]
    max_rcu: Option<NonZeroU32>,
    /// Put messages in production although the table has a stream: its readers are stopped, or can take them
    #[arg(long)]
    stream_readers_ready: bool,
    #[command(flatten)]
    write: WriteArgs,
    #[command(flatten)]
    table: TableArgs,
}

impl Command for Args {
    const FORMATS: &'static [Format] = Format::BASIC;

    async fn run(self, context: Context) -> Result<Outcome, Failure> {
        let ui = &context.ui;
        let files = self.files.clone();
        let opened = on_a_thread(move || Source::open(&files, std::io::stdin()));
        let source = Arc::new(ui.wait("reading", opened).await?);
        let target = self.table.open(&context, None).await?;
        let table = target.store.describe_existing().await?;
        if !table.shape.has_own_keys() {
            let message = format!(
                "{}: its keys are {}, not those of messages and rows",
                target.store.destination(),
                table.shape.keys
            );
            return Err(Failure::refused(message).hint("--table names another table"));
        }
        let checked = Arc::new(look(&source, ui).await?);
        self.judge(&checked, ui)?;
        if self.check {
            return self.compare(&checked, &target, ui).await;
        }
        self.write(&source, &checked, &target, &table, ui).await
    }
}

/// Runs work that waits for files on a thread for blocking work.
async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SourceError> + Send + 'static,
) -> Result<T, Failure> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => Ok(done?),
        Err(fault) => std::panic::resume_unwind(fault.into_panic()),
    }
}

/// Waits for work that reads lines, and shows its progress.
async fn watch<T>(
    readings: u64,
    source: &Source,
    read: &LinesRead,
    ui: &Ui,
    work: impl Future<Output = T>,
) -> T {
    let mut progress = ui.progress("kB", Some(source.bytes() * readings / KILOBYTE));
    let mut tick = tokio::time::interval(TICK);
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            _ = tick.tick() => progress.set(read.bytes() / KILOBYTE),
        }
    }
}

/// Checks every line.
async fn look(source: &Arc<Source>, ui: &Ui) -> Result<Checked, Failure> {
    let read = Arc::new(LinesRead::default());
    let (files, counter) = (Arc::clone(source), Arc::clone(&read));
    let checked = on_a_thread(move || ddb_core::import::check(&files, &counter));
    watch(1, source, &read, ui, checked).await
}

impl Args {
    /// Prints the lines that cannot be imported, and fails if there are any, unless they are to be skipped.
    fn judge(&self, checked: &Checked, ui: &Ui) -> Result<(), Failure> {
        for bad in &checked.bad {
            ui.warn(&format!("{}: {}", bad.place, bad.fault));
        }
        let unnamed = checked.refused - checked.bad.len() as u64;
        if unnamed > 0 {
            ui.warn(&format!("and {} more", plural(unnamed, "line", "lines")));
        }
        if checked.refused == 0 || self.skip_bad {
            return Ok(());
        }
        let message = format!(
            "{} of {} cannot be imported; nothing was written",
            checked.refused,
            plural(checked.read, "line", "lines")
        );
        Err(Failure::refused(message).hint("fix the files, or skip these lines with --skip-bad"))
    }

    async fn compare(
        &self,
        checked: &Checked,
        target: &TableTarget,
        ui: &Ui,
    ) -> Result<Outcome, Failure> {
        let mut progress = ui.progress("items", None);
        let rate = self.max_rcu.map(Rate::new);
        let compared = checked.compare(&target.store, rate, |read| progress.set(read));
        let compared = compared.await;
        drop(progress);
        let counts = Counts::compared(checked, compared?);
        ui.report(&counts, "nothing was written")?;
        match counts.are_equal() {
            true => Ok(Outcome::Done),
            false => Ok(Outcome::Difference),
        }
    }

    async fn write(
        &self,
        source: &Arc<Source>,
        checked: &Arc<Checked>,
        target: &TableTarget,
        table: &TableSummary,
        ui: &Ui,
    ) -> Result<Outcome, Failure> {
        let writer = match self.dry_run {
            true => {
                ui.note("dry run: nothing is written; `written` is what would be");
                None
            }
            false => {
                self.check_production(checked, target, table, ui)?;
                Some(target.allow_writing(&self.write)?)
            }
        };
        let tally = Tally::default();
        let read = Arc::new(LinesRead::default());
        let import = Import {
            store: &target.store,
            writer: writer.as_ref(),
            source,
            checked,
            rate: self.max_wcu.map(Rate::new),
            read: &read,
            tally: &tally,
        };
        let readings = if checked.has_rows { 2 } else { 1 };
        let written = watch(readings, source, &read, ui, import.write()).await;
        let named = tally.left();
        for Left { pk, sk, why } in &named {
            ui.note(&format!("left: {pk} {sk}: {why}"));
        }
        let unnamed = tally.different() - named.len() as u64;
        if unnamed > 0 {
            ui.note(&format!("left: {} more", plural(unnamed, "item", "items")));
        }
        if let Err(error) = written {
            return Err(cut_short(error, &tally));
        }
        let what = if self.dry_run {
            What::WouldWrite
        } else {
            What::Wrote
        };
        let counts = Counts::of(what, checked, &tally);
        ui.report(&counts, &counts.sentence())?;
        let left = tally.different() + checked.refused;
        if left == 0 {
            return Ok(Outcome::Done);
        }
        let message = format!(
            "{}: {} not imported",
            target.store.destination(),
            plural(left, "item was", "items were")
        );
        Err(Failure::new(Exit::Partly, message).hint("what was in the table is unchanged"))
    }

    /// Prints what is about to be written to production, and checks the requirements for that.
    fn check_production(
        &self,
        checked: &Checked,
        target: &TableTarget,
        table: &TableSummary,
        ui: &Ui,
    ) -> Result<(), Failure> {
        if !target.is_production() {
            return Ok(());
        }
        let items = checked.read - checked.refused;
        ui.announce(&format!(
            "{} will be written where their keys are free; existing items stay as they are",
            plural(items, "item", "items")
        ));
        if table.shape.stream.is_some() && !self.stream_readers_ready {
            return Err(Failure::refused(
                "the table has a stream, whose readers treat each message as a new one; nothing was written",
            )
            .hint(
                "stop what reads the stream, as the how-to says, then add --stream-readers-ready",
            ));
        }
        Ok(())
    }
}

/// Adds to a failure what was written before it, and how to continue.
fn cut_short(error: ImportError, tally: &Tally) -> Failure {
    let failure: Failure = match error {
        ImportError::Source(error) => error.into(),
        ImportError::Store(error) => error.into(),
    };
    let written = tally.written();
    let failure = failure.before(&format!(
        "{} written",
        plural(written, "item was", "items were")
    ));
    match failure {
        Failure::Error { message, .. } if written > 0 => Failure::new(Exit::Partly, message).hint(
            "run the same command again: it continues, and changes nothing that is already there",
        ),
        failure => failure,
    }
}
