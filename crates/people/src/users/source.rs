//! Where users come from: chosen once, in order, and then opened.

use std::fmt;
use std::path::{Path, PathBuf};

use ddb_core::environment::{Environment, Given};

use super::postgres::{Address, Lasting};
use super::{People, Users, UsersError};

/// Where users come from.
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

/// The options for the database.
#[derive(Debug, Clone, Default)]
pub struct DatabaseOptions<'a> {
    /// Its URL.
    pub url: Option<Given<'a>>,
    /// A file of root certificates instead of the system's.
    pub ca: Option<PathBuf>,
}

/// The options for users.
#[derive(Debug, Clone, Default)]
pub struct UsersOptions<'a> {
    /// A CSV file of users.
    pub file: Option<&'a Path>,
    /// The database of users.
    pub database: DatabaseOptions<'a>,
    /// Whether the users of production are wanted.
    pub production: bool,
}

/// The variables that may contain the URL of a database, in order.
const LOCAL_VARIABLES: [&str; 2] = ["DATABASE_URL", "CONNECTION_URL"];
const PRODUCTION_VARIABLES: [&str; 2] = ["PROD_DATABASE_URL", "PROD_CONNECTION_URL"];

/// The source of users, before anything is opened.
#[derive(Debug, Clone)]
pub enum UsersPlan {
    /// The seed users that are part of this program.
    BuiltIn,
    /// A CSV file.
    File(PathBuf),
    /// A PostgreSQL database.
    Postgres(Box<Address>),
}

/// Finds the users database, for commands that need one. Nothing is opened.
///
/// # Errors
///
/// [`UsersError::Database`] if the URL cannot be used, and [`UsersError::NoDatabase`].
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
    /// Chooses the source: a file, a database that an option or a variable names, or, locally only, the built-in
    /// users. The `PG*` variables never choose a source. Nothing is opened.
    ///
    /// # Errors
    ///
    /// [`UsersError::Database`] if the URL cannot be used, and [`UsersError::LocalUsers`].
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
        let url = match options.database.url {
            Some(url) => Some((url.origin, url.value)),
            None => environment.first(&variables)?,
        };
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
            .map_err(|error| UsersError::in_database(origin)(error.into()))
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
    /// [`UsersError`]. If the chosen source fails, no other is tried.
    pub async fn open(self) -> Result<Users, UsersError> {
        match self {
            Self::BuiltIn => Users::built_in(),
            Self::File(path) => Users::from_file(&path),
            Self::Postgres(address) => {
                let shown = address.to_string();
                let database = Lasting::connect(*address)
                    .await
                    .map_err(UsersError::in_database(&shown))?;
                Ok(Users {
                    source: Source::Postgres(shown),
                    people: People::Database(Box::new(database)),
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_chosen_once_and_in_order() {
        let file = Path::new("u.csv");
        let source = |file: Option<&Path>,
                      url: Option<&str>,
                      production: bool,
                      variables: &[(&str, &str)]| {
            let options = UsersOptions {
                file,
                database: DatabaseOptions {
                    url: url.map(|value| Given {
                        origin: "--database-url",
                        value,
                    }),
                    ca: None,
                },
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
                "postgres one:5432/db",
            ),
            (
                None,
                None,
                false,
                vec![empty, connection],
                "postgres two:5432/db",
            ),
            (None, flag, false, vec![database], "postgres five:5432/db"),
            (Some(file), flag, false, vec![database], "file u.csv"),
            (None, None, true, vec![production], "postgres three:5432/db"),
            (None, flag, true, vec![production], "postgres five:5432/db"),
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
}
