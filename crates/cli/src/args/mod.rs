//! Options that several commands share, and the types that their values have.

mod value;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use ddb_core::environment::Environment;
use ddb_core::schema::{DEFAULT_TABLE, TableName};
use ddb_core::store::{DynamoDb, Store};
use ddb_core::target::{Local, LocalOptions, Target};
use ddb_core::timestamp::{TimeRange, Timestamp};
use ddb_core::users::Users;

use crate::failure::Failure;
use crate::output::Format;
use crate::ui::Ui;
pub use value::{When, duration};

const OUTPUT: &str = "Output";
const TARGET: &str = "Target";
const RANGE: &str = "Range";

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
pub struct CommonArgs {
    /// Form of the output
    #[arg(short, long, value_enum, default_value_t = Format::Table, value_name = "FORM", help_heading = OUTPUT)]
    pub output: Format,
    /// Say nothing but errors
    #[arg(short, long, help_heading = OUTPUT)]
    pub quiet: bool,
    /// Say more about what is done
    #[arg(short, long, action = clap::ArgAction::Count, help_heading = OUTPUT)]
    pub verbose: u8,
    /// When to use colours
    #[arg(long, value_enum, default_value_t = ColorChoice::Auto, value_name = "WHEN", help_heading = OUTPUT)]
    pub color: ColorChoice,
    /// Show no progress bars
    #[arg(long, help_heading = OUTPUT)]
    pub no_progress: bool,
    /// Give up after this time, such as 90s or 1m30s
    #[arg(long, value_parser = duration, value_name = "DURATION")]
    pub timeout: Option<Duration>,
}

/// Options of every command that reaches DynamoDB.
#[derive(Debug, Clone, Args)]
pub struct DynamoDbArgs {
    /// Endpoint [env: AWS_ENDPOINT_URL_DYNAMODB, AWS_ENDPOINT_URL] [default: http://localhost:8000]
    #[arg(long, value_name = "URL", help_heading = TARGET)]
    endpoint_url: Option<String>,
    /// Region that requests are signed for [env: AWS_REGION, AWS_DEFAULT_REGION] [default: us-east-1]
    #[arg(long, value_name = "REGION", help_heading = TARGET)]
    region: Option<String>,
}

impl DynamoDbArgs {
    /// Finds the target. Nothing is contacted.
    ///
    /// # Errors
    ///
    /// Where an endpoint or a region is malformed, or the endpoint is AWS.
    pub fn local(&self, environment: &Environment, ui: &Ui) -> Result<Local, Failure> {
        let options = LocalOptions {
            endpoint_url: self.endpoint_url.as_deref(),
            region: self.region.as_deref(),
        };
        let local = Local::resolve(&options, environment)?;
        ui.detail(&format!(
            "endpoint from {}, region {}, dummy credentials",
            local.origin(),
            local.region()
        ));
        Ok(local)
    }

    /// Makes a client of the service, and says where it will act.
    ///
    /// # Errors
    ///
    /// As [`DynamoDbArgs::local`].
    pub fn dynamodb(&self, environment: &Environment, ui: &Ui) -> Result<DynamoDb, Failure> {
        let dynamodb = Target::Local(self.local(environment, ui)?).dynamodb();
        ui.target(dynamodb.place());
        Ok(dynamodb)
    }
}

/// Options of every command that works on the table.
#[derive(Debug, Clone, Args)]
pub struct TableArgs {
    #[command(flatten)]
    dynamodb: DynamoDbArgs,
    /// Table [env: DDB_MESSAGE_TABLE] [default: cruddur-messages]
    #[arg(long, value_name = "NAME", help_heading = TARGET)]
    table: Option<TableName>,
}

impl TableArgs {
    /// Returns the name of the table.
    ///
    /// # Errors
    ///
    /// Where the variable holds no table name.
    pub fn table(&self, environment: &Environment) -> Result<TableName, Failure> {
        const VARIABLE: &str = "DDB_MESSAGE_TABLE";
        if let Some(table) = &self.table {
            return Ok(table.clone());
        }
        environment
            .get(VARIABLE)
            .unwrap_or(DEFAULT_TABLE)
            .parse()
            .map_err(|error| Failure::refused(format!("{VARIABLE}: {error}")))
    }

    /// Finds the target. Nothing is contacted.
    ///
    /// # Errors
    ///
    /// As [`DynamoDbArgs::local`].
    pub fn local(&self, environment: &Environment, ui: &Ui) -> Result<Local, Failure> {
        self.dynamodb.local(environment, ui)
    }

    /// Makes a client of the table, and says where it will act.
    ///
    /// # Errors
    ///
    /// Where the target or the name of the table is malformed.
    pub fn store(&self, environment: &Environment, ui: &Ui) -> Result<Store, Failure> {
        let local = self.local(environment, ui)?;
        let store = Target::Local(local).store(self.table(environment)?);
        ui.target(store.place());
        Ok(store)
    }
}

/// Options of every command that needs to know who is who.
#[derive(Debug, Clone, Args)]
pub struct UsersArgs {
    /// CSV file of users, in place of the built-in seed users
    #[arg(long, value_name = "FILE", help_heading = TARGET)]
    users: Option<PathBuf>,
}

impl UsersArgs {
    /// Opens the users.
    ///
    /// # Errors
    ///
    /// Where the file cannot be read or is malformed.
    pub fn open(&self, ui: &Ui) -> Result<Users, Failure> {
        let users = match &self.users {
            Some(path) => Users::from_file(path)?,
            None => Users::built_in()?,
        };
        ui.detail(&format!("users: {}", users.source()));
        Ok(users)
    }
}

/// Returns the handle of whoever runs the command, where none is given: `DDB_ME`, then `andrewbrown`.
pub fn me<'a>(given: Option<&'a str>, environment: &'a Environment) -> &'a str {
    given
        .or_else(|| environment.get("DDB_ME"))
        .unwrap_or("andrewbrown")
}

/// Options that choose a stretch of time.
#[derive(Debug, Clone, Args)]
pub struct RangeArgs {
    /// Only this calendar year, UTC
    #[arg(long, value_name = "YYYY", value_parser = clap::value_parser!(u16).range(..=9999), conflicts_with_all = ["since", "until"], help_heading = RANGE)]
    year: Option<u16>,
    /// From this instant on: RFC 3339, a date, `now`, or -1d
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, help_heading = RANGE)]
    since: Option<When>,
    /// Before this instant
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, help_heading = RANGE)]
    until: Option<When>,
}

impl RangeArgs {
    /// Returns the stretch of time.
    ///
    /// # Errors
    ///
    /// Where an instant is outside the years 0000 to 9999.
    pub fn range(&self, now: Timestamp) -> Result<TimeRange, Failure> {
        let outside = || Failure::refused("a time is outside the years 0000 to 9999");
        if let Some(year) = self.year {
            return TimeRange::year(year).ok_or_else(outside);
        }
        let at = |when: &Option<When>| match when {
            Some(when) => when.at(now).map(Some).ok_or_else(outside),
            None => Ok(None),
        };
        Ok(TimeRange {
            since: at(&self.since)?,
            until: at(&self.until)?,
        })
    }
}

/// Options that choose how much of a conversation, or of a list of them, is shown.
#[derive(Debug, Clone, Args)]
pub struct LimitArgs {
    /// Show at most this many, the newest
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "all", help_heading = RANGE)]
    limit: u32,
    /// Show everything
    #[arg(long, help_heading = RANGE)]
    all: bool,
}

impl LimitArgs {
    /// Returns the limit, where there is one.
    pub fn limit(&self) -> Option<u32> {
        (!self.all).then_some(self.limit)
    }
}
