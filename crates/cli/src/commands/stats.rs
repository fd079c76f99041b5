//! `stats`: what the table holds, in numbers and bars.

use std::io::Write;

use clap::Parser;
use ddb_core::cost::{self, Estimate, Units};
use ddb_core::item::MAX_SIZE;
use ddb_core::schema::{Shape, TableSpec};
use ddb_core::statistics::{Statistics, Volume};
use ddb_core::store::{Scan, Segment, Store};
use futures::stream::{self, StreamExt, TryStreamExt};
use serde::Serialize;

use super::{add, capacity, counted};
use crate::args::{CommonArgs, TableArgs};
use crate::failure::{Exit, Failure, Outcome};
use crate::help::examples;
use crate::launch::{Command, Context};
use crate::output::{Cell, Column, Format, Record, Totals};
use crate::progress::Progress;
use crate::ui::Ui;

/// Shows what the table holds, and roughly what it costs.
///
/// Items and bytes by kind, messages a day, the biggest conversations, and a month's cost at the list
/// prices of one region. The whole table is read once; memory stays the same however large it is.
#[derive(Debug, Parser)]
#[command(name = "stats", version, after_help = examples(&[
    ("Look at the table", "ddb stats"),
    ("The numbers behind it, for a plot", "ddb stats -o json > stats.json"),
]))]
pub struct Args {
    /// How many of the biggest conversations are shown
    #[arg(long, value_name = "N", default_value_t = 5)]
    groups: usize,
    /// How many days are shown in the table, the newest
    #[arg(long, value_name = "N", default_value_t = 30)]
    days: usize,
    /// Read the table in N segments at once
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=i64::from(Segment::MAX_TOTAL)))]
    segments: u32,
    #[command(flatten)]
    table: TableArgs,
    #[command(flatten)]
    common: CommonArgs,
}

#[derive(Debug, Serialize)]
struct KindRow {
    kind: &'static str,
    items: u64,
    bytes: u64,
    largest: u64,
    /// How much of the limit of 400 KB the largest item has, in percent.
    limit_percent: f64,
}

impl KindRow {
    fn new(kind: &'static str, volume: Volume) -> Self {
        Self {
            kind,
            items: volume.items,
            bytes: volume.bytes,
            largest: volume.largest,
            limit_percent: rounded(100.0 * volume.largest as f64 / MAX_SIZE as f64),
        }
    }
}

impl Record for KindRow {
    const COLUMNS: &'static [Column] = &[
        Column::kept("kind"),
        Column::kept("items"),
        Column::kept("bytes"),
        Column::new("on average"),
        Column::new("the largest"),
        Column::new("of 400 KB"),
    ];

    fn rows(&self) -> Vec<Vec<Cell>> {
        vec![vec![
            Cell::text(self.kind),
            Cell::number(self.items),
            Cell::number(bytes(self.bytes)),
            Cell::number(bytes(self.bytes / self.items.max(1))),
            Cell::number(bytes(self.largest)),
            Cell::number(format!("{:.2} %", self.limit_percent)),
        ]]
    }
}

#[derive(Debug, Serialize)]
struct DayRow {
    date: String,
    messages: u64,
    #[serde(skip)]
    bar: String,
}

impl Record for DayRow {
    const COLUMNS: &'static [Column] = &[
        Column::kept("day (UTC)"),
        Column::kept("messages"),
        Column::optional(""),
    ];

    fn rows(&self) -> Vec<Vec<Cell>> {
        vec![vec![
            Cell::text(&self.date),
            Cell::number(self.messages),
            Cell::text(&self.bar),
        ]]
    }
}

#[derive(Debug, Serialize)]
struct GroupRow {
    group_uuid: String,
    messages: u64,
    bytes: u64,
}

impl Record for GroupRow {
    const COLUMNS: &'static [Column] = &[
        Column::kept("biggest conversations"),
        Column::kept("messages"),
        Column::kept("bytes"),
    ];

    fn rows(&self) -> Vec<Vec<Cell>> {
        vec![vec![
            Cell::text(&self.group_uuid),
            Cell::number(self.messages),
            Cell::number(bytes(self.bytes)),
        ]]
    }
}

/// What a month costs with one way of paying, in US dollars.
#[derive(Debug, Serialize)]
struct CostRow {
    billing: &'static str,
    current: bool,
    storage: f64,
    throughput: f64,
    total: f64,
    #[serde(skip)]
    basis: String,
}

