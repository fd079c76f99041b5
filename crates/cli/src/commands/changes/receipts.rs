//! `receipts`: lists the receipts of commands that changed items.

use std::time::Duration;

use clap::Parser;
use ddb_core::changes::{Listed, list, prune};
use ddb_core::timestamp::Timestamp;
use serde::Serialize;

use crate::args::duration;
use crate::changes::folder;
use crate::failure::{Failure, Outcome};
use crate::help::examples;
use crate::output::{Cell, Column, Format, Record, Totals};
use crate::runner::{Command, Context};
use crate::wording::plural;

/// Lists the receipts of changes, the oldest first.
///
/// They are in $XDG_STATE_HOME/ddb/receipts, and contain texts of messages. `ddb undo` takes back the changes of
/// one of them.
#[derive(Debug, Parser)]
#[command(name = "receipts", version, after_help = examples(&[
    ("List them", "ddb receipts"),
    ("Delete those that are older than 90 days", "ddb receipts --prune 90d"),
]))]
pub struct Args {
    /// Delete receipts older than this, such as 90d; their changes can no longer be undone
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    prune: Option<Duration>,
}

#[derive(Debug, Serialize)]
struct Row {
    receipt: String,
    command: String,
    table: String,
    at: String,
    state: &'static str,
    done: u64,
    steps: u64,
    bytes: u64,
}

impl From<Listed> for Row {
    fn from(listed: Listed) -> Self {
        Self {
            receipt: listed.path.display().to_string(),
            command: listed.head.command.join(" "),
            table: listed.head.table().to_string(),
            at: listed.head.at,
            state: listed.state,
            done: listed.done,
            steps: listed.steps,
            bytes: listed.bytes,
        }
    }
}

impl Record for Row {
    type Of<'a> = Self;
    // The name contains the command, and `undo` finds the file by it.
    const TABLE: &'static [Column<Self>] = &[
        Column::time("begun", |row| Cell::time(&row.at)),
        Column::kept("state", |row| Cell::text(row.state)),
        Column::kept("receipt", |row| Cell::text(name(&row.receipt))),
    ];
    const COLUMNS: &'static [Column<Self>] = &[
        Column::time("begun", |row| Cell::time(&row.at)),
        Column::new("command", |row| Cell::text(&row.command)),
        Column::kept("state", |row| Cell::text(row.state)),
        Column::kept("done", |row| Cell::number(row.done)),
        Column::new("table", |row| Cell::text(&row.table)),
        Column::kept("receipt", |row| Cell::text(&row.receipt)),
    ];
}

/// Returns the name of a file.
fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

impl Command for Args {
    const FORMATS: &'static [Format] = Format::BASIC;

    async fn run(self, context: Context) -> Result<Outcome, Failure> {
        let ui = &context.ui;
        let folder = folder(&context.environment)?;
        let receipts = match self.prune {
            Some(age) => {
                let pruned = prune(&folder, age, Timestamp::now())?;
                let count = plural(pruned.len() as u64, "receipt", "receipts");
                ui.note(&format!("{count} deleted"));
                pruned
            }
            None => {
                let (listed, unread) = list(&folder)?;
                for error in unread {
                    ui.warn(&error.to_string());
                }
                let folder = folder.display();
                ui.note(&match listed.is_empty() {
                    true => format!("no receipts in {folder}"),
                    false => format!("receipts in {folder}:"),
                });
                listed
            }
        };
        let mut printer = ui.printer::<Row>();
        for receipt in receipts {
            printer.print(&receipt.into())?;
        }
        printer.finish(Totals::default())?;
        Ok(Outcome::Done)
    }
}
