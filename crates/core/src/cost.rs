//! A rough estimate of what a table costs a month, from its contents and its billing mode.
//!
//! Prices are those of the table class Standard in us-east-1, in US dollars, in force since 2024-11-01:
//! <https://aws.amazon.com/dynamodb/pricing/on-demand/> and
//! <https://aws.amazon.com/dynamodb/pricing/provisioned/>.

use crate::schema::Shape;
use crate::statistics::{Statistics, Volume};

/// The region that the prices are for.
pub const REGION: &str = "us-east-1";
/// The day since when the prices have been in force.
pub const SINCE: &str = "2024-11-01";
/// The page on which AWS lists the prices.
pub const PAGE: &str = "https://aws.amazon.com/dynamodb/pricing/";

const DOLLARS_PER_MILLION_WRITE_UNITS: f64 = 0.625;
const DOLLARS_PER_WRITE_UNIT_HOUR: f64 = 0.000_65;
const DOLLARS_PER_READ_UNIT_HOUR: f64 = 0.000_13;
const DOLLARS_PER_GIBIBYTE_MONTH: f64 = 0.25;
const GIBIBYTE: f64 = 1_073_741_824.0;
/// The hours that AWS counts for a month.
const HOURS_PER_MONTH: f64 = 730.0;
/// The bytes that the service adds to an item, in the table and in an index. See "Best practices for storage" in the
/// DynamoDB developer guide.
const OVERHEAD_BYTES: u64 = 100;

/// Capacity units of the table and of its indexes together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Units {
    /// Read capacity units.
    pub read: u32,
    /// Write capacity units.
    pub write: u32,
}

impl Units {
    /// Returns the capacity of a table, or `None` if it is paid on demand.
    pub fn of(shape: &Shape) -> Option<Self> {
        let table = shape.billing.capacity()?;
        let indexes = shape.indexes.values().filter_map(|index| index.capacity);
        let all = std::iter::once(table).chain(indexes);
        Some(all.fold(Self::default(), |sum, capacity| Self {
            read: sum.read + capacity.read.get(),
            write: sum.write + capacity.write.get(),
        }))
    }
}

/// The cost of a month, in US dollars. Reads, streams, backups, transfer and the free tier are left out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The bytes billed: the items, what the service adds to them, and the index.
    pub stored_bytes: u64,
    /// The cost of storage.
    pub storage: f64,
    /// Write request units a month, at the pace of the thirty days that end with the newest message.
    pub write_units: u64,
    /// The cost of these writes, paid on demand.
    pub on_demand: f64,
    /// The cost of provisioned capacity, whether it is used or not.
    pub provisioned: f64,
}

impl Estimate {
    /// Estimates the cost of a table from its contents and its provisioned capacity.
    pub fn new(statistics: &Statistics, units: Units) -> Self {
        let stored_bytes = billed(statistics.all()) + billed(statistics.conversation_rows);
        let write_units = statistics.last_thirty_days() * write_units_of_a_message(statistics);
        let hourly = f64::from(units.read) * DOLLARS_PER_READ_UNIT_HOUR
            + f64::from(units.write) * DOLLARS_PER_WRITE_UNIT_HOUR;
        Self {
            stored_bytes,
            storage: stored_bytes as f64 / GIBIBYTE * DOLLARS_PER_GIBIBYTE_MONTH,
            write_units,
            on_demand: write_units as f64 / 1e6 * DOLLARS_PER_MILLION_WRITE_UNITS,
            provisioned: hourly * HOURS_PER_MONTH,
        }
    }
}

fn billed(volume: Volume) -> u64 {
    volume.bytes + volume.items * OVERHEAD_BYTES
}

/// Returns the write units that a message of average size costs: its own, and those of moving two
/// rows. To move a row, a transaction deletes and puts it. Each of the two counts twice, and once more in the index.
fn write_units_of_a_message(statistics: &Statistics) -> u64 {
    const ROWS: u64 = 2;
    const TRANSACTIONAL: u64 = 2;
    const DELETE_AND_PUT: u64 = 2;
    let row = ROWS * DELETE_AND_PUT * (TRANSACTIONAL + 1) * units_of(statistics.conversation_rows);
    units_of(statistics.messages) + row
}

/// Returns the write units of an item of average size: one for each KB, rounded up.
fn units_of(volume: Volume) -> u64 {
    volume
        .bytes
        .div_ceil(volume.items.max(1))
        .div_ceil(1024)
        .max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::RawItem;
    use crate::sample;
    use crate::schema::{Billing, TableSpec};

    #[test]
    fn a_table_as_it_is_made_costs_less_than_six_dollars() {
        let units = Units::of(&TableSpec::default().shape()).unwrap();
        assert_eq!(
            units,
            Units {
                read: 10,
                write: 10
            }
        );
        let estimate = Estimate::new(&Statistics::default(), units);
        assert!((estimate.provisioned - 5.694).abs() < 1e-9, "{estimate:?}");
        assert_eq!((estimate.storage, estimate.on_demand), (0.0, 0.0));
        let on_demand = TableSpec {
            billing: Billing::OnDemand,
            ..TableSpec::default()
        };
        assert_eq!(Units::of(&on_demand.shape()), None);
    }

    fn add(statistics: &mut Statistics, item: impl Into<RawItem>) {
        statistics.add(&(&item.into()).into());
    }

    #[test]
    fn a_message_costs_its_own_write_and_those_of_two_rows() {
        let mut statistics = Statistics::default();
        add(
            &mut statistics,
            &sample::message("2026-03-22T00:00:00Z", "a"),
        );
        add(
            &mut statistics,
            &sample::conversation_row("2026-03-22T00:00:00Z", "a"),
        );
        let estimate = Estimate::new(&statistics, Units::default());
        assert_eq!(estimate.write_units, 1 + 2 * (2 * 2 + 2));
        let bytes = statistics.all().bytes + statistics.conversation_rows.bytes + 300;
        assert_eq!(estimate.stored_bytes, bytes);
        let large = "a".repeat(1_024);
        add(
            &mut statistics,
            &sample::message("2026-03-22T00:00:01Z", &large),
        );
        add(
            &mut statistics,
            &sample::message("2026-03-22T00:00:02Z", &large),
        );
        assert_eq!(units_of(statistics.messages), 1);
        add(
            &mut statistics,
            &sample::message("2026-03-22T00:00:03Z", &large.repeat(4)),
        );
        assert_eq!(units_of(statistics.messages), 2);
    }
}
