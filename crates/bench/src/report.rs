//! The result: a line for each contender of each case.

use comfy_table::{CellAlignment, ColumnConstraint, Table, presets};
use serde::Serialize;

use crate::measure::{Cost, Spread};

const MIB: f64 = 1024.0 * 1024.0;

/// One line of the result.
#[derive(Debug, Serialize)]
struct Line {
    what: String,
    who: &'static str,
    wall_ms: Spread,
    cpu_ms: Spread,
    peak_mib: Spread,
    cpu_us_per_item: Option<f64>,
    wall_ratio: f64,
    cpu_ratio: f64,
    peak_ratio: f64,
}

/// The result.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    lines: Vec<Line>,
}

impl Report {
    /// Adds what the runs of a contender cost; `ours` is what they are compared with.
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
            who,
            wall_ms: of(costs, wall),
            cpu_ms: of(costs, cpu),
            peak_mib: of(costs, peak),
            cpu_us_per_item: items.map(|items| of(costs, cpu).median * 1e3 / items as f64),
            wall_ratio: ratio(wall),
            cpu_ratio: ratio(cpu),
            peak_ratio: ratio(peak),
        });
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
