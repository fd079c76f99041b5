//! `schema-load`: creates the table, or shows how an existing one differs.

use std::io::{self, Write};
use std::num::NonZeroU32;

use clap::Parser;
use ddb_core::schema::{Billing, Capacity, Change, Changes, Difference, Plan, Shape, TableSpec};
use ddb_core::store::{ChangeError, TableState};
use ddb_core::timezone::Zone;
use serde::Serialize;

use crate::args::{TableArgs, TableTarget, WriteArgs};
use crate::commands::shared::TABLE_DEADLINE;
use crate::failure::{Exit, Failure, Hint, Outcome};
use crate::help::examples;
use crate::output::{Cell, Column, Format, Record};
use crate::runner::{Command, Context};
use crate::ui::Ui;
use crate::wording::plural;

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum BillingArg {
    Provisioned,
    OnDemand,
}

/// Creates the table, or shows how it differs.
///
/// It waits until the table and its index are ACTIVE. A table that matches is left alone. If it differs, the
/// differences are shown field by field, nothing is changed, and the exit code is 3. --apply makes the changes
/// that DynamoDB can make in place; if one of them cannot be made in place, none is made.
///
/// With --prod, the differences are shown before you are asked. To delete an index that is not in the schema, or
/// to turn a stream off (another view needs that, too, and gives it a new ARN), type the name of the table, or
/// give it with --confirm.
#[derive(Debug, Parser)]
#[command(name = "schema-load", version, after_help = examples(&[
    ("Print what would be sent to DynamoDB, and do nothing", "ddb schema-load --print"),
    ("Update a table that differs, where that can be done in place", "ddb schema-load --apply"),
]))]
pub struct Args {
    /// Change the table where it differs
    #[arg(long, conflicts_with = "print")]
    apply: bool,
    /// Name of the table, instead of typing it; for --apply in production that deletes an index or ends a stream
    #[arg(long, value_name = "NAME", requires = "apply")]
    confirm: Option<String>,
    /// Print the CreateTable JSON for `aws dynamodb create-table --cli-input-json`, and exit
    #[arg(long)]
    print: bool,
    /// Billing mode of the table
    #[arg(long, value_enum, default_value = "provisioned", value_name = "MODE")]
    billing: BillingArg,
    /// Read capacity units of the table and of the index [default: 5]
    #[arg(long, value_name = "N")]
    read_capacity: Option<NonZeroU32>,
    /// Write capacity units of the table and of the index [default: 5]
    #[arg(long, value_name = "N")]
    write_capacity: Option<NonZeroU32>,
    /// Do not use a stream
    #[arg(long)]
    no_stream: bool,
    #[command(flatten)]
    write: WriteArgs,
    #[command(flatten)]
    table: TableArgs,
}

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
enum Action {
    Created,
    Unchanged,
    Drift,
    Updated,
}

impl Action {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Unchanged => "unchanged",
            Self::Drift => "drift",
            Self::Updated => "updated",
        }
    }
}

#[derive(Debug, Serialize)]
struct Field {
    field: String,
    wanted: String,
    found: String,
}

impl From<Difference> for Field {
    fn from(difference: Difference) -> Self {
        Self {
            field: difference.field.to_string(),
            wanted: difference.wanted,
            found: difference.found,
        }
    }
}

#[derive(Debug, Serialize)]
struct Row {
    table: String,
    action: Action,
    differences: Vec<Field>,
}

/// What people see: a line for each difference, or one line if there is none.
#[derive(Debug, Serialize)]
struct Line<'a> {
    row: &'a Row,
    difference: Option<&'a Field>,
}

impl Row {
    fn lines(&self) -> Vec<Line<'_>> {
        let line = |difference| Line {
            row: self,
            difference,
        };
        let lines: Vec<Line<'_>> = self.differences.iter().map(Some).map(line).collect();
        if lines.is_empty() {
            return vec![line(None)];
        }
        lines
    }
}

