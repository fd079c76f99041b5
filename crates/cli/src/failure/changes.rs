//! Failures of plans and receipts.

use std::io;

use ddb_core::changes::ChangesError;

use super::{Exit, Failure, exit_of_file};

impl From<ChangesError> for Failure {
    fn from(error: ChangesError) -> Self {
        let message = error.to_string();
        match error {
            ChangesError::Store(error) => error.into(),
            ChangesError::Unreadable { error, .. } => {
                Self::new(exit_of_file(&error), message).hint("`ddb receipts` lists the receipts")
            }
            ChangesError::Unwritable { path, error }
                if error.kind() == io::ErrorKind::AlreadyExists =>
            {
                Self::refused(format!("{}: already exists", path.display()))
                    .hint("name a new file; existing plans and receipts are never overwritten")
            }
            ChangesError::Unwritable { .. } => Self::new(Exit::Failed, message).hint(
                "is the disk full, or the folder read-only? --receipt FILE names another file",
            ),
            ChangesError::Taken { .. } => {
                Self::refused(message).hint("name a new file with --receipt")
            }
            ChangesError::InUse { .. } => {
                Self::refused(message).hint("wait until it is done, then run the command again")
            }
            ChangesError::TooLarge { .. } => Self::refused(message).hint(
                "`ddb check-conversations --repair --rule row-doubled` deletes surplus rows first",
            ),
            ChangesError::OtherTable { .. } => Self::refused(message)
                .hint("--table and --endpoint-url, or --prod with --region, name the table"),
            ChangesError::NotWhole { .. } => {
                Self::refused(message).hint("nothing was changed; make the plan again with --plan")
            }
            ChangesError::Foreign { .. } | ChangesError::Format { .. } => Self::refused(message)
                .hint("nothing was changed; `ddb receipts` lists the receipts"),
            ChangesError::Malformed { .. } => Self::refused(message)
                .hint("nothing was changed; the file was changed after it was written"),
        }
    }
}
