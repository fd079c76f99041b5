//! Errors of reading and writing users.

use std::path::PathBuf;

use ddb_core::environment::NotUnicode;
use ddb_core::key::{KeyError, UserId};

use super::postgres::{Address, PostgresError};

/// What can be wrong with a users file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileProblem {
    /// The first line is not the header.
    #[error("the header must be uuid,display_name,handle,email,cognito_user_id")]
    Header,
    /// A required field is blank.
    #[error("no {0}")]
    Blank(&'static str),
    /// The id is not a UUID.
    #[error("{0}")]
    Uuid(KeyError),
    /// Two lines have the same id.
    #[error("the uuid is already on line {0}")]
    DoubledUuid(u64),
    /// The bytes are not UTF-8.
    #[error("not UTF-8")]
    NotUtf8,
    /// The line is not CSV of five fields.
    #[error("{0}")]
    Csv(String),
}

/// An error of reading or writing users.
#[derive(Debug, thiserror::Error)]
pub enum UsersError {
    /// No user has the handle or the id.
    #[error("no user `{wanted}` (users: {origin})")]
    NotFound {
        /// The handle or the id.
        wanted: String,
        /// The source that was searched.
        origin: String,
        /// The first few handles of the source, if they are known.
        known: Option<Vec<String>>,
    },
    /// Several users have the same handle; none of them is picked.
    #[error("the handle `{handle}` has {} users in {origin}: {}", ids.len(), join(ids))]
    Doubled {
        /// The handle.
        handle: String,
        /// The source that was searched.
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
    /// A users file cannot be written.
    #[error("writing {}: {error}", path.display())]
    Unwritable {
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
    /// A database is needed, but none is named.
    #[error("no users database is named")]
    NoDatabase {
        /// Whether it would be a production database.
        production: bool,
    },
    /// Production was asked for, but no users of production are named.
    #[error("the users are the built-in ones, whose ids are not those of production")]
    LocalUsers,
    /// A variable that names the users is not Unicode.
    #[error(transparent)]
    NotUnicode(#[from] NotUnicode),
    /// A users file is malformed.
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
    /// Adds to an error which database it is about.
    pub fn of_database(address: &Address) -> impl FnOnce(PostgresError) -> Self + use<> {
        Self::in_database(&address.to_string())
    }

    /// Adds to an error which database it is about: its host and name, or where its URL came from.
    pub(super) fn in_database(shown: &str) -> impl FnOnce(PostgresError) -> Self + use<> {
        let database = shown.to_owned();
        |error| Self::Database { database, error }
    }
}

fn join(ids: &[UserId]) -> String {
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    ids.join(", ")
}
