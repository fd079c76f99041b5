//! Reading: pages as streams, from the socket to whoever asks.

mod get;
mod query;
mod rate;
mod scan;

use aws_sdk_dynamodb::types::ConsumedCapacity;

use crate::item::RawItem;
pub use query::{Direction, Partition, Query, QueryWords};
pub(super) use rate::ReadRate;
pub use scan::{Folded, Scan, Segment, Segments};

/// One page of the answer to a query.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// The items.
    pub items: Vec<RawItem>,
    /// How many items matched.
    pub count: u64,
    /// How many items the service read.
    pub scanned: u64,
    /// Capacity units that the service says it used.
    pub consumed: Option<f64>,
}

type LastKey = Option<RawItem>;

/// An empty key says the same as none: see LastEvaluatedKey of Query and Scan in the API reference.
fn unless_empty(last: LastKey) -> LastKey {
    last.filter(|last| !last.is_empty())
}

fn units(consumed: Option<&ConsumedCapacity>) -> Option<f64> {
    consumed.and_then(ConsumedCapacity::capacity_units)
}

fn natural(count: i32) -> u64 {
    u64::try_from(count).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_key_is_the_end() {
        assert_eq!(unless_empty(Some(RawItem::new())), None);
        assert_eq!(unless_empty(None), None);
    }
}
