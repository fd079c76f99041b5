//! `ddb doctor`: checks the setup, and shows which command to type next.

use std::time::Duration;

use clap::Parser;
use ddb_core::connect::Target;
use ddb_core::schema::TableSpec;
use ddb_core::store::{Scan, Store};
use ddb_people::users::{Address, Database, UsersError, UsersPlan};
use futures::TryStreamExt;
use serde::Serialize;

use crate::args::{PoolArgs, TableArgs, UsersArgs, show};
use crate::failure::{Exit, Failure, Hint, Outcome};
use crate::help::examples;
use crate::output::{Cell, Column, Format, Record, Tone, Totals};
use crate::runner::{Command, Context};
use crate::ui::Ui;
use crate::wording::plural;

/// Checks the setup and shows what to run next.
///
/// It checks everything that the other commands need, all at once. The exit code is 3 if there is a problem.
#[derive(Debug, Parser)]
#[command(name = "doctor", version, after_help = examples(&[
    ("Look at everything", "ddb doctor"),
    ("For a script", "ddb doctor -o jsonl"),
]))]
pub struct Args {
    #[command(flatten)]
    users: UsersArgs,
    #[command(flatten)]
    pool: PoolArgs,
    #[command(flatten)]
    table: TableArgs,
}

/// The time limit of each check.
const DEADLINE: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Ok,
    Warn,
    Fail,
}

impl Status {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }

    const fn tone(self) -> Tone {
        match self {
            Self::Ok => Tone::Good,
            Self::Warn => Tone::Odd,
            Self::Fail => Tone::Bad,
        }
    }
}

#[derive(Debug, Serialize)]
struct Row {
    check: &'static str,
    status: Status,
    detail: String,
    hint: Option<String>,
    #[serde(skip)]
    next: Option<Hint>,
}

impl Record for Row {
    type Of<'a> = Self;
    const COLUMNS: &'static [Column<Self>] = &[
        Column::kept("check", |row| Cell::text(row.check)),
        Column::kept("status", |row| {
            Cell::text(row.status.as_str()).tone(row.status.tone())
        }),
        Column::new("detail", |row: &Self| Cell::text(&row.detail)).wrapped(),
    ];
}

/// The result of a check in which nothing failed.
struct Found {
    status: Status,
    detail: String,
    hint: Option<Hint>,
}

impl Found {
    fn ok(detail: impl Into<String>) -> Self {
        Self {
            status: Status::Ok,
            detail: detail.into(),
            hint: None,
        }
    }

    fn warn(detail: impl Into<String>) -> Self {
        Self {
            status: Status::Warn,
            ..Self::ok(detail)
        }
    }

    fn fail(failure: Failure) -> Self {
        let (detail, hint) = match failure {
            Failure::Error { message, hint, .. } => (message, hint),
            Failure::ClosedPipe => ("nobody listens".to_owned(), None),
        };
        Self {
            status: Status::Fail,
            hint,
            ..Self::ok(detail)
        }
    }

    fn hint(self, hint: impl Into<Hint>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }
}

impl Command for Args {
    const FORMATS: &'static [Format] = Format::BASIC;
    const WITHOUT: &'static [&'static str] = &["tz"];

    async fn run(self, context: Context) -> Result<Outcome, Failure> {
        let ui = &context.ui;
        let target = self.target(&context).await;
        let target = target.as_ref();
        let rows = futures::join!(
            check("dynamodb", dynamodb(target), ui),
            check("table", self.table(target, &context), ui),
            check("users", self.users(&context), ui),
            check("user ids", self.user_ids(&context), ui),
            check("cognito", self.cognito(&context), ui),
        );
        let rows: [Row; 5] = rows.into();
        let well = rows.iter().all(|row| row.status == Status::Ok);
        let mut printer = context.ui.printer::<Row>();
        for row in &rows {
            printer.print(row)?;
        }
        printer.finish(Totals::default())?;
        for row in &rows {
            say(row, &context.ui);
        }
        Ok(if well {
            Outcome::Done
        } else {
            Outcome::Difference
        })
    }
}

/// Prints what to do. If the output is not a table, it also prints what was found.
fn say(row: &Row, ui: &Ui) {
    if row.status != Status::Ok && ui.format() != Format::Table {
        ui.warn(&format!("{}: {}", row.check, row.detail));
    }
    if let Some(hint) = &row.next {
        ui.hint(Hint::About(row.check, Box::new(hint.clone())));
    }
}

/// Runs one check within its time limit; a failure is a finding.
async fn check(
    name: &'static str,
    found: impl Future<Output = Result<Found, Failure>>,
    ui: &Ui,
) -> Row {
    let late = || {
        let after = humantime::format_duration(DEADLINE);
        Err(Failure::new(
            Exit::Failed,
            format!("no answer within {after}"),
        ))
    };
    let found = tokio::time::timeout(DEADLINE, found)
        .await
        .unwrap_or_else(|_| late());
    let Found {
        status,
        detail,
        hint,
    } = found.unwrap_or_else(Found::fail);
    Row {
        check: name,
        status,
        detail,
        hint: hint.as_ref().map(|hint| ui.words(hint)),
        next: hint,
    }
}

/// The target, or why it is missing: each check that needs it reports that.
type MaybeTarget<'a> = Result<&'a Target, &'a Failure>;

