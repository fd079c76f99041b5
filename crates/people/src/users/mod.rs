//! The application's users, their handles and their ids.

mod error;
mod file;
mod postgres;
mod source;

use std::path::Path;

use ddb_core::conversation::FindPerson;
use ddb_core::handle::{Handle, PersonName};
use ddb_core::item::Person;
use ddb_core::key::UserId;

pub use error::{FileProblem, UsersError};
pub use file::UsersFile;
use postgres::Lasting;
pub use postgres::{
    Address, Created, Database, DatabaseWriter, Findings, PostgresError, Setup, TlsError, UrlError,
    Wait, Wanted,
};
pub use source::{DatabaseOptions, Source, UsersOptions, UsersPlan, database};

/// The seed users, embedded, so that seeding works from any folder.
const BUILT_IN: &str = include_str!("../../seed-data/users.csv");

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
    /// Returns this user as items describe them.
    pub fn person(&self) -> Person {
        Person {
            id: self.uuid,
            display_name: self.display_name.clone(),
            handle: self.handle.clone(),
        }
    }
}

#[derive(Debug)]
enum People {
    Listed(Vec<User>),
    Database(Box<Lasting>),
}

/// The users of one source. It is chosen once, and sources are never mixed.
#[derive(Debug)]
pub struct Users {
    source: Source,
    people: People,
}

impl Users {
    /// Returns the users that are built into this program.
    ///
    /// # Errors
    ///
    /// None for the embedded file, which a test reads.
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
    /// The same as [`Users::built_in`].
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

    /// Finds the user with a handle, in any case.
    ///
    /// # Errors
    ///
    /// [`UsersError::NotFound`], [`UsersError::Doubled`], and the errors of a database.
    pub async fn by_handle(&self, handle: &Handle) -> Result<User, UsersError> {
        let mut found = self.find(Wanted::Handle(handle)).await?;
        // If two handles differ only in case, the one that is typed exactly is meant.
        let exactly = |user: &User| user.handle == handle.as_str();
        if found.iter().any(exactly) {
            found.retain(exactly);
        }
        self.only(handle.as_str(), found)
    }

    /// Finds a user by id or by handle.
    ///
    /// # Errors
    ///
    /// The same as [`Users::by_handle`].
    pub async fn named(&self, name: &PersonName) -> Result<User, UsersError> {
        match name {
            PersonName::Id(id) => self.by_id(*id).await,
            PersonName::Handle(handle) => self.by_handle(handle).await,
        }
    }

    /// Finds the user with an id.
    ///
    /// # Errors
    ///
    /// The same as [`Users::by_handle`].
    pub async fn by_id(&self, id: UserId) -> Result<User, UsersError> {
        let found = self.find(Wanted::Id(id)).await?;
        self.only(&id.to_string(), found)
    }

    /// Finds the user with an id in the user pool: the `sub` of a token.
    ///
    /// # Errors
    ///
    /// The same as [`Users::by_handle`].
    pub async fn by_cognito_user_id(&self, sub: &str) -> Result<User, UsersError> {
        let found = self.find(Wanted::CognitoId(sub)).await?;
        self.only(sub, found)
    }

    async fn find(&self, wanted: Wanted<'_>) -> Result<Vec<User>, UsersError> {
        let listed = match &self.people {
            People::Listed(listed) => listed,
            People::Database(database) => {
                let found = database.find(wanted).await;
                return found.map_err(UsersError::in_database(database.shown()));
            }
        };
        let is_wanted = |user: &&User| match wanted {
            Wanted::Handle(handle) => handle.is(&user.handle),
            Wanted::Id(id) => user.uuid == id,
            Wanted::CognitoId(sub) => user.cognito_user_id == sub,
        };
        Ok(listed.iter().filter(is_wanted).cloned().collect())
    }

    /// Returns the user that was found, if there is exactly one.
    fn only(&self, wanted: &str, mut found: Vec<User>) -> Result<User, UsersError> {
        if found.len() > 1 {
            return Err(UsersError::Doubled {
                handle: wanted.to_owned(),
                origin: self.source.to_string(),
                ids: found.iter().map(|user| user.uuid).collect(),
            });
        }
        found.pop().ok_or_else(|| self.not_found(wanted))
    }

    fn not_found(&self, wanted: &str) -> UsersError {
        const FEW: usize = 12;
        let known = match &self.people {
            People::Listed(listed) => {
                let handles = listed.iter().take(FEW).map(|user| user.handle.clone());
                Some(handles.collect())
            }
            // A database is only asked for the user that is wanted.
            People::Database(_) => None,
        };
        UsersError::NotFound {
            wanted: wanted.to_owned(),
            origin: self.source.to_string(),
            known,
        }
    }
}

/// If the source fails, the user counts as unknown.
impl FindPerson for Users {
    async fn find_person(&self, id: UserId) -> Option<Person> {
        Some(self.by_id(id).await.ok()?.person())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handle(text: &str) -> Handle {
        text.parse().unwrap()
    }

    #[tokio::test]
    async fn the_built_in_users_are_the_four_of_the_course() {
        let users = Users::built_in().unwrap();
        for (handle, name) in [
            ("andrewbrown", "Andrew Brown"),
            ("bayko", "Andrew Bayko"),
            ("londo", "Londo Mollari"),
            ("altbrown", "Alt Brown"),
        ] {
            let user = users.by_handle(&self::handle(handle)).await.unwrap();
            assert_eq!(user.display_name, name);
            assert!(user.email.contains('@'));
        }
        let error = users.by_handle(&handle("nobody")).await.unwrap_err();
        assert_eq!(error.to_string(), "no user `nobody` (users: built-in)");
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
        let error = users.by_handle(&handle("twin")).await;
        let error = error.unwrap_err().to_string();
        assert_eq!(
            error,
            format!("the handle `twin` has 2 users in built-in: {a}, {b}")
        );
    }

    #[tokio::test]
    async fn a_handle_is_found_in_any_case_and_never_guessed() {
        let a = "0a0a0a0a-0a0a-4a0a-8a0a-0a0a0a0a0a0a";
        let b = "0b0b0b0b-0b0b-4b0b-8b0b-0b0b0b0b0b0b";
        let text = format!(
            "uuid,display_name,handle,email,cognito_user_id\n{a},A,Ann,a@x,MOCK\n{b},B,ann,b@x,MOCK\n"
        );
        let users = Users {
            source: Source::BuiltIn,
            people: People::Listed(file::parse("f", text.as_bytes()).unwrap()),
        };
        let name = async |text: &str| {
            let found = users.by_handle(&handle(text)).await;
            found
                .map(|user| user.display_name)
                .map_err(|error| error.to_string())
        };
        assert_eq!(name("@ann").await.as_deref(), Ok("B"));
        assert_eq!(name("Ann").await.as_deref(), Ok("A"));
        assert!(name("ANN").await.unwrap_err().contains("has 2 users"));
        let by_id = users.named(&a.to_uppercase().parse().unwrap()).await;
        assert_eq!(by_id.unwrap().display_name, "A");
    }
}
