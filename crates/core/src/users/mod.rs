//! The people of the application: who has which handle, and which id.

mod file;
mod postgres;

use std::fmt;
use std::path::{Path, PathBuf};

use crate::item::Person;
use crate::key::UserId;

use crate::environment::Environment;
pub use file::FileProblem;
pub use postgres::{
    Address, Created, Database, DatabaseName, DatabaseOptions, Findings, PostgresError, Setup,
    TlsError, UrlError, Wait,
};

/// The seed users, embedded, so that seeding works from any folder.
const BUILT_IN: &str = include_str!("../../../../seed-data/users.csv");

/// One row of the users table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// `uuid`, the id that keys and items carry.
    pub uuid: UserId,
    /// `display_name`.
    pub display_name: String,
    /// `handle`; unique, except in older databases.
    pub handle: String,
    /// `email`.
    pub email: String,
    /// `cognito_user_id`: the `sub` of the Cognito user, or a placeholder.
    pub cognito_user_id: String,
}

impl User {
    /// Returns what items say about this user.
    pub fn person(&self) -> Person {
        Person {
            id: self.uuid,
            display_name: self.display_name.clone(),
            handle: self.handle.clone(),
        }
    }
}

/// Names where users come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The seed users that are part of this program.
    BuiltIn,
    /// A CSV file.
    File(PathBuf),
    /// A PostgreSQL database: its host and name.
    Postgres(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => f.write_str("built-in"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Postgres(database) => write!(f, "postgres {database}"),
        }
    }
}

/// Says why a user cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum UsersError {
    /// Nobody has the handle or the id.
    #[error("no user `{wanted}` among the users of {origin}")]
    NotFound {
        /// The handle or the id.
        wanted: String,
        /// Where was looked.
        origin: String,
        /// The handles that are there, where they are few.
        known: Vec<String>,
    },
    /// Several users have one handle; none of them is guessed.
    #[error("the handle `{handle}` has {} users in {origin}: {}", ids.len(), join(ids))]
    Doubled {
        /// The handle.
        handle: String,
        /// Where was looked.
        origin: String,
        /// Their ids.
        ids: Vec<UserId>,
    },
    /// A users file cannot be read.
    #[error("{}: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        error: std::io::Error,
    },
    /// A database cannot be reached, or does not answer as it should.
    #[error("postgres {database}: {error}")]
    Database {
        /// Its host and name, or where its URL came from.
        database: String,
        /// What went wrong.
        error: PostgresError,
    },
    /// A database is needed, and none is named.
    #[error("no database of users is named")]
    NoDatabase {
        /// Whether it would be one of production.
        production: bool,
    },
    /// Production, and no users of production are named.
    #[error("--prod, but the users are the built-in ones, whose ids are not those of production")]
    LocalUsers,
    /// A users file is not of its form.
    #[error("{file}, line {line}: {problem}")]
    Malformed {
        /// The file.
        file: String,
        /// The number of the line, from 1.
        line: u64,
        /// What is wrong with it.
        problem: FileProblem,
    },
}

impl UsersError {
    /// Says which database an error is about.
    pub fn of_database(address: &Address) -> impl FnOnce(PostgresError) -> Self + use<> {
        postgres::failed(&address.to_string())
    }
}

fn join(ids: &[UserId]) -> String {
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    ids.join(", ")
}

/// What the command line said about users.
#[derive(Debug, Clone, Default)]
pub struct UsersOptions<'a> {
    /// `--users`.
    pub file: Option<&'a Path>,
    /// `--database-url` and `--db-ca`.
    pub database: DatabaseOptions<'a>,
    /// Whether the users of production are wanted.
    pub production: bool,
}

/// Where the URL of a database is looked for, in order.
const LOCAL_VARIABLES: [&str; 2] = ["DATABASE_URL", "CONNECTION_URL"];
const PRODUCTION_VARIABLES: [&str; 2] = ["PROD_DATABASE_URL", "PROD_CONNECTION_URL"];

/// Names the source of users, before anything is opened.
#[derive(Debug, Clone)]
pub enum UsersPlan {
    /// The seed users that are part of this program.
    BuiltIn,
    /// A CSV file.
    File(PathBuf),
    /// A PostgreSQL database.
    Postgres(Box<Address>),
}