impl Record for Row {
    type Of<'a> = Line<'a>;
    const TABLE: &'static [Column<Self>] = &[
        Column::kept("field", |line| line.cell(|field| &field.field)),
        Column::new("wanted", |line| line.cell(|field| &field.wanted)),
        Column::new("found", |line| line.cell(|field| &field.found)),
    ];
    const COLUMNS: &'static [Column<Self>] = &[
        Column::kept("table", |line| Cell::text(&line.row.table)),
        Column::kept("action", |line| Cell::text(line.row.action.as_str())),
        Column::optional("field", |line| line.cell(|field| &field.field)),
        Column::optional("wanted", |line| line.cell(|field| &field.wanted)),
        Column::optional("found", |line| line.cell(|field| &field.found)),
    ];

    fn sentence(line: &Line<'_>, _: Zone) -> Option<String> {
        let table = &line.row.table;
        let fields = line.row.differences.iter();
        let fields: Vec<&str> = fields.map(|field| field.field.as_str()).collect();
        match line.row.action {
            Action::Created => Some(format!("created {table}")),
            Action::Unchanged => Some(format!("{table} exists and matches the schema")),
            Action::Updated => Some(format!("updated {table}: {}", fields.join(", "))),
            Action::Drift => None,
        }
    }
}

impl Line<'_> {
    fn cell(&self, part: fn(&Field) -> &String) -> Cell {
        Cell::text_or_blank(self.difference.map(part))
    }
}

impl Args {
    fn spec(&self) -> Result<TableSpec, Failure> {
        let billing = match self.billing {
            BillingArg::Provisioned => Billing::Provisioned(Capacity {
                read: self.read_capacity.unwrap_or(Capacity::DEFAULT.read),
                write: self.write_capacity.unwrap_or(Capacity::DEFAULT.write),
            }),
            BillingArg::OnDemand if self.read_capacity.or(self.write_capacity).is_some() => {
                return Err(Failure::refused(
                    "a table that is billed on demand has no capacity to set",
                ));
            }
            BillingArg::OnDemand => Billing::OnDemand,
        };
        Ok(TableSpec {
            billing,
            stream: !self.no_stream,
        })
    }
}

impl Args {
    /// Creates the table if it does not exist, and waits until it is active.
    pub(super) async fn create(&self, context: &Context) -> Result<(), Failure> {
        let target = self.table.open(context, None).await?;
        let load = Load {
            target: &target,
            spec: self.spec()?,
            write: &self.write,
            confirm: None,
            ui: &context.ui,
        };
        load.load(false).await?;
        Ok(())
    }
}

impl Command for Args {
    const FORMATS: &'static [Format] = Format::BASIC;
    const WITHOUT: &'static [&'static str] = &["tz"];

    async fn run(self, context: Context) -> Result<Outcome, Failure> {
        let (ui, environment) = (&context.ui, &context.environment);
        let spec = self.spec()?;
        if self.print {
            let request = spec.create_json(&self.table.table(environment)?);
            writeln!(io::stdout(), "{request:#}")?;
            return Ok(Outcome::Done);
        }
        let target = self.table.open(&context, None).await?;
        let store = &target.store;
        let load = Load {
            target: &target,
            spec,
            write: &self.write,
            confirm: self.confirm.as_deref(),
            ui,
        };
        let (action, differences) = load.load(self.apply).await?;
        let found = differences.len() as u64;
        let row = Row {
            table: store.table().to_string(),
            action,
            differences: differences.into_iter().map(Field::from).collect(),
        };
        let done = format!("the table {}: {}", row.table, action.as_str());
        ui.report_lines::<Row>(&row, &row.lines(), &done)?;
        if !matches!(action, Action::Drift) {
            return Ok(Outcome::Done);
        }
        ui.warn(&format!(
            "{} differs in {}; nothing was changed",
            store.destination(),
            plural(found, "field", "fields")
        ));
        ui.hint(if self.apply || !spec.can_be_changed_in_place(&load.shape().await?) {
            Hint::Fixed(
                "DynamoDB cannot change these in place: drop the table and create it again, or use another --table",
            )
        } else {
            Hint::Again {
                with: "--apply",
                does: "changes what DynamoDB can change in place",
            }
        });
        Ok(Outcome::Difference)
    }
}

struct Load<'a> {
    target: &'a TableTarget,
    spec: TableSpec,
    write: &'a WriteArgs,
    confirm: Option<&'a str>,
    ui: &'a Ui,
}

