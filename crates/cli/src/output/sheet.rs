//! Records in their form, but not printed yet: any thread can make a sheet of them.

use std::io::{self, Write};

use super::json::{Export, WriteJson};
use super::{Cell, Format, Record, escape};

/// Records of one page of an answer, rendered.
#[derive(Debug, Default)]
pub struct Sheet {
    text: Vec<u8>,
    /// Where in the text each record ends.
    ends: Vec<usize>,
    /// The rows of each record, where the form is a table: its widths are known only later.
    rows: Vec<Vec<Vec<Cell>>>,
}

impl Sheet {
    /// Adds a record.
    pub fn add<R: Record>(&mut self, format: Format, record: &R) {
        if format == Format::Table {
            self.rows.push(record.rows());
        } else {
            // Writing to a Vec cannot fail.
            let _ = render(format, record, &mut self.text);
        }
        self.ends.push(self.text.len());
    }

    /// Returns how many records there are.
    pub fn len(&self) -> u64 {
        self.ends.len() as u64
    }

    /// Tells whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Takes all records off; their room is kept.
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
        self.rows.clear();
    }

    /// Returns the text of the first records.
    pub(super) fn text(&self, records: u64) -> &[u8] {
        let last = usize::try_from(records).ok().and_then(|n| n.checked_sub(1));
        let end = last.and_then(|last| self.ends.get(last)).copied();
        &self.text[..end.unwrap_or_default()]
    }

    /// Takes the rows of the first records.
    pub(super) fn rows(&mut self, records: u64) -> impl Iterator<Item = Vec<Cell>> + use<'_> {
        let records = usize::try_from(records).unwrap_or(usize::MAX);
        self.rows.drain(..records.min(self.rows.len())).flatten()
    }
}

fn render<R: Record>(format: Format, record: &R, out: &mut Vec<u8>) -> io::Result<()> {
    match format {
        Format::Table => Ok(()),
        Format::Json => {
            out.extend_from_slice(b",\n");
            record.write_json(out);
            Ok(())
        }
        Format::Jsonl => {
            record.write_json(out);
            out.write_all(b"\n")
        }
        Format::Csv => record
            .csv_rows()
            .iter()
            .try_for_each(|row| csv_row(&mut *out, row.iter().map(csv_cell))),
        Format::DdbJson => {
            let item = record.item(|item| Export(item).write_json(out));
            item.map_or(Ok(()), |()| out.write_all(b"\n"))
        }
    }
}

fn csv_cell(cell: &Cell) -> String {
    let text = escape::plain(&cell.text);
    if cell.number {
        text.into_owned()
    } else {
        escape::spreadsheet(text).into_owned()
    }
}

pub(super) fn csv_row(out: &mut impl Write, cells: impl Iterator<Item = String>) -> io::Result<()> {
    let mut writer = csv::WriterBuilder::new()
        .buffer_capacity(512)
        .from_writer(out);
    writer.write_record(cells)?;
    writer.flush()
}
