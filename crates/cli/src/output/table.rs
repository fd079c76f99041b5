//! Tables: the first rows decide the widths of all rows.

use std::io::{self, Write};

use ddb_core::timezone::Zone;

use super::cell::Cell;
use super::record::{Column, Heading, Place, Record};
use super::screen::Screen;
use super::style::Tone;
use super::width::{self, Rank};

/// The number of rows that decide the widths.
const SAMPLE: usize = 200;
/// The spaces between two columns.
const GAP: &str = "  ";
/// The indentation of the lines below a row.
const INDENT: &str = "  ";

/// Draws rows. The first ones are held back until the widths are known.
#[derive(Debug)]
pub struct Drawing {
    columns: Vec<Heading>,
    bare: bool,
    /// Whether rows are shown as soon as they are flushed.
    live: bool,
    newest_first: bool,
    /// The terminal, or `None` if cells are not cut.
    screen: Option<Screen>,
    /// The zone in which times are shown.
    zone: Zone,
    sample: Vec<Vec<Cell>>,
    layout: Option<Layout>,
    drawn: usize,
}

/// Which columns are beside each other, how wide each is, and which ones go to the line below.
#[derive(Debug)]
struct Layout {
    /// The index of each column, and its width.
    beside: Vec<(usize, usize)>,
    below: Vec<usize>,
}

impl Drawing {
    /// Starts the table of a record, with some of its columns.
    pub fn of<R: Record>(columns: &[Column<R>], screen: Option<Screen>) -> Self {
        let columns = columns.iter().map(|column| column.heading).collect();
        Self {
            bare: R::BARE,
            live: R::LIVE,
            newest_first: R::NEWEST_FIRST,
            ..Self::new(columns, screen)
        }
    }

    fn new(columns: Vec<Heading>, screen: Option<Screen>) -> Self {
        Self {
            columns,
            bare: false,
            live: false,
            newest_first: false,
            screen,
            zone: Zone::UTC,
            sample: Vec::new(),
            layout: None,
            drawn: 0,
        }
    }

    /// Sets the time zone of the times that are shown.
    pub fn in_zone(&mut self, zone: Zone) {
        self.zone = zone;
    }

    /// Takes a row.
    pub fn row(&mut self, row: Vec<Cell>, out: &mut impl Write) -> io::Result<()> {
        let shown = |cell: Cell| cell.in_zone(self.zone).escaped();
        let row: Vec<Cell> = row.into_iter().map(shown).collect();
        if let Some(layout) = &self.layout {
            self.draw(&row, layout, out)?;
            self.drawn += 1;
            return Ok(());
        }
        self.sample.push(row);
        if self.sample.len() >= SAMPLE {
            self.settle(false, out)?;
        }
        Ok(())
    }

    /// Draws the rows that are held back, if rows are to be shown at once.
    pub fn flush(&mut self, out: &mut impl Write) -> io::Result<()> {
        if self.live && self.layout.is_none() && !self.sample.is_empty() {
            self.settle(false, out)?;
        }
        Ok(())
    }

    /// Ends the table: draws the rows that are held back. Without any rows it prints nothing.
    pub fn end(&mut self, out: &mut impl Write) -> io::Result<()> {
        if self.layout.is_none() && !self.sample.is_empty() {
            self.settle(true, out)?;
        }
        Ok(())
    }

    /// Decides the widths, and draws the rows that are held back. A column is only known to be empty if these are `all`
    /// rows.
    fn settle(&mut self, all: bool, out: &mut impl Write) -> io::Result<()> {
        let layout = self.lay_out(all);
        if !self.bare {
            self.draw_header(&layout, out)?;
        }
        for row in std::mem::take(&mut self.sample) {
            self.draw(&row, &layout, out)?;
            self.drawn += 1;
        }
        self.layout = Some(layout);
        Ok(())
    }

