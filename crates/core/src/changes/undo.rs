//! Undoing the changes that a receipt records.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use super::error::ChangesError;
use super::line::{Head, Line, Lines};
use super::plan::{Plan, PlanWriter};

/// Plans to undo the steps of a receipt, last first: the steps that were done, and those without an outcome. Steps are
/// read one at a time; only their positions in the file are kept in memory.
///
/// # Errors
///
/// If the receipt cannot be read or was changed, belongs to another table than `head`, or is being written.
pub fn undo_plan(path: &Path, head: Head) -> Result<Plan, ChangesError> {
    let failed = || ChangesError::unreadable(path);
    let mut file = File::open(path).map_err(failed())?;
    if let Err(std::fs::TryLockError::WouldBlock) = file.try_lock_shared() {
        return Err(ChangesError::InUse {
            path: path.to_owned(),
        });
    }
    let contents = super::receipt::read(path, &file)?;
    contents.head.hold(&head.table(), path)?;
    let places = places(path, &mut file)?;
    let mut plan = PlanWriter::begin(head)?;
    for (from, to) in places.into_iter().rev().flatten() {
        file.seek(SeekFrom::Start(from)).map_err(failed())?;
        let mut lines = Lines::new(path, BufReader::new((&file).take(to - from)));
        match lines.next()? {
            Some(Line::Step(_, step)) => plan.push(&step.reversed())?,
            _ => return Err(lines.malformed("it was changed while it was read")),
        }
    }
    plan.end()
}

/// Finds the positions of the steps that are to be undone.
fn places(path: &Path, file: &mut File) -> Result<Vec<Option<(u64, u64)>>, ChangesError> {
    file.seek(SeekFrom::Start(0))
        .map_err(ChangesError::unreadable(path))?;
    let mut lines = Lines::new(path, BufReader::new(&*file));
    lines.head()?;
    let mut places = Vec::new();
    let mut from = lines.at();
    while let Some(line) = lines.next()? {
        match line {
            Line::Step(..) => places.push(Some((from, lines.at()))),
            Line::Outcome(number, false) => {
                // Steps are numbered from 1, and reading the receipt has checked that they are in order.
                let place = usize::try_from(number).ok().and_then(|n| n.checked_sub(1));
                if let Some(place) = place.and_then(|place| places.get_mut(place)) {
                    *place = None;
                }
            }
            Line::Outcome(_, true) | Line::End(_) => {}
        }
        from = lines.at();
    }
    Ok(places)
}
