//! `scan`: every item of the table, every page, as it comes.

use std::str::FromStr;

use clap::Parser;
use ddb_core::CallError;
use ddb_core::item::{ItemView, Kind, Value};
use ddb_core::schema::attribute;
use ddb_core::store::{Folded, Scan, Segment, Segments, Store};
use futures::stream::{Stream, TryStreamExt};
use serde::Serialize;

use crate::args::{ReadArgs, TableArgs};
use crate::commands::explain::{ExplainArgs, Explanation};
use crate::failure::{Failure, Outcome};
use crate::help::examples;
use crate::output::json::WriteJson;
use crate::output::{Cell, Column, Format, Printer, Record, Sheet, Totals, json};
use crate::runner::{Command, Context};
use crate::ui::Ui;
use crate::wording::{capacity, plural};

/// One share of the table: `0/4` to `3/4`.
#[derive(Debug, Clone, Copy)]
struct Share(Segment);

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.split_once('/')
            .and_then(|(index, total)| Segment::new(index.parse().ok()?, total.parse().ok()?))
            .map(Self)
            .ok_or_else(|| "write it as I/N, counted from 0: 0/4 to 3/4".to_owned())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum KindArg {
    Message,
    Group,
    Unknown,
}

impl From<KindArg> for Kind {
    fn from(kind: KindArg) -> Self {
        match kind {
            KindArg::Message => Self::Message,
            KindArg::Group => Self::Group,
            KindArg::Unknown => Self::Unknown,
        }
    }
}

/// Shows every item of the table, as it comes.
#[derive(Debug, Parser)]
#[command(name = "scan", version, after_help = examples(&[
    ("Look at a few items", "ddb scan --limit 5"),
    ("What is neither a message nor a conversation row", "ddb scan --kind unknown -o jsonl"),
    ("All of it in the form that an import from S3 takes", "ddb scan --segments 4 -o ddb-json > items.jsonl"),
]))]
pub struct Args {
    /// Read the table in N segments at once
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=i64::from(Segment::MAX_TOTAL)), conflicts_with = "segment")]
    segments: u32,
    /// Read one share out of N, such as 0/4, for spreading over machines
    #[arg(long, value_name = "I/N")]
    segment: Option<Share>,
    /// Show at most this many items
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// Show only items of this kind
    #[arg(long, value_enum, value_name = "KIND")]
    kind: Option<KindArg>,
    /// Show only how many items there are
    #[arg(long, conflicts_with = "limit")]
    count: bool,
    /// Read strongly consistent, for twice the capacity
    #[arg(long)]
    consistent: bool,
    #[command(flatten)]
    explain: ExplainArgs,
    #[command(flatten)]
    read: ReadArgs,
    #[command(flatten)]
    table: TableArgs,
}

/// An item, under the columns of the contract.
struct Row<'a> {
    kind: Kind,
    item: &'a ItemView<'a>,
}

impl WriteJson for Row<'_> {
    fn write_json(&self, out: &mut Vec<u8>) {
        let plain = json::Plain {
            kind: self.kind,
            item: self.item,
        };
        plain.write_json(out);
    }
}

/// The attributes that have a column of their own.
const ATTRIBUTES: [&str; 8] = [
    attribute::PK,
    attribute::SK,
    attribute::MESSAGE_GROUP_UUID,
    attribute::MESSAGE_UUID,
    attribute::USER_UUID,
    attribute::USER_HANDLE,
    attribute::USER_DISPLAY_NAME,
    attribute::MESSAGE,
];

/// The items of the table, each as a [`Row`].
struct Items;

impl Record for Items {
    type Of<'a> = Row<'a>;
    const COLUMNS: &'static [Column<Self>] = &[
        Column::kept("kind", |row| Cell::text(row.kind.as_str())),
        Column::id(ATTRIBUTES[0], |row| row.cell(ATTRIBUTES[0])),
        Column::id(ATTRIBUTES[1], |row| row.cell(ATTRIBUTES[1])),
        Column::id(ATTRIBUTES[2], |row| row.cell(ATTRIBUTES[2])),
        Column::id(ATTRIBUTES[3], |row| row.cell(ATTRIBUTES[3])),
        Column::id(ATTRIBUTES[4], |row| row.cell(ATTRIBUTES[4])),
        Column::new(ATTRIBUTES[5], |row| row.cell(ATTRIBUTES[5])),
        Column::new(ATTRIBUTES[6], |row| row.cell(ATTRIBUTES[6])),
        Column::new(ATTRIBUTES[7], |row| row.cell(ATTRIBUTES[7])),
        Column::new("other", |row| row.others()),
    ];

    fn item<T>(row: &Row<'_>, see: impl FnOnce(&ItemView<'_>) -> T) -> Option<T> {
        Some(see(row.item))
    }
}

impl Row<'_> {
    fn cell(&self, name: &str) -> Cell {
        match self.item.get(name) {
            None => Cell::text(""),
            Some(Value::S(text)) => Cell::text(text.as_ref()),
            Some(Value::N(number)) => Cell::number(number),
            Some(Value::NotUnicode(text)) => Cell::text(text.shown()),
            Some(value) => Cell::text(json::text(&json::PlainValue(value))),
        }
    }

    /// Returns what has no column of its own.
    fn others(&self) -> Cell {
        let others = self.item.without(|name| ATTRIBUTES.contains(&name));
        let others = (!others.is_empty()).then(|| json::text(&json::PlainMap(&others)));
        Cell::text_or_blank(others)
    }
}

#[derive(Debug, Serialize)]
struct Count {
    count: u64,
}

