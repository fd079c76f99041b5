//! Where people come from: a user pool, a database, a file.

use std::path::{Path, PathBuf};

use clap::Args;
use ddb_core::connect::TargetOptions;
use ddb_core::environment::Environment;
use ddb_core::handle::PersonName;
use ddb_core::key::UserId;
use ddb_people::cognito::{CognitoTarget, PoolId, UserPool};
use ddb_people::users::{
    self, Address, DatabaseOptions, Users, UsersError, UsersOptions, UsersPlan,
};

use super::target::{AwsArgs, TARGET, given};
use crate::failure::Failure;
use crate::runner::Context;
use crate::ui::Ui;

const USERS: &str = "Users";

/// Options of every command that reaches a Cognito user pool.
#[derive(Debug, Clone, Args)]
pub struct PoolArgs {
    /// User pool [env: AWS_COGNITO_USER_POOL_ID, AWS_USER_POOLS_ID]
    #[arg(long, value_name = "ID", help_heading = TARGET)]
    user_pool_id: Option<PoolId>,
    /// Endpoint of Cognito; the word `aws` means the real service, without --prod [env:
    /// AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER] [default: http://localhost:9229]
    #[arg(long, value_name = "URL", help_heading = TARGET)]
    cognito_endpoint_url: Option<String>,
}

impl PoolArgs {
    /// Checks whether the word `aws` asks for the real service.
    ///
    /// # Errors
    ///
    /// The variable, which counts if the flag is missing, is not UTF-8.
    pub fn is_aws(&self, environment: &Environment) -> Result<bool, Failure> {
        let flag = self.cognito_endpoint_url.as_deref();
        Ok(CognitoTarget::is_aws(flag, environment)?)
    }

    /// Returns the pool, if one is named.
    ///
    /// # Errors
    ///
    /// A variable does not contain the id of a pool.
    pub fn pool(&self, environment: &Environment) -> Result<Option<PoolId>, Failure> {
        const VARIABLES: [&str; 2] = ["AWS_COGNITO_USER_POOL_ID", "AWS_USER_POOLS_ID"];
        if let Some(pool) = &self.user_pool_id {
            return Ok(Some(pool.clone()));
        }
        let Some((variable, text)) = environment.first(&VARIABLES)? else {
            return Ok(None);
        };
        text.parse()
            .map(Some)
            .map_err(|error| Failure::refused(format!("{variable}: {error}")))
    }

    /// Finds the pool and its target. With the word `aws`, and in production, it asks STS for the account.
    ///
    /// # Errors
    ///
    /// No pool is named, or something is malformed or contradictory.
    pub async fn open(&self, aws: &AwsArgs, context: &Context) -> Result<Pool, Failure> {
        let pool = self.pool(&context.environment)?.ok_or_else(|| {
            Failure::refused("no user pool is named")
                .hint("name it with --user-pool-id or AWS_COGNITO_USER_POOL_ID")
        })?;
        let options = TargetOptions {
            endpoint_url: given("--cognito-endpoint-url", self.cognito_endpoint_url.as_ref()),
            ..aws.options()
        };
        let target = CognitoTarget::resolve(&options, &pool, &context.environment).await?;
        Ok(Pool {
            cognito: target.cognito(pool),
            target,
        })
    }
}

/// A user pool and its target.
#[derive(Debug)]
pub struct Pool {
    /// The target.
    pub target: CognitoTarget,
    /// The client of the pool.
    pub cognito: UserPool,
}

/// Options that name a database of users.
#[derive(Debug, Clone, Args)]
pub struct DatabaseArgs {
    /// PostgreSQL database of users [env: DATABASE_URL, CONNECTION_URL; with --prod: PROD_DATABASE_URL,
    /// PROD_CONNECTION_URL]
    #[arg(long, value_name = "URL", help_heading = USERS)]
    database_url: Option<String>,
    /// File of root certificates for the database, instead of the system's
    #[arg(long, value_name = "FILE", help_heading = USERS)]
    db_ca: Option<PathBuf>,
}

