//! The target of a command, and the permission to write there.

use clap::Args;
use ddb_core::connect::{Service, Target, TargetOptions};
use ddb_core::environment::{Environment, Given};
use ddb_core::guard::{self, Changeable, Deletable, Guarded, Writable};
use ddb_core::schema::{Changes, DEFAULT_TABLE, TableName};
use ddb_core::store::{Store, Writer};
use ddb_core::stream::Streams;
use ddb_people::users::Source;

use crate::failure::Failure;
use crate::runner::Context;
use crate::ui::{Terminal, Ui};

/// The heading of the options that choose the target.
pub(super) const TARGET: &str = "Target";

/// Options of every command that can act on AWS.
#[derive(Debug, Clone, Args)]
pub struct AwsArgs {
    /// Use AWS: the only switch to production
    #[arg(long, help_heading = TARGET)]
    prod: bool,
    /// Region [env: AWS_REGION, AWS_DEFAULT_REGION] [default: us-east-1, or the profile's with --prod]
    #[arg(long, value_name = "REGION", help_heading = TARGET)]
    region: Option<String>,
    /// AWS profile, with --prod [env: AWS_PROFILE, AWS_DEFAULT_PROFILE]
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
    /// Checks whether production is wanted.
    pub fn is_production(&self) -> bool {
        self.prod
    }

    /// Checks the AWS options of a command that needs nothing else from AWS: in production it asks STS for the account
    /// if one is expected, and locally it refuses options for production.
    ///
    /// # Errors
    ///
    /// An option is refused, or the account is not the expected one.
    pub async fn hold(&self, context: &Context) -> Result<(), Failure> {
        let sts = self.options();
        let options = TargetOptions {
            service: Service::STS,
            endpoint_url: sts.sts_endpoint_url,
            ..sts
        };
        let said = self.expect_account.is_some() || self.profile.is_some();
        if !self.prod {
            options.refuse_production_only()?;
        } else if said {
            Target::resolve(&options, &context.environment).await?;
        }
        Ok(())
    }

    /// Returns the AWS options, whatever the service.
    pub(super) fn options(&self) -> TargetOptions<'_> {
        TargetOptions {
            prod: self.prod,
            region: given("--region", self.region.as_ref()),
            profile: given("--profile", self.profile.as_ref()),
            expect_account: given("--expect-account", self.expect_account.as_ref()),
            sts_endpoint_url: given("--sts-endpoint-url", self.sts_endpoint_url.as_ref()),
            ..TargetOptions::default()
        }
    }
}

/// Adds the name of the option to its value, for errors.
pub(super) fn given<'a>(option: &'static str, value: Option<&'a String>) -> Option<Given<'a>> {
    value.map(|value| Given {
        origin: option,
        value,
    })
}

/// Options of every command that reaches DynamoDB.
#[derive(Debug, Clone, Args)]
pub struct TargetArgs {
    #[command(flatten)]
    aws: AwsArgs,
    /// Endpoint [env: DDB_ENDPOINT_URL, AWS_ENDPOINT_URL_DYNAMODB, AWS_ENDPOINT_URL] [default: http://localhost:8000]
    #[arg(long, value_name = "URL", help_heading = TARGET)]
    endpoint_url: Option<String>,
}

impl TargetArgs {
    /// Finds the target. In production it asks STS for the account.
    ///
    /// # Errors
    ///
    /// Something is malformed, contradictory, or not as expected.
    pub async fn target(&self, context: &Context) -> Result<Target, Failure> {
        self.resolve(&self.options(), context).await
    }

