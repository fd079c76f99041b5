//! Creates the database, the users table and the seed users. It is safe to run again.

use std::time::Duration;

use tokio_postgres::Transaction;
use tokio_postgres::error::SqlState;

use super::{Address, Database, DatabaseWriter, PostgresError, bounded};
use crate::users::User;
use ddb_core::guard::{Deletable, Writable};
use ddb_core::key::UserId;

/// The users table, embedded.
const SCHEMA: &str = include_str!("../../../seed-data/users.sql");
/// The database to connect to for creating and dropping others.
const MAINTENANCE: &str = "postgres";
/// New rows have no Cognito user yet, and the column does not allow null.
const NO_COGNITO_USER: &str = "MOCK";

/// Returns the name of a database as an SQL identifier.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Whether something had to be created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// It was created.
    Now,
    /// It already existed.
    Before,
}

/// How long to wait for a server that is still starting.
#[derive(Debug, Clone, Copy)]
pub struct Wait(pub Duration);

/// The result of setting up the users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setup {
    /// Whether the table was created.
    pub schema: Created,
    /// Users that were inserted.
    pub inserted: u64,
    /// Users whose name or e-mail was updated.
    pub updated: u64,
    /// Users that were already right, or that were left unchanged.
    pub unchanged: u64,
    /// What differs from what this project would have created; it is left unchanged.
    pub findings: Findings,
}

/// How an older database differs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// Whether handles may repeat: the column is not UNIQUE.
    pub handles_may_repeat: bool,
    /// Seed handles whose row has another uuid: the handle, and the uuid of the row.
    pub other_uuids: Vec<(String, String)>,
    /// Seed handles that several rows have.
    pub doubled: Vec<String>,
    /// Seed uuids whose row has another handle: the uuid, and the handle of the row.
    pub other_handles: Vec<(UserId, String)>,
    /// Columns of the schema that the table does not have.
    pub missing_columns: Vec<String>,
}

/// The lock is held to the end of the transaction. The number is this project's own.
const ONE_AT_A_TIME: &str = "SELECT pg_advisory_xact_lock(7305801)";

const COLUMNS: [&str; 5] = ["uuid", "display_name", "handle", "email", "cognito_user_id"];

impl Database {
    /// Connects, and tries again while the server is not there or still starting.
    ///
    /// # Errors
    ///
    /// The last error at the end of the wait; any other error at once.
    pub async fn connect_waiting(address: &Address, wait: Wait) -> Result<Self, PostgresError> {
        let end = tokio::time::Instant::now() + wait.0;
        loop {
            match Self::connect(address).await {
                Err(error) if error.may_pass() && tokio::time::Instant::now() < end => {
                    tokio::time::sleep(Duration::from_millis(250)).await;
                }
                other => return other,
            }
        }
    }

    /// Drops a database with everything in it, and closes the connections of others.
    ///
    /// # Errors
    ///
    /// [`PostgresError`]. It is not an error if the database does not exist.
    pub async fn delete(allowed: Deletable<Address>, wait: Wait) -> Result<(), PostgresError> {
        let server = Self::connect_waiting(&allowed.maintenance(), wait).await?;
        let name = quoted(allowed.database());
        let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
        bounded(server.client.batch_execute(&drop)).await
    }
}

impl DatabaseWriter {
    /// Connects to a database, and creates it if it does not exist.
    pub async fn connect_or_create(
        address: &Writable<Address>,
        wait: Wait,
    ) -> Result<(Self, Created), PostgresError> {
        match Database::connect_waiting(address, wait).await {
            Ok(database) => return Ok((Self(database), Created::Before)),
            Err(error) if error.is_missing_database() => {}
            Err(error) => return Err(error),
        }
        let server = Database::connect(&address.maintenance()).await?;
        let create = format!("CREATE DATABASE {}", quoted(address.database()));
        let created = match bounded(server.client.batch_execute(&create)).await {
            Ok(()) => Created::Now,
            // Another program has created it, or is about to.
            Err(error) if error.is_duplicate() => Created::Before,
            Err(error) => return Err(error),
        };
        Ok((Self(Database::connect(address).await?), created))
    }

