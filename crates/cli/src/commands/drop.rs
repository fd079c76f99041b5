//! `drop`: deletes a table, by its name.

use clap::Parser;
use ddb_core::guard;
use ddb_core::schema::TableName;
use ddb_core::store::TableState;
use ddb_core::target::Target;
use serde::Serialize;

use super::TABLE_DEADLINE;
use crate::args::{CommonArgs, DynamoDbArgs};
use crate::failure::{Exit, Failure, Outcome};
use crate::launch::{Command, Context};
use crate::output::{Cell, Column, Format, Record, Totals};

/// Deletes the named table and waits until it is gone.
///
/// A deletion protection is reported, never lifted.
#[derive(Debug, Parser)]
#[command(name = "drop", version)]
pub struct Args {
    /// The table; there is no default
    #[arg(value_name = "TABLE")]
    name: TableName,
    /// Find nothing wrong where there is no such table
    #[arg(long)]
    if_exists: bool,
    #[command(flatten)]
    dynamodb: DynamoDbArgs,
    #[command(flatten)]
    common: CommonArgs,
}

#[derive(Debug, Serialize)]
struct Row {
    table: String,
    action: &'static str,
}

impl Record for Row {
    const COLUMNS: &'static [Column] = &[Column::kept("table"), Column::kept("action")];

    fn rows(&self) -> Vec<Vec<Cell>> {
        vec![vec![Cell::text(&self.table), Cell::text(self.action)]]
    }
}

impl Command for Args {
    const FORMATS: &'static [Format] = Format::BASIC;

    fn common(&self) -> &CommonArgs {
        &self.common
    }

    async fn run(self, context: Context) -> Result<Outcome, Failure> {
        let ui = &context.ui;
        let local = self.dynamodb.local(&context.environment, ui)?;
        let token = guard::allow_destroying(&local, self.name.clone());
        let store = Target::Local(local).store(self.name);
        ui.target(store.place());
        let action = match store.delete_table(token, TABLE_DEADLINE).await? {
            TableState::Changed => "dropped",
            TableState::Unchanged if self.if_exists => "absent",
            TableState::Unchanged => {
                return Err(Failure::new(
                    Exit::NotFound,
                    format!("DeleteTable on {}: there is no such table", store.place()),
                )
                .hint(
                    "`ddb list-tables` shows those that are there; --if-exists takes this for done",
                ));
            }
        };
        let mut printer = ui.printer::<Row>();
        printer.print(&Row {
            table: store.table().to_string(),
            action,
        })?;
        printer.finish(Totals::default())?;
        Ok(Outcome::Done)
    }
}
