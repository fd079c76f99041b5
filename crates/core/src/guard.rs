//! Permission to write and to destroy, as values that only the checks can make.
//!
//! A function that writes takes a [`WriteToken`], one that destroys a [`DestroyToken`]; neither can
//! be made outside this module, so a command that forgets its check does not compile.
//!
//! With the tokens in hand, this does; what follows differs from it in the token alone:
//!
//! ```no_run
//! # use std::time::Duration;
//! # use ddb_core::guard::{DestroyToken, WriteToken};
//! # use ddb_core::{item::Message, schema::TableName, store::Store};
//! async fn write(store: &Store, message: Message, token: &WriteToken) {
//!     let _ = store.put_message(token, message).await;
//! }
//! async fn destroy(store: &Store, wait: Duration, token: DestroyToken<TableName>) {
//!     let _ = store.delete_table(token, wait).await;
//! }
//! ```
//!
//! Nothing is written without a token:
//!
//! ```compile_fail,E0061
//! # use ddb_core::guard::WriteToken;
//! # use ddb_core::{item::Message, store::Store};
//! async fn write(store: &Store, message: Message, token: &WriteToken) {
//!     let _ = store.put_message(message).await;
//! }
//! ```
//!
//! Nothing is destroyed without one, nor with that for writing:
//!
//! ```compile_fail,E0061
//! # use std::time::Duration;
//! # use ddb_core::guard::DestroyToken;
//! # use ddb_core::{schema::TableName, store::Store};
//! async fn destroy(store: &Store, wait: Duration, token: DestroyToken<TableName>) {
//!     let _ = store.delete_table(wait).await;
//! }
//! ```
//!
//! ```compile_fail,E0308
//! # use std::time::Duration;
//! # use ddb_core::guard::WriteToken;
//! # use ddb_core::{schema::TableName, store::Store};
//! async fn destroy(store: &Store, wait: Duration, token: WriteToken) {
//!     let _ = store.delete_table(token, wait).await;
//! }
//! ```
//!
//! A token serves once where it is for destroying, and none can be made up:
//!
//! ```compile_fail,E0382
//! # use std::time::Duration;
//! # use ddb_core::guard::DestroyToken;
//! # use ddb_core::{schema::TableName, store::Store};
//! async fn destroy(store: &Store, wait: Duration, token: DestroyToken<TableName>) {
//!     let _ = store.delete_table(token, wait).await;
//!     let _ = store.delete_table(token, wait).await;
//! }
//! ```
//!
//! ```compile_fail,E0423
//! # use ddb_core::guard::WriteToken;
//! # use ddb_core::{item::Message, store::Store};
//! async fn write(store: &Store, message: Message) {
//!     let _ = store.put_message(&WriteToken(()), message).await;
//! }
//! ```
//!
//! ```compile_fail,E0451
//! # use std::time::Duration;
//! # use ddb_core::guard::DestroyToken;
//! # use ddb_core::{schema::TableName, store::Store};
//! async fn destroy(store: &Store, wait: Duration, what: TableName) {
//!     let _ = store.delete_table(DestroyToken { what }, wait).await;
//! }
//! ```

use std::fmt::Display;
use std::marker::PhantomData;

use crate::connect::{Function, Realm, Target};
use crate::schema::{Changes, TableName};

/// Proves that writing to a place was allowed: to tables where nothing else is said.
#[derive(Debug)]
pub struct WriteToken<R = Target>(PhantomData<fn() -> R>);

impl<R> WriteToken<R> {
    const fn new() -> Self {
        Self(PhantomData)
    }
}

/// A thing that can be destroyed by its name, and the kind of place that it is in: whether that is
/// production decides about the question.
pub trait Destroyable: Display {
    /// Where such things are.
    type Realm: Realm;
}

impl Destroyable for TableName {
    type Realm = Target;
}

/// Proves that destroying one thing was allowed, and names it: a table, a database.
#[derive(Debug)]
pub struct DestroyToken<T> {
    what: T,
}

impl<T> DestroyToken<T> {
    /// Returns what may be destroyed.
    pub fn what(&self) -> &T {
        &self.what
    }
}

/// What is asked for in production.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// A yes.
    Yes,
    /// The name of what is about to be destroyed.
    Name,
}

