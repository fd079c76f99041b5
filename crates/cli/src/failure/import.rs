//! Failures of the files of an import.

use ddb_core::import::SourceError;

use super::{Exit, Failure, exit_of_file};

impl From<SourceError> for Failure {
    fn from(error: SourceError) -> Self {
        let message = error.to_string();
        match error {
            SourceError::Unopened { error, .. } => Self::new(exit_of_file(&error), message)
                .hint("`ddb scan -o ddb-json > FILE` writes such a file; - reads standard input"),
            SourceError::Unreadable { .. } => {
                Self::refused(message).hint("is the file complete? A copy may have been cut short")
            }
            SourceError::Spool(_) => Self::new(Exit::Failed, message)
                .hint("TMPDIR names the folder for it; a named file needs none"),
            SourceError::Export { .. } => {
                Self::refused(message).hint("download the whole folder of the export")
            }
            SourceError::Checksum(_) => Self::refused(message).hint("download it again"),
            SourceError::Changed(_) => Self::new(Exit::Failed, message)
                .hint("make sure that nothing writes to the file, then run the command again"),
        }
    }
}