    fn lay_out(&self, all: bool) -> Layout {
        let empty = |index: usize| self.sample.iter().all(|row| row[index].text.is_empty());
        let natural = |index: usize| {
            let cells = self.sample.iter().map(|row| width::of(&row[index].text));
            cells.max().unwrap_or_default().max(self.heading(index))
        };
        let shown: Vec<usize> = (0..self.columns.len())
            .filter(|index| !(all && self.columns[*index].optional && empty(*index)))
            .filter(|index| natural(*index) > 0)
            .collect();
        let Some(screen) = self.screen else {
            let beside = shown.iter().map(|index| (*index, natural(*index)));
            return Layout {
                beside: beside.collect(),
                below: Vec::new(),
            };
        };
        let needed = |columns: &[usize]| {
            let widths: usize = columns.iter().map(|index| natural(*index)).sum();
            widths + gaps(columns.len())
        };
        let (below, beside) = match needed(&shown) > screen.columns {
            true => shown
                .into_iter()
                .partition(|index| self.columns[*index].place == Place::Below),
            false => (Vec::new(), shown),
        };
        let widths: Vec<usize> = beside.iter().map(|index| natural(*index)).collect();
        let ranks: Vec<Rank> = beside
            .iter()
            .map(|index| self.columns[*index].rank)
            .collect();
        let least: Vec<usize> = beside
            .iter()
            .map(|index| self.heading(*index).max(width::LEAST))
            .collect();
        let room = screen.columns.saturating_sub(gaps(beside.len()));
        let widths = width::fit(&widths, &ranks, &least, room);
        Layout {
            beside: beside.into_iter().zip(widths).collect(),
            below,
        }
    }

    /// Returns the width of a column's heading.
    fn heading(&self, index: usize) -> usize {
        if self.bare {
            return 0;
        }
        width::of(&self.columns[index].text(self.zone))
    }

    fn draw_header(&self, layout: &Layout, out: &mut impl Write) -> io::Result<()> {
        let headings: Vec<Cell> = self
            .columns
            .iter()
            .map(|c| Cell::text(c.text(self.zone)))
            .collect();
        self.draw_line(
            &layout.beside,
            |index| Some(headings.get(index)?.clone()),
            out,
        )?;
        let widths = layout.beside.iter().map(|(_, width)| width);
        let line = "─".repeat(widths.sum::<usize>() + gaps(layout.beside.len()));
        writeln!(out, "{}", self.painted(Tone::Faint, &line))
    }

    fn draw(&self, row: &[Cell], layout: &Layout, out: &mut impl Write) -> io::Result<()> {
        let newest = self.newest_first && self.drawn == 0;
        let toned = |cell: &Cell| match cell.tone {
            Tone::Plain if newest => cell.clone().tone(Tone::Strong),
            _ => cell.clone(),
        };
        let wrapped = layout
            .beside
            .iter()
            .filter(|(index, _)| {
                self.screen.is_some() && self.columns[*index].place == Place::Wrapped
            })
            .map(|(index, width)| (*index, width::wrap(&row[*index].text, *width)))
            .next();
        let lines = wrapped.as_ref().map_or(1, |(_, lines)| lines.len());
        for line in 0..lines {
            let cell = |index: usize| match &wrapped {
                Some((wrapped, lines)) if index == *wrapped => {
                    let text = lines.get(line).cloned().unwrap_or_default();
                    Some(Cell {
                        text,
                        ..toned(&row[index])
                    })
                }
                _ => (line == 0).then(|| toned(&row[index])),
            };
            self.draw_line(&layout.beside, cell, out)?;
        }
        self.draw_below(row, layout, out)
    }

    /// Draws the cells beside each other on one line.
    fn draw_line(
        &self,
        columns: &[(usize, usize)],
        cell: impl Fn(usize) -> Option<Cell>,
        out: &mut impl Write,
    ) -> io::Result<()> {
        let mut line = String::new();
        let mut blanks = String::new();
        for (position, (index, room)) in columns.iter().enumerate() {
            if position > 0 {
                blanks.push_str(GAP);
            }
            let cell = cell(*index).unwrap_or_else(|| Cell::text(""));
            // If nothing is cut, a later cell may be wider than its column.
            let text = match self.screen {
                Some(_) => width::cut(&cell.text, *room),
                None => cell.text,
            };
            let rest = " ".repeat(room.saturating_sub(width::of(&text)));
            if cell.number {
                blanks.push_str(&rest);
            }
            if !text.is_empty() {
                line.push_str(&blanks);
                line.push_str(&self.painted(cell.tone, &text));
                blanks.clear();
            }
            if !cell.number {
                blanks.push_str(&rest);
            }
        }
        writeln!(out, "{}", line.trim_end())
    }

