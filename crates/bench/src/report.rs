//! The result: a line for each contender of each case.

use std::borrow::Cow;
use std::io;
use std::path::Path;

use comfy_table::{CellAlignment, ColumnConstraint, Table, presets};
use serde::{Deserialize, Serialize};

use crate::measure::{Cost, Spread};

const MIB: f64 = 1024.0 * 1024.0;

/// What the runs of one contender cost.
#[derive(Debug, Default)]
pub struct Measured {
    /// Its name.
    pub who: Cow<'static, str>,
    /// The cost of each run; there is at least one.
    pub costs: Vec<Cost>,
    /// The system calls of a separate run, if they were counted.
    pub calls: Option<u64>,
}

/// One line of the result.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    what: String,
    who: Cow<'static, str>,
    wall_ms: Spread,
    cpu_ms: Spread,
    peak_mib: Spread,
    cpu_us_per_item: Option<f64>,
    calls_per_item: Option<f64>,
    wall_ratio: f64,
    cpu_ratio: f64,
    peak_ratio: f64,
}

/// The result.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Report {
    lines: Vec<Line>,
}

impl Report {
    /// Reads a saved result, in the form of `-o json`.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or contains something else.
    pub fn read(path: &Path) -> io::Result<Self> {
        Ok(serde_json::from_slice(&std::fs::read(path)?)?)
    }

    /// Adds a case, with the number of items that one run handles. The others are compared with
    /// the first contender.
    pub fn add(&mut self, what: &str, items: Option<u64>, contenders: &[Measured]) {
        let wall: fn(&Cost) -> f64 = |cost| cost.wall.as_secs_f64() * 1e3;
        let cpu: fn(&Cost) -> f64 = |cost| cost.cpu.as_secs_f64() * 1e3;
        let peak: fn(&Cost) -> f64 = |cost| cost.peak as f64 / MIB;
        let of = |one: &Measured, figure| Spread::of(one.costs.iter().map(figure));
        for one in contenders {
            let ratio = |figure| of(one, figure).median / of(&contenders[0], figure).median;
            let per_item = |figure: f64| items.map(|items| figure / items as f64);
            self.lines.push(Line {
                what: what.to_owned(),
                who: one.who.clone(),
                wall_ms: of(one, wall),
                cpu_ms: of(one, cpu),
                peak_mib: of(one, peak),
                cpu_us_per_item: per_item(of(one, cpu).median * 1e3),
                calls_per_item: one.calls.and_then(|calls| per_item(calls as f64)),
                wall_ratio: ratio(wall),
                cpu_ratio: ratio(cpu),
                peak_ratio: ratio(peak),
            });
        }
    }

    /// Formats the table.
    pub fn table(&self) -> String {
        let rows = self.lines.iter().map(|line| {
            vec![
                format!("{:.1}", line.wall_ms.median),
                line.wall_ms.range(),
                format!("{:.1}", line.cpu_ms.median),
                line.cpu_ms.range(),
                format!("{:.1}", line.peak_mib.median),
                figure(line.cpu_us_per_item),
                figure(line.calls_per_item),
                format!("{:.2}", line.wall_ratio),
                format!("{:.2}", line.cpu_ratio),
                format!("{:.2}", line.peak_ratio),
            ]
        });
        let headers = [
            "wall ms",
            "(spread)",
            "CPU ms",
            "(spread)",
            "peak MiB",
            "CPU µs/item",
            "calls/item",
            "wall ×",
            "CPU ×",
            "peak ×",
        ];
        self.draw(&headers, rows)
    }

    /// Formats what changed since an earlier result: for each line the medians then and now, or that it is new.
    pub fn beside(&self, earlier: &Self) -> String {
        let rows = self.lines.iter().map(|line| {
            let of_both = |then: &&Line| then.what == line.what && then.who == line.who;
            let Some(then) = earlier.lines.iter().find(of_both) else {
                return vec!["new".to_owned()];
            };
            let pair = |then: &Spread, now: &Spread| {
                let (then, now) = (then.median, now.median);
                [
                    format!("{then:.1} → {now:.1}"),
                    format!("{:.2}", now / then),
                ]
            };
            [
                pair(&then.wall_ms, &line.wall_ms),
                pair(&then.cpu_ms, &line.cpu_ms),
                pair(&then.peak_mib, &line.peak_mib),
            ]
            .concat()
        });
        self.draw(&["wall ms", "×", "CPU ms", "×", "peak MiB", "×"], rows)
    }

    /// Formats a row for each line: what and who, then the figures.
    fn draw(&self, headers: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
        let mut table = Table::new();
        table.load_style(presets::ASCII_MARKDOWN);
        table.set_header(["what", "who"].iter().chain(headers).copied());
        let mut before = "";
        for (line, figures) in self.lines.iter().zip(rows) {
            let what = if line.what == before { "" } else { &line.what };
            before = &line.what;
            let names = [what.to_owned(), line.who.clone().into_owned()];
            table.add_row(names.into_iter().chain(figures));
        }
        for (index, column) in table.column_iter_mut().enumerate() {
            column.set_constraint(ColumnConstraint::ContentWidth);
            if index > 1 {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        table.to_string()
    }
}

fn figure(figure: Option<f64>) -> String {
    figure.map_or_else(String::new, |figure| format!("{figure:.2}"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::suite::Home;

    fn report(milliseconds: u64) -> Report {
        let one = Measured {
            who: "ours".into(),
            costs: vec![Cost {
                wall: Duration::from_millis(milliseconds),
                cpu: Duration::from_millis(milliseconds / 2),
                peak: 10 * 1024 * 1024,
            }],
            calls: Some(30),
        };
        let mut report = Report::default();
        report.add("scan", Some(10), &[one]);
        report
    }

    #[test]
    fn what_is_kept_is_compared() {
        let folder = Home::new().unwrap();
        let kept = folder.0.join("kept.json");
        std::fs::write(&kept, serde_json::to_vec(&report(100)).unwrap()).unwrap();
        let now = report(50);
        assert!(now.table().contains("3.00"), "{}", now.table());
        let text = now.beside(&Report::read(&kept).unwrap());
        assert!(text.contains("100.0 → 50.0"), "{text}");
        assert!(text.contains("0.50"), "{text}");
        assert!(now.beside(&Report::default()).contains("new"));
    }
}
