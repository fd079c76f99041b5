//! Receipts: records of what a command changed, written while it runs.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{BufReader, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::error::ChangesError;
use super::line::{
    End, Head, Line, Lines, Outcome, Seal, end_line, head_line, outcome_line, sealed, step_line,
};
use super::step::Step;

/// Where a receipt is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keep {
    /// In a folder: in a new file, or in the unfinished receipt there that the same command began on the same table.
    In(PathBuf),
    /// In this file.
    At(PathBuf),
    /// Nowhere.
    Nowhere,
}

/// What an interrupted command did, according to its receipt.
#[derive(Debug, Default)]
pub struct Started {
    /// Steps with a known outcome.
    pub known: u64,
    /// Steps whose outcome is not in the receipt.
    pub open: BTreeMap<u64, Step>,
    /// Whether something was left.
    pub left: bool,
}

/// A receipt that is being written. A receipt without an end can be continued.
#[derive(Debug)]
pub struct Receipt {
    file: Option<(PathBuf, File)>,
    /// The running checksum of what was written.
    crc32: crc32fast::Hasher,
    steps: u64,
    started: Option<Started>,
}

/// The contents of a receipt.
pub(super) struct Contents {
    pub(super) head: Head,
    pub(super) started: Started,
    pub(super) end: Option<End>,
    /// The offset at which the last complete line ends.
    pub(super) length: u64,
    /// The number of the last step.
    pub(super) steps: u64,
    /// Steps that were done.
    pub(super) done: u64,
    /// The running checksum of its lines.
    crc32: crc32fast::Hasher,
}

/// Reads a receipt. Only steps without an outcome are kept in memory. A receipt that was changed is refused, because
/// its contents are written back to a table.
pub(super) fn read(path: &Path, file: &File) -> Result<Contents, ChangesError> {
    let mut lines = Lines::new(path, BufReader::new(file));
    let mut contents = Contents {
        head: lines.head()?,
        started: Started::default(),
        end: None,
        length: 0,
        steps: 0,
        done: 0,
        crc32: crc32fast::Hasher::new(),
    };
    // A plan has a checksum only at its end, and a receipt of version 0.1.0 has none at all.
    let has_seals = lines.seal() != Seal::Missing;
    let mut first_broken = None;
    let look = |lines: &Lines<_>, broken: &mut Option<ChangesError>| {
        let is_whole = match lines.seal() {
            Seal::Whole => true,
            Seal::Broken => false,
            Seal::Missing => !has_seals,
        };
        if !is_whole && broken.is_none() {
            *broken = Some(lines.broken());
        }
    };
    look(&lines, &mut first_broken);
    while let Some(line) = lines.next()? {
        if contents.end.is_some() {
            return Err(lines.malformed("it continues after its end"));
        }
        look(&lines, &mut first_broken);
        match line {
            Line::Step(number, step) if number == contents.steps + 1 => {
                contents.steps = number;
                contents.started.open.insert(number, step);
            }
            Line::Step(..) => return Err(lines.malformed("its steps are not in order")),
            Line::Outcome(number, done) => {
                if contents.started.open.remove(&number).is_none() {
                    return Err(lines.malformed("it is the outcome of a step that is not open"));
                }
                contents.started.known += 1;
                contents.started.left |= !done;
                contents.done += u64::from(done);
            }
            Line::End(End::Planned { .. }) => {
                return Err(ChangesError::NotWhole {
                    path: path.to_owned(),
                    why: "it is a plan and not a receipt",
                });
            }
            Line::End(end) => contents.end = Some(end),
        }
    }
    contents.length = lines.at();
    contents.crc32 = lines.crc32();
    first_broken.map_or(Ok(contents), Err)
}

/// Locks the file for this process. Returns `None` if another process has locked it.
fn lock(path: &Path, file: &File) -> Result<Option<()>, ChangesError> {
    match file.try_lock() {
        Ok(()) => Ok(Some(())),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(ChangesError::unwritable(path)(error)),
    }
}

impl Receipt {
    /// Finds the receipt that a command began on a table and did not end.
    ///
    /// # Errors
    ///
    /// If a file that was named contains something else, or is in use.
    pub fn find(keep: &Keep, head: &Head) -> Result<Option<Self>, ChangesError> {
        match keep {
            Keep::Nowhere => Ok(None),
            Keep::At(path) => match OpenOptions::new().read(true).write(true).open(path) {
                Ok(file) if is_empty(&file) => Ok(None),
                Ok(file) => match go_on(path, file, head)? {
                    GoOn::Receipt(receipt) => Ok(Some(receipt)),
                    GoOn::InUse => Err(ChangesError::InUse { path: path.clone() }),
                    GoOn::Other => Err(ChangesError::Taken { path: path.clone() }),
                },
                // Whether it can be written turns out when the receipt is begun.
                Err(_) => Ok(None),
            },
            Keep::In(folder) => {
                let Ok(entries) = std::fs::read_dir(folder) else {
                    return Ok(None);
                };
                let files = entries.filter_map(|entry| Some(entry.ok()?.path()));
                let mut files: Vec<PathBuf> = files.filter(|path| is_receipt(path)).collect();
                files.sort();
                for path in files {
                    let opened = OpenOptions::new().read(true).write(true).open(&path);
                    // Skip a file that cannot be read, or is not a receipt.
                    if let Ok(file) = opened
                        && let Ok(GoOn::Receipt(receipt)) = go_on(&path, file, head)
                    {
                        return Ok(Some(receipt));
                    }
                }
                Ok(None)
            }
        }
    }

