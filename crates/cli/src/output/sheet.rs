//! Records in their format, before they are printed: any thread can render a sheet of them.

use std::io::{self, Write};
use std::marker::PhantomData;

use super::cell::Cell;
use super::escape;
use super::format::Format;
use super::json::{Export, WriteJson};
use super::record::{Column, Record};

/// Rendered records of one page of the output.
#[derive(Debug)]
pub struct Sheet<R> {
    text: Vec<u8>,
    /// Where each record ends in the text.
    ends: Vec<usize>,
    /// The row of each record, if the format is a table, because the widths are only known later.
    rows: Vec<Vec<Cell>>,
    record: PhantomData<fn(R)>,
}

impl<R> Default for Sheet<R> {
    fn default() -> Self {
        Self {
            text: Vec::new(),
            ends: Vec::new(),
            rows: Vec::new(),
            record: PhantomData,
        }
    }
}

impl<R: Record> Sheet<R> {
    /// Adds a record.
    pub fn add(&mut self, format: Format, record: &R::Of<'_>) {
        let out = &mut self.text;
        // Writing to a Vec cannot fail.
        let _ = match format {
            Format::Table => {
                self.rows.push(cells(R::TABLE, record).collect());
                Ok(())
            }
            Format::Wide => {
                self.rows.push(cells(R::COLUMNS, record).collect());
                Ok(())
            }
            Format::Json | Format::Jsonl => write_object(format, record, out),
            Format::Csv => csv_row(out, cells(R::CSV, record).map(|cell| csv_cell(&cell))),
            Format::DdbJson => {
                let item = R::item(record, |item| Export(item).write_json(out));
                item.map_or(Ok(()), |()| out.write_all(b"\n"))
            }
            // These formats take messages one by one.
            Format::Txt | Format::Md | Format::Html => Ok(()),
        };
        self.ends.push(self.text.len());
    }

    /// Adds an object, in a format that has objects.
    pub(super) fn add_object(&mut self, format: Format, object: &impl WriteJson) {
        // Writing to a Vec cannot fail.
        let _ = write_object(format, object, &mut self.text);
        self.ends.push(self.text.len());
    }

    /// Returns the number of records.
    pub fn len(&self) -> u64 {
        self.ends.len() as u64
    }

    /// Checks whether there are no records.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Removes all records, and keeps the allocated memory.
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
    pub(super) fn rows(&mut self, records: u64) -> impl Iterator<Item = Vec<Cell>> + use<'_, R> {
        let records = usize::try_from(records).unwrap_or(usize::MAX);
        self.rows.drain(..records.min(self.rows.len()))
    }
}

fn cells<R: Record>(
    columns: &'static [Column<R>],
    record: &R::Of<'_>,
) -> impl Iterator<Item = Cell> {
    columns.iter().map(move |column| (column.cell)(record))
}

fn write_object(format: Format, object: &impl WriteJson, out: &mut Vec<u8>) -> io::Result<()> {
    if format == Format::Json {
        out.extend_from_slice(b",\n");
        object.write_json(out);
        return Ok(());
    }
    object.write_json(out);
    out.write_all(b"\n")
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