impl Load<'_> {
    async fn load(&self, apply: bool) -> Result<(Action, Vec<Difference>), Failure> {
        let store = &self.target.store;
        if store.needs_creation().await? {
            let writer = self.target.allow_writing(self.write)?;
            let creating = writer.create_table(&self.spec, TABLE_DEADLINE);
            let state = self.ui.wait("waiting for the table", creating).await?;
            if state == TableState::Changed {
                return Ok((Action::Created, Vec::new()));
            }
        }
        let differences = self.differences().await?;
        match differences.as_slice() {
            [] => Ok((Action::Unchanged, differences)),
            _ if apply => self.apply().await,
            _ => Ok((Action::Drift, differences)),
        }
    }

    async fn shape(&self) -> Result<Shape, Failure> {
        let active = self.target.store.wait_until_active(TABLE_DEADLINE);
        Ok(self.ui.wait("waiting for the table", active).await?)
    }

    async fn differences(&self) -> Result<Vec<Difference>, Failure> {
        Ok(self.spec.shape().differences(&self.shape().await?))
    }

    /// Shows what will be changed, and what will be lost.
    fn announce(&self, differences: &[Difference], changes: &Changes) {
        for difference in differences {
            self.ui.announce(&format!(
                "{}: {} becomes {}",
                difference.field, difference.found, difference.wanted
            ));
        }
        for change in changes.iter() {
            match change {
                Change::DeleteIndex(name) => self.ui.announce(&format!(
                    "the index {name} will be deleted; queries that use it will fail"
                )),
                Change::StreamOff { arn } => self.ui.announce(&format!(
                    "the stream {} will end; a Lambda function that is mapped to it will get no more records",
                    arn.as_deref().unwrap_or_default()
                )),
                Change::StreamOn | Change::Billing { .. } | Change::CreateIndex(_) => {}
            }
        }
    }

    /// Changes the table. Returns the fields that differed before, or those that still differ.
    async fn apply(&self) -> Result<(Action, Vec<Difference>), Failure> {
        let store = &self.target.store;
        let found = self.shape().await?;
        let changes = match self.spec.plan(&found) {
            Plan::Impossible(stuck) => return Ok((Action::Drift, stuck)),
            Plan::InPlace(changes) => changes,
        };
        let differences = self.spec.shape().differences(&found);
        if self.target.is_production() {
            self.announce(&differences, &changes);
        }
        let count = changes.len() as u64;
        let table = self
            .target
            .allow_changing(changes, self.write, self.confirm)?;
        let changing = table.change_table(&self.spec, TABLE_DEADLINE);
        self.ui.wait("waiting for the change", changing).await?;
        match self.differences().await? {
            left if left.is_empty() => Ok((Action::Updated, differences)),
            left => Err(Failure::new(
                Exit::Partly,
                format!(
                    "UpdateTable on {}: the service took {}, but still differs in: {}",
                    store.destination(),
                    plural(count, "change", "changes"),
                    left.iter()
                        .map(|d| d.field.to_string())
                        .collect::<Vec<_>>()
                        .join(", "),
                ),
            )),
        }
    }
}

impl From<ChangeError> for Failure {
    fn from(error: ChangeError) -> Self {
        let message = error.to_string();
        match error {
            ChangeError::Stale { .. } => {
                Self::refused(message).hint("run the command again: it shows what differs now")
            }
            ChangeError::Failed { made, of, error } => partly(made, of, error.into()),
        }
    }
}

/// Adds to a failure how many changes were made before it.
fn partly(made: usize, of: usize, failure: Failure) -> Failure {
    match failure {
        Failure::Error { message, hint, .. } if made > 0 => Failure::Error {
            exit: Exit::Partly,
            message: format!("{message}; {made} of {of} changes were made"),
            hint: hint.or_else(|| Some("`ddb schema-load` shows what still differs".into())),
        },
        failure => failure,
    }
}

/// Scripts rely on the JSON form: `differences` of `field`, `wanted`, `found`.
#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::json;

    #[test]
    fn the_record_has_the_fields_of_the_contract() {
        let row = Row {
            table: "t".to_owned(),
            action: Action::Drift,
            differences: vec![Field {
                field: "stream".to_owned(),
                wanted: "NEW_IMAGE".to_owned(),
                found: "none".to_owned(),
            }],
        };
        assert_eq!(
            json::text(&row),
            r#"{"table":"t","action":"drift","differences":[{"field":"stream","wanted":"NEW_IMAGE","found":"none"}]}"#
        );
    }
}
