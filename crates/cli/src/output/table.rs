//! Tables: widths from the first rows, and every later row in those widths.

use std::io::{self, Write};

use comfy_table::{
    Cell as Drawn, CellAlignment, ColumnConstraint, LineStyle, Table, TableStyle, Width,
};
use ddb_core::timezone::Zone;

use super::cell::Cell;
use super::record::Heading;
use super::width::{self, Rank};

/// How many rows decide about the widths.
const SAMPLE: usize = 200;
/// Blanks between two columns.
const GAP: u16 = 2;

/// Draws rows; the first ones are held back until the widths are known.
#[derive(Debug)]
pub struct Drawing {
    columns: Vec<Heading>,
    bare: bool,
    /// Whether rows are shown as soon as they are flushed.
    live: bool,
    /// The columns of the terminal; `None` where cells are not cut.
    terminal: Option<usize>,
    /// The zone that times are shown in.
    zone: Zone,
    sample: Vec<Vec<Cell>>,
    widths: Option<Vec<usize>>,
}

impl Drawing {
    /// Begins a table; a bare one has no header.
    pub fn new(columns: Vec<Heading>, bare: bool, live: bool, terminal: Option<usize>) -> Self {
        Self {
            columns,
            bare,
            live,
            terminal,
            zone: Zone::UTC,
            sample: Vec::new(),
            widths: None,
        }
    }

    /// Shows times in a zone.
    pub fn in_zone(&mut self, zone: Zone) {
        self.zone = zone;
    }

    /// Takes a row.
    pub fn row(&mut self, row: Vec<Cell>, out: &mut impl Write) -> io::Result<()> {
        let shown = |cell: Cell| cell.in_zone(self.zone).escaped();
        let row = row.into_iter().map(shown).collect();
        if let Some(widths) = &self.widths {
            return self.draw(&[row], widths, false, out);
        }
        self.sample.push(row);
        if self.sample.len() >= SAMPLE {
            self.settle(out)?;
        }
        Ok(())
    }

    /// Shows what is held back, where rows are to be seen at once.
    pub fn flush(&mut self, out: &mut impl Write) -> io::Result<()> {
        if self.live && self.widths.is_none() && !self.sample.is_empty() {
            self.settle(out)?;
        }
        Ok(())
    }

    /// Ends the table: what was held back is drawn. Without any row there is nothing to see.
    pub fn end(&mut self, out: &mut impl Write) -> io::Result<()> {
        if self.widths.is_none() && !self.sample.is_empty() {
            let empty = |index: usize| self.sample.iter().all(|row| row[index].text.is_empty());
            let hidden: Vec<bool> = self
                .columns
                .iter()
                .enumerate()
                .map(|(index, column)| column.optional && empty(index))
                .collect();
            self.settle_hiding(&hidden, out)?;
        }
        Ok(())
    }

    fn settle(&mut self, out: &mut impl Write) -> io::Result<()> {
        // More rows may come, so no column can be known to be empty.
        self.settle_hiding(&vec![false; self.columns.len()], out)
    }

    fn settle_hiding(&mut self, hidden: &[bool], out: &mut impl Write) -> io::Result<()> {
        let natural: Vec<usize> = self
            .columns
            .iter()
            .enumerate()
            .map(|(index, column)| {
                if hidden[index] {
                    return 0;
                }
                let cells = self.sample.iter().map(|row| width::of(&row[index].text));
                let header = if self.bare {
                    0
                } else {
                    width::of(&column.text(self.zone))
                };
                cells.max().unwrap_or_default().max(header)
            })
            .collect();
        let shown = natural.iter().filter(|width| **width > 0).count();
        let gaps = usize::from(GAP) * shown.saturating_sub(1);
        let ranks: Vec<Rank> = self.columns.iter().map(|column| column.rank).collect();
        let widths = match self.terminal {
            Some(room) => width::fit(&natural, &ranks, room.saturating_sub(gaps)),
            None => natural,
        };
        let sample = std::mem::take(&mut self.sample);
        self.draw(&sample, &widths, !self.bare, out)?;
        self.widths = Some(widths);
        Ok(())
    }

