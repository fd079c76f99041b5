//! Options that several commands share, and the types that their values have.

mod value;

use std::fmt::Display;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use ddb_core::directory::Directory;
use ddb_core::environment::Environment;
use ddb_core::guard::{self, DestroyToken, WriteToken};
use ddb_core::schema::{DEFAULT_TABLE, TableName};
use ddb_core::store::Store;
use ddb_core::target::{CognitoTarget, PoolId, Realm, Service, Target, TargetOptions};
use ddb_core::timestamp::{TimeRange, Timestamp};
use ddb_core::users::{self, Address, DatabaseOptions, Source, Users, UsersOptions, UsersPlan};

use crate::failure::Failure;
use crate::launch::Context;
use crate::output::Format;
use crate::ui::{Terminal, Ui};
pub use value::{When, duration};

const OUTPUT: &str = "Output";
const TARGET: &str = "Target";
const RANGE: &str = "Range";
const USERS: &str = "Users";

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

/// Options of every command that can act on AWS.
#[derive(Debug, Clone, Args)]
pub struct AwsArgs {
    /// Act on AWS: the one switch to production
    #[arg(long, help_heading = TARGET)]
    prod: bool,
    /// Region [env: AWS_REGION, AWS_DEFAULT_REGION] [default: us-east-1, or the profile's with --prod]
    #[arg(long, value_name = "REGION", help_heading = TARGET)]
    region: Option<String>,
    /// AWS profile, with --prod [env: AWS_PROFILE]
    #[arg(long, value_name = "NAME", help_heading = TARGET)]
    profile: Option<String>,
    /// Refuse any other account, with --prod
    #[arg(long, value_name = "ID", help_heading = TARGET)]
    expect_account: Option<String>,
    /// Endpoint of STS, with --prod; for tests
    #[arg(long, value_name = "URL", hide = true)]
    sts_endpoint_url: Option<String>,
}

impl AwsArgs {
    /// Tells whether production is wanted.
    pub fn is_production(&self) -> bool {
        self.prod
    }

    fn options<'a>(&'a self, service: Service, endpoint_url: Option<&'a str>) -> TargetOptions<'a> {
        TargetOptions {
            prod: self.prod,
            service,
            endpoint_url,
            region: self.region.as_deref(),
            profile: self.profile.as_deref(),
            expect_account: self.expect_account.as_deref(),
            sts_endpoint_url: self.sts_endpoint_url.as_deref(),
        }
    }
}

/// Options of every command that reaches DynamoDB.
#[derive(Debug, Clone, Args)]
pub struct TargetArgs {
    #[command(flatten)]
    aws: AwsArgs,
    /// Endpoint [env: AWS_ENDPOINT_URL_DYNAMODB, AWS_ENDPOINT_URL] [default: http://localhost:8000]
    #[arg(long, value_name = "URL", help_heading = TARGET)]
    endpoint_url: Option<String>,
}

impl TargetArgs {
    /// Finds the target. In production STS is asked for the account.
    ///
    /// # Errors
    ///
    /// Where something is malformed, contradictory, or not what was expected.
    pub async fn target(&self, context: &Context) -> Result<Target, Failure> {
        let options = self
            .aws
            .options(Service::DynamoDb, self.endpoint_url.as_deref());
        let target = Target::resolve(&options, &context.environment).await?;
        if let Target::Local(local) = &target {
            context.ui.detail(&format!(
                "endpoint from {}, region {}, dummy credentials",
                local.origin(),
                local.region()
            ));
        }
        Ok(target)
    }
}

/// Options of every command that reaches a Cognito user pool.
#[derive(Debug, Clone, Args)]
pub struct PoolArgs {
    /// User pool [env: AWS_COGNITO_USER_POOL_ID, AWS_USER_POOLS_ID]
    #[arg(long, value_name = "ID", help_heading = TARGET)]
    user_pool_id: Option<PoolId>,
    /// Endpoint of Cognito; the word `aws` means the real service, without --prod [env: AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER] [default: http://localhost:9229]
    #[arg(long, value_name = "URL", help_heading = TARGET)]
    cognito_endpoint_url: Option<String>,
}

impl PoolArgs {
    /// Returns the pool, where one is named.
    ///
    /// # Errors
    ///
    /// Where a variable holds no id of a pool.
    pub fn pool(&self, environment: &Environment) -> Result<Option<PoolId>, Failure> {
        const VARIABLES: [&str; 2] = ["AWS_COGNITO_USER_POOL_ID", "AWS_USER_POOLS_ID"];
        if let Some(pool) = &self.user_pool_id {
            return Ok(Some(pool.clone()));
        }
        let Some((variable, text)) = environment.first(&VARIABLES) else {
            return Ok(None);
        };
        text.parse()
            .map(Some)
            .map_err(|error| Failure::refused(format!("{variable}: {error}")))
    }

