//! `list-tables`: the tables of the endpoint, all pages.

use clap::Parser;
use ddb_core::schema::TableName;
use ddb_core::store::{DynamoDb, TableSummary};
use futures::{StreamExt, TryStreamExt, stream};
use serde::Serialize;

use crate::args::{TargetArgs, show};
use crate::commands::explain::{ExplainArgs, Explanation};
use crate::failure::{Failure, Outcome};
use crate::help::examples;
use crate::output::{Cell, Column, Format, Printer, Record, Tone, Totals};
use crate::runner::{Command, Context};
use crate::ui::Ui;
use crate::wording::plural;

/// Lists all tables.
#[derive(Debug, Parser)]
#[command(name = "list-tables", version, after_help = examples(&[
    ("Status, size, billing, stream and indexes of each table", "ddb list-tables --details"),
]))]
pub struct Args {
    /// Show status, size, billing, stream and indexes of each
    #[arg(long)]
    details: bool,
    #[command(flatten)]
    explain: ExplainArgs,
    #[command(flatten)]
    target: TargetArgs,
}

/// The number of tables that are described at the same time.
const SIDE_BY_SIDE: usize = 8;

#[derive(Debug, Serialize)]
struct Name {
    name: String,
}

impl Record for Name {
    type Of<'a> = Self;
    const COLUMNS: &'static [Column<Self>] = &[Column::kept("name", |row| Cell::text(&row.name))];
}

#[derive(Debug, Serialize)]
struct Details {
    name: String,
    status: String,
    items: i64,
    bytes: i64,
    billing: &'static str,
    read_capacity: Option<u32>,
    write_capacity: Option<u32>,
    stream: Option<String>,
    indexes: Vec<String>,
}

impl Details {
    fn new(name: String, table: TableSummary) -> Self {
        let capacity = table.shape.billing.capacity();
        Self {
            name,
            status: table.status,
            items: table.items,
            bytes: table.bytes,
            billing: table.shape.billing.as_str(),
            read_capacity: capacity.map(|capacity| capacity.read.get()),
            write_capacity: capacity.map(|capacity| capacity.write.get()),
            stream: table.shape.stream,
            indexes: table.shape.indexes.into_keys().collect(),
        }
    }

    /// Formats the read and write capacity for people.
    fn capacity(&self) -> String {
        match (self.read_capacity, self.write_capacity) {
            (Some(read), Some(write)) => format!("{read} read, {write} write"),
            _ => "on demand".to_owned(),
        }
    }
}

impl Record for Details {
    type Of<'a> = Self;
    const TABLE: &'static [Column<Self>] = &[
        Column::kept("name", |row| Cell::text(&row.name)),
        Column::kept("status", |row| {
            Cell::text(&row.status).tone(match row.status.as_str() {
                "ACTIVE" => Tone::Plain,
                _ => Tone::Odd,
            })
        }),
        Column::kept("items", |row| Cell::number(row.items)),
        Column::kept("bytes", |row| Cell::number(row.bytes)),
        Column::kept("capacity", |row| Cell::text(row.capacity())),
        Column::new("stream", |row: &Self| {
            Cell::text_or_blank(row.stream.as_deref())
        })
        .below(),
        Column::new("index", |row: &Self| Cell::text(row.indexes.join(", "))).below(),
    ];
    const COLUMNS: &'static [Column<Self>] = &[
        Column::kept("name", |row| Cell::text(&row.name)),
        Column::kept("status", |row| Cell::text(&row.status)),
        Column::kept("items", |row| Cell::number(row.items)),
        Column::kept("bytes", |row| Cell::number(row.bytes)),
        Column::new("billing", |row| Cell::text(row.billing)),
        Column::new("read", |row: &Self| {
            Cell::number_or_blank(row.read_capacity)
        })
        .in_csv("read_capacity"),
        Column::new("write", |row: &Self| {
            Cell::number_or_blank(row.write_capacity)
        })
        .in_csv("write_capacity"),
        Column::new("stream", |row| Cell::text_or_blank(row.stream.as_deref())),
        Column::new("indexes", |row| Cell::text(row.indexes.join(", "))),
    ];
}

impl Command for Args {
    const FORMATS: &'static [Format] = Format::ROWS;
    const WITHOUT: &'static [&'static str] = &["tz"];

    fn is_paged(&self) -> bool {
        true
    }

    async fn run(self, context: Context) -> Result<Outcome, Failure> {
        let ui = &context.ui;
        let target = self.target.target(&context).await?;
        let dynamodb = target.dynamodb();
        show(
            target.is_production(),
            &dynamodb.destination().to_string(),
            ui,
        );
        if self.explain.is_wanted(ui)? {
            return self.explain(ui);
        }
        if self.details {
            print_details(&dynamodb, ui).await?;
        } else {
            print_names(&dynamodb, ui).await?;
        }
        Ok(Outcome::Done)
    }
}

impl Args {
    fn explain(&self, ui: &Ui) -> Result<Outcome, Failure> {
        let mut explanation = Explanation::new(ui);
        if self.details {
            explanation.line_for_each(
                "list-tables --query TableNames",
                "describe-table --table-name {}",
            );
        } else {
            explanation.line("list-tables");
        }
        explanation.note("index", "none");
        explanation.note("pages", "1 page or more, of 100 tables");
        explanation.note("units", "none: tables are described free of charge");
        explanation.print(ui)
    }
}

async fn print_names(dynamodb: &DynamoDb, ui: &Ui) -> Result<(), Failure> {
    let mut pages = std::pin::pin!(dynamodb.tables());
    let mut printer = ui.printer::<Name>();
    while let Some(names) = pages.try_next().await? {
        for name in names {
            printer.print(&Name { name })?;
        }
        printer.flush()?;
    }
    end(printer, ui)
}

async fn print_details(dynamodb: &DynamoDb, ui: &Ui) -> Result<(), Failure> {
    let described = dynamodb
        .tables()
        .map_ok(|names| stream::iter(names).map(Ok))
        .try_flatten()
        .map_ok(|name| describe(dynamodb, name))
        .try_buffered(SIDE_BY_SIDE);
    let mut described = std::pin::pin!(described);
    let mut printer = ui.printer::<Details>();
    while let Some(details) = described.try_next().await? {
        // A table may have been deleted before it is described.
        if let Some(details) = details {
            printer.print(&details)?;
        }
    }
    end(printer, ui)
}

async fn describe(
    dynamodb: &DynamoDb,
    name: String,
) -> Result<Option<Details>, ddb_core::CallError> {
    // The service returned it, so it is a valid name.
    let Ok(table) = name.parse::<TableName>() else {
        return Ok(None);
    };
    let description = dynamodb.store(table).describe().await?;
    Ok(description.map(|table| Details::new(name, table)))
}

fn end<R: Record>(printer: Printer<R>, ui: &Ui) -> Result<(), Failure> {
    let tables = printer.printed();
    printer.finish(Totals::default())?;
    if tables == 0 {
        ui.note("no tables");
        ui.hint("`ddb schema-load` creates one");
    } else {
        ui.detail(&plural(tables, "table", "tables"));
    }
    Ok(())
}
