//! Data on its way to stdout: one printer, five forms.

mod cell;
pub mod escape;
pub mod json;
mod sheet;
mod table;
mod transcript;
pub mod width;

use std::io::Write;

use ddb_core::item::View;

use crate::failure::Failure;
pub use cell::{Cell, Column};
use json::WriteJson;
pub use sheet::Sheet;
use table::Drawing;
pub use transcript::Said;
use transcript::Transcript;

/// The form of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people: columns, cut to the terminal.
    Table,
    /// One object with all items and totals.
    Json,
    /// One object a line.
    Jsonl,
    /// Comma-separated values, RFC 4180.
    Csv,
    /// DynamoDB JSON, one item a line, as export to S3 writes it.
    DdbJson,
}

impl Format {
    /// The forms of a command that reads no rows.
    pub const BASIC: &'static [Self] = &[Self::Table, Self::Json, Self::Jsonl];
    /// The forms of a command that lists things.
    pub const ROWS: &'static [Self] = &[Self::Table, Self::Json, Self::Jsonl, Self::Csv];
    /// The forms of a command that reads items.
    pub const ITEMS: &'static [Self] = &[
        Self::Table,
        Self::Json,
        Self::Jsonl,
        Self::Csv,
        Self::DdbJson,
    ];
}

/// One thing that a command shows.
pub trait Record: WriteJson {
    /// The columns of its table.
    const COLUMNS: &'static [Column];
    /// The header of its CSV: by default that of the table.
    const CSV: Option<&'static [&'static str]> = None;
    /// Whether its table is only the bare value.
    const BARE: bool = false;

    /// Whether its table is shown as it grows, and not once it is known how wide it is.
    const LIVE: bool = false;

    /// Returns its rows in a table: one, as a rule.
    fn rows(&self) -> Vec<Vec<Cell>>;

    /// Returns its row in CSV: by default those of the table.
    fn csv_rows(&self) -> Vec<Vec<Cell>> {
        self.rows()
    }

    /// Returns what a transcript shows of it, where it is a message.
    fn said(&self) -> Option<Said<'_>> {
        None
    }

    /// Shows the item behind it, where it is one.
    fn item<T>(&self, _see: impl FnOnce(&View<'_>) -> T) -> Option<T> {
        None
    }
}

/// What is known at the end of an answer. `None` is `null`: it does not apply.
#[derive(Debug, Clone, Copy, Default)]
pub struct Totals {
    /// How many items, where that is not the number of those printed.
    pub count: Option<u64>,
    /// How many items the service read.
    pub scanned_count: Option<u64>,
    /// Capacity units over all pages.
    pub consumed_capacity: Option<f64>,
    /// Whether a limit cut the answer.
    pub truncated: Option<bool>,
}

enum Form {
    Table(Drawing),
    Transcript(Transcript),
    Csv { header: Vec<&'static str> },
    Text,
}

/// Prints records of one type, one by one or by the sheet, in the chosen form.
pub struct Printer<W: Write> {
    format: Format,
    form: Form,
    out: W,
    printed: u64,
    /// Where single records are rendered; its room is used again.
    sheet: Sheet,
}

impl<W: Write> Printer<W> {
    /// Begins the output. `terminal` is the width of the terminal, `None` where stdout is none.
    pub fn new<R: Record>(format: Format, terminal: Option<usize>, out: W) -> Self {
        let form = match format {
            Format::Table => Form::Table(Drawing::new(R::COLUMNS, R::BARE, R::LIVE, terminal)),
            Format::Csv => Form::Csv {
                header: R::CSV.map_or_else(
                    || R::COLUMNS.iter().map(|column| column.name).collect(),
                    <[&str]>::to_vec,
                ),
            },
            Format::Json | Format::Jsonl | Format::DdbJson => Form::Text,
        };
        Self {
            format,
            form,
            out,
            printed: 0,
            sheet: Sheet::default(),
        }
    }

    /// Begins a transcript for a terminal with so many columns; it shows messages alone.
    pub fn transcript(columns: usize, colored: bool, out: W) -> Self {
        Self {
            format: Format::Table,
            form: Form::Transcript(Transcript::new(columns, colored)),
            out,
            printed: 0,
            sheet: Sheet::default(),
        }
    }

    /// Prints one record.
    ///
    /// # Errors
    ///
    /// [`Failure::ClosedPipe`] where nobody reads any more.
    pub fn print<R: Record>(&mut self, record: &R) -> Result<(), Failure> {
        if let Form::Transcript(transcript) = &mut self.form {
            if let Some(said) = record.said() {
                transcript.take(said);
                self.printed += 1;
            }
            return Ok(());
        }
        let mut sheet = std::mem::take(&mut self.sheet);
        sheet.clear();
        sheet.add(self.format, record);
        self.print_sheet(&mut sheet, u64::MAX)?;
        self.sheet = sheet;
        Ok(())
    }