impl CostRow {
    fn new(billing: &'static str, current: bool, storage: f64, throughput: f64) -> Self {
        Self {
            billing,
            current,
            storage: rounded(storage),
            throughput: rounded(throughput),
            total: rounded(storage + throughput),
            basis: String::new(),
        }
    }
}

impl Record for CostRow {
    const COLUMNS: &'static [Column] = &[
        Column::kept("cost a month"),
        Column::kept("storage"),
        Column::kept("throughput"),
        Column::kept("total"),
        Column::new("for"),
    ];

    fn rows(&self) -> Vec<Vec<Cell>> {
        let dollars = |dollars: f64| Cell::number(format!("${dollars:.2}"));
        let now = if self.current { " (now)" } else { "" };
        vec![vec![
            Cell::text(format!("{}{now}", self.billing)),
            dollars(self.storage),
            dollars(self.throughput),
            dollars(self.total),
            Cell::text(&self.basis),
        ]]
    }
}

/// Everything, for programs.
#[derive(Debug, Serialize)]
struct Report {
    table: String,
    items: u64,
    bytes: u64,
    kinds: Vec<KindRow>,
    days: Vec<DayRow>,
    undated: u64,
    groups: u64,
    groups_exact: bool,
    biggest_groups: Vec<GroupRow>,
    prices: Prices,
    monthly_cost: Vec<CostRow>,
}

#[derive(Debug, Serialize)]
struct Prices {
    region: &'static str,
    since: &'static str,
    page: &'static str,
}

impl Record for Report {
    const COLUMNS: &'static [Column] = &[];

    /// For people it is several tables.
    fn rows(&self) -> Vec<Vec<Cell>> {
        Vec::new()
    }
}

impl Command for Args {
    const FORMATS: &'static [Format] = Format::BASIC;

    fn common(&self) -> &CommonArgs {
        &self.common
    }

    async fn run(self, context: Context) -> Result<Outcome, Failure> {
        let ui = &context.ui;
        let store = self.table.open(&context, None).await?.store;
        let table = store.describe().await?.ok_or_else(|| {
            let missing = format!("DescribeTable on {}: there is no such table", store.place());
            Failure::new(Exit::NotFound, missing).hint("`ddb schema-load` creates the table")
        })?;
        let mut totals = Totals {
            scanned_count: Some(0),
            ..Totals::default()
        };
        // The service counts from time to time, and an emulator may not.
        let items = table
            .item_count()
            .and_then(|items| u64::try_from(items).ok());
        let mut progress = ui.progress("items", items.filter(|items| *items > 0));
        let statistics = self.read(&store, &mut totals, &mut progress).await?;
        drop(progress);
        let mut report = self.report(&store, &statistics, &Shape::from(&table));
        if ui.format() == Format::Table {
            self.draw(&mut report, ui)?;
        } else {
            let mut printer = ui.printer::<Report>();
            printer.print(&report)?;
            printer.finish(totals)?;
        }
        say(&report, &totals, ui);
        Ok(Outcome::Done)
    }
}

impl Args {
    /// Counts page by page; nothing holds more than a page of each segment.
    async fn read(
        &self,
        store: &Store,
        totals: &mut Totals,
        progress: &mut Progress,
    ) -> Result<Statistics, Failure> {
        let mut statistics = Statistics::default();
        let segments = Segment::all(self.segments).map(|segment| {
            let scan = Scan {
                segment,
                consistent: false,
                count_only: false,
                page_size: None,
            };
            store.scan(scan).boxed()
        });
        let mut pages = stream::select_all(segments);
        while let Some(page) = pages.try_next().await? {
            add(&mut totals.consumed_capacity, page.consumed);
            let scanned = totals.scanned_count.get_or_insert(0);
            *scanned += page.scanned;
            progress.set(*scanned);
            for item in &page.items {
                statistics.add(item);
            }
        }
        Ok(statistics)
    }

    fn report(&self, store: &Store, statistics: &Statistics, shape: &Shape) -> Report {
        let all = statistics.all();
        Report {
            table: store.table().to_string(),
            items: all.items,
            bytes: all.bytes,
            kinds: vec![
                KindRow::new("message", statistics.messages),
                KindRow::new("group", statistics.group_rows),
                KindRow::new("unknown", statistics.unknown),
            ],
            days: statistics
                .days
                .iter()
                .map(|(date, messages)| DayRow {
                    date: date.to_string(),
                    messages: *messages,
                    bar: String::new(),
                })
                .collect(),
            undated: statistics.undated,
            groups: statistics.groups.seen(),
            groups_exact: statistics.groups.is_exact(),
            biggest_groups: statistics
                .groups
                .biggest(self.groups)
                .into_iter()
                .map(|(group, volume)| GroupRow {
                    group_uuid: group.to_string(),
                    messages: volume.items,
                    bytes: volume.bytes,
                })
                .collect(),
            prices: Prices {
                region: cost::REGION,
                since: cost::SINCE,
                page: cost::PAGE,
            },
            monthly_cost: costs(statistics, shape),
        }
    }

