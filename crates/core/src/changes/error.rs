//! Errors of plans and receipts.

use std::io;
use std::path::PathBuf;

use crate::error::{CallError, Error};

/// An error from making or carrying out a plan.
#[derive(Debug, thiserror::Error)]
pub enum ChangesError {
    /// A request failed.
    #[error(transparent)]
    Store(#[from] Error),
    /// A plan or a receipt cannot be read.
    #[error("{}: {error}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The cause.
        error: io::Error,
    },
    /// A plan or a receipt cannot be written.
    #[error("{}: it cannot be written: {error}", .path.display())]
    Unwritable {
        /// The file or the folder.
        path: PathBuf,
        /// The cause.
        error: io::Error,
    },
    /// A file is neither a plan nor a receipt.
    #[error("{}: it is neither a plan nor a receipt", .path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// A file has another format.
    #[error("{}: it has format {format}; this program knows format 1", .path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// The format number in it.
        format: u64,
    },
    /// A line is malformed.
    #[error("{}, line {line}: {why}", .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        why: String,
    },
    /// A plan is incomplete or was changed, or a file is a plan in place of a receipt or a receipt in place of a plan.
    #[error("{}: {why}", .path.display())]
    NotWhole {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A plan or a receipt belongs to another table.
    #[error("{}: it belongs to {theirs}; this is {ours}", .path.display())]
    OtherTable {
        /// The file.
        path: PathBuf,
        /// The table that the file belongs to.
        theirs: String,
        /// The table that the command works on.
        ours: String,
    },
    /// The file for a receipt contains something else.
    #[error("{}: already exists, and is not a receipt that this command can continue", .path.display())]
    Taken {
        /// The file.
        path: PathBuf,
    },
    /// More changes belong together than fit in a transaction.
    #[error(
        "{why}: {changes} changes belong together, and a transaction holds 100; nothing was changed"
    )]
    TooLarge {
        /// The reason for the changes.
        why: String,
        /// How many there are.
        changes: usize,
    },
    /// Another process is writing a receipt.
    #[error("{}: another process is writing it", .path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
}

impl From<CallError> for ChangesError {
    fn from(error: CallError) -> Self {
        Self::Store(error.into())
    }
}

impl ChangesError {
    /// Makes the error for a file that cannot be written.
    pub(super) fn unwritable(path: &std::path::Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |error| Self::Unwritable { path, error }
    }

    /// Makes the error for a file that cannot be read.
    pub(super) fn unreadable(path: &std::path::Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |error| Self::Unreadable { path, error }
    }
}
