//! Users from PostgreSQL: the table `public.users`, as this project or any older one made it.

mod ids;
mod lasting;
mod setup;
mod tls;
mod url;
mod whereabouts;

use std::time::Duration;

use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Row};

use super::User;
use ddb_core::guard::{Guarded, Writable};
use ddb_core::handle::Handle;
use ddb_core::key::UserId;
pub(super) use lasting::Lasting;
pub use setup::{Created, Findings, Setup, Wait};
pub use tls::TlsError;
pub use url::{Address, UrlError};

/// How long connecting may take in total, including TLS and the password.
const CONNECT: Duration = Duration::from_millis(2500);
/// How long the server may work on a statement.
const STATEMENT: Duration = Duration::from_secs(30);
/// The name that the server's operators see: `application_name` in `pg_stat_activity`.
const APPLICATION: &str = "ddb";

/// An error between this program and a PostgreSQL server.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// The URL cannot be used.
    #[error("the database URL: {0}")]
    Url(#[from] UrlError),
    /// TLS is not available with the given root certificates.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// No connection, or no answer, in time.
    #[error("no answer within {}", humantime::format_duration(*.0))]
    TimedOut(Duration),
    /// The server answered with an error: its code (SQLSTATE) and message.
    #[error("{code}: {message}")]
    Server {
        /// See "PostgreSQL Error Codes" in the manual.
        code: String,
        /// The server's message.
        message: String,
    },
    /// The connection failed, or broke.
    #[error("{0}")]
    Connection(String),
    /// Rows changed after they were read; nothing was written.
    #[error("{found} of {expected} rows are as they were read; nothing was written")]
    Changed {
        /// How many rows were to be written.
        expected: u64,
        /// How many of them had not changed.
        found: u64,
    },
    /// A row of the users table cannot be used.
    #[error("the row of `{handle}` in public.users: {reason}")]
    Row {
        /// The handle of the row.
        handle: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl PostgresError {
    fn new(error: &tokio_postgres::Error) -> Self {
        // The driver's own text is only "db error"; the server's or the system's text is in its source.
        match error.as_db_error() {
            Some(said) => Self::Server {
                code: said.code().code().to_owned(),
                message: said.message().to_owned(),
            },
            None => Self::Connection(ddb_core::error::root_cause(error)),
        }
    }

    fn code(&self) -> Option<SqlState> {
        match self {
            Self::Server { code, .. } => Some(SqlState::from_code(code)),
            _ => None,
        }
    }

    /// Checks whether the database or its users table does not exist.
    pub fn is_missing(&self) -> bool {
        self.is_missing_database() || self.code() == Some(SqlState::UNDEFINED_TABLE)
    }

    /// Checks whether the database does not exist.
    pub fn is_missing_database(&self) -> bool {
        self.code() == Some(SqlState::INVALID_CATALOG_NAME)
    }

    /// Checks whether the connection can no longer be used: it broke or timed out, or the server ended it (class 57P:
    /// "operator intervention").
    fn is_end(&self) -> bool {
        match self {
            Self::Connection(_) | Self::TimedOut(_) => true,
            Self::Server { code, .. } => code.starts_with("57P"),
            _ => false,
        }
    }

    /// Checks whether the server refused the user or the password.
    pub fn is_refused_password(&self) -> bool {
        let refused = [
            SqlState::INVALID_PASSWORD,
            SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
        ];
        self.code().is_some_and(|code| refused.contains(&code))
    }
}

/// An open connection to a users table.
pub struct Database {
    client: Client,
    shown: String,
    name: String,
    production: bool,
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Database").field(&self.shown).finish()
    }
}

impl Guarded for Address {
    fn is_production(&self) -> bool {
        Address::is_production(self)
    }

    fn name(&self) -> &str {
        self.database()
    }
}

impl Guarded for Database {
    fn is_production(&self) -> bool {
        self.production
    }

    fn name(&self) -> &str {
        &self.name
    }
}

/// An open connection to a users table that may be written to. It can also be read, as a [`Database`].
#[derive(Debug)]
pub struct DatabaseWriter(Database);

impl From<Writable<Database>> for DatabaseWriter {
    fn from(allowed: Writable<Database>) -> Self {
        Self(allowed.into_inner())
    }
}

impl std::ops::Deref for DatabaseWriter {
    type Target = Database;

    fn deref(&self) -> &Database {
        &self.0
    }
}

/// The user to look for.
#[derive(Debug, Clone, Copy)]
pub enum Wanted<'a> {
    /// The user with a handle, in any case.
    Handle(&'a Handle),
    /// The user with an id.
    Id(UserId),
    /// The user with an id in the user pool.
    CognitoId(&'a str),
}

/// Returns the query for the users that meet a condition on `u`. Every column is read as text, whatever its type in
/// an older schema, and may be missing.
fn select_where(condition: &str) -> String {
    format!(
        "SELECT r->>'uuid', r->>'display_name', r->>'handle', r->>'email', r->>'cognito_user_id' \
         FROM (SELECT to_jsonb(u) AS r FROM public.users u WHERE {condition} LIMIT 12) rows \
         ORDER BY 1"
    )
}

impl Database {
    /// Connects, in at most 2.5 s.
    ///
    /// # Errors
    ///
    /// [`PostgresError`], which quotes no part of the URL.
    pub async fn connect(address: &Address) -> Result<Self, PostgresError> {
        let connecting = async {
            let mut config = address.config.clone();
            config
                .application_name(APPLICATION)
                .connect_timeout(CONNECT);
            let connector = tls::connector(&config, address.ca.as_deref())?;
            let (client, connection) = config
                .connect(connector)
                .await
                .map_err(|error| PostgresError::new(&error))?;
            // It ends with the client. If it breaks, the query that fails says why.
            tokio::spawn(connection);
            let bound = format!("SET statement_timeout = {}", STATEMENT.as_millis());
            bounded(client.batch_execute(&bound)).await?;
            Ok(Self {
                client,
                shown: address.to_string(),
                name: address.database().to_owned(),
                production: address.is_production(),
            })
        };
        tokio::time::timeout(CONNECT, connecting)
            .await
            .unwrap_or(Err(PostgresError::TimedOut(CONNECT)))
    }

    /// Returns the host and the name of the database, for display.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// Finds the users that match: more than one only in older databases.
    pub async fn find(&self, wanted: Wanted<'_>) -> Result<Vec<User>, PostgresError> {
        let (condition, value) = match wanted {
            Wanted::Handle(handle) => (
                "lower(u.handle::text) = lower($1)",
                handle.as_str().to_owned(),
            ),
            Wanted::Id(id) => ("u.uuid::text = $1", id.to_string()),
            Wanted::CognitoId(sub) => ("u.cognito_user_id::text = $1", sub.to_owned()),
        };
        let rows = bounded(self.client.query(&select_where(condition), &[&value])).await?;
        rows.iter().map(user).collect()
    }
}

/// Limits the time of a statement on this side, too: a server that is gone never answers.
async fn bounded<T>(
    statement: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, PostgresError> {
    const BOUND: Duration = STATEMENT.saturating_add(Duration::from_secs(5));
    tokio::time::timeout(BOUND, statement)
        .await
        .map_err(|_| PostgresError::TimedOut(BOUND))?
        .map_err(|error| PostgresError::new(&error))
}

fn user(row: &Row) -> Result<User, PostgresError> {
    let field = |index: usize| {
        row.try_get::<_, Option<String>>(index)
            .map_err(|error| PostgresError::new(&error))
    };
    let handle = field(2)?.unwrap_or_default();
    let malformed = |reason: String| PostgresError::Row {
        handle: handle.clone(),
        reason,
    };
    let uuid = field(0)?.ok_or_else(|| malformed("it has no uuid".to_owned()))?;
    Ok(User {
        uuid: uuid
            .parse()
            .map_err(|error| malformed(format!("its uuid is {error}")))?,
        // An item must have a name; older databases may have none.
        display_name: field(1)?
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| handle.clone()),
        handle: handle.clone(),
        email: field(3)?.unwrap_or_default(),
        cognito_user_id: field(4)?.unwrap_or_default(),
    })
}
