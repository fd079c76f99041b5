//! `db-setup`: the database, its users table, and the seed users.

use std::time::Duration;

use clap::Parser;
use ddb_core::guard::{Deletable, Writable};
use ddb_core::timezone::Zone;
use ddb_people::users::{
    Address, Created, Database, DatabaseWriter, Findings, Setup, Users, UsersError, Wait,
};
use serde::Serialize;

use super::matching::matched;
use crate::args::{AwsArgs, DatabaseArgs, PoolArgs, WriteArgs, allow_deleting, duration, show};
use crate::failure::{Exit, Failure, Outcome};
use crate::help::examples;
use crate::output::{Cell, Column, Format, Record};
use crate::runner::{Command, Context};
use crate::ui::Ui;

/// Creates the users database and fills it.
///
/// It creates the database if it is missing, applies the users schema, and inserts or updates the seed users with
/// their fixed ids. You can run it again at any time. Cognito ids of rows that exist are never changed. Where an
/// older database differs, that is reported and left as it is.
#[derive(Debug, Parser)]
#[command(name = "db-setup", version, after_help = examples(&[
    ("Wait for a server that is still starting", "ddb db-setup --wait 30s"),
    ("Copy the ids of the Cognito pool, too", "ddb db-setup --with-cognito"),
]))]
pub struct Args {
    /// Then copy the Cognito ids, as `update-cognito-user-ids` does
    #[arg(long)]
    with_cognito: bool,
    /// Wait this long for a server that is still starting
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "0s", default_missing_value = "30s", num_args = 0..=1)]
    wait: Duration,
    /// Drop the database first, with everything in it
    #[arg(long)]
    reset: bool,
    /// Name of the database, instead of typing it; for --reset in production
    #[arg(long, value_name = "NAME")]
    confirm: Option<String>,
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    write: WriteArgs,
    #[command(flatten)]
    pool: PoolArgs,
    #[command(flatten)]
    aws: AwsArgs,
}

#[derive(Debug, Serialize)]
struct Row {
    database: &'static str,
    schema: &'static str,
    inserted: u64,
    updated: u64,
    unchanged: u64,
}

const fn word(created: Created) -> &'static str {
    match created {
        Created::Now => "created",
        Created::Before => "unchanged",
    }
}

impl Record for Row {
    type Of<'a> = Self;
    const COLUMNS: &'static [Column<Self>] = &[
        Column::new("database", |row| Cell::text(row.database)),
        Column::new("schema", |row| Cell::text(row.schema)),
        Column::new("inserted", |row| Cell::number(row.inserted)),
        Column::new("updated", |row| Cell::number(row.updated)),
        Column::new("unchanged", |row| Cell::number(row.unchanged)),
    ];

    fn sentence(row: &Self, _: Zone) -> Option<String> {
        Some(format!(
            "database {}, schema {}; users: {} inserted, {} updated, {} unchanged",
            row.database, row.schema, row.inserted, row.updated, row.unchanged
        ))
    }
}

impl Command for Args {
    const FORMATS: &'static [Format] = Format::BASIC;
    const WITHOUT: &'static [&'static str] = &["tz"];

    async fn run(self, context: Context) -> Result<Outcome, Failure> {
        let ui = &context.ui;
        let address = self.database.address(&context, self.aws.is_production())?;
        // Everything else is checked before anything is written.
        let pool = match self.with_cognito {
            true => Some(self.pool.open(&self.aws, &context).await?),
            // AWS is not needed here, but its options must still be valid.
            false => {
                self.aws.hold(&context).await?;
                None
            }
        };
        let mut shown = address.description();
        if let Some(pool) = &pool {
            shown = format!("{shown}, ids from {}", pool.cognito.destination());
        }
        show(address.is_production(), &shown, ui);

        // Every permission is given before anything is deleted.
        let reset = match self.reset {
            true => Some(self.allow_deleting(&address, &shown)?),
            false => None,
        };
        let writable = self.write.allow(address.clone(), &shown)?;
        if let Some(reset) = reset {
            let deleting = Database::delete(reset, Wait(self.wait));
            let deleted = ui.wait("waiting for the server", deleting).await;
            deleted.map_err(UsersError::of_database(&address))?;
        }
        let (mut writer, created, setup) = self.set_up(&writable, ui).await?;
        say_findings(&setup.findings, ui);
        let done = match &pool {
            Some(_) => "the database was set up, without Cognito ids",
            None => "the database was set up",
        };
        let row = Row {
            database: word(created),
            schema: word(setup.schema),
            inserted: setup.inserted,
            updated: setup.updated,
            unchanged: setup.unchanged,
        };
        ui.report(&row, done)?;
        if let Some(pool) = pool {
            let found = matched(&pool.cognito, &writer, &address).await?;
            if !found.ambiguous.is_empty() {
                return Err(Failure::new(
                    Exit::Partly,
                    format!(
                        "the database is set up, but no Cognito id was set: several users have the handle {}",
                        found.ambiguous.join(", ")
                    ),
                )
                .hint("`ddb update-cognito-user-ids --skip-ambiguous` leaves them out"));
            }
            let changes = &found.changes;
            let written = writer.set_identities(changes).await;
            written.map_err(UsersError::of_database(&address))?;
            ui.note(&format!("{} Cognito ids set", changes.len()));
        }
        Ok(Outcome::Done)
    }
}

impl Args {
    fn allow_deleting(
        &self,
        address: &Address,
        shown: &str,
    ) -> Result<Deletable<Address>, Failure> {
        allow_deleting(address.clone(), shown, self.confirm.as_deref())
    }

    async fn set_up(
        &self,
        address: &Writable<Address>,
        ui: &Ui,
    ) -> Result<(DatabaseWriter, Created, Setup), Failure> {
        let failed = || UsersError::of_database(address);
        let connecting = DatabaseWriter::connect_or_create(address, Wait(self.wait));
        let made = ui.wait("waiting for the server", connecting).await;
        let (mut writer, created) = made.map_err(failed())?;
        let setup = writer.set_up(&Users::seed()?).await;
        Ok((writer, created, setup.map_err(failed())?))
    }
}

/// Prints warnings about anything that differs from what this project would have created.
fn say_findings(findings: &Findings, ui: &Ui) {
    for (handle, uuid) in &findings.other_uuids {
        ui.warn(&format!(
            "`{handle}` exists with the uuid {uuid}, which is not that of the seed users; left as it is"
        ));
    }
    for (uuid, handle) in &findings.other_handles {
        ui.warn(&format!("{uuid} exists as `{handle}`; left as it is"));
    }
    for handle in &findings.doubled {
        ui.warn(&format!("`{handle}` has several rows; left as they are"));
    }
    if findings.handles_may_repeat {
        ui.warn("handles may repeat: public.users has no UNIQUE on handle");
    }
    if !findings.missing_columns.is_empty() {
        ui.warn(&format!(
            "public.users has no column {}; left as it is",
            findings.missing_columns.join(", ")
        ));
    }
}
