//! The people of the application: who has which handle, and which id.

mod file;

use std::fmt;
use std::path::{Path, PathBuf};

use crate::item::Person;
use crate::key::UserId;

pub use file::FileProblem;

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
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => f.write_str("built-in"),
            Self::File(path) => write!(f, "file {}", path.display()),
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

fn join(ids: &[UserId]) -> String {
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    ids.join(", ")
}

/// Answers who is who, from one source that was chosen once; never from two.
#[derive(Debug, Clone)]
pub struct Users {
    source: Source,
    listed: Vec<User>,
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
            listed: file::parse("users.csv", BUILT_IN.as_bytes())?,
        })
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
            listed: file::parse(&path.display().to_string(), &bytes)?,
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
    /// [`UsersError::NotFound`] and [`UsersError::Doubled`].
    pub async fn by_handle(&self, handle: &str) -> Result<User, UsersError> {
        let mut found = self.listed.iter().filter(|user| user.handle == handle);
        let first = found.next().ok_or_else(|| self.not_found(handle))?;
        let others: Vec<UserId> = found.map(|user| user.uuid).collect();
        if others.is_empty() {
            return Ok(first.clone());
        }
        Err(UsersError::Doubled {
            handle: handle.to_owned(),
            origin: self.source.to_string(),
            ids: [vec![first.uuid], others].concat(),
        })
    }

    fn not_found(&self, wanted: &str) -> UsersError {
        const FEW: usize = 12;
        let known = self.listed.iter().take(FEW).map(|user| user.handle.clone());
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

    #[tokio::test]
    async fn a_handle_with_two_users_is_named_and_never_guessed() {
        let a = "0a0a0a0a-0a0a-4a0a-8a0a-0a0a0a0a0a0a";
        let b = "0b0b0b0b-0b0b-4b0b-8b0b-0b0b0b0b0b0b";
        let text = format!(
            "uuid,display_name,handle,email,cognito_user_id\n{a},A,twin,a@x,MOCK\n{b},B,twin,b@x,MOCK\n"
        );
        let users = Users {
            source: Source::BuiltIn,
            listed: file::parse("f", text.as_bytes()).unwrap(),
        };
        let error = users.by_handle("twin").await.unwrap_err().to_string();
        assert_eq!(
            error,
            format!("the handle `twin` has 2 users in built-in: {a}, {b}")
        );
    }
}
