//! The results of `stats`: one record for programs, several tables for people.

use ddb_core::cost::{self, Estimate, Units};
use ddb_core::item::MAX_SIZE;
use ddb_core::schema::{Shape, TableName, TableSpec};
use ddb_core::statistics::{Statistics, Volume};
use serde::Serialize;

use crate::output::{Cell, Column, Record};

#[derive(Debug, Serialize)]
pub(super) struct KindRow {
    kind: &'static str,
    pub items: u64,
    pub bytes: u64,
    pub largest: u64,
    /// The size of the largest item, in percent of the limit of 400 KB.
    pub limit_percent: f64,
}

impl KindRow {
    fn new(kind: &'static str, volume: Volume) -> Self {
        Self {
            kind,
            items: volume.items,
            bytes: volume.bytes,
            largest: volume.largest,
            limit_percent: rounded(100.0 * volume.largest as f64 / MAX_SIZE as f64),
        }
    }
}

impl Record for KindRow {
    type Of<'a> = Self;
    const COLUMNS: &'static [Column<Self>] = &[
        Column::kept("kind", |row| Cell::text(row.kind)),
        Column::kept("items", |row| Cell::number(row.items)),
        Column::kept("bytes", |row| Cell::number(bytes(row.bytes))),
        Column::new("on average", |row| {
            Cell::number(bytes(row.bytes / row.items.max(1)))
        }),
        Column::new("the largest", |row| Cell::number(bytes(row.largest))),
        Column::new("of 400 KB", |row| {
            Cell::number(format!("{:.2} %", row.limit_percent))
        }),
    ];
}

#[derive(Debug, Serialize)]
pub(super) struct DayRow {
    pub date: String,
    pub messages: u64,
    #[serde(skip)]
    pub bar: String,
}

impl Record for DayRow {
    type Of<'a> = Self;
    const COLUMNS: &'static [Column<Self>] = &[
        Column::kept("day (UTC)", |row| Cell::text(&row.date)),
        Column::kept("messages", |row| Cell::number(row.messages)),
        Column::optional("", |row| Cell::text(&row.bar)),
    ];
}

#[derive(Debug, Serialize)]
pub(super) struct ConversationRow {
    pub group_uuid: String,
    pub messages: u64,
    pub bytes: u64,
}

impl Record for ConversationRow {
    type Of<'a> = Self;
    const COLUMNS: &'static [Column<Self>] = &[
        Column::kept("biggest conversations", |row| Cell::text(&row.group_uuid)),
        Column::kept("messages", |row| Cell::number(row.messages)),
        Column::kept("bytes", |row| Cell::number(bytes(row.bytes))),
    ];
}

/// The monthly cost with one billing mode, in US dollars.
#[derive(Debug, Serialize)]
pub(super) struct CostRow {
    billing: &'static str,
    pub current: bool,
    pub storage: f64,
    pub throughput: f64,
    pub total: f64,
    #[serde(skip)]
    pub basis: String,
}

impl CostRow {
    fn new(billing: &'static str, current: bool, storage: f64, throughput: f64) -> Self {
        Self {
            billing,
            current,
            storage: rounded(storage),
            throughput: rounded(throughput),
            total: rounded(storage + throughput),
            basis: String::new(),
        }
    }

    fn name(&self) -> String {
        let now = if self.current { " (now)" } else { "" };
        format!("{}{now}", self.billing)
    }
}

fn dollars(dollars: f64) -> Cell {
    Cell::number(format!("${dollars:.2}"))
}

impl Record for CostRow {
    type Of<'a> = Self;
    const COLUMNS: &'static [Column<Self>] = &[
        Column::kept("cost a month", |row| Cell::text(row.name())),
        Column::kept("storage", |row| dollars(row.storage)),
        Column::kept("throughput", |row| dollars(row.throughput)),
        Column::kept("total", |row| dollars(row.total)),
        Column::new("for", |row| Cell::text(&row.basis)),
    ];
}

/// All results, for programs.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub table: String,
    pub items: u64,
    pub bytes: u64,
    pub kinds: Vec<KindRow>,
    pub days: Vec<DayRow>,
    pub undated: u64,
    pub conversations: u64,
    pub conversations_exact: bool,
    pub biggest_conversations: Vec<ConversationRow>,
    pub prices: Prices,
    pub monthly_cost: Vec<CostRow>,
}

#[derive(Debug, Serialize)]
pub(super) struct Prices {
    pub region: &'static str,
    pub since: &'static str,
    pub page: &'static str,
}

impl Report {
    /// Makes the report from the statistics, with this many of the biggest conversations.
    pub fn new(table: &TableName, statistics: &Statistics, shape: &Shape, biggest: usize) -> Self {
        let all = statistics.all();
        Self {
            table: table.to_string(),
            items: all.items,
            bytes: all.bytes,
            kinds: vec![
                KindRow::new("message", statistics.messages),
                KindRow::new("group", statistics.conversation_rows),
                KindRow::new("unknown", statistics.unknown),
            ],
            days: statistics
                .days
                .iter()
                .map(|(date, messages)| DayRow {
                    date: date.to_string(),
                    messages: *messages,
                    bar: String::new(),
                })
                .collect(),
            undated: statistics.undated,
            conversations: statistics.conversations.seen(),
            conversations_exact: statistics.conversations.is_exact(),
            biggest_conversations: statistics
                .conversations
                .biggest(biggest)
                .into_iter()
                .map(|(group, volume)| ConversationRow {
                    group_uuid: group.to_string(),
                    messages: volume.items,
                    bytes: volume.bytes,
                })
                .collect(),
            prices: Prices {
                region: cost::REGION,
                since: cost::SINCE,
                page: cost::PAGE,
            },
            monthly_cost: costs(statistics, shape),
        }
    }
}

/// Estimates both billing modes. An on-demand table is compared with the capacity that `schema-load` provisions.
fn costs(statistics: &Statistics, shape: &Shape) -> Vec<CostRow> {
    let own = Units::of(shape);
    let units = own.or_else(|| Units::of(&TableSpec::default().shape()));
    let units = units.unwrap_or_default();
    let estimate = Estimate::new(statistics, units);
    let on_demand = CostRow::new(
        "on demand",
        own.is_none(),
        estimate.storage,
        estimate.on_demand,
    );
    let provisioned = CostRow::new(
        "provisioned",
        own.is_some(),
        estimate.storage,
        estimate.provisioned,
    );
    vec![
        CostRow {
            basis: format!("{} write units a month", estimate.write_units),
            ..on_demand
        },
        CostRow {
            basis: format!("{} read and {} write units", units.read, units.write),
            ..provisioned
        },
    ]
}

/// Formats bytes for people: `12.3 KB`. One KB has 1,024 bytes, as the service counts.
fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KB", "MB", "GB", "TB", "PB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut amount = bytes as f64 / 1024.0;
    let mut unit = 0;
    while amount >= 1024.0 && unit + 1 < UNITS.len() {
        amount /= 1024.0;
        unit += 1;
    }
    format!("{amount:.1} {}", UNITS[unit])
}

/// Rounds to four decimal places: more digits would suggest false precision.
fn rounded(number: f64) -> f64 {
    (number * 1e4).round() / 1e4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_units() {
        for (number, shown) in [
            (0, "0 B"),
            (1_023, "1023 B"),
            (1_024, "1.0 KB"),
            (1_536, "1.5 KB"),
            (5 << 30, "5.0 GB"),
            (u64::MAX, "16384.0 PB"),
        ] {
            assert_eq!(bytes(number), shown);
        }
    }
}
