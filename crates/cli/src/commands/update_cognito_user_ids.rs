//! `update-cognito-user-ids`: copies the ids of the pool's users into the database.

use clap::Parser;
use ddb_core::directory::{Change, Directory, Reconciliation};
use ddb_core::users::{Address, Database, DatabaseWriter, UsersError};
use futures::TryStreamExt;
use serde::Serialize;

use super::counted;
use crate::args::{AwsArgs, CommonArgs, DatabaseArgs, PoolArgs, WriteArgs, show};
use crate::failure::{Failure, Outcome};
use crate::help::examples;
use crate::launch::{Command, Context};
use crate::output::{Cell, Column, Format, Record};
use crate::ui::Ui;

/// Copies the ids of the Cognito pool into the database.
///
/// It sets users.cognito_user_id by handle, in one transaction. Both sides are read and matched first. A handle that several users of the pool or several rows have
/// is never guessed: it is named, and nothing is written, unless --skip-ambiguous.
#[derive(Debug, Parser)]
#[command(name = "update-cognito-user-ids", version, after_help = examples(&[
    ("See what would change", "ddb update-cognito-user-ids --dry-run"),
    ("Tell a script whether anything would, by exit code 3", "ddb update-cognito-user-ids --check --quiet"),
]))]
pub struct Args {
    /// Say what would change, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Write nothing, and exit with 3 when something would change
    #[arg(long, conflicts_with = "dry_run")]
    check: bool,
    /// Leave handles out that several users have
    #[arg(long)]
    skip_ambiguous: bool,
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    write: WriteArgs,
    #[command(flatten)]
    pool: PoolArgs,
    #[command(flatten)]
    aws: AwsArgs,
    #[command(flatten)]
    common: CommonArgs,
}

#[derive(Debug, Serialize)]
struct Field {
    handle: String,
    from: Option<String>,
    to: String,
}

impl From<&Change> for Field {
    fn from(change: &Change) -> Self {
        Self {
            handle: change.handle.clone(),
            from: change.from.clone(),
            to: change.to.clone(),
        }
    }
}

#[derive(Debug, Serialize)]
struct Row {
    updated: usize,
    unchanged: usize,
    unmatched_in_pool: usize,
    unmatched_in_database: usize,
    without_handle: usize,
    ambiguous: usize,
    changes: Vec<Field>,
    #[serde(skip)]
    matched: Reconciliation,
    #[serde(skip)]
    written: bool,
}

impl Row {
    fn new(matched: Reconciliation, written: bool) -> Self {
        Self {
            updated: matched.changes.len(),
            unchanged: matched.unchanged.len(),
            unmatched_in_pool: matched.unmatched_in_pool.len(),
            unmatched_in_database: matched.unmatched_in_database.len(),
            without_handle: matched.without_handle.len(),
            ambiguous: matched.ambiguous.len(),
            changes: matched.changes.iter().map(Field::from).collect(),
            matched,
            written,
        }
    }

    fn summary(&self) -> String {
        format!(
            "{} {}, {} unchanged, {} only in the pool, {} only in the database, {} without a handle, {} ambiguous",
            self.updated,
            if self.written {
                "updated"
            } else {
                "would change"
            },
            self.unchanged,
            self.unmatched_in_pool,
            self.unmatched_in_database,
            self.without_handle,
            self.ambiguous
        )
    }
}

impl Record for Row {
    const COLUMNS: &'static [Column] = &[
        Column::kept("handle"),
        Column::kept("result"),
        Column::optional("from"),
        Column::optional("to"),
    ];

    fn rows(&self) -> Vec<Vec<Cell>> {
        let row = |handle: &str, result: &str, from: &str, to: &str| {
            [handle, result, from, to].map(Cell::text).to_vec()
        };
        let done = if self.written {
            "updated"
        } else {
            "would change"
        };
        let changes = self.matched.changes.iter();
        let mut rows: Vec<Vec<Cell>> = changes
            .map(|change| {
                row(
                    &change.handle,
                    done,
                    change.from.as_deref().unwrap_or_default(),
                    &change.to,
                )
            })
            .collect();
        for (list, result) in [
            (&self.matched.unmatched_in_pool, "not in the database"),
            (&self.matched.unmatched_in_database, "not in the pool"),
            (&self.matched.without_handle, "no handle in the pool"),
            (&self.matched.ambiguous, "ambiguous"),
        ] {
            rows.extend(list.iter().map(|handle| row(handle, result, "", "")));
        }
        rows
    }
}

impl Command for Args {
    const FORMATS: &'static [Format] = Format::BASIC;

    fn common(&self) -> &CommonArgs {
        &self.common
    }

    async fn run(self, context: Context) -> Result<Outcome, Failure> {
        let ui = &context.ui;
        let address = self.database.address(&context, self.aws.is_production())?;
        let pool = self.pool.open(&self.aws, &context).await?;
        let shown = format!("{}, ids from {}", address.place(), pool.directory.place());
        show(address.is_production(), &shown, ui);

        let of_database = || UsersError::of_database(&address);
        let database = Database::connect(&address).await.map_err(of_database())?;
        let found = matched(&pool.directory, &database, &address).await?;
        if !self.skip_ambiguous {
            refuse_ambiguous(&found)?;
        }
        let writes = !self.dry_run && !self.check && !found.changes.is_empty();
        if writes {
            if address.is_production() {
                say_changes(&found.changes, ui);
            }
            let mut writer = DatabaseWriter::from(self.write.allow(database, &shown)?);
            let written = writer.set_identities(&found.changes).await;
            written.map_err(of_database())?;
        }
        let done = !self.dry_run && !self.check;
        let row = Row::new(found, done);
        ui.report(&row, &row.summary())?;
        ui.note(&row.summary());
        if self.check && row.updated > 0 {
            ui.hint("without --check they are set");
            return Ok(Outcome::Difference);
        }
        Ok(Outcome::Done)
    }
}

/// Reads both sides side by side, and matches them.
pub(super) async fn matched(
    directory: &Directory,
    database: &Database,
    address: &Address,
) -> Result<Reconciliation, Failure> {
    let pool = async {
        let users: Vec<_> = directory.users(None).try_concat().await?;
        Ok::<_, Failure>(users)
    };
    let rows = async {
        let rows = database.identities().await;
        Ok(rows.map_err(UsersError::of_database(address))?)
    };
    let (users, rows) = futures::try_join!(pool, rows)?;
    Ok(Reconciliation::new(&users, &rows))
}

/// Refuses to go on where a handle is not one person's.
fn refuse_ambiguous(found: &Reconciliation) -> Result<(), Failure> {
    if found.ambiguous.is_empty() {
        return Ok(());
    }
    let handles = counted(found.ambiguous.len() as u64, "handle has", "handles have");
    Err(Failure::refused(format!(
        "{handles} several users in the pool or several rows: {}; nothing was written",
        found.ambiguous.join(", ")
    ))
    .hint("mend them, or leave them out with --skip-ambiguous"))
}

/// Shows what is about to change, before it is asked for.
fn say_changes(changes: &[Change], ui: &Ui) {
    const MANY: usize = 20;
    for change in changes.iter().take(MANY) {
        let from = change.from.as_deref().unwrap_or("nothing");
        ui.announce(&format!("{}: {from} becomes {}", change.handle, change.to));
    }
    if changes.len() > MANY {
        ui.announce(&format!(
            "and {} more; --dry-run shows all",
            changes.len() - MANY
        ));
    }
}
