//! `stats`: the contents of the table, in numbers and bars.

mod report;

use std::io::Write;

use clap::Parser;
use ddb_core::statistics::Statistics;
use ddb_core::store::{Scan, Segment, Segments, Store};
use futures::stream::TryStreamExt;

use crate::args::{ReadArgs, TableArgs};
use crate::commands::explain::{ExplainArgs, Explanation};
use crate::failure::{Failure, Outcome};
use crate::help::examples;
use crate::output::{Format, Record, Totals};
use crate::progress::Progress;
use crate::runner::{Command, Context};
use crate::ui::Ui;
use crate::wording::{capacity, plural};
use report::{ConversationRow, CostRow, DayRow, KindRow, Report};

/// Shows what the table holds, and roughly what it costs.
///
/// It shows items and bytes by kind, messages a day, the biggest conversations, and the cost of a month at the
/// list prices of one region. The whole table is read once. Memory use does not grow with the table.
#[derive(Debug, Parser)]
#[command(name = "stats", version, after_help = examples(&[
    ("Look at the table", "ddb stats"),
    ("The numbers behind it, for a plot", "ddb stats -o json > stats.json"),
]))]
pub struct Args {
    /// Number of the biggest conversations to show
    #[arg(long, value_name = "N", default_value_t = 5, alias = "groups")]
    conversations: usize,
    /// Number of days to show in the table, the newest
    #[arg(long, value_name = "N", default_value_t = 30)]
    days: usize,
    /// Read the table in N segments at once
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=i64::from(Segment::MAX_TOTAL)))]
    segments: u32,
    #[command(flatten)]
    explain: ExplainArgs,
    #[command(flatten)]
    read: ReadArgs,
    #[command(flatten)]
    table: TableArgs,
}

impl Command for Args {
    const FORMATS: &'static [Format] = Format::BASIC;

    fn is_paged(&self) -> bool {
        true
    }

    async fn run(self, context: Context) -> Result<Outcome, Failure> {
        let ui = &context.ui;
        let explain = self.explain.is_wanted(ui)?;
        let store = self.table.open(&context, None).await?.store;
        if explain {
            let mut explanation = Explanation::new(ui);
            explanation.line(&format!("describe-table --table-name {}", store.table()));
            explanation.scan(&store, &self.scan(), None).await?;
            return explanation.print(ui);
        }
        let table = store.describe_existing().await?;
        let mut totals = Totals {
            scanned_count: Some(0),
            ..Totals::default()
        };
        // The service only counts from time to time, and an emulator may not count.
        let items = u64::try_from(table.items).ok();
        let mut progress = ui.progress("items", items.filter(|items| *items > 0));
        let statistics = self.read(&store, &mut totals, &mut progress).await?;
        drop(progress);
        let mut report = Report::new(store.table(), &statistics, &table.shape, self.conversations);
        let mut printer = ui.printer::<KindRow>();
        printer.print_object(&report, &report.kinds)?;
        printer.finish(totals)?;
        if matches!(ui.format(), Format::Table | Format::Wide) {
            self.draw(&mut report, ui)?;
        }
        say(&report, &totals, ui);
        Ok(Outcome::Done)
    }
}

impl Args {
    /// Describes what is read.
    fn scan(&self) -> Scan {
        Scan {
            segments: Segments::All(self.segments),
            rate: self.read.rate(),
            ..Scan::default()
        }
    }

    /// Counts page by page; at most one page of each segment is in memory.
    async fn read(
        &self,
        store: &Store,
        totals: &mut Totals,
        progress: &mut Progress,
    ) -> Result<Statistics, Failure> {
        let mut statistics = Statistics::default();
        let mut pages = std::pin::pin!(store.scan(self.scan(), Statistics::add));
        while let Some(page) = pages.try_next().await? {
            progress.set(totals.add_page(page.scanned, page.consumed));
            statistics.merge(page.value);
        }
        Ok(statistics)
    }

    fn draw(&self, report: &mut Report, ui: &Ui) -> Result<(), Failure> {
        let shown = report.days.len().saturating_sub(self.days);
        let days = &mut report.days[shown..];
        let most = days
            .iter()
            .map(|day| day.messages)
            .max()
            .unwrap_or_default();
        // The other two columns, and the gaps between them.
        const REST: usize = 24;
        let room = ui
            .columns()
            .map_or(40, |columns| columns.saturating_sub(REST));
        for day in &mut *days {
            day.bar = bar(day.messages, most, room.clamp(8, 60));
        }
        below::<DayRow>(days, ui)?;
        below::<ConversationRow>(&report.biggest_conversations, ui)?;
        below::<CostRow>(&report.monthly_cost, ui)
    }
}

/// Draws one table below another, if it has rows.
fn below<R: Record>(rows: &[R::Of<'_>], ui: &Ui) -> Result<(), Failure> {
    if rows.is_empty() {
        return Ok(());
    }
    ui.out().write_all(b"\n")?;
    let mut printer = ui.printer::<R>();
    rows.iter().try_for_each(|row| printer.print(row))?;
    printer.finish(Totals::default())
}

fn say(report: &Report, totals: &Totals, ui: &Ui) {
    let items = plural(report.items, "item", "items");
    let conversations = plural(report.conversations, "conversation", "conversations");
    let days = plural(report.days.len() as u64, "day", "days");
    let used = capacity(totals.consumed_capacity);
    ui.note(&format!(
        "{items}, {conversations}, {days} with messages{used}"
    ));
    ui.note(&format!(
        "costs are estimates: list prices of {} since {}, without reads, streams, backups and free tier; see {}",
        report.prices.region, report.prices.since, report.prices.page
    ));
    if report.undated > 0 {
        let undated = plural(report.undated, "message has", "messages have");
        ui.warn(&format!("{undated} a sort key that is not a time"));
    }
    if !report.conversations_exact {
        ui.warn("there are too many conversations to count each one: the biggest may have more messages than shown");
    }
}

/// Draws a bar of at most `room` columns, in steps of an eighth of a column.
fn bar(value: u64, most: u64, room: usize) -> String {
    const PARTS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (value as f64 / most.max(1) as f64 * room as f64 * 8.0).round() as usize;
    let eighths = eighths.max(usize::from(value > 0));
    "█".repeat(eighths / 8) + PARTS[eighths % 8]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_long_as_their_values() {
        for (value, most, shown) in [
            (0, 10, ""),
            (10, 10, "██████████"),
            (5, 10, "█████"),
            (1, 16, "▋"),
            (1, 1_000_000, "▏"),
            (0, 0, ""),
        ] {
            assert_eq!(bar(value, most, 10), shown, "{value} of {most}");
        }
    }
}
