//! A checkpoint file: how far a stream was read.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::fs::{File, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// The reason why a checkpoint cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The file cannot be read or written.
    #[error("{}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        error: std::io::Error,
    },
    /// Another process is using it.
    #[error("{}: another process is using this checkpoint", .0.display())]
    InUse(PathBuf),
    /// The file is not a checkpoint.
    #[error("{}: not a checkpoint: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The checkpoint is for another stream: the table was created again since.
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

/// The file of a checkpoint, locked by this process.
///
/// The lock is a system lock on a file beside it (`FILE.ddb-lock`, which is empty and not removed). It ends with
/// the process, however that ends.
#[derive(Debug)]
pub struct CheckpointFile {
    path: PathBuf,
    /// The file that is written first and then replaces the checkpoint: `FILE.PROCESS.ddb-new`.
    new: PathBuf,
    _lock: File,
}

impl CheckpointFile {
    /// Locks a file, which need not exist yet, and removes files that a killed process left beside it.
    ///
    /// # Errors
    ///
    /// [`CheckpointError::InUse`] if another process is using it.
    pub fn take(path: &Path) -> Result<Self, CheckpointError> {
        let lock_path = beside(path, LOCK);
        let lock = File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&lock_path)
            .map_err(at(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(CheckpointError::InUse(path.to_owned())),
            Err(TryLockError::Error(error)) => return Err(at(&lock_path)(error)),
        }
        remove_leftovers(path).map_err(at(path))?;
        Ok(Self {
            path: path.to_owned(),
            new: beside(path, &format!(".{}{NEW}", std::process::id())),
            _lock: lock,
        })
    }

    /// Reads the checkpoint. Returns `None` if there is none yet.
    ///
    /// # Errors
    ///
    /// [`CheckpointError`], for example if the checkpoint is for another stream.
    pub fn read(&self, stream_arn: &str) -> Result<Option<Checkpoint>, CheckpointError> {
        match std::fs::read_to_string(&self.path) {
            Ok(text) => Checkpoint::parse(&text, stream_arn, &self.path).map(Some),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(at(&self.path)(error)),
        }
    }

    /// Writes the checkpoint to a new file and renames it, so that it is never half written.
    ///
    /// # Errors
    ///
    /// [`CheckpointError::File`]. The old file is then still complete.
    pub fn write(&self, checkpoint: &Checkpoint) -> Result<(), CheckpointError> {
        let write = || {
            let mut file = File::create_new(&self.new)?;
            writeln!(file, "{checkpoint}")?;
            file.sync_all()?;
            std::fs::rename(&self.new, &self.path)
        };
        write().map_err(|error| {
            // If this fails, the next process that locks the checkpoint removes the file.
            let _ = std::fs::remove_file(&self.new);
            at(&self.path)(error)
        })
    }
}

const LOCK: &str = ".ddb-lock";
const NEW: &str = ".ddb-new";

/// Adds a suffix to the name of a file.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    path.with_file_name(name)
}

fn at(path: &Path) -> impl FnOnce(std::io::Error) -> CheckpointError {
    let path = path.to_owned();
    move |error| CheckpointError::File { path, error }
}

/// Removes the new files that killed processes left: only the process that holds the lock writes any.
fn remove_leftovers(path: &Path) -> std::io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let Some(name) = path.file_name().map(OsStr::as_encoded_bytes) else {
        return Ok(());
    };
    let is_leftover = |found: &OsStr| {
        let rest = found.as_encoded_bytes().strip_prefix(name);
        let process = rest
            .and_then(|rest| rest.strip_prefix(b"."))
            .and_then(|rest| rest.strip_suffix(NEW.as_bytes()));
        process.is_some_and(|id| !id.is_empty() && id.iter().all(u8::is_ascii_digit))
    };
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if is_leftover(&entry.file_name()) {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

impl Checkpoint {
    fn parse(text: &str, stream_arn: &str, path: &Path) -> Result<Self, CheckpointError> {
        let malformed = |reason: String| CheckpointError::Malformed {
            path: path.to_owned(),
            reason,
        };
        let value: Value =
            serde_json::from_str(text).map_err(|error| malformed(error.to_string()))?;
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
        Ok(Self {
            stream_arn: found.to_owned(),
            shards,
        })
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        json!({"stream_arn": self.stream_arn, "shards": self.shards}).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_survives_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint.json");
        let file = CheckpointFile::take(&path).unwrap();
        assert_eq!(file.read("arn:1").unwrap(), None);
        let checkpoint = Checkpoint {
            stream_arn: "arn:1".to_owned(),
            shards: [("shardId-1".to_owned(), "42".to_owned())].into(),
        };
        for _ in 0..2 {
            file.write(&checkpoint).unwrap();
            assert_eq!(file.read("arn:1").unwrap().as_ref(), Some(&checkpoint));
        }
        assert_eq!(
            names(folder.path()),
            ["checkpoint.json", "checkpoint.json.ddb-lock"]
        );
        let other = file.read("arn:2").unwrap_err();
        assert!(matches!(other, CheckpointError::OtherStream { .. }));
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn one_holder_at_a_time_and_nothing_of_others_is_touched() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c");
        let kept = [
            "c.ddb-lock",
            "c.ddb-new",
            "c.new",
            "c.x1.ddb-new",
            "cc.1.ddb-new",
        ];
        for name in kept.iter().chain(&["c.1.ddb-new", "c.22.ddb-new"]) {
            std::fs::write(folder.path().join(name), "kept").unwrap();
        }
        let first = CheckpointFile::take(&path).unwrap();
        assert!(matches!(
            CheckpointFile::take(&path).unwrap_err(),
            CheckpointError::InUse(_)
        ));
        drop(first);
        CheckpointFile::take(&path).unwrap();
        assert_eq!(names(folder.path()), kept);
        for name in kept {
            let text = std::fs::read_to_string(folder.path().join(name)).unwrap();
            assert_eq!(text, "kept", "{name}");
        }
    }

    #[test]
    fn what_cannot_be_written_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c");
        let file = CheckpointFile::take(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        let checkpoint = Checkpoint {
            stream_arn: "arn:1".to_owned(),
            shards: BTreeMap::new(),
        };
        for _ in 0..2 {
            file.write(&checkpoint).unwrap_err();
            assert_eq!(names(folder.path()), ["c", "c.ddb-lock"]);
        }
    }

    #[test]
    fn what_is_no_checkpoint_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c");
        let file = CheckpointFile::take(&path).unwrap();
        for text in [
            "",
            "{}",
            "[]",
            r#"{"stream_arn":"a"}"#,
            r#"{"stream_arn":"a","shards":{"s":1}}"#,
        ] {
            std::fs::write(&path, text).unwrap();
            let error = file.read("a").unwrap_err();
            assert!(matches!(error, CheckpointError::Malformed { .. }), "{text}");
        }
    }
}
