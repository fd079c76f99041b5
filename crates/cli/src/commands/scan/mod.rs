//! `scan`: every item of the table, every page, as it comes.

mod items;
mod lines;

use std::str::FromStr;

use clap::Parser;
use ddb_core::CallError;
use ddb_core::conversation::{Filter, Verdict};
use ddb_core::item::{ItemView, Kind};
use ddb_core::store::{Folded, Scan, Segment, Segments, Store};
use ddb_core::timestamp::Timestamp;
use futures::stream::{Stream, TryStreamExt};
use serde::Serialize;

use crate::args::{FilterArgs, ReadArgs, SpanArgs, TableArgs};
use crate::commands::explain::{ExplainArgs, Explanation};
use crate::failure::{Failure, Outcome};
use crate::help::examples;
use crate::output::{Cell, Column, Format, Printer, Record, Sheet, Totals};
use crate::runner::{Command, Context};
use crate::ui::Ui;
use crate::wording::{capacity, left_out, plural};
use items::{Items, Row};
use lines::{Handles, Line, Seen};

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
    ("What bayko wrote about cake, in any conversation", "ddb scan --by bayko --contains cake"),
    ("What is neither a message nor a conversation row", "ddb scan --kind unknown -o jsonl"),
    ("All of it in the form that an import from S3 takes", "ddb scan --segments 4 -o ddb-json > items.jsonl"),
]))]
pub struct Args {
    /// Read the table in N segments at once
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=i64::from(Segment::MAX_TOTAL)), conflicts_with = "segment")]
    segments: u32,
    /// Read one share of N, such as 0/4, to spread a scan over machines
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
    #[command(flatten)]
    span: SpanArgs,
    #[command(flatten)]
    filter: FilterArgs,
    /// Use strongly consistent reads, at twice the capacity
    #[arg(long)]
    consistent: bool,
    #[command(flatten)]
    explain: ExplainArgs,
    #[command(flatten)]
    read: ReadArgs,
    #[command(flatten)]
    table: TableArgs,
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

    fn is_paged(&self) -> bool {
        !self.count
    }

    async fn run(self, context: Context) -> Result<Outcome, Failure> {
        let ui = &context.ui;
        if self.count && ui.format() == Format::DdbJson {
            return Err(Failure::refused(
                "--count shows no items, so it has no ddb-json",
            ));
        }
        let explain = self.explain.is_wanted(ui)?;
        let wanted = self.wanted(&context)?;
        let site = self.table.open(&context, None).await?;
        if explain {
            return self.explain(&site.store, &wanted, ui).await;
        }
        if self.count {
            return self.print_count(&site.store, wanted, ui).await;
        }
        match ui.format() {
            Format::Table => self.print_lines(&site.store, wanted, ui).await,
            format => self.print_items(&site.store, wanted, format, ui).await,
        }
    }
}

/// The items that are wanted.
#[derive(Debug, Clone)]
struct Wanted {
    kind: Option<Kind>,
    filter: Filter,
}

impl Wanted {
    fn is_everything(&self) -> bool {
        self.kind.is_none() && self.filter.is_everything()
    }

    fn judge(&self, item: &ItemView<'_>) -> Verdict {
        match self.filter.judge(item) {
            Verdict::LeftOut => Verdict::LeftOut,
            _ if self.kind.is_some_and(|kind| kind != Kind::of(item)) => Verdict::LeftOut,
            verdict => verdict,
        }
    }
}

/// The wanted items of a page, and the number of items that might be wanted but have no time.
#[derive(Default)]
struct Shown<T> {
    items: T,
    undated: u64,
}

impl Args {
    fn wanted(&self, context: &Context) -> Result<Wanted, Failure> {
        let (now, any_kind) = (Timestamp::now(), self.kind.is_some());
        let filter = self
            .filter
            .among_items(&self.span, any_kind, now, context.zones)?;
        Ok(Wanted {
            kind: self.kind.map(Kind::from),
            filter,
        })
    }