    fn options(&self) -> TargetOptions<'_> {
        TargetOptions {
            endpoint_url: given("--endpoint-url", self.endpoint_url.as_ref()),
            ..self.aws.options()
        }
    }

    async fn resolve(
        &self,
        options: &TargetOptions<'_>,
        context: &Context,
    ) -> Result<Target, Failure> {
        let target = Target::resolve(options, &context.environment).await?;
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
    /// Returns the AWS options.
    pub fn aws(&self) -> &AwsArgs {
        &self.target.aws
    }

    /// Checks whether production is wanted.
    pub fn is_production(&self) -> bool {
        self.target.aws.is_production()
    }

    /// Finds the target of the table next to a user pool. If the pool is the real one and the table is local, the AWS
    /// options apply to the pool.
    pub async fn target_beside(
        &self,
        is_real_pool: bool,
        context: &Context,
    ) -> Result<Target, Failure> {
        let mut options = self.target.options();
        if !options.prod && is_real_pool {
            options.profile = None;
            options.expect_account = None;
            options.sts_endpoint_url = None;
        }
        self.target.resolve(&options, context).await
    }

    /// Returns the name of the table.
    ///
    /// # Errors
    ///
    /// The variable does not contain a table name.
    pub fn table(&self, environment: &Environment) -> Result<TableName, Failure> {
        const VARIABLE: &str = "DDB_MESSAGE_TABLE";
        if let Some(table) = &self.table {
            return Ok(table.clone());
        }
        environment
            .get(VARIABLE)?
            .unwrap_or(DEFAULT_TABLE)
            .parse()
            .map_err(|error| Failure::refused(format!("{VARIABLE}: {error}")))
    }

    /// Finds the target. In production it asks STS for the account.
    ///
    /// # Errors
    ///
    /// Something is malformed, contradictory, or not as expected.
    pub async fn target(&self, context: &Context) -> Result<Target, Failure> {
        self.target.target(context).await
    }

    /// Returns a client for reading the table, and prints the target.
    pub fn show(&self, target: &Target, table: TableName, context: &Context) -> Store {
        TableTarget::new(target.clone(), table, None, context).store
    }

    /// Finds the table, and prints its target. It also names `users`, if they matter.
    pub async fn open(
        &self,
        context: &Context,
        users: Option<&Source>,
    ) -> Result<TableTarget, Failure> {
        let table = self.table(&context.environment)?;
        let target = self.target.target(context).await?;
        Ok(TableTarget::new(target, table, users, context))
    }

    /// Finds the table and its streams, and prints the target of the table.
    pub async fn open_with_streams(
        &self,
        context: &Context,
    ) -> Result<(TableTarget, Streams), Failure> {
        let table = self.table(&context.environment)?;
        let options = TargetOptions {
            with_streams: true,
            ..self.target.options()
        };
        let target = self.target.resolve(&options, context).await?;
        let streams = target.streams(&options, &context.environment)?;
        Ok((TableTarget::new(target, table, None, context), streams))
    }
}

/// A table at a target, after both were shown.
#[derive(Debug)]
pub struct TableTarget {
    shown: String,
    /// The client of the table.
    pub store: Store,
}

impl TableTarget {
    /// Prints the target that the command is about to act on; in production, no option hides it.
    pub fn new(
        target: Target,
        table: TableName,
        users: Option<&Source>,
        context: &Context,
    ) -> Self {
        let store = target.store(table).telling(context.ui.throttle_listener());
        let shown = match users {
            Some(users) if target.is_production() => {
                format!("{}, users {users}", store.destination())
            }
            _ => store.destination().to_string(),
        };
        show(target.is_production(), &shown, &context.ui);
        Self { shown, store }
    }

    /// Checks whether this is AWS itself.
    pub fn is_production(&self) -> bool {
        self.store.is_production()
    }

    /// Gets the permission to write: in production, by `--yes` or an answer at the terminal.
    pub fn allow_writing(&self, write: &WriteArgs) -> Result<Writer, Failure> {
        write.allow(self.store.clone(), &self.shown)
    }

    /// Gets the permission to write something that deletes: in production, by the name.
    ///
    /// # Errors
    ///
    /// It is refused.
    pub fn allow_deleting_from(
        &self,
        name: &str,
        confirm: Option<&str>,
    ) -> Result<Writer, Failure> {
        let store = self.store.clone();
        guard::allow_deleting_from(store, &self.shown, name, confirm, &mut Terminal)
            .map_err(Failure::from)
    }

    /// Gets the permission to change the table: in production, by `--yes` or an answer at the terminal, or, if
    /// something is deleted, only by the table's name.
    pub fn allow_changing(
        &self,
        changes: Changes,
        write: &WriteArgs,
        confirm: Option<&str>,
    ) -> Result<Changeable<Store>, Failure> {
        let (store, given) = (self.store.clone(), (write.yes, confirm));
        guard::allow_changing(store, &self.shown, changes, given, &mut Terminal)
            .map_err(Failure::from)
    }

    /// Gets the permission to delete the table: in production, by its name.
    pub fn allow_deleting(&self, confirm: Option<&str>) -> Result<Deletable<Store>, Failure> {
        allow_deleting(self.store.clone(), &self.shown, confirm)
    }
}

/// Prints the target that a command is about to act on, highlighted if it is production.
pub fn show(production: bool, shown: &str, ui: &Ui) {
    if production {
        ui.banner(shown);
    } else {
        ui.target(shown);
    }
}

/// Options of every command that writes.
#[derive(Debug, Clone, Args)]
pub struct WriteArgs {
    /// Write to production without asking
    #[arg(long, help_heading = TARGET)]
    yes: bool,
}

impl WriteArgs {
    /// Gets the permission to write to a resource whose target was shown: in production, by `--yes` or an answer at the
    /// terminal.
    pub fn allow<P: Guarded>(&self, resource: P, shown: &str) -> Result<Writable<P>, Failure> {
        guard::allow_writing(resource, shown, self.yes, &mut Terminal).map_err(Failure::from)
    }
}

/// Gets the permission to delete something: in production, by its name.
pub fn allow_deleting<P: Guarded>(
    resource: P,
    shown: &str,
    confirm: Option<&str>,
) -> Result<Deletable<P>, Failure> {
    guard::allow_deleting(resource, shown, confirm, &mut Terminal).map_err(Failure::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::CommonArgs;
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
        #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(2_000), ..ProptestConfig::default() })]

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