    /// Creates the users table if it is missing, and inserts or updates the seed users, in one transaction. The
    /// Cognito id of an existing row is never changed, nor is a row whose uuid or handle belongs to another user.
    ///
    /// # Errors
    ///
    /// [`PostgresError`]; nothing was written then.
    pub async fn set_up(&mut self, seed: &[User]) -> Result<Setup, PostgresError> {
        let transaction = bounded(self.0.client.transaction()).await?;
        // Without the lock, two setups at the same time would both create the table, and both insert.
        bounded(transaction.batch_execute(ONE_AT_A_TIME)).await?;
        let there = "SELECT to_regclass('public.users') IS NOT NULL";
        let row = bounded(transaction.query_one(there, &[])).await?;
        let schema = if get::<bool>(&row, 0)? {
            Created::Before
        } else {
            bounded(transaction.batch_execute(SCHEMA)).await?;
            Created::Now
        };
        // Other programs may write, too.
        let lock = "LOCK TABLE public.users IN SHARE ROW EXCLUSIVE MODE";
        bounded(transaction.batch_execute(lock)).await?;
        let mut setup = Setup {
            schema,
            inserted: 0,
            updated: 0,
            unchanged: 0,
            findings: findings(&transaction).await?,
        };
        for user in seed {
            setup.insert_or_update(&transaction, user).await?;
        }
        bounded(transaction.commit()).await?;
        Ok(setup)
    }
}

impl PostgresError {
    /// Checks whether the database already exists. Two setups at the same time conflict in the catalog.
    fn is_duplicate(&self) -> bool {
        let duplicate = [SqlState::DUPLICATE_DATABASE, SqlState::UNIQUE_VIOLATION];
        self.code().is_some_and(|code| duplicate.contains(&code))
    }

    /// Checks whether the error may pass: the server is not there, or is still starting.
    fn may_pass(&self) -> bool {
        match self {
            Self::Connection(_) | Self::TimedOut(_) => true,
            error => error.code() == Some(SqlState::CANNOT_CONNECT_NOW),
        }
    }
}

impl Address {
    /// Returns the address of the server's maintenance database.
    fn maintenance(&self) -> Self {
        let mut address = self.clone();
        address.config.dbname(MAINTENANCE);
        address
    }
}

fn get<'a, T: tokio_postgres::types::FromSql<'a>>(
    row: &'a tokio_postgres::Row,
    index: usize,
) -> Result<T, PostgresError> {
    row.try_get(index)
        .map_err(|error| PostgresError::new(&error))
}

async fn findings(transaction: &Transaction<'_>) -> Result<Findings, PostgresError> {
    let columns = "\
        SELECT column_name::text FROM information_schema.columns \
        WHERE table_schema = 'public' AND table_name = 'users'";
    let rows = bounded(transaction.query(columns, &[])).await?;
    let there: Vec<String> = rows
        .iter()
        .map(|row| get(row, 0))
        .collect::<Result<_, _>>()?;
    let missing = COLUMNS
        .iter()
        .filter(|name| !there.iter().any(|there| there == *name));
    let unique = "\
        SELECT EXISTS (SELECT FROM pg_index i JOIN pg_attribute a \
        ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] \
        WHERE i.indrelid = 'public.users'::regclass AND i.indisunique AND i.indnatts = 1 \
        AND i.indpred IS NULL AND a.attname = 'handle')";
    let row = bounded(transaction.query_one(unique, &[])).await?;
    Ok(Findings {
        handles_may_repeat: !get::<bool>(&row, 0)?,
        missing_columns: missing.map(|name| (*name).to_owned()).collect(),
        ..Findings::default()
    })
}

