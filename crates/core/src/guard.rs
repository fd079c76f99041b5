//! Permission to write and to delete, as handles that only the checks here can make.
//!
//! Each handle holds the resource that was asked about: [`Writable`] may be written to, [`Deletable`] may be
//! deleted, [`Changeable`] may be changed as planned. Only these have the methods that do so. A command that forgets
//! its check does not compile, and what was allowed for one resource cannot be used on another.
//!
//! With the handles, this compiles; the examples after it differ from it in one thing each:
//!
//! ```no_run
//! # use std::time::Duration;
//! # use ddb_core::guard::Deletable;
//! # use ddb_core::{item::Message, store::{Store, Writer}};
//! async fn write(writer: &Writer, message: Message) {
//!     let _ = writer.put_message(message).await;
//! }
//! async fn read(writer: &Writer) {
//!     let _ = writer.describe().await;
//! }
//! async fn delete(table: Deletable<Store>, wait: Duration) {
//!     let _ = table.delete_table(wait).await;
//! }
//! ```
//!
//! Nothing is written without permission:
//!
//! ```compile_fail,E0599
//! # use ddb_core::{item::Message, store::Store};
//! async fn write(store: &Store, message: Message) {
//!     let _ = store.put_message(message).await;
//! }
//! ```
//!
//! Nothing is deleted without permission, nor with the one for writing:
//!
//! ```compile_fail,E0599
//! # use std::time::Duration;
//! # use ddb_core::store::Store;
//! async fn delete(table: Store, wait: Duration) {
//!     let _ = table.delete_table(wait).await;
//! }
//! ```
//!
//! ```compile_fail,E0599
//! # use std::time::Duration;
//! # use ddb_core::store::Writer;
//! async fn delete(table: Writer, wait: Duration) {
//!     let _ = table.delete_table(wait).await;
//! }
//! ```
//!
//! The permission to delete is used up by the deletion:
//!
//! ```compile_fail,E0382
//! # use std::time::Duration;
//! # use ddb_core::guard::Deletable;
//! # use ddb_core::store::Store;
//! async fn delete(table: Deletable<Store>, wait: Duration) {
//!     let _ = table.delete_table(wait).await;
//!     let _ = table.delete_table(wait).await;
//! }
//! ```
//!
//! No handle can be made up:
//!
//! ```compile_fail,E0423
//! # use ddb_core::guard::Writable;
//! # use ddb_core::{item::Message, store::Store};
//! async fn write(store: Store, message: Message) {
//!     let _ = Writable(store).put_message(message).await;
//! }
//! ```
//!
//! ```compile_fail,E0423
//! # use std::time::Duration;
//! # use ddb_core::guard::Deletable;
//! # use ddb_core::store::Store;
//! async fn delete(table: Store, wait: Duration) {
//!     let _ = Deletable(table).delete_table(wait).await;
//! }
//! ```
//!
//! A writer of one target cannot write to another: its methods take no other store, and its own cannot be
//! exchanged.
//!
//! ```compile_fail,E0061
//! # use ddb_core::{item::Message, store::{Store, Writer}};
//! async fn write(local: &Writer, production: &Store, message: Message) {
//!     let _ = local.put_message(production, message).await;
//! }
//! ```
//!
//! ```compile_fail,E0594
//! # use ddb_core::{item::Message, store::{Store, Writer}};
//! async fn write(mut local: Writer, production: Store, message: Message) {
//!     *local = production;
//!     let _ = local.put_message(message).await;
//! }
//! ```

use std::ops::Deref;

use crate::schema::Changes;

/// A resource that is written to with permission only: a table, a database.
pub trait Guarded {
    /// Tells whether real data is there.
    fn is_production(&self) -> bool;

    /// Returns the name that has to be typed before it is deleted.
    fn name(&self) -> &str;
}

/// A resource that may be written to. Everything that reads works on it, too.
#[derive(Debug)]
pub struct Writable<P>(P);

impl<P> Writable<P> {
    /// Gives up the permission.
    pub fn into_inner(self) -> P {
        self.0
    }
}

impl<P> Deref for Writable<P> {
    type Target = P;

    fn deref(&self) -> &P {
        &self.0
    }
}

/// A resource that may be deleted, once.
#[derive(Debug)]
pub struct Deletable<P>(P);

impl<P> Deref for Deletable<P> {
    type Target = P;

    fn deref(&self) -> &P {
        &self.0
    }
}

/// A table that may be changed as planned, once.
#[derive(Debug)]
pub struct Changeable<P> {
    resource: P,
    changes: Changes,
}

impl<P> Changeable<P> {
    /// Returns the changes that were allowed.
    pub fn changes(&self) -> &Changes {
        &self.changes
    }
}

impl<P> Deref for Changeable<P> {
    type Target = P;

    fn deref(&self) -> &P {
        &self.resource
    }
}

/// What is asked for in production.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// A yes.
    Yes,
    /// The name of what is about to be deleted.
    Name,
}