impl DatabaseArgs {
    fn options(&self) -> DatabaseOptions<'_> {
        DatabaseOptions {
            url: given("--database-url", self.database_url.as_ref()),
            ca: self.db_ca.clone(),
        }
    }

    /// Finds the database. It opens nothing.
    ///
    /// # Errors
    ///
    /// No database is named, or the URL cannot be used.
    pub fn address(&self, context: &Context, production: bool) -> Result<Address, Failure> {
        let environment = &context.environment;
        Ok(users::database(&self.options(), production, environment)?)
    }
}

/// Options of every command that needs to know who is who.
#[derive(Debug, Clone, Args)]
pub struct UsersArgs {
    /// CSV file of users, instead of the built-in seed users
    #[arg(long, value_name = "FILE", help_heading = USERS)]
    users: Option<PathBuf>,
    #[command(flatten)]
    database: DatabaseArgs,
}

impl UsersArgs {
    /// Returns the file of users as it was given, to be typed after another command. The URL of a database may contain
    /// a password, so it is left out.
    pub fn typed(&self) -> String {
        let file = self.users.as_deref();
        file.map_or_else(String::new, |file| format!(" --users {}", file.display()))
    }

    /// Checks whether the users are in this file.
    pub fn is_file(&self, path: &Path) -> bool {
        let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let file = self.users.as_deref();
        file.is_some_and(|file| real(file) == real(path))
    }

    /// Chooses the source of users. It opens nothing.
    ///
    /// # Errors
    ///
    /// The URL of a database cannot be used, or there are only local users for production.
    pub fn choose(&self, context: &Context, production: bool) -> Result<UsersPlan, UsersError> {
        let options = UsersOptions {
            file: self.users.as_deref(),
            database: self.database.options(),
            production,
        };
        UsersPlan::choose(&options, &context.environment)
    }

    /// Chooses the source of users, as [`UsersArgs::choose`] does.
    ///
    /// # Errors
    ///
    /// The same, as the failure of a command.
    pub fn plan(&self, context: &Context, production: bool) -> Result<UsersPlan, Failure> {
        Ok(self.choose(context, production)?)
    }

    /// Finds the person who runs the command, and returns the users, too. A person who is named by id needs no users,
    /// so production may have none in this case.
    ///
    /// # Errors
    ///
    /// As [`UsersArgs::open`], or if nobody has the handle.
    pub async fn open_me(
        &self,
        given: Option<&PersonName>,
        context: &Context,
        production: bool,
    ) -> Result<(Me, Option<Users>), Failure> {
        let name = me(given, &context.environment)?;
        if let (PersonName::Id(id), Err(UsersError::LocalUsers)) =
            (&name, self.choose(context, production))
        {
            return Ok((Me { id: *id, name }, None));
        }
        let users = self.open(context, production).await?;
        let id = match &name {
            PersonName::Id(id) => *id,
            PersonName::Handle(handle) => users.by_handle(handle).await?.uuid,
        };
        Ok((Me { id, name }, Some(users)))
    }

    /// Opens the users, and prints their source.
    ///
    /// # Errors
    ///
    /// A file or a database does not answer as it should.
    pub async fn open(&self, context: &Context, production: bool) -> Result<Users, Failure> {
        let plan = self.plan(context, production)?;
        say_users(&plan, production, &context.ui);
        Ok(plan.open().await?)
    }
}

/// Prints the source of users. If a local command reads those of production, that is never hidden.
pub fn say_users(plan: &UsersPlan, production: bool, ui: &Ui) {
    match plan {
        UsersPlan::Postgres(address) if address.is_production() && !production => {
            ui.banner(&format!("users: {}", address.description()));
        }
        plan => ui.note(&format!("users: {}", plan.source())),
    }
}

/// A person whose conversations are searched.
#[derive(Debug, Clone)]
pub struct Me {
    /// Their id.
    pub id: UserId,
    /// The name as it was typed, or the default.
    pub name: PersonName,
}

/// Returns the person who runs the command. If nobody is given, that is `DDB_ME`, or else `andrewbrown`.
///
/// # Errors
///
/// The variable is not UTF-8, or does not name a person.
pub fn me(given: Option<&PersonName>, environment: &Environment) -> Result<PersonName, Failure> {
    const VARIABLE: &str = "DDB_ME";
    if let Some(name) = given {
        return Ok(name.clone());
    }
    let name = environment.get(VARIABLE)?.unwrap_or("andrewbrown");
    name.parse()
        .map_err(|error| Failure::refused(format!("{VARIABLE}: {error}")))
}
