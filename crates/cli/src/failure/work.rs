//! Failures of files, and of the work of single commands.

use std::io;

use ddb_core::seed::{PlanError, Problem, ScriptError, SeedError};
use ddb_core::stream::CheckpointError;
use ddb_local::LocalError;
use ddb_loopback::{ListenError, Occupant};

use super::{Exit, Failure};
use crate::shell::quote;

/// Distinguishes a file that does not exist from one that cannot be read.
pub fn exit_of_file(error: &io::Error) -> Exit {
    match error.kind() {
        io::ErrorKind::NotFound => Exit::NotFound,
        io::ErrorKind::IsADirectory => Exit::Refused,
        _ => Exit::Failed,
    }
}

/// Describes how to convert a file to UTF-8.
pub(super) fn not_utf8(file: &str) -> String {
    let from = quote(file);
    let to = format!("{file}.utf8");
    format!(
        "`iconv -f WINDOWS-1252 -t UTF-8 {from} > {}` converts it, if the file is from Windows",
        quote(&to)
    )
}

impl From<CheckpointError> for Failure {
    fn from(error: CheckpointError) -> Self {
        let message = error.to_string();
        match error {
            CheckpointError::File { .. } => Self::new(Exit::Failed, message),
            CheckpointError::InUse(_) => Self::refused(message)
                .hint("stop the other one, or give each its own --checkpoint"),
            CheckpointError::Malformed { .. } => {
                Self::refused(message).hint("remove the file to start at the oldest record")
            }
            CheckpointError::OtherStream { .. } => Self::refused(message).hint(
                "the table was created again; remove the file to start at the oldest record of its stream",
            ),
        }
    }
}

impl From<ScriptError> for Failure {
    fn from(error: ScriptError) -> Self {
        let refused = Self::refused(format!("{error}; nothing was written"));
        match error.problem {
            Problem::NotUtf8 => refused.hint(not_utf8(&error.file)),
            _ => refused.hint(
                "a line is `Person 1: text`, `Person 2: text` or `<handle>: text`; --speaker NAME=HANDLE names the rest",
            ),
        }
    }
}

impl From<SeedError> for Failure {
    fn from(error: SeedError) -> Self {
        let message = match &error {
            SeedError::Plan {
                conversation,
                error: error @ PlanError::EndsInTheFuture(_),
            } => format!("conversation {conversation}: --ends-at {error}; nothing was written"),
            error => format!("{error}; nothing was written"),
        };
        match error {
            SeedError::Store(error) => error.into(),
            SeedError::ChangedMeanwhile { .. } => Self::new(Exit::Partly, error.to_string())
                .hint("run the same command again to see what does not match"),
            SeedError::Plan {
                error: PlanError::EndsInTheFuture(_) | PlanError::OutOfRange,
                ..
            } => Self::refused(message)
                .hint("--ends-at and --interval say when the conversation takes place"),
            SeedError::Plan { .. } => Self::refused(message)
                .hint(
                "--replace removes what the file had before it was edited; --group-uuid seeds another conversation",
            ),
            SeedError::OtherUsers { .. } => Self::refused(message).hint(
                "name these two with --me and --with, or another conversation with --group-uuid",
            ),
        }
    }
}

impl From<LocalError> for Failure {
    fn from(error: LocalError) -> Self {
        let failure = Self::new(Exit::Failed, error.to_string());
        match error {
            LocalError::Listen(error) => error.into(),
            LocalError::Folder { .. } => failure.hint("--data names a folder that can be written"),
            LocalError::InUse { .. } => {
                failure.hint("use that endpoint, or name another folder with --data")
            }
            _ => failure,
        }
    }
}

impl From<ListenError> for Failure {
    fn from(error: ListenError) -> Self {
        let failure = Self::new(Exit::Failed, error.to_string());
        match error {
            ListenError::PortTaken {
                occupant: Occupant::DynamoDb,
                ..
            } => {
                failure.hint("the other commands can use that endpoint; --port names another port")
            }
            ListenError::PortTaken { .. } => {
                failure.hint("stop what listens there, or name another port with --port")
            }
            ListenError::Other { .. } => failure,
        }
    }
}
