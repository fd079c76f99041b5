//! The result: its lines, drawn as a table, and beside those of an earlier run.

use comfy_table::{CellAlignment, ColumnConstraint, Table, presets};
use serde::{Deserialize, Serialize};

use crate::measure::{Cost, Spread};

const MIB: f64 = 1024.0 * 1024.0;

/// One line of the result.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    what: String,
    who: String,
    wall_ms: Spread,
    cpu_ms: Spread,
    peak_mib: Spread,
    cpu_us_per_item: Option<f64>,
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
    /// Adds a line: its costs beside those of the first contender.
    pub fn add(
        &mut self,
        what: &str,
        who: &'static str,
        items: Option<u64>,
        costs: &[Cost],
        ours: &[Cost],
    ) {
        let of = |costs: &[Cost], figure: fn(&Cost) -> f64| Spread::of(costs.iter().map(figure));
        let wall: fn(&Cost) -> f64 = |cost| cost.wall.as_secs_f64() * 1e3;
        let cpu: fn(&Cost) -> f64 = |cost| cost.cpu.as_secs_f64() * 1e3;
        let peak: fn(&Cost) -> f64 = |cost| cost.peak as f64 / MIB;
        let ratio = |figure| of(costs, figure).median / of(ours, figure).median;
        self.lines.push(Line {
            what: what.to_owned(),
            who: who.to_owned(),
            wall_ms: of(costs, wall),
            cpu_ms: of(costs, cpu),
            peak_mib: of(costs, peak),
            cpu_us_per_item: items.map(|items| of(costs, cpu).median * 1e3 / items as f64),
            wall_ratio: ratio(wall),
            cpu_ratio: ratio(cpu),
            peak_ratio: ratio(peak),
        });
    }

    /// Draws this run beside an earlier one: CPU and peak of each line that both have, and how much of the earlier
    /// figure the later one is.
    pub fn beside(&self, earlier: &Self) -> String {
        let mut table = Table::new();
        table.load_style(presets::ASCII_MARKDOWN);
        table.set_header([
            "what",
            "who",
            "CPU ms before",
            "CPU ms",
            "CPU ×",
            "peak MiB before",
            "peak MiB",
            "peak ×",
        ]);
        for line in &self.lines {
            let same = |other: &&Line| other.what == line.what && other.who == line.who;
            let Some(before) = earlier.lines.iter().find(same) else {
                continue;
            };
            let mut row = vec![line.what.clone(), line.who.clone()];
            for (before, now) in [
                (before.cpu_ms, line.cpu_ms),
                (before.peak_mib, line.peak_mib),
            ] {
                row.push(format!("{:.1}", before.median));
                row.push(format!("{:.1}", now.median));
                row.push(format!("{:.2}", now.median / before.median));
            }
            table.add_row(row);
        }
        table.to_string()
    }

    /// Draws the table.
    pub fn table(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::ASCII_MARKDOWN);
        table.set_header([
            "what",
            "who",
            "wall ms",
            "(spread)",
            "CPU ms",
            "(spread)",
            "peak MiB",
            "CPU µs/item",
            "wall ×",
            "CPU ×",
            "peak ×",
        ]);
        let mut before = "";
        for line in &self.lines {
            let spread = |spread: &Spread| format!("{:.0}–{:.0}", spread.min, spread.max);
            let what = if line.what == before { "" } else { &line.what };
            before = &line.what;
            table.add_row([
                what.to_owned(),
                line.who.to_owned(),
                format!("{:.1}", line.wall_ms.median),
                spread(&line.wall_ms),
                format!("{:.1}", line.cpu_ms.median),
                spread(&line.cpu_ms),
                format!("{:.1}", line.peak_mib.median),
                line.cpu_us_per_item
                    .map_or_else(String::new, |us| format!("{us:.2}")),
                format!("{:.2}", line.wall_ratio),
                format!("{:.2}", line.cpu_ratio),
                format!("{:.2}", line.peak_ratio),
            ]);
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn two_runs_stand_side_by_side() {
        let report = |cpu, who| {
            let cost = Cost {
                wall: Duration::from_millis(9),
                cpu: Duration::from_millis(cpu),
                peak: 2 * 1024 * 1024,
            };
            let mut report = Report::default();
            report.add("scan", who, Some(10), &[cost], &[cost]);
            report
        };
        // As it is kept in a file.
        let json = serde_json::to_string(&report(8, "ours")).unwrap();
        let earlier: Report = serde_json::from_str(&json).unwrap();
        let beside = report(4, "ours").beside(&earlier);
        let cells: Vec<&str> = beside
            .lines()
            .last()
            .unwrap()
            .split('|')
            .map(str::trim)
            .collect();
        assert_eq!(
            cells,
            [
                "", "scan", "ours", "8.0", "4.0", "0.50", "2.0", "2.0", "1.00", ""
            ]
        );
        assert!(!report(4, "another").beside(&earlier).contains("another"));
    }
}
