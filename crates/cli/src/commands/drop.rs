//! `drop`: deletes a table, by its name.

use clap::Parser;
use ddb_core::schema::TableName;
use ddb_core::store::{Store, TableState};
use ddb_core::timezone::Zone;
use serde::Serialize;

use crate::args::{TableTarget, TargetArgs};
use crate::commands::shared::TABLE_DEADLINE;
use crate::failure::{Failure, Outcome};
use crate::help::examples;
use crate::output::{Cell, Column, Format, Record};
use crate::runner::{Command, Context};
use crate::ui::Ui;

/// Deletes the named table and waits until it is gone.
///
/// Deletion protection is reported, never turned off.
#[derive(Debug, Parser)]
#[command(name = "drop", version, after_help = examples(&[
    ("Start over with an empty table", "ddb drop cruddur-messages && ddb schema-load"),
]))]
pub struct Args {
    /// Table to delete; there is no default
    #[arg(value_name = "TABLE")]
    name: TableName,
    /// Succeed if there is no such table
    #[arg(long)]
    if_exists: bool,
    /// Name of the table again, instead of typing it; for production
    #[arg(long, value_name = "NAME")]
    confirm: Option<String>,
    #[command(flatten)]
    target: TargetArgs,
}

#[derive(Debug, Serialize)]
struct Row {
    table: String,
    action: &'static str,
}

impl Record for Row {
    type Of<'a> = Self;
    const COLUMNS: &'static [Column<Self>] = &[
        Column::kept("table", |row| Cell::text(&row.table)),
        Column::kept("action", |row| Cell::text(row.action)),
    ];

    fn sentence(row: &Self, _: Zone) -> Option<String> {
        Some(match row.action {
            "absent" => format!("there is no table {}", row.table),
            action => format!("{action} {}", row.table),
        })
    }
}

impl Command for Args {
    const FORMATS: &'static [Format] = Format::BASIC;
    const WITHOUT: &'static [&'static str] = &["tz"];

    async fn run(self, context: Context) -> Result<Outcome, Failure> {
        let ui = &context.ui;
        let target = self.target.target(&context).await?;
        let target = TableTarget::new(target, self.name, None, &context);
        let store = &target.store;
        let action = match destroy(&target, self.confirm.as_deref(), ui).await? {
            TableState::Changed => "dropped",
            TableState::Unchanged if self.if_exists => "absent",
            TableState::Unchanged => {
                return Err(Failure::no_table(store).hint(
                    "`ddb list-tables` shows those that are there; --if-exists succeeds anyway",
                ));
            }
        };
        let table = store.table().to_string();
        let done = format!("the table {table}: {action}");
        ui.report(&Row { table, action }, &done)?;
        Ok(Outcome::Done)
    }
}

/// Asks if necessary, and deletes the table. It does not ask about a table that does not exist.
async fn destroy(
    target: &TableTarget,
    confirm: Option<&str>,
    ui: &Ui,
) -> Result<TableState, Failure> {
    if target.store.describe().await?.is_none() {
        return Ok(TableState::Unchanged);
    }
    if target.is_production() {
        say_recovery(&target.store, ui).await;
    }
    let table = target.allow_deleting(confirm)?;
    let deleting = table.delete_table(TABLE_DEADLINE);
    Ok(ui.wait("waiting until it is gone", deleting).await?)
}

/// Prints whether the table could be restored.
async fn say_recovery(store: &Store, ui: &Ui) {
    match store.has_point_in_time_recovery().await {
        Ok(true) => {
            ui.note("point-in-time recovery is on; deleting makes a last backup, kept for 35 days")
        }
        Ok(false) => ui.warn("point-in-time recovery is off: once deleted, the data is gone"),
        // Not every role is allowed to ask, and not every service supports the question.
        Err(error) => ui.note(&format!(
            "whether point-in-time recovery is on is not known: {error}"
        )),
    }
}