    /// Draws the cells that had no room beside the others, each with its name.
    fn draw_below(&self, row: &[Cell], layout: &Layout, out: &mut impl Write) -> io::Result<()> {
        let Some(screen) = self.screen else {
            return Ok(());
        };
        let parts = layout
            .below
            .iter()
            .filter(|index| !row[**index].text.is_empty())
            .map(|index| format!("{} {}", self.columns[*index].name, row[*index].text));
        let text = parts.collect::<Vec<_>>().join(", ");
        if text.is_empty() {
            return Ok(());
        }
        let room = screen
            .columns
            .saturating_sub(INDENT.len())
            .max(width::LEAST);
        for line in width::wrap(&text, room) {
            writeln!(out, "{INDENT}{}", self.painted(Tone::Faint, &line))?;
        }
        Ok(())
    }

    fn painted(&self, tone: Tone, text: &str) -> String {
        match self.screen {
            Some(Screen { colored: true, .. }) => tone.paint(text),
            _ => text.to_owned(),
        }
    }
}

/// Returns the number of spaces between this many columns.
fn gaps(columns: usize) -> usize {
    GAP.len() * columns.saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headings() -> Vec<Heading> {
        let heading = |name, rank, optional| Heading {
            name,
            rank,
            optional,
            place: Place::Beside,
            time: false,
        };
        vec![
            heading("time", Rank::High, false),
            heading("message", Rank::Normal, false),
            heading("note", Rank::Normal, true),
        ]
    }

    fn drawn(rows: &[[&str; 3]], terminal: Option<usize>) -> String {
        let screen = terminal.map(|columns| Screen {
            columns,
            colored: false,
        });
        drawn_with(headings(), rows, screen)
    }

    fn drawn_with(columns: Vec<Heading>, rows: &[[&str; 3]], screen: Option<Screen>) -> String {
        let mut drawing = Drawing::new(columns, screen);
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

    #[test]
    fn no_heading_is_cut_and_what_has_no_room_goes_below() {
        let mut columns = headings();
        columns[1].name = "what was said";
        columns[2].place = Place::Below;
        let rows = [
            ["08:35", "a long message", "seen by all"],
            ["08:36", "", ""],
        ];
        let screen = |columns| {
            Some(Screen {
                columns,
                colored: false,
            })
        };
        assert_eq!(
            drawn_with(columns.clone(), &rows, screen(40)),
            "time   what was said   note\n──────────────────────────────────\n\
             08:35  a long message  seen by all\n08:36\n"
        );
        assert_eq!(
            drawn_with(columns, &rows, screen(20)),
            "time   what was said\n────────────────────\n08:35  a long messa…\n  note seen by all\n08:36\n"
        );
    }

    #[test]
    fn a_wrapped_column_is_whole() {
        let mut columns = headings();
        columns[2].place = Place::Wrapped;
        let screen = Some(Screen {
            columns: 21,
            colored: false,
        });
        let shown = drawn_with(columns, &[["1", "x", "all of this note"]], screen);
        assert_eq!(
            shown,
            "time  message  note\n─────────────────────\n1     x        all of\n               this\n               note\n"
        );
    }

    #[test]
    fn a_tone_colors_the_text_alone() {
        let screen = Some(Screen {
            columns: 40,
            colored: true,
        });
        let mut drawing = Drawing::new(headings(), screen);
        let mut out = Vec::new();
        let row = [
            Cell::text("1").tone(Tone::Bad),
            Cell::text("x"),
            Cell::text(""),
        ];
        drawing.row(row.to_vec(), &mut out).unwrap();
        drawing.end(&mut out).unwrap();
        let shown = String::from_utf8(out).unwrap();
        let bad = Tone::Bad.paint("1");
        assert!(shown.ends_with(&format!("\n{bad}     x\n")), "{shown:?}");
    }
}