    /// Streams what `keep` makes of the wanted items of each page of all segments, some of which are read at the same
    /// time. At most one page of each of these is in memory.
    fn pages<T: Default + Send + 'static>(
        &self,
        store: &Store,
        wanted: &Wanted,
        keep: impl Fn(&mut T, &ItemView<'_>) + Clone + Send + 'static,
    ) -> impl Stream<Item = Result<Folded<Shown<T>>, CallError>> {
        let judge = wanted.clone();
        let fold = move |page: &mut Shown<T>, item: &ItemView<'_>| match judge.judge(item) {
            Verdict::Kept => keep(&mut page.items, item),
            Verdict::LeftOut => {}
            Verdict::Undated => page.undated += 1,
        };
        store.scan(self.scan(wanted), fold)
    }

    /// Describes what is read.
    fn scan(&self, wanted: &Wanted) -> Scan {
        let segments = match self.segment {
            Some(Share(segment)) => Segments::One(segment),
            None => Segments::All(self.segments),
        };
        // One more than the limit shows whether the limit cut anything.
        let page_size = match self.limit {
            Some(limit) if wanted.is_everything() => Some(limit.saturating_add(1)),
            _ => None,
        };
        Scan {
            segments,
            consistent: self.consistent,
            count_only: self.count && wanted.is_everything(),
            page_size,
            rate: self.read.rate(),
        }
    }

    async fn explain(&self, store: &Store, wanted: &Wanted, ui: &Ui) -> Result<Outcome, Failure> {
        let mut explanation = Explanation::new(ui);
        // If items are left out, the number of items that have to be read is not known in advance.
        let most = self.limit.filter(|_| wanted.is_everything());
        explanation.scan(store, &self.scan(wanted), most).await?;
        if !wanted.is_everything() {
            explanation.note(
                "left out here",
                "items that do not match, after they were read",
            );
        }
        explanation.print(ui)
    }

    /// Prints every item in the columns of the contract, or in JSON.
    async fn print_items(
        &self,
        store: &Store,
        wanted: Wanted,
        format: Format,
        ui: &Ui,
    ) -> Result<Outcome, Failure> {
        let pages = self.pages(
            store,
            &wanted,
            move |sheet: &mut Sheet<Items>, item: &ItemView<'_>| {
                let kind = Kind::of(item);
                sheet.add(format, &Row { kind, item });
            },
        );
        self.print::<Items, _>(pages, ui, |printer, mut sheet, left| {
            printer.print_sheet(&mut sheet, left)?;
            Ok(sheet.len())
        })
        .await
    }

    /// Prints a line for each item, for people.
    async fn print_lines(
        &self,
        store: &Store,
        wanted: Wanted,
        ui: &Ui,
    ) -> Result<Outcome, Failure> {
        let see = |seen: &mut Vec<Seen>, item: &ItemView<'_>| seen.push(item.into());
        let pages = self.pages(store, &wanted, see);
        let mut handles = Handles::default();
        self.print::<Line, _>(pages, ui, |printer, seen, left| {
            let items = seen.len() as u64;
            seen.iter().for_each(|seen| handles.learn(seen));
            let shown = usize::try_from(left).unwrap_or(usize::MAX);
            for seen in seen.into_iter().take(shown) {
                printer.print(&Line::new(seen, &handles))?;
            }
            Ok(items)
        })
        .await
    }

    /// Prints page by page. `show` prints the first items, up to the given number, and returns how many there are.
    async fn print<R: Record, T>(
        &self,
        pages: impl Stream<Item = Result<Folded<Shown<T>>, CallError>>,
        ui: &Ui,
        mut show: impl FnMut(&mut Printer<R>, T, u64) -> Result<u64, Failure>,
    ) -> Result<Outcome, Failure> {
        let mut printer = ui.printer::<R>();
        let mut totals = Totals {
            scanned_count: Some(0),
            truncated: Some(false),
            ..Totals::default()
        };
        let mut progress = ui.progress_beside_output("items", None);
        let limit = self.limit.map_or(u64::MAX, u64::from);
        let mut undated = 0;
        let mut pages = std::pin::pin!(pages);
        while let Some(page) = pages.try_next().await? {
            progress.set(totals.add_page(page.scanned, page.consumed));
            let left = limit - printer.printed();
            undated += page.value.undated;
            let items = show(&mut printer, page.value.items, left)?;
            printer.flush()?;
            if items > left {
                totals.truncated = Some(true);
                break;
            }
        }
        drop(progress);
        let printed = printer.printed();
        printer.finish(totals)?;
        self.say(printed, undated, &totals, ui);
        Ok(Outcome::Done)
    }

    async fn print_count(
        &self,
        store: &Store,
        wanted: Wanted,
        ui: &Ui,
    ) -> Result<Outcome, Failure> {
        let pages = self.pages(store, &wanted, |kept: &mut u64, _: &ItemView<'_>| {
            *kept += 1
        });
        let mut pages = std::pin::pin!(pages);
        let (mut count, mut undated) = (0, 0);
        let mut totals = Totals::default();
        let mut progress = ui.progress("items", None);
        while let Some(page) = pages.try_next().await? {
            progress.set(totals.add_page(page.scanned, page.consumed));
            undated += page.value.undated;
            count += if wanted.is_everything() {
                page.count
            } else {
                page.value.items
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
        self.say(count, undated, &totals, ui);
        Ok(Outcome::Done)
    }

    fn say(&self, items: u64, undated: u64, totals: &Totals, ui: &Ui) {
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
            ui.note("there are more items: --limit ended the scan");
        }
        if undated > 0 {
            ui.warn(&left_out(undated));
        }
    }
}