/// Finds the database of users, where one is needed. Nothing is opened.
///
/// # Errors
///
/// [`UsersError::Database`] where the URL cannot be used, [`UsersError::NoDatabase`].
pub fn database(
    options: &DatabaseOptions<'_>,
    production: bool,
    environment: &Environment,
) -> Result<Address, UsersError> {
    let options = UsersOptions {
        file: None,
        database: options.clone(),
        production,
    };
    match UsersPlan::choose(&options, environment) {
        Ok(UsersPlan::Postgres(address)) => Ok(*address),
        Ok(UsersPlan::BuiltIn | UsersPlan::File(_)) | Err(UsersError::LocalUsers) => {
            Err(UsersError::NoDatabase { production })
        }
        Err(error) => Err(error),
    }
}

impl UsersPlan {
    /// Chooses the source: a file, a database by flag or variable, and, locally only, the built-in
    /// users. The `PG*` variables never choose. Nothing is opened.
    ///
    /// # Errors
    ///
    /// [`UsersError::Database`] where the URL cannot be used, [`UsersError::LocalUsers`].
    pub fn choose(
        options: &UsersOptions<'_>,
        environment: &Environment,
    ) -> Result<Self, UsersError> {
        if let Some(path) = options.file {
            return Ok(Self::File(path.to_owned()));
        }
        let variables = if options.production {
            PRODUCTION_VARIABLES
        } else {
            LOCAL_VARIABLES
        };
        let url = options
            .database
            .url
            .map(|url| ("--database-url", url))
            .or_else(|| environment.first(&variables));
        let Some((origin, url)) = url else {
            return if options.production {
                Err(UsersError::LocalUsers)
            } else {
                Ok(Self::BuiltIn)
            };
        };
        let ca = options.database.ca.clone();
        Address::parse(url, options.production, ca, environment)
            .map(|address| Self::Postgres(Box::new(address)))
            .map_err(|error| postgres::failed(origin)(error.into()))
    }

    /// Returns the name of the source.
    pub fn source(&self) -> Source {
        match self {
            Self::BuiltIn => Source::BuiltIn,
            Self::File(path) => Source::File(path.clone()),
            Self::Postgres(address) => Source::Postgres(address.to_string()),
        }
    }

    /// Opens the source.
    ///
    /// # Errors
    ///
    /// [`UsersError`]. A source that was chosen and fails is never replaced by another.
    pub async fn open(self) -> Result<Users, UsersError> {
        match self {
            Self::BuiltIn => Users::built_in(),
            Self::File(path) => Users::from_file(&path),
            Self::Postgres(address) => {
                let shown = address.to_string();
                let database = Database::connect(&address)
                    .await
                    .map_err(postgres::failed(&shown))?;
                Ok(Users {
                    source: Source::Postgres(shown),
                    people: People::Database(database),
                })
            }
        }
    }
}

#[derive(Debug)]
enum People {
    Listed(Vec<User>),
    Database(Database),
}

/// Answers who is who, from one source that was chosen once; never from two.
#[derive(Debug)]
pub struct Users {
    source: Source,
    people: People,
}

impl Users {
    /// Takes the users that are part of this program.
    ///
    /// # Errors
    ///
    /// Never for the file that is embedded; a test reads it.
    pub fn built_in() -> Result<Self, UsersError> {
        Ok(Self {
            source: Source::BuiltIn,
            people: People::Listed(Self::seed()?),
        })
    }

    /// Returns the seed users, which have the same ids everywhere.
    ///
    /// # Errors
    ///
    /// As [`Users::built_in`].
    pub fn seed() -> Result<Vec<User>, UsersError> {
        file::parse("users.csv", BUILT_IN.as_bytes())
    }

    /// Reads a users file: CSV with the header `uuid,display_name,handle,email,cognito_user_id`.
    ///
    /// # Errors
    ///
    /// [`UsersError::Unreadable`] and [`UsersError::Malformed`].
    pub fn from_file(path: &Path) -> Result<Self, UsersError> {
        let bytes = std::fs::read(path).map_err(|error| UsersError::Unreadable {
            path: path.to_owned(),
            error,
        })?;
        Ok(Self {
            source: Source::File(path.to_owned()),
            people: People::Listed(file::parse(&path.display().to_string(), &bytes)?),
        })
    }