async fn dynamodb(target: MaybeTarget<'_>) -> Result<Found, Failure> {
    let dynamodb = target.map_err(Failure::again)?.dynamodb();
    let mut pages = std::pin::pin!(dynamodb.tables());
    let tables = pages.try_next().await?.unwrap_or_default();
    let tables = plural(tables.len() as u64, "table", "tables");
    Ok(Found::ok(format!(
        "{} answers, {tables}",
        dynamodb.destination()
    )))
}

impl Args {
    /// Finds the target once, for all checks. They report a failure as their finding.
    async fn target(&self, context: &Context) -> Result<Target, Failure> {
        let target = self
            .table
            .target_beside(self.pool.is_aws(&context.environment)?, context)
            .await?;
        show(target.is_production(), &target.to_string(), &context.ui);
        Ok(target)
    }

    async fn table(&self, target: MaybeTarget<'_>, context: &Context) -> Result<Found, Failure> {
        let name = self.table.table(&context.environment)?;
        let store = target.map_err(Failure::again)?.store(name);
        let table = store.describe_existing().await?;
        let spec = TableSpec::default();
        let shape = table.shape;
        let differences = spec.shape().differences(&shape);
        if !differences.is_empty() {
            let fields: Vec<String> = differences.iter().map(|d| d.field.to_string()).collect();
            let detail = format!("{} differs in: {}", store.table(), fields.join(", "));
            return Ok(
                Found::warn(detail).hint(if spec.can_be_changed_in_place(&shape) {
                    "`ddb schema-load` shows how, `ddb schema-load --apply` changes it"
                } else {
                    "`ddb schema-load` shows how; it cannot be changed in place"
                }),
            );
        }
        if is_empty(&store).await? {
            let detail = format!("{} matches the schema, and is empty", store.table());
            return Ok(Found::ok(detail).hint("`ddb seed` loads a conversation"));
        }
        Ok(Found::ok(format!("{} matches the schema", store.table())))
    }

    fn plan(&self, context: &Context) -> Result<UsersPlan, Failure> {
        self.users.plan(context, self.table.is_production())
    }

    async fn users(&self, context: &Context) -> Result<Found, Failure> {
        let plan = self.plan(context)?;
        let source = plan.source();
        if let UsersPlan::BuiltIn = plan {
            return Ok(Found::ok(
                "no database is named; the built-in seed users are used",
            ));
        }
        plan.open().await?;
        Ok(Found::ok(format!("{source} answers")))
    }

    async fn user_ids(&self, context: &Context) -> Result<Found, Failure> {
        let UsersPlan::Postgres(address) = self.plan(context)? else {
            return Ok(Found::ok("there is no database to check"));
        };
        let has_pool = self.pool.pool(&context.environment)?.is_some();
        user_ids(&address, has_pool).await
    }

    async fn cognito(&self, context: &Context) -> Result<Found, Failure> {
        if self.pool.pool(&context.environment)?.is_none() {
            return Ok(
                Found::ok("no user pool is named; only commands about people need one")
                    .hint("AWS_COGNITO_USER_POOL_ID names one"),
            );
        }
        let pool = self.pool.open(self.table.aws(), context).await?;
        let mut pages = std::pin::pin!(pool.cognito.users(None));
        // A page may be empty even if more pages follow.
        let mut first = 0;
        while let Some(page) = pages.try_next().await? {
            first = page.len() as u64;
            if first > 0 {
                break;
            }
        }
        let more = match pages.try_next().await? {
            Some(_) => " and more",
            None => "",
        };
        let users = plural(first, "user", "users");
        Ok(Found::ok(format!(
            "{} answers, {users}{more}",
            pool.cognito.destination()
        )))
    }
}

async fn is_empty(store: &Store) -> Result<bool, Failure> {
    let first = Scan {
        count_only: true,
        page_size: Some(1),
        ..Scan::default()
    };
    let mut pages = std::pin::pin!(store.scan(first, |(): &mut (), _| {}));
    Ok(pages.try_next().await?.is_none_or(|page| page.count == 0))
}

/// Checks whether every user of the database has a Cognito id, and every handle belongs to one user.
async fn user_ids(address: &Address, has_pool: bool) -> Result<Found, Failure> {
    let failed = || UsersError::of_database(address);
    let database = Database::connect(address).await.map_err(failed())?;
    let users = database.identities().await.map_err(failed())?;
    if users.is_empty() {
        return Ok(Found::warn("there are no users").hint("`ddb db-setup` inserts the seed users"));
    }
    let mut doubled: Vec<&str> = users
        .windows(2)
        .filter(|pair| pair[0].handle == pair[1].handle)
        .map(|pair| pair[0].handle.as_str())
        .collect();
    doubled.dedup();
    if !doubled.is_empty() {
        return Ok(
            Found::warn(format!("handles of several users: {}", doubled.join(", ")))
                .hint("delete the surplus rows"),
        );
    }
    // A `sub` is a uuid; anything else is a placeholder.
    let is_sub = |id: &str| uuid::Uuid::try_parse(id).is_ok();
    let without = users
        .iter()
        .filter(|user| !user.cognito_user_id.as_deref().is_some_and(is_sub))
        .count() as u64;
    let all = plural(users.len() as u64, "user", "users");
    let detail = format!("{without} of {all} have no Cognito id");
    match (without, has_pool) {
        (0, _) => Ok(Found::ok(format!("{all}, each with a Cognito id"))),
        // Without a pool there are no ids that they could have.
        (_, false) => Ok(Found::ok(format!("{detail}, and no pool is named"))),
        (_, true) => {
            Ok(Found::warn(detail).hint("`ddb update-cognito-user-ids` sets them from the pool"))
        }
    }
}