/// Says why a command may not go on. Nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GuardError {
    /// There is nobody to ask, and no answer was given.
    #[error("{place}: nobody is there to be asked; nothing was written")]
    NobodyThere {
        /// The target.
        place: String,
        /// What was to be answered.
        wanted: Wanted,
    },
    /// The answer was not yes.
    #[error("{place}: not confirmed; nothing was written")]
    Declined {
        /// The target.
        place: String,
    },
    /// The name that was given is not that of what is about to be destroyed.
    #[error("{place}: `{given}` is not its name; nothing was destroyed")]
    OtherName {
        /// The target.
        place: String,
        /// What was given.
        given: String,
    },
}

/// Whoever runs the command.
pub trait Operator {
    /// Asks, and waits for a line. `None` where nobody is there, or the line never comes.
    fn ask(&mut self, question: &str) -> Option<String>;
}

/// Allows writing to a target. Locally nothing is asked: no real data is there, and a local target
/// never reaches AWS. In production `yes` answers, or whoever runs the command.
///
/// `place` names what is about to be written; it has to have been shown before.
///
/// # Errors
///
/// [`GuardError`], in production only.
pub fn allow_writing<R: Realm>(
    realm: &R,
    place: &str,
    yes: bool,
    operator: &mut impl Operator,
) -> Result<WriteToken<R>, GuardError> {
    if !realm.is_production() || yes {
        return Ok(WriteToken::new());
    }
    let answer = operator.ask("Write there? Type yes to go on: ");
    match answer.as_deref().map(str::trim) {
        Some("yes" | "y" | "YES" | "Yes" | "Y") => Ok(WriteToken::new()),
        Some(_) => Err(GuardError::Declined {
            place: place.to_owned(),
        }),
        None => Err(GuardError::NobodyThere {
            place: place.to_owned(),
            wanted: Wanted::Yes,
        }),
    }
}

/// Allows a Lambda function to write: whoever deployed it gave it a role and a table for that, and nobody
/// is there to be asked.
pub fn allow_function(_function: &Function) -> WriteToken {
    WriteToken::new()
}

/// Allows destroying one thing. In production its name has to be typed, or given as `confirm`. A
/// `confirm` that names something else is refused everywhere.
///
/// # Errors
///
/// [`GuardError`].
pub fn allow_destroying<T: Destroyable>(
    realm: &T::Realm,
    place: &str,
    what: T,
    confirm: Option<&str>,
    operator: &mut impl Operator,
) -> Result<DestroyToken<T>, GuardError> {
    let given = match confirm {
        Some(name) => name.to_owned(),
        None if !realm.is_production() => what.to_string(),
        None => ask_for_name(place, &what, operator)?,
    };
    check_name(place, &what, &given)?;
    Ok(DestroyToken { what })
}

fn ask_for_name(
    place: &str,
    what: &impl Display,
    operator: &mut impl Operator,
) -> Result<String, GuardError> {
    let question = format!("This cannot be undone. Type {what} to go on: ");
    operator
        .ask(&question)
        .ok_or_else(|| GuardError::NobodyThere {
            place: place.to_owned(),
            wanted: Wanted::Name,
        })
}

fn check_name(place: &str, what: &impl Display, given: &str) -> Result<(), GuardError> {
    let given = given.trim();
    if given == what.to_string() {
        return Ok(());
    }
    Err(GuardError::OtherName {
        place: place.to_owned(),
        given: given.to_owned(),
    })
}

/// Allows changing a table as planned. Where an index or a stream would be lost, that is destroying: in
/// production the name of the table has to be typed, or given as `confirm`, and `yes` is not enough.
/// Everything else is writing, which the name allows, too.
///
/// What the changes are has to have been shown before.
///
/// # Errors
///
/// [`GuardError`].
pub fn allow_changing(
    realm: &Target,
    place: &str,
    table: &TableName,
    changes: Changes,
    (yes, confirm): (bool, Option<&str>),
    operator: &mut impl Operator,
) -> Result<ChangeToken, GuardError> {
    if changes.destroy() || confirm.is_some() {
        allow_destroying(realm, place, table.clone(), confirm, operator)?;
    } else {
        allow_writing(realm, place, yes, operator)?;
    }
    Ok(ChangeToken { changes })
}

/// Proves that changing a table was allowed, and holds the changes.
#[derive(Debug)]
pub struct ChangeToken {
    changes: Changes,
}

impl ChangeToken {
    /// Returns the changes that were allowed.
    pub fn what(&self) -> &Changes {
        &self.changes
    }
}
