//! The printer: writes records in their format to stdout.

use std::io::Write;

use ddb_core::timezone::Zone;

use super::escape;
use super::format::Format;
use super::handout::Handout;
use super::json::{self, WriteJson};
use super::pager::Out;
use super::record::{Record, Totals};
use super::screen::Screen;
use super::sheet::{self, Sheet};
use super::table::Drawing;
use super::transcript::Transcript;
use super::width;
use crate::failure::Failure;

enum Form {
    Table(Drawing),
    Transcript(Transcript),
    Handout(Handout),
    Csv,
    Text,
}

/// Prints records of one type, one by one or by the sheet, in the chosen format.
///
/// A printer that is dropped before it is finished writes what it holds back. Printed records stay, and a JSON document
/// stays unterminated, so that nobody takes it for complete.
pub struct Printer<R: Record, W: Write = Out> {
    format: Format,
    screen: Option<Screen>,
    zone: Zone,
    form: Form,
    out: W,
    printed: u64,
    finished: bool,
    /// Where single records are rendered; its memory is reused.
    sheet: Sheet<R>,
}

impl<R: Record, W: Write> Printer<R, W> {
    /// Starts the output. `screen` is `None` if stdout is not a terminal.
    pub fn new(format: Format, screen: Option<Screen>, out: W) -> Self {
        let form = match format {
            Format::Table => Form::Table(Drawing::of::<R>(R::TABLE, screen)),
            Format::Wide => Form::Table(Drawing::of::<R>(R::COLUMNS, None)),
            Format::Csv => Form::Csv,
            Format::Json | Format::Jsonl | Format::DdbJson => Form::Text,
            Format::Txt | Format::Md | Format::Html => {
                Handout::new(format).map_or(Form::Text, Form::Handout)
            }
        };
        Self::in_form(format, screen, form, out)
    }

    /// Starts a transcript for a terminal, which shows only messages.
    pub fn transcript(screen: Screen, out: W) -> Self {
        let form = Form::Transcript(Transcript::new(screen.columns, screen.colored));
        Self::in_form(Format::Table, Some(screen), form, out)
    }

    /// Sets the time zone of times that people see.
    #[must_use]
    pub fn in_zone(mut self, zone: Zone) -> Self {
        self.zone = zone;
        match &mut self.form {
            Form::Table(drawing) => drawing.in_zone(zone),
            Form::Transcript(transcript) => transcript.in_zone(zone),
            Form::Handout(handout) => handout.in_zone(zone),
            Form::Csv | Form::Text => {}
        }
        self
    }

    fn in_form(format: Format, screen: Option<Screen>, form: Form, out: W) -> Self {
        Self {
            format,
            screen,
            zone: Zone::UTC,
            form,
            out,
            printed: 0,
            finished: false,
            sheet: Sheet::default(),
        }
    }

    /// Prints one record.
    pub fn print(&mut self, record: &R::Of<'_>) -> Result<(), Failure> {
        if let Form::Transcript(transcript) = &mut self.form {
            if let Some(said) = R::said(record) {
                transcript.take(said);
                self.printed += 1;
            }
            return Ok(());
        }
        if matches!(self.form, Form::Handout(_)) {
            self.begin()?;
            if let (Form::Handout(handout), Some(said)) = (&mut self.form, R::said(record)) {
                handout.take(said, &mut self.out)?;
                self.printed += 1;
            }
            return Ok(());
        }
        self.print_rendered(|sheet, format| sheet.add(format, record))
    }

    /// Prints the only record of the output: as a sentence for a person at a terminal, if it has one.
    ///
    /// # Errors
    ///
    /// [`Failure::ClosedPipe`] if nobody reads stdout any more.
    pub fn print_only(&mut self, record: &R::Of<'_>) -> Result<(), Failure> {
        match R::sentence(record, self.zone) {
            Some(sentence) if self.format == Format::Table => {
                let columns = self.screen.map_or(usize::MAX, |screen| screen.columns);
                for line in width::wrap(&escape::line(&sentence), columns) {
                    writeln!(self.out, "{line}")?;
                }
                self.printed += 1;
                Ok(())
            }
            _ => self.print(record),
        }
    }

