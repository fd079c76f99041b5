//! How a command ends: exit codes, and one-line errors with a hint.

mod changes;
mod flags;
mod guide;
mod hint;
mod import;
mod service;
mod target;
mod users;
mod work;

use std::io;
use std::process::ExitCode;

use ddb_core::Error;
use ddb_core::store::Store;

pub use guide::Guide;
pub use hint::Hint;
pub use work::exit_of_file;

/// The exit codes. Scripts rely on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done, or nothing to do.
    Done = 0,
    /// It failed.
    Failed = 1,
    /// Wrong usage, or refused.
    Refused = 2,
    /// A check found a difference.
    Difference = 3,
    /// The named thing does not exist.
    NotFound = 4,
    /// Partly done.
    Partly = 5,
    /// Ended by SIGINT.
    Interrupted = 130,
    /// Ended by SIGTERM.
    Terminated = 143,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// How a command ends if nothing failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Done, or nothing to do.
    Done,
    /// A check found a difference.
    Difference,
}

impl From<Outcome> for Exit {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Done => Self::Done,
            Outcome::Difference => Self::Difference,
        }
    }
}

/// How a command ends before its work is done.
#[derive(Debug)]
pub enum Failure {
    /// Nobody reads stdout any more. This is not an error: `| head -1` is common.
    ClosedPipe,
    /// Something went wrong.
    Error {
        /// The exit code.
        exit: Exit,
        /// What failed, on which target, and why, in one line.
        message: String,
        /// The next step.
        hint: Option<Hint>,
    },
}

impl Failure {
    /// Makes a failure with an exit code.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self::Error {
            exit,
            message: message.into(),
            hint: None,
        }
    }

    /// Makes a failure of wrong usage.
    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(Exit::Refused, message)
    }

    /// Makes a failure for a table that does not exist.
    pub fn no_table(store: &Store) -> Self {
        let destination = store.destination().clone();
        Error::NoSuchTable { destination }.into()
    }

    /// Adds the next step.
    #[must_use]
    pub fn hint(mut self, next: impl Into<Hint>) -> Self {
        if let Self::Error { hint, .. } = &mut self {
            *hint = Some(next.into());
        }
        self
    }

    /// Adds what was done before the failure, so that nobody does it again.
    #[must_use]
    pub fn after(self, done: &str) -> Self {
        match self {
            Self::ClosedPipe => Self::ClosedPipe,
            Self::Error { exit, message, .. } => Self::new(exit, format!("{message}; {done}"))
                .hint("only the output is incomplete; what was done is kept"),
        }
    }

    /// Adds what the failure means for what was about to be done.
    #[must_use]
    pub fn before(mut self, done: &str) -> Self {
        if let Self::Error { message, .. } = &mut self {
            *message = format!("{message}; {done}");
        }
        self
    }

    /// Returns the same failure for another target that it affects.
    pub fn again(&self) -> Self {
        match self {
            Self::ClosedPipe => Self::ClosedPipe,
            Self::Error {
                exit,
                message,
                hint,
            } => Self::Error {
                exit: *exit,
                message: message.clone(),
                hint: hint.clone(),
            },
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self::ClosedPipe
        } else {
            Self::new(Exit::Failed, format!("writing the output: {error}"))
        }
    }
}