    /// Begins a receipt, and writes its first line to disk.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn begin(keep: &Keep, head: &Head) -> Result<Self, ChangesError> {
        let (path, new) = match keep {
            Keep::Nowhere => return Ok(Self::of(None, crc32fast::Hasher::new())),
            Keep::At(path) => (path.clone(), false),
            Keep::In(folder) => {
                let mut making = DirBuilder::new();
                let made = making.recursive(true).mode(0o700).create(folder);
                made.map_err(ChangesError::unwritable(folder))?;
                (folder.join(file_name(head)), true)
            }
        };
        let failed = || ChangesError::unwritable(&path);
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .create_new(new)
            .mode(0o600)
            .open(&path)
            .map_err(failed())?;
        if lock(&path, &file)?.is_none() {
            return Err(ChangesError::InUse { path });
        }
        let mut crc32 = crc32fast::Hasher::new();
        let head = sealed(head_line(head), &mut crc32);
        file.write_all(&head).map_err(failed())?;
        file.sync_all().map_err(failed())?;
        // The folder's entry for the file has to be on disk, too.
        if let Some(folder) = path.parent().filter(|folder| folder.is_dir()) {
            let folder = File::open(folder).and_then(|folder| folder.sync_all());
            folder.map_err(failed())?;
        }
        Ok(Self::of(Some((path, file)), crc32))
    }

    fn of(file: Option<(PathBuf, File)>, crc32: crc32fast::Hasher) -> Self {
        Self {
            file,
            crc32,
            steps: 0,
            started: None,
        }
    }

    /// Returns its file, if it has one.
    pub fn path(&self) -> Option<&Path> {
        self.file.as_ref().map(|(path, _)| path.as_path())
    }

    /// Returns the number of its steps.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Returns what was done before, if this receipt is being continued.
    pub fn started(&self) -> Option<&Started> {
        self.started.as_ref()
    }

    /// Takes out the steps whose outcome is not known.
    pub(super) fn take_open(&mut self) -> BTreeMap<u64, Step> {
        let started = self.started.as_mut();
        started
            .map(|started| std::mem::take(&mut started.open))
            .unwrap_or_default()
    }

    fn write(&mut self, line: Vec<u8>) -> Result<(), ChangesError> {
        let Some((path, file)) = &mut self.file else {
            return Ok(());
        };
        let line = sealed(line, &mut self.crc32);
        file.write_all(&line)
            .map_err(ChangesError::unwritable(path))
    }

    /// Writes a step, and returns its number. The step is on disk after the next [`Receipt::sync`].
    pub(super) fn step(&mut self, step: &Step) -> Result<u64, ChangesError> {
        let number = self.steps + 1;
        self.write(step_line(number, step))?;
        self.steps = number;
        Ok(number)
    }

    /// Writes the outcome of a step.
    pub(super) fn outcome(&mut self, step: u64, outcome: &Outcome) -> Result<(), ChangesError> {
        self.write(outcome_line(step, outcome))
    }

    /// Syncs all that was written to disk.
    pub(super) fn sync(&mut self) -> Result<(), ChangesError> {
        match &mut self.file {
            Some((path, file)) => file.sync_data().map_err(ChangesError::unwritable(path)),
            None => Ok(()),
        }
    }

    /// Writes the end.
    pub(super) fn end(&mut self, all_done: bool) -> Result<(), ChangesError> {
        let end = if all_done { End::Done } else { End::Partly };
        self.write(end_line(&end))?;
        self.sync()
    }
}

enum GoOn {
    Receipt(Receipt),
    InUse,
    Other,
}

fn is_empty(file: &File) -> bool {
    file.metadata()
        .is_ok_and(|found| !found.is_file() || found.len() == 0)
}

/// Checks whether a file has the extension of receipts.
pub(super) fn is_receipt(path: &Path) -> bool {
    path.extension().is_some_and(|end| end == "jsonl")
}

/// Continues a receipt that the same command began on the same table. A last line that was cut off is removed: if it
/// was a step, it was not sent; if it was an outcome, reading the items shows it again.
fn go_on(path: &Path, mut file: File, head: &Head) -> Result<GoOn, ChangesError> {
    if lock(path, &file)?.is_none() {
        return Ok(GoOn::InUse);
    }
    let contents = read(path, &file)?;
    let own = contents.head.command == head.command && contents.head.table().is(&head.table());
    if !own || contents.end.is_some() {
        return Ok(GoOn::Other);
    }
    let failed = || ChangesError::unwritable(path);
    file.set_len(contents.length).map_err(failed())?;
    std::io::Seek::seek(&mut file, std::io::SeekFrom::End(0)).map_err(failed())?;
    Ok(GoOn::Receipt(Receipt {
        file: Some((path.to_owned(), file)),
        crc32: contents.crc32,
        steps: contents.steps,
        started: Some(contents.started),
    }))
}

/// Makes a file name that sorts by time: `20260322T083509-check-conversations-3f2a9c41.jsonl`.
fn file_name(head: &Head) -> String {
    let time: String = head
        .at
        .chars()
        .take(19)
        .filter(|c| c.is_ascii_alphanumeric())
        .collect();
    let command = head.command.first().map_or("change", String::as_str);
    format!("{time}-{command}-{:08x}.jsonl", fastrand::u32(..))
}
