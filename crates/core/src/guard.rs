//! Permissions to write and to delete, as handles that only the checks in this module can create.
//!
//! Each handle wraps the resource that was checked: a [`Writable`] may be written to, a [`Deletable`] may be
//! deleted, a [`Changeable`] may be changed as planned. Only the handles have the methods that do so. A command that
//! forgets its check does not compile, and a permission for one resource cannot be used on another.
//!
//! With the handles, this compiles. Each example below differs from it in one thing:
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
//! Nothing is deleted without permission, or with the permission to write:
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
//! A deletion uses up its permission:
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
//! A handle cannot be created elsewhere:
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
//! A writer for one target cannot write to another: its methods take no other store, and its own store cannot be
//! replaced.
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

/// A resource that needs permission to be written to: a table, a database.
pub trait Guarded {
    /// Checks whether the resource holds real data.
    fn is_production(&self) -> bool;

    /// Returns the name that has to be typed before the resource is deleted.
    fn name(&self) -> &str;
}

/// A resource that may be written to. It can be read like any other.
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

/// The answer that is asked for in production.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// A yes.
    Yes,
    /// The name of what is about to be deleted.
    Name,
}

/// The reason why a command may not continue. Nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GuardError {
    /// There is no terminal to ask at, and no answer was given.
    #[error("{target}: this needs confirmation, and there was no answer; nothing was written")]
    NobodyThere {
        /// The target.
        target: String,
        /// The answer that was asked for.
        wanted: Wanted,
    },
    /// The answer was not yes.
    #[error("{target}: not confirmed; nothing was written")]
    Declined {
        /// The target.
        target: String,
    },
    /// The given name is not the name of what is about to be deleted.
    #[error("{target}: `{given}` is not its name; nothing was deleted")]
    OtherName {
        /// The target.
        target: String,
        /// The name that was given.
        given: String,
    },
}

/// The person who runs the command.
pub trait Operator {
    /// Asks a question and waits for a line. Returns `None` if there is no terminal, or if the line never comes.
    fn ask(&mut self, question: &str) -> Option<String>;
}

/// Allows writing to a resource. For a local target nothing is asked: it holds no real data and
/// never reaches AWS. In production, either `yes` is given or the operator is asked.
///
/// `shown` names what is about to be written. The caller must have shown it before.
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

/// Allows writes that delete something from a resource. In production its `name` has to be typed, or given as
/// `confirm`. A `confirm` that names something else is refused everywhere.
///
/// The caller must have shown what is deleted before.
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

/// Allows a Lambda function to write: whoever deployed it gave it a role and a table for that, and there is nobody
/// to ask.
pub(crate) fn allow_function<P: Guarded>(resource: P) -> Writable<P> {
    Writable(resource)
}

/// Allows writing to a resource of a local endpoint, for which nobody is asked. The caller has a client for one.
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

/// Allows changing a table as planned. If an index or a stream would be lost, the change counts as deleting: in
/// production the name of the table has to be typed, or given as `confirm`, and `yes` is not enough.
/// Everything else counts as writing, which the name allows, too.
///
/// The caller must have shown the changes before.
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