    /// Prints the records of a sheet, which was made for the same form: the first `at_most` of them.
    ///
    /// # Errors
    ///
    /// [`Failure::ClosedPipe`] where nobody reads any more.
    pub fn print_sheet(&mut self, sheet: &mut Sheet, at_most: u64) -> Result<(), Failure> {
        let records = at_most.min(sheet.len());
        if records == 0 {
            return Ok(());
        }
        self.begin()?;
        match &mut self.form {
            Form::Table(drawing) => {
                for row in sheet.rows(records) {
                    drawing.row(row, &mut self.out)?;
                }
            }
            // A transcript takes records one by one.
            Form::Transcript(_) => {}
            Form::Csv { .. } | Form::Text => {
                let mut text = sheet.text(records);
                // In a document every record but the first one comes after a comma.
                if self.format == Format::Json && self.printed == 0 {
                    text = &text[1..];
                }
                self.out.write_all(text)?;
            }
        }
        self.printed += records;
        Ok(())
    }

    /// Writes what comes before the first record.
    fn begin(&mut self) -> Result<(), Failure> {
        if self.printed == 0 {
            match &self.form {
                Form::Csv { header } => {
                    sheet::csv_row(&mut self.out, header.iter().map(|h| (*h).into()))?;
                }
                Form::Text if self.format == Format::Json => self.out.write_all(b"{\"items\":[")?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Returns the form of the output.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Returns how many records were printed.
    pub fn printed(&self) -> u64 {
        self.printed
    }

    /// Hands on what was printed so far: after a page, whoever reads gets it.
    ///
    /// # Errors
    ///
    /// [`Failure::ClosedPipe`] where nobody reads any more.
    pub fn flush(&mut self) -> Result<(), Failure> {
        match &mut self.form {
            Form::Table(drawing) => drawing.flush(&mut self.out)?,
            Form::Transcript(transcript) => transcript.flush(&mut self.out)?,
            _ => {}
        }
        Ok(self.out.flush()?)
    }

    /// Ends the output with its totals.
    ///
    /// # Errors
    ///
    /// [`Failure::ClosedPipe`] where nobody reads any more.
    pub fn finish(mut self, totals: Totals) -> Result<(), Failure> {
        self.begin()?;
        match &mut self.form {
            Form::Table(drawing) => drawing.end(&mut self.out)?,
            Form::Text if self.format == Format::Json => {
                let count = totals.count.unwrap_or(self.printed);
                if self.printed > 0 {
                    self.out.write_all(b"\n")?;
                }
                write!(
                    self.out,
                    "],\"count\":{count},\"scanned_count\":{},\"consumed_capacity\":{},\"truncated\":{}}}",
                    json::text(&totals.scanned_count),
                    json::text(&totals.consumed_capacity),
                    json::text(&totals.truncated),
                )?;
                self.out.write_all(b"\n")?;
            }
            _ => {}
        }
        self.flush()
    }

    /// Ends the output after an error: what was printed stays, a JSON document stays unterminated.
    pub fn abandon(mut self) {
        if let Form::Table(drawing) = &mut self.form {
            // The error that led here is what is reported.
            let _ = drawing.end(&mut self.out);
        }
        let _ = self.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Serialize;

    #[derive(Serialize)]
    struct Named {
        name: String,
        size: i64,
    }

    impl Record for Named {
        const COLUMNS: &'static [Column] = &[Column::new("name"), Column::new("size")];

        fn rows(&self) -> Vec<Vec<Cell>> {
            vec![vec![Cell::text(&self.name), Cell::number(self.size)]]
        }
    }

    fn print(format: Format, names: &[(&str, i64)]) -> String {
        let mut out = Vec::new();
        let mut printer = Printer::new::<Named>(format, None, &mut out);
        for (name, size) in names {
            let record = Named {
                name: (*name).to_owned(),
                size: *size,
            };
            printer.print(&record).unwrap();
        }
        let totals = Totals {
            scanned_count: Some(7),
            ..Totals::default()
        };
        printer.finish(totals).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn each_form_of_an_empty_answer() {
        assert_eq!(print(Format::Table, &[]), "");
        assert_eq!(print(Format::Jsonl, &[]), "");
        assert_eq!(print(Format::Csv, &[]), "name,size\n");
        assert_eq!(
            print(Format::Json, &[]),
            "{\"items\":[],\"count\":0,\"scanned_count\":7,\"consumed_capacity\":null,\"truncated\":null}\n"
        );
    }

    #[test]
    fn each_form_of_an_answer() {
        let names = [("=a\u{1b}", -1), ("b,\"c\"", 22)];
        assert_eq!(
            print(Format::Table, &names),
            "name      size\n──────────────\n=a\\u{1b}    -1\nb,\"c\"       22\n"
        );
        assert_eq!(
            print(Format::Csv, &names),
            "name,size\n'=a\\u{1b},-1\n\"b,\"\"c\"\"\",22\n"
        );
        assert_eq!(
            print(Format::Jsonl, &names),
            "{\"name\":\"=a\\u001b\",\"size\":-1}\n{\"name\":\"b,\\\"c\\\"\",\"size\":22}\n"
        );
        let json = print(Format::Json, &names);
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(value["items"][1]["size"], 22);
        assert_eq!(value["count"], 2);
    }

    #[test]
    fn an_abandoned_document_stays_open() {
        let mut out = Vec::new();
        let printer = {
            let mut printer = Printer::new::<Named>(Format::Json, None, &mut out);
            printer
                .print(&Named {
                    name: "a".into(),
                    size: 1,
                })
                .unwrap();
            printer
        };
        printer.abandon();
        let text = String::from_utf8(out).unwrap();
        assert!(serde_json::from_str::<serde_json::Value>(&text).is_err());
    }
}