impl Record for Count {
    type Of<'a> = Self;
    const COLUMNS: &'static [Column<Self>] =
        &[Column::kept("count", |row| Cell::number(row.count))];
    const BARE: bool = true;
}

impl Command for Args {
    const FORMATS: &'static [Format] = Format::ITEMS;

    async fn run(self, context: Context) -> Result<Outcome, Failure> {
        let ui = &context.ui;
        if self.count && ui.format() == Format::DdbJson {
            return Err(Failure::refused(
                "--count shows no items, so it has no ddb-json",
            ));
        }
        let explain = self.explain.is_wanted(ui)?;
        let site = self.table.open(&context, None).await?;
        if explain {
            return self.explain(&site.store, ui).await;
        }
        if self.count {
            return self.print_count(&site.store, ui).await;
        }
        let mut printer = ui.printer::<Items>();
        let mut totals = Totals {
            scanned_count: Some(0),
            truncated: Some(false),
            ..Totals::default()
        };
        self.print(&site.store, &mut printer, &mut totals, ui)
            .await?;
        let printed = printer.printed();
        printer.finish(totals)?;
        self.say(printed, &totals, ui);
        Ok(Outcome::Done)
    }
}

impl Args {
    /// Streams what `fold` makes of each page of all segments, some of them at once. Nothing but one page of each
    /// of these is held.
    fn pages<T: Default + Send + 'static>(
        &self,
        store: &Store,
        fold: impl Fn(&mut T, &ItemView<'_>) + Clone + Send + 'static,
    ) -> impl Stream<Item = Result<Folded<T>, CallError>> {
        store.scan(self.scan(), fold)
    }

    /// Describes what is read.
    fn scan(&self) -> Scan {
        let segments = match self.segment {
            Some(Share(segment)) => Segments::One(segment),
            None => Segments::All(self.segments),
        };
        // One more than the limit tells whether the limit cut anything.
        let page_size = match (self.limit, self.kind) {
            (Some(limit), None) => Some(limit.saturating_add(1)),
            _ => None,
        };
        Scan {
            segments,
            consistent: self.consistent,
            count_only: self.count && self.kind.is_none(),
            page_size,
            rate: self.read.rate(),
        }
    }

    async fn explain(&self, store: &Store, ui: &Ui) -> Result<Outcome, Failure> {
        let mut explanation = Explanation::new(ui);
        // Where items are left out, nobody knows beforehand how many have to be read.
        let most = self.limit.filter(|_| self.kind.is_none());
        explanation.scan(store, &self.scan(), most).await?;
        if self.kind.is_some() {
            explanation.note(
                "left out here",
                "items of other kinds, after they were read",
            );
        }
        explanation.print(ui)
    }

    async fn print(
        &self,
        store: &Store,
        printer: &mut Printer<Items>,
        totals: &mut Totals,
        ui: &Ui,
    ) -> Result<(), Failure> {
        let mut progress = ui.progress_beside_output("items", None);
        let limit = self.limit.map_or(u64::MAX, u64::from);
        let wanted = self.kind.map(Kind::from);
        let format = printer.format();
        let pages = self.pages(
            store,
            move |sheet: &mut Sheet<Items>, item: &ItemView<'_>| {
                let kind = Kind::of(item);
                if wanted.is_none_or(|wanted| wanted == kind) {
                    sheet.add(format, &Row { kind, item });
                }
            },
        );
        let mut pages = std::pin::pin!(pages);
        while let Some(mut page) = pages.try_next().await? {
            totals.consume(page.consumed);
            let scanned = totals.scanned_count.get_or_insert(0);
            *scanned += page.scanned;
            progress.set(*scanned);
            let left = limit - printer.printed();
            printer.print_sheet(&mut page.value, left)?;
            printer.flush()?;
            if page.value.len() > left {
                totals.truncated = Some(true);
                return Ok(());
            }
        }
        Ok(())
    }

    async fn print_count(&self, store: &Store, ui: &Ui) -> Result<Outcome, Failure> {
        let kind = self.kind.map(Kind::from);
        let pages = self.pages(store, move |count: &mut u64, item: &ItemView<'_>| {
            *count += u64::from(kind == Some(Kind::of(item)));
        });
        let mut pages = std::pin::pin!(pages);
        let mut count = 0;
        let mut totals = Totals::default();
        let mut progress = ui.progress("items", None);
        while let Some(page) = pages.try_next().await? {
            totals.consume(page.consumed);
            let scanned = totals.scanned_count.get_or_insert(0);
            *scanned += page.scanned;
            progress.set(*scanned);
            count += if kind.is_some() {
                page.value
            } else {
                page.count
            };
        }
        drop(progress);
        let mut printer = ui.printer::<Count>();
        if ui.format() == Format::Json {
            totals.count = Some(count);
        } else {
            printer.print(&Count { count })?;
        }
        printer.finish(totals)?;
        self.say(count, &totals, ui);
        Ok(Outcome::Done)
    }

    fn say(&self, items: u64, totals: &Totals, ui: &Ui) {
        let kind = self.kind.map(|kind| Kind::from(kind).as_str());
        let what = match kind {
            Some(kind) => format!(" of kind {kind}"),
            None => String::new(),
        };
        let items_shown = match items {
            0 => "no items".to_owned(),
            items => plural(items, "item", "items"),
        };
        ui.note(&format!(
            "{items_shown}{what}, {} scanned{}",
            totals.scanned_count.unwrap_or_default(),
            capacity(totals.consumed_capacity)
        ));
        if totals.truncated == Some(true) {
            ui.note("there are more: --limit cut the answer");
        }
    }
}
