//! Changes from a live table to the one that is wanted, if DynamoDB can make them in place.

use super::shape::NEW_IMAGE;
use super::{Billing, Capacity, Difference, Field, GROUP_INDEX, IndexField, Shape, TableSpec};

/// One UpdateTable call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Deletes a global secondary index that is not wanted.
    DeleteIndex(String),
    /// Sets the billing mode, the capacity of the table and the capacity of the index, as far as they differ.
    Billing {
        /// Present when the billing mode itself changes.
        mode: Option<Billing>,
        /// Present when the capacity of the table changes.
        table: Option<Capacity>,
        /// Present when the capacity of the index changes.
        index: Option<Capacity>,
    },
    /// Creates the index.
    CreateIndex(Billing),
    /// Turns the stream off. A stream that is turned on afterwards has another ARN, so readers of this one
    /// get nothing new.
    StreamOff {
        /// Its ARN.
        arn: Option<String>,
    },
    /// Turns the stream on, with new images.
    StreamOn,
}

impl Change {
    /// Checks whether the change deletes something that others may use and that cannot be restored.
    pub fn destroys(&self) -> bool {
        match self {
            Self::DeleteIndex(_) | Self::StreamOff { .. } => true,
            Self::Billing { .. } | Self::CreateIndex(_) | Self::StreamOn => false,
        }
    }
}

/// The calls that turn a live table into the wanted one, in order. Each has to finish before the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes(Vec<Change>);

impl Changes {
    /// Checks whether one of the changes deletes something: see [`Change::destroys`].
    pub fn destroy(&self) -> bool {
        self.0.iter().any(Change::destroys)
    }

    /// Returns the changes in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Change> {
        self.0.iter()
    }

    /// Returns the number of changes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Checks whether the table needs no changes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<Vec<Change>> for Changes {
    fn from(changes: Vec<Change>) -> Self {
        Self(changes)
    }
}

/// The calls that turn a live table into the wanted one, or the differences that prevent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// Changes that UpdateTable can make.
    InPlace(Changes),
    /// At least one difference that no UpdateTable call can repair: keys, a local index, or the keys or
    /// the projection of the index.
    Impossible(Vec<Difference>),
}

impl TableSpec {
    /// Plans the changes from `found` to the wanted table. If one difference cannot be repaired in
    /// place, no changes are planned.
    pub fn plan(&self, found: &Shape) -> Plan {
        let wanted = self.shape();
        let differences = wanted.differences(found);
        let stuck: Vec<Difference> = differences
            .into_iter()
            .filter(|difference| !found.can_change_in_place(&difference.field))
            .collect();
        if !stuck.is_empty() {
            return Plan::Impossible(stuck);
        }

        let surplus = found
            .indexes
            .keys()
            .filter(|name| !wanted.indexes.contains_key(*name));
        let mut changes: Vec<Change> = surplus.cloned().map(Change::DeleteIndex).collect();
        let index_found = found.indexes.get(GROUP_INDEX);
        changes.extend(self.billing_change(found));
        if index_found.is_none() {
            changes.push(Change::CreateIndex(self.billing));
        }
        if !wanted.stream_is_served_by(found) {
            // A stream's view cannot be changed. The stream has to be turned off and on: see
            // StreamSpecification in the API reference.
            if found.stream.is_some() {
                changes.push(Change::StreamOff {
                    arn: found.stream_arn.clone(),
                });
            }
            if wanted.stream.is_some() {
                debug_assert_eq!(wanted.stream.as_deref(), Some(NEW_IMAGE));
                changes.push(Change::StreamOn);
            }
        }
        Plan::InPlace(changes.into())
    }

    /// Checks whether a table can be changed to the wanted one in place.
    pub fn can_be_changed_in_place(&self, found: &Shape) -> bool {
        matches!(self.plan(found), Plan::InPlace(_))
    }

    fn billing_change(&self, found: &Shape) -> Option<Change> {
        let index_found = found.indexes.get(GROUP_INDEX);
        let mode = (self.billing.as_str() != found.billing.as_str()).then_some(self.billing);
        // The service refuses a value that changes nothing.
        let wanted = self.billing.capacity();
        let table = wanted.filter(|_| found.billing.capacity() != wanted);
        let index = wanted.filter(|_| index_found.is_some_and(|index| index.capacity != wanted));
        (mode.is_some() || table.is_some() || index.is_some()).then_some(Change::Billing {
            mode,
            table,
            index,
        })
    }
}