    fn draw(&self, report: &mut Report, ui: &Ui) -> Result<(), Failure> {
        table(&report.kinds, ui)?;
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
        below(days, ui)?;
        below(&report.biggest_groups, ui)?;
        below(&report.monthly_cost, ui)
    }
}

/// Estimates both ways of paying; a table that is paid on demand is compared with the capacity that
/// `schema-load` provisions.
fn costs(statistics: &Statistics, shape: &Shape) -> Vec<CostRow> {
    let own = Units::of(shape);
    let units = own.or_else(|| Units::of(&TableSpec::default().shape()));
    let units = units.unwrap_or_default();
    let estimate = Estimate::new(statistics, units);
    let on_demand = CostRow::new(
        "on demand",
        own.is_none(),
        estimate.storage,
        estimate.on_demand,
    );
    let provisioned = CostRow::new(
        "provisioned",
        own.is_some(),
        estimate.storage,
        estimate.provisioned,
    );
    vec![
        CostRow {
            basis: format!("{} write units a month", estimate.write_units),
            ..on_demand
        },
        CostRow {
            basis: format!("{} read and {} write units", units.read, units.write),
            ..provisioned
        },
    ]
}

/// Draws one table.
fn table<R: Record>(rows: &[R], ui: &Ui) -> Result<(), Failure> {
    let mut printer = ui.printer::<R>();
    for row in rows {
        printer.print(row)?;
    }
    printer.finish(Totals::default())
}

/// Draws one table below another, where it has rows.
fn below<R: Record>(rows: &[R], ui: &Ui) -> Result<(), Failure> {
    if rows.is_empty() {
        return Ok(());
    }
    std::io::stdout().write_all(b"\n")?;
    table(rows, ui)
}

fn say(report: &Report, totals: &Totals, ui: &Ui) {
    let items = counted(report.items, "item", "items");
    let groups = counted(report.groups, "conversation", "conversations");
    let days = counted(report.days.len() as u64, "day", "days");
    let used = capacity(totals.consumed_capacity);
    ui.note(&format!("{items}, {groups}, {days} with messages{used}"));
    ui.note(&format!(
        "costs are estimates: list prices of {} since {}, without reads, streams, backups and free tier; see {}",
        report.prices.region, report.prices.since, report.prices.page
    ));
    if report.undated > 0 {
        let undated = counted(report.undated, "message has", "messages have");
        ui.warn(&format!("{undated} a sort key that is not a time"));
    }
    if !report.groups_exact {
        ui.warn("there are very many conversations: the counts of the biggest are at least these");
    }
}

/// Draws a bar of at most `room` columns, in steps of an eighth of one.
fn bar(value: u64, most: u64, room: usize) -> String {
    const PARTS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (value as f64 / most.max(1) as f64 * room as f64 * 8.0).round() as usize;
    let eighths = eighths.max(usize::from(value > 0));
    "█".repeat(eighths / 8) + PARTS[eighths % 8]
}

/// Returns bytes for people: `12.3 KB`, with 1,024 bytes to the KB, as the service counts.
fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KB", "MB", "GB", "TB", "PB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut amount = bytes as f64 / 1024.0;
    let mut unit = 0;
    while amount >= 1024.0 && unit + 1 < UNITS.len() {
        amount /= 1024.0;
        unit += 1;
    }
    format!("{amount:.1} {}", UNITS[unit])
}

/// Rounds to four digits after the point: more would say more than is known.
fn rounded(number: f64) -> f64 {
    (number * 1e4).round() / 1e4
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

    #[test]
    fn bytes_have_units() {
        for (number, shown) in [
            (0, "0 B"),
            (1_023, "1023 B"),
            (1_024, "1.0 KB"),
            (1_536, "1.5 KB"),
            (5 << 30, "5.0 GB"),
            (u64::MAX, "16384.0 PB"),
        ] {
            assert_eq!(bytes(number), shown);
        }
    }
}