    fn draw(
        &self,
        rows: &[Vec<Cell>],
        widths: &[usize],
        header: bool,
        out: &mut impl Write,
    ) -> io::Result<()> {
        let fitted = |text: &str, room: usize| match self.terminal {
            Some(_) => width::cut(text, room),
            None => text.to_owned(),
        };
        // Where nothing is cut, a later cell may be wider than its column.
        let room = |index: usize| {
            let widest = rows.iter().map(|row| width::of(&row[index].text)).max();
            match self.terminal {
                Some(_) => widths[index],
                None => widths[index].max(widest.unwrap_or_default()),
            }
        };
        let shown: Vec<usize> = (0..widths.len())
            .filter(|index| widths[*index] > 0)
            .collect();
        let mut table = Table::new();
        table.load_style(STYLE);
        if header {
            table.set_header(
                shown
                    .iter()
                    .map(|index| fitted(&self.columns[*index].text(self.zone), widths[*index])),
            );
        }
        for row in rows {
            table.add_row(shown.iter().map(|index| {
                let cell = &row[*index];
                let drawn = Drawn::new(fitted(&cell.text, widths[*index]));
                if cell.number {
                    drawn.set_alignment(CellAlignment::Right)
                } else {
                    drawn
                }
            }));
        }
        for (position, index) in shown.iter().enumerate() {
            let last = position + 1 == shown.len();
            let gap = if last { 0 } else { GAP };
            if let Some(column) = table.column_mut(position) {
                let columns = u16::try_from(room(*index)).unwrap_or(u16::MAX - GAP);
                column.set_padding((0, gap));
                column.set_constraint(ColumnConstraint::Absolute(Width::Fixed(columns + gap)));
            }
        }
        for line in table.lines() {
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// No borders: a line under the header, and blanks between columns.
const STYLE: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─'));

#[cfg(test)]
mod tests {
    use super::*;

    fn headings() -> Vec<Heading> {
        let heading = |name, rank, optional| Heading {
            name,
            rank,
            optional,
            time: false,
        };
        vec![
            heading("time", Rank::High, false),
            heading("message", Rank::Normal, false),
            heading("note", Rank::Normal, true),
        ]
    }

    fn drawn(rows: &[[&str; 3]], terminal: Option<usize>) -> String {
        let mut drawing = Drawing::new(headings(), false, false, terminal);
        let mut out = Vec::new();
        for row in rows {
            let row = row.iter().map(|text| Cell::text(*text)).collect();
            drawing.row(row, &mut out).unwrap();
        }
        drawing.end(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_table_is_as_wide_as_its_text_or_its_terminal() {
        let rows = [
            ["08:35", "a long message for sure", ""],
            ["08:36", "漢字漢字", ""],
        ];
        assert_eq!(
            drawn(&rows, None),
            "time   message\n──────────────────────────────\n08:35  a long message for sure\n08:36  漢字漢字\n"
        );
        assert_eq!(
            drawn(&rows, Some(16)),
            "time   message\n────────────────\n08:35  a long m…\n08:36  漢字漢字\n"
        );
    }

    #[test]
    fn an_optional_column_shows_up_where_it_says_something() {
        let shown = drawn(&[["1", "2", "3"]], None);
        assert!(shown.starts_with("time  message  note\n"), "{shown}");
    }

    #[test]
    fn controls_never_reach_the_terminal() {
        let shown = drawn(&[["1", "a\u{1b}[2Jb\nc", ""]], None);
        assert!(shown.ends_with("1     a\\u{1b}[2Jb\\nc\n"), "{shown}");
    }

    #[test]
    fn later_rows_keep_the_widths_of_the_first() {
        let mut rows = vec![["1", "short", ""]; SAMPLE];
        rows.push(["2", "much longer than all before", ""]);
        rows.push(["3", "x", "note"]);
        let cut = drawn(&rows, Some(60));
        assert!(
            cut.ends_with("\n2     much l…\n3     x        note\n"),
            "{cut}"
        );
        let whole = drawn(&rows, None);
        assert!(
            whole.ends_with("\n2     much longer than all before\n3     x        note\n"),
            "{whole}"
        );
        assert_eq!(whole.lines().count(), SAMPLE + 4);
    }

    #[test]
    fn no_rows_no_table() {
        assert_eq!(drawn(&[], Some(80)), "");
    }
}
