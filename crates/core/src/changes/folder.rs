//! The folder of receipts.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::ChangesError;
use super::line::{End, Head};
use super::receipt::{is_receipt, read};
use crate::timestamp::Timestamp;

/// A receipt in the folder.
#[derive(Debug)]
pub struct Listed {
    /// Its file.
    pub path: PathBuf,
    /// The contents of its first line.
    pub head: Head,
    /// How it ended: `done`, `partly`, or `started` if it has no end.
    pub state: &'static str,
    /// Steps that were done.
    pub done: u64,
    /// Steps in all.
    pub steps: u64,
    /// Its size in bytes.
    pub bytes: u64,
}

/// Lists the receipts of a folder, oldest first. Also returns an error for each receipt that cannot be read.
///
/// # Errors
///
/// If the folder cannot be read. A folder that does not exist has no receipts.
pub fn list(folder: &Path) -> Result<(Vec<Listed>, Vec<ChangesError>), ChangesError> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Default::default()),
        Err(error) => return Err(ChangesError::unreadable(folder)(error)),
    };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let (mut listed, mut unread) = (Vec::new(), Vec::new());
    for path in paths.filter(|path| is_receipt(path)) {
        match look_at(path) {
            Ok(receipt) => listed.push(receipt),
            Err(error) => unread.push(error),
        }
    }
    listed.sort_by(|a, b| (&a.head.at, &a.path).cmp(&(&b.head.at, &b.path)));
    Ok((listed, unread))
}

fn look_at(path: PathBuf) -> Result<Listed, ChangesError> {
    let file = File::open(&path).map_err(ChangesError::unreadable(&path))?;
    let contents = read(&path, &file)?;
    let found = file.metadata().map_err(ChangesError::unreadable(&path))?;
    Ok(Listed {
        head: contents.head,
        state: match contents.end {
            None => "started",
            Some(End::Partly) => "partly",
            Some(_) => "done",
        },
        done: contents.done,
        steps: contents.steps,
        bytes: found.len(),
        path,
    })
}

/// Deletes the receipts of a folder that were begun longer than `age` ago, unless they are being written. Returns the
/// deleted receipts.
///
/// # Errors
///
/// If the folder cannot be read, or a file cannot be deleted.
pub fn prune(folder: &Path, age: Duration, now: Timestamp) -> Result<Vec<Listed>, ChangesError> {
    let (listed, _) = list(folder)?;
    let oldest = now.minus(age);
    let is_old = |receipt: &Listed| match (receipt.head.at.parse::<Timestamp>(), oldest) {
        (Ok(at), Some(oldest)) => at < oldest,
        _ => false,
    };
    let mut pruned = Vec::new();
    for receipt in listed.into_iter().filter(is_old) {
        let failed = || ChangesError::unwritable(&receipt.path);
        let file = File::open(&receipt.path).map_err(failed())?;
        if file.try_lock().is_err() {
            continue;
        }
        std::fs::remove_file(&receipt.path).map_err(failed())?;
        pruned.push(receipt);
    }
    Ok(pruned)
}
