//! What can go wrong with plans and receipts.

use std::io;
use std::path::PathBuf;

use crate::error::{CallError, Error};

/// Any failure of planning or of carrying out a plan.
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
        /// Why.
        error: io::Error,
    },
    /// A plan or a receipt cannot be written.
    #[error("{}: it cannot be written: {error}", .path.display())]
    Unwritable {
        /// The file or the folder.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A file is neither a plan nor a receipt.
    #[error("{}: it is neither a plan nor a receipt", .path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// A file is of another format.
    #[error("{}: it has format {format}; this program knows format 1", .path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// The number in it.
        format: u64,
    },
    /// A line is not as it was written.
    #[error("{}, line {line}: {why}", .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        why: String,
    },
    /// A plan has no end, or another one than it was written with.
    #[error("{}: {why}", .path.display())]
    NotWhole {
        /// The file.
        path: PathBuf,
        /// What is missing or different.
        why: &'static str,
    },
    /// A plan or a receipt is of another table.
    #[error("{}: it belongs to {theirs}; this is {ours}", .path.display())]
    OtherTable {
        /// The file.
        path: PathBuf,
        /// The table of the file.
        theirs: String,
        /// The table that was named.
        ours: String,
    },
    /// The file for a receipt holds something else.
    #[error("{}: already exists, and is not a receipt that this command can continue", .path.display())]
    Taken {
        /// The file.
        path: PathBuf,
    },
    /// Changes that belong together are more than a transaction holds.
    #[error(
        "{why}: {changes} changes belong together, and a transaction holds 100; nothing was changed"
    )]
    TooLarge {
        /// What the changes are made for.
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
    /// Says that a file cannot be written.
    pub(super) fn unwritable(path: &std::path::Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |error| Self::Unwritable { path, error }
    }

    /// Says that a file cannot be read.
    pub(super) fn unreadable(path: &std::path::Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |error| Self::Unreadable { path, error }
    }
}
