//! `update-cognito-user-ids`: copies the ids of the pool's users into the database.

use clap::Parser;
use ddb_people::cognito::{Change, Reconciliation};
use ddb_people::users::{Database, DatabaseWriter, UsersError};
use serde::Serialize;

use super::matching::matched;
use crate::args::{AwsArgs, DatabaseArgs, PoolArgs, WriteArgs, show};
use crate::failure::{Failure, Outcome};
use crate::help::examples;
use crate::output::{Cell, Column, Format, Record};
use crate::runner::{Command, Context};
use crate::ui::Ui;
use crate::wording::plural;

/// Copies the ids of the Cognito pool into the database.
///
/// It sets users.cognito_user_id by handle, in one transaction. Both sides are read and matched first. If several
/// users of the pool or several rows have the same handle, it is reported and nothing is written, unless
/// --skip-ambiguous is given.
#[derive(Debug, Parser)]
#[command(name = "update-cognito-user-ids", version, after_help = examples(&[
    ("See what would change", "ddb update-cognito-user-ids --dry-run"),
    ("Find out in a script, by exit code 3", "ddb update-cognito-user-ids --check --quiet"),
]))]
pub struct Args {
    /// Show what would change, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Write nothing, and exit with 3 if something would change
    #[arg(long, conflicts_with = "dry_run")]
    check: bool,
    /// Leave out handles that several users have
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

    fn done(&self) -> &'static str {
        if self.written {
            "updated"
        } else {
            "would change"
        }
    }

    fn summary(&self) -> String {
        format!(
            "{} {}, {} unchanged, {} only in the pool, {} only in the database, {} without a handle, {} ambiguous",
            self.updated,
            self.done(),
            self.unchanged,
            self.unmatched_in_pool,
            self.unmatched_in_database,
            self.without_handle,
            self.ambiguous
        )
    }

    fn lines(&self) -> Vec<Line<'_>> {
        let found = &self.matched;
        let changes = found.changes.iter().map(|change| Line {
            handle: &change.handle,
            result: self.done(),
            from: change.from.as_deref(),
            to: Some(&change.to),
        });
        let others = [
            (&found.unmatched_in_pool, "not in the database"),
            (&found.unmatched_in_database, "not in the pool"),
            (&found.without_handle, "no handle in the pool"),
            (&found.ambiguous, "ambiguous"),
        ];
        let others = others.into_iter().flat_map(|(handles, result)| {
            handles.iter().map(move |handle| Line {
                handle,
                result,
                from: None,
                to: None,
            })
        });
        changes.chain(others).collect()
    }
}

/// What people see: a line for each handle that is not as it should be.
#[derive(Debug, Serialize)]
struct Line<'a> {
    handle: &'a str,
    result: &'static str,
    from: Option<&'a str>,
    to: Option<&'a str>,
}

impl Record for Row {
    type Of<'a> = Line<'a>;
    const COLUMNS: &'static [Column<Self>] = &[
        Column::kept("handle", |line| Cell::text(line.handle)),
        Column::kept("result", |line| Cell::text(line.result)),
        Column::optional("from", |line| Cell::text_or_blank(line.from)),
        Column::optional("to", |line| Cell::text_or_blank(line.to)),
    ];
}

impl Command for Args {
    const FORMATS: &'static [Format] = Format::BASIC;
    const WITHOUT: &'static [&'static str] = &["tz"];

    async fn run(self, context: Context) -> Result<Outcome, Failure> {
        let ui = &context.ui;
        let address = self.database.address(&context, self.aws.is_production())?;
        let pool = self.pool.open(&self.aws, &context).await?;
        let shown = format!(
            "{}, ids from {}",
            address.description(),
            pool.cognito.destination()
        );
        show(address.is_production(), &shown, ui);

        let of_database = || UsersError::of_database(&address);
        let database = Database::connect(&address).await.map_err(of_database())?;
        let found = matched(&pool.cognito, &database, &address).await?;
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
        ui.report_lines::<Row>(&row, &row.lines(), &row.summary())?;
        ui.note(&row.summary());
        if self.check && row.updated > 0 {
            ui.hint("without --check they are set");
            return Ok(Outcome::Difference);
        }
        Ok(Outcome::Done)
    }
}

/// Refuses to continue if a handle belongs to more than one person.
fn refuse_ambiguous(found: &Reconciliation) -> Result<(), Failure> {
    if found.ambiguous.is_empty() {
        return Ok(());
    }
    let handles = plural(found.ambiguous.len() as u64, "handle has", "handles have");
    Err(Failure::refused(format!(
        "{handles} several users in the pool or several rows: {}; nothing was written",
        found.ambiguous.join(", ")
    ))
    .hint("fix them, or leave them out with --skip-ambiguous"))
}

/// Shows what is about to change, before the question.
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