impl Shape {
    /// Checks whether UpdateTable can repair a difference in a field of this table.
    fn can_change_in_place(&self, field: &Field) -> bool {
        match field {
            Field::Keys => false,
            Field::Billing | Field::ReadCapacity | Field::WriteCapacity | Field::Stream => true,
            Field::Index(_, IndexField::Keys | IndexField::Projection) => false,
            Field::Index(name, _) => !self.indexes.get(name).is_some_and(|index| index.local),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::shape::tests::{capacity_of, mutations};
    use super::*;

    fn plan_after(field: &str, nth: usize) -> Plan {
        let spec = TableSpec::default();
        let mut found = spec.shape();
        let (_, change) = mutations()
            .into_iter()
            .filter(|(name, _)| *name == field)
            .nth(nth)
            .unwrap();
        change(&mut found);
        spec.plan(&found)
    }

    fn in_place(changes: Vec<Change>) -> Plan {
        Plan::InPlace(changes.into())
    }

    /// Readers of a stream identify it by its ARN, so a plan for another ARN is another plan.
    #[test]
    fn p06_a_stream_is_taken_away_by_its_arn() {
        let spec = TableSpec::default();
        let plan = |arn: &str| {
            let mut found = spec.shape();
            found.stream = Some("KEYS_ONLY".to_owned());
            found.stream_arn = Some(arn.to_owned());
            spec.plan(&found)
        };
        assert_ne!(plan("arn:1"), plan("arn:2"));
        let Plan::InPlace(changes) = plan("arn:1") else {
            panic!();
        };
        assert!(changes.destroy());
        let kept: Vec<bool> = changes.iter().map(Change::destroys).collect();
        assert_eq!(kept, [true, false]);
    }

    fn billing(table: Option<Capacity>, index: Option<Capacity>) -> Change {
        Change::Billing {
            mode: None,
            table,
            index,
        }
    }

    #[test]
    fn an_equal_table_needs_no_call() {
        let spec = TableSpec::default();
        assert_eq!(spec.plan(&spec.shape()), in_place(vec![]));
    }

    #[test]
    fn each_field_is_repaired_by_its_own_call_or_not_at_all() {
        let five = Some(Capacity::DEFAULT);
        let on_demand_to_provisioned = Change::Billing {
            mode: Some(Billing::Provisioned(Capacity::DEFAULT)),
            table: five,
            index: five,
        };
        let create = Change::CreateIndex(Billing::Provisioned(Capacity::DEFAULT));
        let index = |part: &str| format!("index {GROUP_INDEX}{part}");
        for (field, nth, calls) in [
            ("billing", 0, vec![on_demand_to_provisioned]),
            ("read_capacity", 0, vec![billing(five, None)]),
            ("write_capacity", 0, vec![billing(five, None)]),
            ("stream", 0, vec![Change::StreamOn]),
            (
                "stream",
                1,
                vec![Change::StreamOff { arn: None }, Change::StreamOn],
            ),
            (&index(""), 0, vec![create]),
            (&index(" read_capacity"), 0, vec![billing(None, five)]),
            (&index(" write_capacity"), 0, vec![billing(None, five)]),
            ("index other", 0, vec![Change::DeleteIndex("other".into())]),
        ] {
            assert_eq!(plan_after(field, nth), in_place(calls), "{field}");
        }
        for (field, nth) in [
            ("keys", 0),
            ("keys", 1),
            (&index(""), 1),
            (&index(" keys"), 0),
            (&index(" projection"), 0),
        ] {
            assert!(
                matches!(plan_after(field, nth), Plan::Impossible(stuck) if stuck[0].field.to_string() == field),
                "{field}"
            );
        }
    }

    #[test]
    fn one_impossible_change_stops_the_possible_ones() {
        let spec = TableSpec::default();
        let mut found = spec.shape();
        found.stream = None;
        found.keys = "pk S HASH".into();
        let Plan::Impossible(stuck) = spec.plan(&found) else {
            panic!();
        };
        assert_eq!(stuck.len(), 1);
        assert_eq!(stuck[0].field, Field::Keys);
    }

    #[test]
    fn going_on_demand_takes_no_capacity_along() {
        let spec = TableSpec {
            billing: Billing::OnDemand,
            stream: true,
        };
        let plan = spec.plan(&TableSpec::default().shape());
        let change = Change::Billing {
            mode: Some(Billing::OnDemand),
            table: None,
            index: None,
        };
        assert_eq!(plan, in_place(vec![change]));
        let mut found = TableSpec::default().shape();
        found.billing = Billing::Provisioned(capacity_of(1, 1));
        assert!(matches!(spec.plan(&found), Plan::InPlace(calls) if calls.len() == 1));
    }
}