    /// Prints one object, which people see as several lines of a table.
    pub fn print_object(
        &mut self,
        object: &impl WriteJson,
        lines: &[R::Of<'_>],
    ) -> Result<(), Failure> {
        match self.format {
            Format::Json | Format::Jsonl => {
                self.print_rendered(|sheet, format| sheet.add_object(format, object))
            }
            Format::Table
                if lines
                    .first()
                    .is_some_and(|line| R::sentence(line, self.zone).is_some()) =>
            {
                lines
                    .iter()
                    .take(1)
                    .try_for_each(|line| self.print_only(line))
            }
            _ => lines.iter().try_for_each(|line| self.print(line)),
        }
    }

    fn print_rendered(
        &mut self,
        render: impl FnOnce(&mut Sheet<R>, Format),
    ) -> Result<(), Failure> {
        let mut sheet = std::mem::take(&mut self.sheet);
        sheet.clear();
        render(&mut sheet, self.format);
        self.print_sheet(&mut sheet, u64::MAX)?;
        self.sheet = sheet;
        Ok(())
    }

    /// Prints the first `at_most` records of a sheet that was made for the same format.
    pub fn print_sheet(&mut self, sheet: &mut Sheet<R>, at_most: u64) -> Result<(), Failure> {
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
            // These forms take records one by one.
            Form::Transcript(_) | Form::Handout(_) => {}
            Form::Csv | Form::Text => {
                let mut text = sheet.text(records);
                // In a document, every record except the first comes after a comma.
                if self.format == Format::Json && self.printed == 0 {
                    text = &text[1..];
                }
                self.out.write_all(text)?;
            }
        }
        self.printed += records;
        Ok(())
    }

    /// Writes the text before the first record.
    fn begin(&mut self) -> Result<(), Failure> {
        if self.printed == 0 {
            match &self.form {
                Form::Csv => {
                    let header = R::CSV.iter().map(|column| column.in_csv.to_owned());
                    sheet::csv_row(&mut self.out, header)?;
                }
                Form::Text if self.format == Format::Json => self.out.write_all(b"{\"items\":[")?,
                Form::Handout(handout) => handout.begin(&mut self.out)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Returns the output format.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Returns the number of printed records.
    pub fn printed(&self) -> u64 {
        self.printed
    }

    /// Writes out everything printed so far, so that readers get it after each page.
    pub fn flush(&mut self) -> Result<(), Failure> {
        match &mut self.form {
            Form::Table(drawing) => drawing.flush(&mut self.out)?,
            Form::Transcript(transcript) => transcript.flush(&mut self.out)?,
            _ => {}
        }
        Ok(self.out.flush()?)
    }

    /// Ends the output with its totals.
    pub fn finish(mut self, totals: Totals) -> Result<(), Failure> {
        self.finished = true;
        self.begin()?;
        match &mut self.form {
            Form::Table(drawing) => drawing.end(&mut self.out)?,
            Form::Handout(handout) => handout.end(&mut self.out)?,
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
}

impl<R: Record, W: Write> Drop for Printer<R, W> {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        if let Form::Table(drawing) = &mut self.form {
            // The error that led here is reported instead.
            let _ = drawing.end(&mut self.out);
        }
        let _ = self.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{Cell, Column};
    use serde::Serialize;

    #[derive(Serialize)]
    struct Named {
        name: String,
        size: i64,
    }

    impl Record for Named {
        type Of<'a> = Self;
        const COLUMNS: &'static [Column<Self>] = &[
            Column::new("name", |row| Cell::text(&row.name)),
            Column::new("size", |row| Cell::number(row.size)),
        ];
    }

    fn print(format: Format, names: &[(&str, i64)]) -> String {
        let mut out = Vec::new();
        let mut printer = Printer::<Named, _>::new(format, None, &mut out);
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

    /// Prints one record without finishing the output.
    fn unfinished(format: Format) -> String {
        let mut out = Vec::new();
        let mut printer = Printer::<Named, _>::new(format, None, &mut out);
        let record = Named {
            name: "a".into(),
            size: 1,
        };
        printer.print(&record).unwrap();
        drop(printer);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_was_printed_stays_where_the_end_does_not_come() {
        assert_eq!(
            unfinished(Format::Table),
            "name  size\n──────────\na        1\n"
        );
        assert_eq!(unfinished(Format::Csv), "name,size\na,1\n");
        let json = unfinished(Format::Json);
        assert!(json.starts_with("{\"items\":["), "{json}");
        assert!(serde_json::from_str::<serde_json::Value>(&json).is_err());
    }
}