    /// Finds the pool and where it is. With the word `aws`, and in production, STS is asked for the
    /// account.
    ///
    /// # Errors
    ///
    /// Where no pool is named, or something is malformed or contradictory.
    pub async fn open(&self, aws: &AwsArgs, context: &Context) -> Result<Pool, Failure> {
        let pool = self.pool(&context.environment)?.ok_or_else(|| {
            Failure::refused("no user pool is named")
                .hint("name it with --user-pool-id or AWS_COGNITO_USER_POOL_ID")
        })?;
        let options = aws.options(Service::Cognito, self.cognito_endpoint_url.as_deref());
        let target = CognitoTarget::resolve(&options, &pool, &context.environment).await?;
        Ok(Pool {
            directory: target.directory(pool),
            target,
        })
    }
}

/// A user pool, and where it is.
#[derive(Debug)]
pub struct Pool {
    /// Where it is.
    pub target: CognitoTarget,
    /// The client of the pool.
    pub directory: Directory,
}

/// Options of every command that works on the table.
#[derive(Debug, Clone, Args)]
pub struct TableArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// Table [env: DDB_MESSAGE_TABLE] [default: cruddur-messages]
    #[arg(long, value_name = "NAME", help_heading = TARGET)]
    table: Option<TableName>,
}

impl TableArgs {
    /// Returns the options about AWS.
    pub fn aws(&self) -> &AwsArgs {
        &self.target.aws
    }

    /// Tells whether production is wanted.
    pub fn is_production(&self) -> bool {
        self.target.aws.is_production()
    }

    /// Finds the target. In production STS is asked for the account.
    ///
    /// # Errors
    ///
    /// As [`TargetArgs::target`].
    pub async fn target(&self, context: &Context) -> Result<Target, Failure> {
        self.target.target(context).await
    }

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

    /// Finds the table, and says where it is. `users` is named too, where they matter.
    ///
    /// # Errors
    ///
    /// As [`TargetArgs::target`].
    pub async fn open(&self, context: &Context, users: Option<&Source>) -> Result<Site, Failure> {
        let table = self.table(&context.environment)?;
        let target = self.target.target(context).await?;
        Ok(Site::new(target, table, users, context))
    }
}

/// A table at a target, after both were shown.
#[derive(Debug)]
pub struct Site {
    target: Target,
    shown: String,
    /// The client of the table.
    pub store: Store,
}

impl Site {
    /// Shows where the command is about to act: always, in production.
    pub fn new(
        target: Target,
        table: TableName,
        users: Option<&Source>,
        context: &Context,
    ) -> Self {
        let store = target.store(table);
        let shown = match users {
            Some(users) if target.is_production() => format!("{}, users {users}", store.place()),
            _ => store.place().to_owned(),
        };
        show(&target, &shown, &context.ui);
        Self {
            target,
            shown,
            store,
        }
    }

    /// Tells whether this is AWS itself.
    pub fn is_production(&self) -> bool {
        self.target.is_production()
    }

    /// Gets the permission to write; in production by `--yes` or an answer at the terminal.
    ///
    /// # Errors
    ///
    /// Where it is refused.
    pub fn allow_writing(&self, write: &WriteArgs) -> Result<WriteToken, Failure> {
        write.allow(&self.target, &self.shown)
    }

    /// Gets the permission to destroy the table; in production by its name.
    ///
    /// # Errors
    ///
    /// Where it is refused.
    pub fn allow_destroying(
        &self,
        confirm: Option<&str>,
    ) -> Result<DestroyToken<TableName>, Failure> {
        let table = self.store.table().clone();
        allow_destroying(&self.target, &self.shown, table, confirm)
    }
}

/// Says where a command is about to act.
pub fn show(realm: &impl Realm, place: &str, ui: &Ui) {
    if realm.is_production() {
        ui.banner(place);
    } else {
        ui.target(place);
    }
}

/// Options of every command that writes.
#[derive(Debug, Clone, Args)]
pub struct WriteArgs {
    /// Write to production without being asked
    #[arg(long, help_heading = TARGET)]
    yes: bool,
}

