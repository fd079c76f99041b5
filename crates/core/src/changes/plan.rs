//! Plans: files of steps, with their totals.

use std::fs::{File, OpenOptions};
use std::io::{BufReader, BufWriter, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::error::ChangesError;
use super::line::{
    End, Head, Line, Lines, MAX_ACTIONS, Seal, end_line, head_line, sealed, step_line,
};
use super::step::Step;
use crate::item::Kind;

/// The totals of a plan.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Transactions.
    pub steps: u64,
    /// Items that are changed. Items that are only checked do not count.
    pub changes: u64,
    /// Items that are created.
    pub puts: u64,
    /// Items that are deleted.
    pub deletes: u64,
    /// Messages that are created: each is an INSERT in the table's stream.
    pub messages_put: u64,
    /// Write capacity units that the plan consumes on the table.
    pub units: u64,
}

impl Summary {
    fn add(&mut self, step: &Step) {
        self.steps += 1;
        self.units += step.units();
        for change in step.changes.iter().filter(|change| !change.is_check()) {
            self.changes += 1;
            self.puts += u64::from(change.before().is_none());
            self.deletes += u64::from(change.after().is_none());
            let is_message = |item| Kind::of(item) == Kind::Message;
            let is_put = change.before().is_none() && change.after().is_some_and(is_message);
            self.messages_put += u64::from(is_put);
        }
    }
}

/// Writes a plan, step by step.
#[derive(Debug)]
pub struct PlanWriter {
    path: PathBuf,
    file: BufWriter<File>,
    crc32: crc32fast::Hasher,
    head: Head,
    summary: Summary,
}

/// A complete plan.
#[derive(Debug)]
pub struct Plan {
    path: PathBuf,
    file: File,
    head: Head,
    summary: Summary,
}

impl PlanWriter {
    /// Begins a plan in a temporary file that no longer exists when the process ends. Only its owner can read it.
    ///
    /// # Errors
    ///
    /// If no file can be written in the system's folder for temporary files.
    pub fn begin(head: Head) -> Result<Self, ChangesError> {
        let name = format!("ddb-{}.plan", uuid::Uuid::new_v4());
        let path = std::env::temp_dir().join(name);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(ChangesError::unwritable(&path))?;
        // The open file needs no name: it is gone when it is closed.
        std::fs::remove_file(&path).map_err(ChangesError::unwritable(&path))?;
        let mut plan = Self {
            path,
            file: BufWriter::new(file),
            crc32: crc32fast::Hasher::new(),
            summary: Summary::default(),
            head,
        };
        plan.write_whole(&head_line(&plan.head))?;
        Ok(plan)
    }

    fn write(&mut self, line: &[u8]) -> Result<(), ChangesError> {
        let written = self.file.write_all(line);
        written.map_err(ChangesError::unwritable(&self.path))
    }

    /// Writes a line without a checksum.
    fn write_whole(&mut self, line: &[u8]) -> Result<(), ChangesError> {
        self.crc32.update(line);
        self.write(line)
    }

    /// Adds a step.
    ///
    /// # Errors
    ///
    /// If it cannot be written, or has too many changes for a transaction.
    pub fn push(&mut self, step: &Step) -> Result<(), ChangesError> {
        if step.changes.len() > MAX_ACTIONS {
            return Err(ChangesError::TooLarge {
                why: step.why.to_string(),
                changes: step.changes.len(),
            });
        }
        self.summary.add(step);
        self.write_whole(&step_line(self.summary.steps, step))
    }

    /// Ends the plan.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn end(mut self) -> Result<Plan, ChangesError> {
        let steps = self.summary.steps;
        let end = sealed(end_line(&End::Planned { steps }), &mut self.crc32);
        self.write(&end)?;
        let path = self.path;
        let file = self.file.into_inner().map_err(|error| error.into_error());
        Ok(Plan {
            file: file.map_err(ChangesError::unwritable(&path))?,
            path,
            head: self.head,
            summary: self.summary,
        })
    }
}

impl Plan {
    /// Opens a saved plan and reads all of it once, so that nothing is carried out if any part of it is wrong.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or is not a complete plan.
    pub fn open(path: &Path) -> Result<Self, ChangesError> {
        let file = File::open(path).map_err(ChangesError::unreadable(path))?;
        let mut lines = Lines::new(path, BufReader::new(&file));
        let head = lines.head()?;
        let mut summary = Summary::default();
        let not_whole = |why| ChangesError::NotWhole {
            path: path.to_owned(),
            why,
        };
        loop {
            match lines.next()? {
                Some(Line::Step(number, step)) if number == summary.steps + 1 => summary.add(&step),
                Some(Line::Step(..)) => return Err(lines.malformed("its steps are not in order")),
                Some(Line::End(End::Planned { steps }))
                    if steps == summary.steps && lines.seal() == Seal::Whole =>
                {
                    break;
                }
                Some(Line::End(End::Planned { .. })) => {
                    return Err(not_whole("it was changed after it was written"));
                }
                Some(Line::Outcome(..) | Line::End(_)) => {
                    return Err(not_whole("it is a receipt and not a plan"));
                }
                None => return Err(not_whole("it is incomplete: its end is missing")),
            }
        }
        if lines.next()?.is_some() || lines.is_torn() {
            return Err(lines.malformed("it continues after its end"));
        }
        drop(lines);
        Ok(Self {
            path: path.to_owned(),
            file,
            head,
            summary,
        })
    }

    /// Returns its first line.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Returns its totals.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    fn at_start(&self) -> Result<BufReader<File>, ChangesError> {
        let failed = || ChangesError::unreadable(&self.path);
        let mut file = self.file.try_clone().map_err(failed())?;
        file.seek(SeekFrom::Start(0)).map_err(failed())?;
        Ok(BufReader::new(file))
    }

    /// Reads its steps, one at a time. Use only one reader at a time: readers share the position in the file.
    ///
    /// # Errors
    ///
    /// If the file cannot be read any more.
    pub fn steps(
        &self,
    ) -> Result<impl Iterator<Item = Result<Step, ChangesError>> + use<>, ChangesError> {
        let mut lines = Lines::new(&self.path, self.at_start()?);
        lines.head()?;
        Ok(std::iter::from_fn(move || match lines.next() {
            Ok(Some(Line::Step(_, step))) => Some(Ok(step)),
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        }))
    }

    /// Copies its file to a writer.
    ///
    /// # Errors
    ///
    /// If it cannot be read or written.
    pub fn copy_to(&self, out: &mut impl Write, name: &Path) -> Result<(), ChangesError> {
        let mut from = self.at_start()?;
        std::io::copy(&mut from, out).map_err(ChangesError::unwritable(name))?;
        out.flush().map_err(ChangesError::unwritable(name))
    }

    /// Saves it in a new file that only its owner can read.
    ///
    /// # Errors
    ///
    /// If a file with that name exists, or the plan cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), ChangesError> {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .map_err(ChangesError::unwritable(path))?;
        self.copy_to(&mut file, path)?;
        file.sync_all().map_err(ChangesError::unwritable(path))
    }
}
