//! How far a stream was read, kept in a file.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// Says why a checkpoint cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The file cannot be read or written.
    #[error("{}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        error: std::io::Error,
    },
    /// The file is not a checkpoint.
    #[error("{}: not a checkpoint: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The checkpoint is of another stream: the table was made anew since.
    #[error("{}: it is of the stream {found}, and the table's is {expected}", path.display())]
    OtherStream {
        /// The file.
        path: PathBuf,
        /// The stream of the file.
        found: String,
        /// The stream of the table.
        expected: String,
    },
}

/// The last sequence number of each shard that was read and acted on.
///
/// Wire format: `{"stream_arn": "…", "shards": {"shardId-…": "sequence number"}}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The stream.
    pub stream_arn: String,
    /// Sequence numbers by shard.
    pub shards: BTreeMap<String, String>,
}

impl Checkpoint {
    /// Reads a file; `None` where there is none yet.
    ///
    /// # Errors
    ///
    /// [`CheckpointError`]; that of another stream among them.
    pub fn read(path: &Path, stream_arn: &str) -> Result<Option<Self>, CheckpointError> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(CheckpointError::File {
                    path: path.to_owned(),
                    error,
                });
            }
        };
        let malformed = |reason: String| CheckpointError::Malformed {
            path: path.to_owned(),
            reason,
        };
        let value: Value =
            serde_json::from_str(&text).map_err(|error| malformed(error.to_string()))?;
        let found = value["stream_arn"]
            .as_str()
            .ok_or_else(|| malformed("it has no stream_arn".to_owned()))?;
        let shards = value["shards"]
            .as_object()
            .ok_or_else(|| malformed("it has no shards".to_owned()))?;
        let shards = shards
            .iter()
            .map(|(id, number)| Some((id.clone(), number.as_str()?.to_owned())))
            .collect::<Option<_>>()
            .ok_or_else(|| malformed("a sequence number is not a string".to_owned()))?;
        if found != stream_arn {
            return Err(CheckpointError::OtherStream {
                path: path.to_owned(),
                found: found.to_owned(),
                expected: stream_arn.to_owned(),
            });
        }
        Ok(Some(Self {
            stream_arn: found.to_owned(),
            shards,
        }))
    }

    /// Writes the file beside its place and renames it there, so that it is never half written.
    ///
    /// # Errors
    ///
    /// [`CheckpointError::File`]; the old file is still whole then.
    pub fn write(&self, path: &Path) -> Result<(), CheckpointError> {
        let failed = |error| CheckpointError::File {
            path: path.to_owned(),
            error,
        };
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".new");
        let beside = path.with_file_name(name);
        let text = json!({"stream_arn": self.stream_arn, "shards": self.shards});
        let mut file = std::fs::File::create(&beside).map_err(failed)?;
        writeln!(file, "{text}").map_err(failed)?;
        file.sync_all().map_err(failed)?;
        std::fs::rename(&beside, path).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_survives_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint.json");
        assert_eq!(Checkpoint::read(&path, "arn:1").unwrap(), None);
        let checkpoint = Checkpoint {
            stream_arn: "arn:1".to_owned(),
            shards: [("shardId-1".to_owned(), "42".to_owned())].into(),
        };
        for _ in 0..2 {
            checkpoint.write(&path).unwrap();
            assert_eq!(
                Checkpoint::read(&path, "arn:1").unwrap().as_ref(),
                Some(&checkpoint)
            );
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        let other = Checkpoint::read(&path, "arn:2").unwrap_err();
        assert!(matches!(other, CheckpointError::OtherStream { .. }));
    }

    #[test]
    fn what_is_no_checkpoint_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c");
        for text in [
            "",
            "{}",
            "[]",
            r#"{"stream_arn":"a"}"#,
            r#"{"stream_arn":"a","shards":{"s":1}}"#,
        ] {
            std::fs::write(&path, text).unwrap();
            let error = Checkpoint::read(&path, "a").unwrap_err();
            assert!(matches!(error, CheckpointError::Malformed { .. }), "{text}");
        }
    }
}
