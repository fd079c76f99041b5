//! Permission to write and to destroy, as values that only the checks can make.
//!
//! A function that writes takes a [`WriteToken`], one that destroys a [`DestroyToken`]; neither can
//! be made outside this module, so a command that forgets its check does not compile.

use crate::schema::TableName;
use crate::target::Target;

/// Proves that writing to the target was allowed.
#[derive(Debug)]
pub struct WriteToken(());

/// Proves that destroying one table was allowed, and names it.
#[derive(Debug)]
pub struct DestroyToken {
    table: TableName,
}

impl DestroyToken {
    /// Returns the table that may be destroyed.
    pub fn table(&self) -> &TableName {
        &self.table
    }
}

/// Says why a command may not go on. Nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GuardError {
    /// There is nobody to ask, and no flag that answers.
    #[error("{place}: nobody is there to be asked; nothing was written")]
    NobodyThere {
        /// The target.
        place: String,
        /// The flag that would have answered.
        flag: &'static str,
    },
    /// The answer was not yes.
    #[error("{place}: not confirmed; nothing was written")]
    Declined {
        /// The target.
        place: String,
    },
    /// The name that was given is not that of what is about to be destroyed.
    #[error("{place}: `{given}` is not the name of the table; nothing was destroyed")]
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
pub fn allow_writing(
    target: &Target,
    place: &str,
    yes: bool,
    operator: &mut impl Operator,
) -> Result<WriteToken, GuardError> {
    if !target.is_production() || yes {
        return Ok(WriteToken(()));
    }
    let answer = operator.ask("Write there? Type yes to go on: ");
    match answer.as_deref().map(str::trim) {
        Some("yes" | "y" | "YES" | "Yes" | "Y") => Ok(WriteToken(())),
        Some(_) => Err(GuardError::Declined {
            place: place.to_owned(),
        }),
        None => Err(GuardError::NobodyThere {
            place: place.to_owned(),
            flag: "--yes",
        }),
    }
}

/// Allows destroying one table. In production its name has to be typed, or given as `confirm`. A
/// `confirm` that names something else is refused everywhere.
///
/// # Errors
///
/// [`GuardError`].
pub fn allow_destroying(
    target: &Target,
    place: &str,
    table: TableName,
    confirm: Option<&str>,
    operator: &mut impl Operator,
) -> Result<DestroyToken, GuardError> {
    let given = match confirm {
        Some(name) => name.to_owned(),
        None if !target.is_production() => table.to_string(),
        None => {
            let question = format!("This cannot be undone. Type {table} to go on: ");
            operator
                .ask(&question)
                .ok_or_else(|| GuardError::NobodyThere {
                    place: place.to_owned(),
                    flag: "--confirm",
                })?
        }
    };
    let given = given.trim();
    if given == table.as_str() {
        Ok(DestroyToken { table })
    } else {
        Err(GuardError::OtherName {
            place: place.to_owned(),
            given: given.to_owned(),
        })
    }
}