    /// Returns where the users come from.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Finds the user with a handle.
    ///
    /// # Errors
    ///
    /// [`UsersError::NotFound`], [`UsersError::Doubled`], and what a database answers with.
    pub async fn by_handle(&self, handle: &str) -> Result<User, UsersError> {
        let mut found = match &self.people {
            People::Listed(listed) => {
                let same = listed.iter().filter(|user| user.handle == handle);
                same.cloned().collect()
            }
            People::Database(database) => database
                .by_handle(handle)
                .await
                .map_err(postgres::failed(database.shown()))?,
        };
        if found.len() > 1 {
            return Err(UsersError::Doubled {
                handle: handle.to_owned(),
                origin: self.source.to_string(),
                ids: found.iter().map(|user| user.uuid).collect(),
            });
        }
        found.pop().ok_or_else(|| self.not_found(handle))
    }

    fn not_found(&self, wanted: &str) -> UsersError {
        const FEW: usize = 12;
        let known = match &self.people {
            People::Listed(listed) => listed.as_slice(),
            People::Database(_) => &[],
        };
        let known = known.iter().take(FEW).map(|user| user.handle.clone());
        UsersError::NotFound {
            wanted: wanted.to_owned(),
            origin: self.source.to_string(),
            known: known.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_built_in_users_are_the_four_of_the_course() {
        let users = Users::built_in().unwrap();
        for (handle, name) in [
            ("andrewbrown", "Andrew Brown"),
            ("bayko", "Andrew Bayko"),
            ("londo", "Londo Mollari"),
            ("altbrown", "Alt Brown"),
        ] {
            let user = users.by_handle(handle).await.unwrap();
            assert_eq!(user.display_name, name);
            assert!(user.email.contains('@'));
        }
        let error = users.by_handle("nobody").await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "no user `nobody` among the users of built-in"
        );
    }

    #[test]
    fn a_source_is_chosen_once_and_in_order() {
        let file = Path::new("u.csv");
        let source = |file: Option<&Path>,
                      url: Option<&str>,
                      production: bool,
                      variables: &[(&str, &str)]| {
            let options = UsersOptions {
                file,
                database: DatabaseOptions { url, ca: None },
                production,
            };
            UsersPlan::choose(&options, &variables.iter().copied().collect())
                .map(|plan| plan.source().to_string())
                .map_err(|error| error.to_string())
        };
        let database = ("DATABASE_URL", "postgres://me@one/db");
        let connection = ("CONNECTION_URL", "postgres://me@two/db");
        let empty = ("DATABASE_URL", "");
        let production = ("PROD_CONNECTION_URL", "postgres://me@three/db");
        let pg = ("PGHOST", "four");
        let flag = Some("postgres://me@five/db");
        for (file, url, prod, variables, expected) in [
            (None, None, false, vec![], "built-in"),
            (None, None, false, vec![pg], "built-in"),
            (None, None, false, vec![production], "built-in"),
            (
                None,
                None,
                false,
                vec![database, connection],
                "postgres one/db",
            ),
            (
                None,
                None,
                false,
                vec![empty, connection],
                "postgres two/db",
            ),
            (None, flag, false, vec![database], "postgres five/db"),
            (Some(file), flag, false, vec![database], "file u.csv"),
            (None, None, true, vec![production], "postgres three/db"),
            (None, flag, true, vec![production], "postgres five/db"),
            (Some(file), None, true, vec![], "file u.csv"),
        ] {
            assert_eq!(source(file, url, prod, &variables).as_deref(), Ok(expected));
        }
        for variables in [vec![], vec![database, connection, pg]] {
            let refused = source(None, None, true, &variables).unwrap_err();
            assert!(refused.contains("built-in"), "{refused}");
        }
        let error = source(None, Some("mysql://x"), false, &[]).unwrap_err();
        assert_eq!(
            error,
            "postgres --database-url: the database URL: it must start with postgres:// or postgresql://"
        );
    }

    #[tokio::test]
    async fn a_handle_with_two_users_is_named_and_never_guessed() {
        let a = "0a0a0a0a-0a0a-4a0a-8a0a-0a0a0a0a0a0a";
        let b = "0b0b0b0b-0b0b-4b0b-8b0b-0b0b0b0b0b0b";
        let text = format!(
            "uuid,display_name,handle,email,cognito_user_id\n{a},A,twin,a@x,MOCK\n{b},B,twin,b@x,MOCK\n"
        );
        let users = Users {
            source: Source::BuiltIn,
            people: People::Listed(file::parse("f", text.as_bytes()).unwrap()),
        };
        let error = users.by_handle("twin").await.unwrap_err().to_string();
        assert_eq!(
            error,
            format!("the handle `twin` has 2 users in built-in: {a}, {b}")
        );
    }
}