const SAME: &str = "\
SELECT r->>'uuid', r->>'handle', r->>'display_name', r->>'email'
FROM (SELECT to_jsonb(u) AS r FROM public.users u
      WHERE u.handle::text = $1 OR u.uuid::text = $2) rows ORDER BY 1";

impl Setup {
    /// Inserts or updates one user, or leaves the row unchanged.
    async fn insert_or_update(
        &mut self,
        transaction: &Transaction<'_>,
        user: &User,
    ) -> Result<(), PostgresError> {
        let uuid = user.uuid.to_string();
        let rows = bounded(transaction.query(SAME, &[&user.handle, &uuid])).await?;
        let mut same_handle = Vec::new();
        let mut same_uuid = Vec::new();
        for row in &rows {
            let field = |index: usize| get::<Option<String>>(row, index);
            let [id, handle, name, email] = [field(0)?, field(1)?, field(2)?, field(3)?];
            if handle.as_deref() == Some(&user.handle) {
                same_handle.push((id, name, email));
            } else {
                same_uuid.push(handle.unwrap_or_default());
            }
        }
        match (same_handle.as_slice(), same_uuid.as_slice()) {
            ([], []) => {
                self.insert(transaction, user).await?;
            }
            ([], [handle, ..]) => {
                let other = (user.uuid, handle.clone());
                self.findings.other_handles.push(other);
                self.unchanged += 1;
            }
            ([(Some(id), name, email)], _) if *id == uuid => {
                let same = name.as_deref() == Some(&*user.display_name)
                    && (self.has_no("email") || email.as_deref() == Some(&*user.email));
                if same {
                    self.unchanged += 1;
                } else {
                    self.update(transaction, user).await?;
                }
            }
            ([(id, ..)], _) => {
                let id = id.clone().unwrap_or_default();
                self.findings.other_uuids.push((user.handle.clone(), id));
                self.unchanged += 1;
            }
            _ => {
                self.findings.doubled.push(user.handle.clone());
                self.unchanged += 1;
            }
        }
        Ok(())
    }

    fn has_no(&self, column: &str) -> bool {
        self.findings
            .missing_columns
            .iter()
            .any(|missing| missing == column)
    }

    /// Returns the columns that the table has, with the user's values.
    fn columns<'a>(&self, user: &'a User, id: &'a str) -> Vec<(&'static str, &'a str)> {
        let all = [
            ("uuid", id),
            ("display_name", &user.display_name),
            ("handle", &user.handle),
            ("email", &user.email),
            ("cognito_user_id", NO_COGNITO_USER),
        ];
        all.into_iter()
            .filter(|(name, _)| !self.has_no(name))
            .collect()
    }

    async fn insert(
        &mut self,
        transaction: &Transaction<'_>,
        user: &User,
    ) -> Result<(), PostgresError> {
        let id = user.uuid.to_string();
        let columns = self.columns(user, &id);
        let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
        // The row is read as JSON, so that every value takes the type of its column.
        let values = columns
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.into()));
        let json = serde_json::Value::Object(values.collect()).to_string();
        let names = names.join(", ");
        let insert = format!(
            "INSERT INTO public.users ({names}) \
             SELECT {names} FROM jsonb_populate_record(NULL::public.users, $1::text::jsonb)"
        );
        bounded(transaction.execute(&insert, &[&json])).await?;
        self.inserted += 1;
        Ok(())
    }

    async fn update(
        &mut self,
        transaction: &Transaction<'_>,
        user: &User,
    ) -> Result<(), PostgresError> {
        let id = user.uuid.to_string();
        let (name, email) = (&user.display_name, &user.email);
        if self.has_no("email") {
            let update = "UPDATE public.users SET display_name = $1::text WHERE uuid::text = $2";
            bounded(transaction.execute(update, &[name, &id])).await?;
        } else {
            let update = "UPDATE public.users SET display_name = $1::text, email = $3::text WHERE uuid::text = $2";
            bounded(transaction.execute(update, &[name, &id, email])).await?;
        }
        self.updated += 1;
        Ok(())
    }
}