/// Says why a command may not go on. Nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GuardError {
    /// There is nobody to ask, and no answer was given.
    #[error("{target}: this needs confirmation, and there was no answer; nothing was written")]
    NobodyThere {
        /// The target.
        target: String,
        /// What was to be answered.
        wanted: Wanted,
    },
    /// The answer was not yes.
    #[error("{target}: not confirmed; nothing was written")]
    Declined {
        /// The target.
        target: String,
    },
    /// The name that was given is not that of what is about to be destroyed.
    #[error("{target}: `{given}` is not its name; nothing was deleted")]
    OtherName {
        /// The target.
        target: String,
        /// What was given.
        given: String,
    },
}

/// Whoever runs the command.
pub trait Operator {
    /// Asks, and waits for a line. `None` where nobody is there, or the line never comes.
    fn ask(&mut self, question: &str) -> Option<String>;
}

/// Allows writing to a resource. Locally nothing is asked: no real data is there, and a local target
/// never reaches AWS. In production `yes` answers, or whoever runs the command.
///
/// `shown` names what is about to be written; it has to have been shown before.
///
/// # Errors
///
/// [`GuardError`], in production only.
pub fn allow_writing<P: Guarded>(
    resource: P,
    shown: &str,
    yes: bool,
    operator: &mut impl Operator,
) -> Result<Writable<P>, GuardError> {
    check_yes(&resource, shown, yes, operator)?;
    Ok(Writable(resource))
}

/// Allows writing what deletes something of a resource. In production its `name` has to be typed, or given as `confirm`. A
/// `confirm` that names something else is refused everywhere.
///
/// What is deleted has to have been shown before.
///
/// # Errors
///
/// [`GuardError`].
pub fn allow_deleting_from<P: Guarded>(
    resource: P,
    shown: &str,
    name: &str,
    confirm: Option<&str>,
    operator: &mut impl Operator,
) -> Result<Writable<P>, GuardError> {
    let question = format!("Type {name} to continue: ");
    check_typed(&resource, shown, name, &question, confirm, operator)?;
    Ok(Writable(resource))
}

/// Allows a Lambda function to write: whoever deployed it gave it a role and a table for that, and nobody
/// is there to be asked.
pub(crate) fn allow_function<P: Guarded>(resource: P) -> Writable<P> {
    Writable(resource)
}

/// Allows writing to a resource of a local endpoint, where nobody is asked. Whoever calls this has a client of one.
pub(crate) fn allow_local<P: Guarded>(resource: P) -> Writable<P> {
    Writable(resource)
}

/// Allows deleting a resource. In production its name has to be typed, or given as `confirm`. A
/// `confirm` that names something else is refused everywhere.
pub fn allow_deleting<P: Guarded>(
    resource: P,
    shown: &str,
    confirm: Option<&str>,
    operator: &mut impl Operator,
) -> Result<Deletable<P>, GuardError> {
    check_name(&resource, shown, confirm, operator)?;
    Ok(Deletable(resource))
}

/// Allows changing a table as planned. Where an index or a stream would be lost, that is deleting: in
/// production the name of the table has to be typed, or given as `confirm`, and `yes` is not enough.
/// Everything else is writing, which the name allows, too.
///
/// What the changes are has to have been shown before.
pub fn allow_changing<P: Guarded>(
    resource: P,
    shown: &str,
    changes: Changes,
    (yes, confirm): (bool, Option<&str>),
    operator: &mut impl Operator,
) -> Result<Changeable<P>, GuardError> {
    if changes.destroy() || confirm.is_some() {
        check_name(&resource, shown, confirm, operator)?;
    } else {
        check_yes(&resource, shown, yes, operator)?;
    }
    Ok(Changeable { resource, changes })
}

fn check_yes(
    resource: &impl Guarded,
    shown: &str,
    yes: bool,
    operator: &mut impl Operator,
) -> Result<(), GuardError> {
    if !resource.is_production() || yes {
        return Ok(());
    }
    let answer = operator.ask("Write there? Type yes to continue: ");
    match answer.as_deref().map(str::trim) {
        Some("yes" | "y" | "YES" | "Yes" | "Y") => Ok(()),
        Some(_) => Err(GuardError::Declined {
            target: shown.to_owned(),
        }),
        None => Err(GuardError::NobodyThere {
            target: shown.to_owned(),
            wanted: Wanted::Yes,
        }),
    }
}

fn check_name(
    resource: &impl Guarded,
    shown: &str,
    confirm: Option<&str>,
    operator: &mut impl Operator,
) -> Result<(), GuardError> {
    let name = resource.name();
    let question = format!("This cannot be undone. Type {name} to continue: ");
    check_typed(resource, shown, name, &question, confirm, operator)
}

fn check_typed(
    resource: &impl Guarded,
    shown: &str,
    name: &str,
    question: &str,
    confirm: Option<&str>,
    operator: &mut impl Operator,
) -> Result<(), GuardError> {
    let given = match confirm {
        Some(given) => given.to_owned(),
        None if !resource.is_production() => return Ok(()),
        None => {
            let nobody = || GuardError::NobodyThere {
                target: shown.to_owned(),
                wanted: Wanted::Name,
            };
            operator.ask(question).ok_or_else(nobody)?
        }
    };
    match given.trim() {
        given if given == name => Ok(()),
        given => Err(GuardError::OtherName {
            target: shown.to_owned(),
            given: given.to_owned(),
        }),
    }
}