impl WriteArgs {
    /// Gets the permission to write to a place that was shown; in production by `--yes` or an answer
    /// at the terminal.
    ///
    /// # Errors
    ///
    /// Where it is refused.
    pub fn allow(&self, realm: &impl Realm, shown: &str) -> Result<WriteToken, Failure> {
        guard::allow_writing(realm, shown, self.yes, &mut Terminal).map_err(Failure::from)
    }
}

/// Gets the permission to destroy something; in production by its name.
///
/// # Errors
///
/// Where it is refused.
pub fn allow_destroying<T: Display>(
    realm: &impl Realm,
    shown: &str,
    what: T,
    confirm: Option<&str>,
) -> Result<DestroyToken<T>, Failure> {
    guard::allow_destroying(realm, shown, what, confirm, &mut Terminal).map_err(Failure::from)
}

/// Options that name a database of users.
#[derive(Debug, Clone, Args)]
pub struct DatabaseArgs {
    /// PostgreSQL database of users [env: DATABASE_URL, CONNECTION_URL; with --prod: PROD_DATABASE_URL, PROD_CONNECTION_URL]
    #[arg(long, value_name = "URL", help_heading = USERS)]
    database_url: Option<String>,
    /// File of root certificates for the database, in place of the system's
    #[arg(long, value_name = "FILE", help_heading = USERS)]
    db_ca: Option<PathBuf>,
}

impl DatabaseArgs {
    fn options(&self) -> DatabaseOptions<'_> {
        DatabaseOptions {
            url: self.database_url.as_deref(),
            ca: self.db_ca.clone(),
        }
    }

    /// Finds the database. Nothing is opened.
    ///
    /// # Errors
    ///
    /// Where none is named, or the URL cannot be used.
    pub fn address(&self, context: &Context, production: bool) -> Result<Address, Failure> {
        let environment = &context.environment;
        Ok(users::database(&self.options(), production, environment)?)
    }
}

/// Options of every command that needs to know who is who.
#[derive(Debug, Clone, Args)]
pub struct UsersArgs {
    /// CSV file of users, in place of the built-in seed users
    #[arg(long, value_name = "FILE", help_heading = USERS)]
    users: Option<PathBuf>,
    #[command(flatten)]
    database: DatabaseArgs,
}

impl UsersArgs {
    /// Chooses the source of users. Nothing is opened.
    ///
    /// # Errors
    ///
    /// Where the URL of a database cannot be used, or production has only local users.
    pub fn plan(&self, context: &Context, production: bool) -> Result<UsersPlan, Failure> {
        let options = UsersOptions {
            file: self.users.as_deref(),
            database: self.database.options(),
            production,
        };
        Ok(UsersPlan::choose(&options, &context.environment)?)
    }

    /// Opens the users, and says where they come from.
    ///
    /// # Errors
    ///
    /// Where a file or a database does not answer as it should.
    pub async fn open(&self, context: &Context, production: bool) -> Result<Users, Failure> {
        let plan = self.plan(context, production)?;
        context.ui.note(&format!("users: {}", plan.source()));
        Ok(plan.open().await?)
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

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use proptest::prelude::*;

    /// A command that takes anything.
    #[derive(Debug, Parser)]
    struct Any {
        words: Vec<String>,
        #[command(flatten)]
        target: TargetArgs,
        #[command(flatten)]
        common: CommonArgs,
    }

    fn word() -> impl Strategy<Value = String> {
        prop_oneof![
            Just("--prod".to_owned()),
            prop::sample::select(vec![
                "prod",
                "nonprod",
                "-prod",
                "--Prod",
                "--PROD",
                "--production",
                "--pro",
                "--prod=true",
                "--prod=",
                "--no-prod",
                "---prod",
                "--prod ",
                " --prod",
                "—prod",
                "--",
                "-q",
                "--quiet",
                "--region",
                "--endpoint-url",
                "http://prod",
                "--profile",
                "--table=prod",
            ])
            .prop_map(str::to_owned),
            "[a-z-]{0,8}",
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        /// p03: only the exact flag means production; it is never a value of another option.
        #[test]
        fn p03_only_the_exact_flag_means_production(words in prop::collection::vec(word(), 0..6)) {
            let all = std::iter::once("any").chain(words.iter().map(String::as_str));
            let Ok(parsed) = Any::try_parse_from(all) else {
                return Ok(());
            };
            let options = words.iter().take_while(|word| *word != "--");
            let exact = options.filter(|word| *word == "--prod").count();
            prop_assert_eq!(parsed.target.aws.is_production(), exact > 0, "{:?}", words);
        }
    }
}
