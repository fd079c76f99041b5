//! The first pass over the files: it checks every line and writes nothing.

use std::collections::HashMap;

use super::fault::{self, Fault};
use super::marks::{Mark, Marker, Marks};
use super::source::{LinesRead, Place, Source, SourceError};
use crate::item::{ItemView, Kind, read_item};

/// The most bad lines that are named.
const NAMED: usize = 20;

/// A line that is not an item that the table accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLine {
    /// The file and the line, from 1: `backup.jsonl:12`.
    pub place: String,
    /// What is wrong with it.
    pub fault: Fault,
}

/// The result of checking the files.
#[derive(Debug, Default)]
pub struct Checked {
    /// Lines that are not blank.
    pub read: u64,
    /// Lines that are not items that the table accepts.
    pub refused: u64,
    /// The first of these lines.
    pub bad: Vec<BadLine>,
    /// Whether there are rows, which need another pass over the files.
    pub has_rows: bool,
    pub(super) marker: Marker,
    pub(super) marks: Marks,
}

/// A line that is an item.
pub(super) struct Line<'l> {
    pub item: ItemView<'l>,
    pub kind: Kind,
    pub mark: Mark,
}

impl<'l> Line<'l> {
    /// Reads a line as an item that the table accepts.
    pub fn read(line: Result<&'l str, Fault>, marker: &Marker) -> Result<Self, Fault> {
        let item = read_item(line?).map_err(|error| Fault::NoItem(in_words(&error)))?;
        fault::find(&item)?;
        Ok(Self {
            kind: Kind::of(&item),
            mark: marker.mark(&item),
            item,
        })
    }
}

/// Formats a JSON error without its line number, since each line is parsed on its own.
fn in_words(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let (text, column) = match text.rsplit_once(" at line ") {
        Some((text, place)) => (text, place.rsplit(' ').next()),
        None => (text.as_str(), None),
    };
    match (error.is_data(), column) {
        (true, _) | (_, None) => text.to_owned(),
        (false, Some(column)) => format!("it is not JSON: {text} at column {column}"),
    }
}

/// Checks all files. It blocks while it reads them, so call it on a thread that may block.
///
/// # Errors
///
/// If a file cannot be read, or its checksum differs from the manifest. Bad lines are counted and are not errors.
pub fn check(source: &Source, read: &LinesRead) -> Result<Checked, SourceError> {
    source.verify()?;
    let mut checked = Checked::default();
    let mut marks = Vec::new();
    source.each_line(read, |place, line| {
        checked.read += 1;
        match Line::read(line, &checked.marker) {
            Ok(line) => {
                marks.push(line.mark);
                checked.has_rows |= line.kind == Kind::Group;
            }
            Err(fault) => checked.refuse(source, place, fault),
        }
        Ok::<(), SourceError>(())
    })?;
    checked.marks = Marks::new(marks);
    if checked.marks.has_doubled() {
        checked.name_doubled(source)?;
    }
    Ok(checked)
}

impl Checked {
    fn refuse(&mut self, source: &Source, place: Place, fault: Fault) {
        self.refused += 1;
        if self.bad.len() < NAMED {
            let place = source.name(place);
            self.bad.push(BadLine { place, fault });
        }
    }

    /// Reads the files again, to name the lines with the same key and different contents.
    fn name_doubled(&mut self, source: &Source) -> Result<(), SourceError> {
        let mut seen: HashMap<u64, (Place, bool)> = HashMap::new();
        source.each_line(&LinesRead::default(), |place, line| {
            let Ok(Line { mark, .. }) = Line::read(line, &self.marker) else {
                return Ok(());
            };
            if !self.marks.is_doubled(mark.key) {
                return Ok::<(), SourceError>(());
            }
            let Some((first, is_named)) = seen.get_mut(&mark.key) else {
                seen.insert(mark.key, (place, false));
                return Ok(());
            };
            let first = *first;
            if !std::mem::replace(is_named, true) {
                self.refuse(source, first, Fault::Doubled(source.name(place)));
            }
            self.refuse(source, place, Fault::Doubled(source.name(first)));
            Ok(())
        })
    }
}
