//! The shape of a table, wanted or found, in a form that can be compared.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;

use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, Projection, ProjectionType,
    ProvisionedThroughputDescription, StreamViewType, TableDescription,
};

use super::{Billing, Capacity, GROUP_INDEX, TableSpec, attribute};

/// The properties of a table that matter to this project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// The primary key: `pk S HASH, sk S RANGE`.
    pub keys: String,
    /// How it is paid for.
    pub billing: Billing,
    /// The service's name for what the stream carries, or `None` without a stream.
    pub stream: Option<String>,
    /// The ARN of that stream, or `None` in a wanted shape.
    pub stream_arn: Option<String>,
    /// The secondary indexes by name.
    pub indexes: BTreeMap<String, IndexShape>,
}

/// The shape of one secondary index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexShape {
    /// Whether it is a local index, which is created and deleted only with its table.
    pub local: bool,
    /// Its key: `message_group_uuid S HASH, sk S RANGE`.
    pub keys: String,
    /// What it carries: `ALL`, `KEYS_ONLY`, or `INCLUDE a, b`.
    pub projection: String,
    /// Its capacity, which DynamoDB Local remembers while the table is billed on demand. `None` if
    /// it has none, and for a local index.
    pub capacity: Option<Capacity>,
}

/// A part of a table's shape.
///
/// Its text form is `keys`, `billing`, `read_capacity`, `write_capacity` or `stream`. For an index it is `index NAME`,
/// `index NAME keys`, `index NAME projection` and so on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    /// The primary key.
    Keys,
    /// How the table is paid for.
    Billing,
    /// The read capacity of the table.
    ReadCapacity,
    /// The write capacity of the table.
    WriteCapacity,
    /// The stream.
    Stream,
    /// A part of an index, with the index's name.
    Index(String, IndexField),
}

/// A part of the shape of an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndexField {
    /// Whether it exists and is global.
    Itself,
    /// Its key.
    Keys,
    /// What it carries.
    Projection,
    /// Its read capacity.
    ReadCapacity,
    /// Its write capacity.
    WriteCapacity,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keys => f.write_str("keys"),
            Self::Billing => f.write_str("billing"),
            Self::ReadCapacity => f.write_str("read_capacity"),
            Self::WriteCapacity => f.write_str("write_capacity"),
            Self::Stream => f.write_str("stream"),
            Self::Index(name, IndexField::Itself) => write!(f, "index {name}"),
            Self::Index(name, IndexField::Keys) => write!(f, "index {name} keys"),
            Self::Index(name, IndexField::Projection) => write!(f, "index {name} projection"),
            Self::Index(name, IndexField::ReadCapacity) => write!(f, "index {name} read_capacity"),
            Self::Index(name, IndexField::WriteCapacity) => {
                write!(f, "index {name} write_capacity")
            }
        }
    }
}

/// A field in which a live table differs from the wanted one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The field.
    pub field: Field,
    /// The wanted value.
    pub wanted: String,
    /// The value found.
    pub found: String,
}

pub(super) const NEW_IMAGE: &str = "NEW_IMAGE";
/// The view that carries more than is wanted, and so serves as well.
const NEW_AND_OLD_IMAGES: &str = "NEW_AND_OLD_IMAGES";
const ABSENT: &str = "absent";
const PRESENT: &str = "present";
const NONE: &str = "none";

impl Billing {
    /// Returns the service's name for it: `PROVISIONED` or `PAY_PER_REQUEST`.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Provisioned(_) => "PROVISIONED",
            Self::OnDemand => "PAY_PER_REQUEST",
        }
    }

    /// Returns the capacity, if it is provisioned.
    pub const fn capacity(&self) -> Option<Capacity> {
        match self {
            Self::Provisioned(capacity) => Some(*capacity),
            Self::OnDemand => None,
        }
    }
}

impl TableSpec {
    /// Returns the shape that is wanted.
    pub fn shape(&self) -> Shape {
        let index = IndexShape {
            local: false,
            keys: format!(
                "{} S HASH, {} S RANGE",
                attribute::MESSAGE_GROUP_UUID,
                attribute::SK
            ),
            projection: "ALL".to_owned(),
            capacity: self.billing.capacity(),
        };
        Shape {
            keys: own_keys(),
            billing: self.billing,
            stream: self.stream.then(|| NEW_IMAGE.to_owned()),
            stream_arn: None,
            indexes: BTreeMap::from([(GROUP_INDEX.to_owned(), index)]),
        }
    }
}

impl From<&TableDescription> for Shape {
    fn from(table: &TableDescription) -> Self {
        let definitions = table.attribute_definitions();
        // A table that was always provisioned has no summary: see BillingModeSummary in the API reference.
        let on_demand = table
            .billing_mode_summary()
            .and_then(|summary| summary.billing_mode())
            == Some(&BillingMode::PayPerRequest);
        let mut indexes = BTreeMap::new();
        for index in table.global_secondary_indexes() {
            let shape = IndexShape {
                local: false,
                keys: keys(index.key_schema(), definitions),
                projection: projection(index.projection()),
                capacity: capacity(index.provisioned_throughput()),
            };
            indexes.insert(index.index_name().unwrap_or_default().to_owned(), shape);
        }
        for index in table.local_secondary_indexes() {
            let shape = IndexShape {
                local: true,
                keys: keys(index.key_schema(), definitions),
                projection: projection(index.projection()),
                capacity: None,
            };
            indexes.insert(index.index_name().unwrap_or_default().to_owned(), shape);
        }
        let stream = table
            .stream_specification()
            .filter(|stream| stream.stream_enabled())
            .and_then(|stream| stream.stream_view_type())
            .map(|view| StreamViewType::as_str(view).to_owned());
        Self {
            keys: keys(table.key_schema(), definitions),
            billing: capacity(table.provisioned_throughput())
                .filter(|_| !on_demand)
                .map_or(Billing::OnDemand, Billing::Provisioned),
            // A stream that was turned off keeps its ARN in the description.
            stream_arn: table
                .latest_stream_arn()
                .filter(|_| stream.is_some())
                .map(str::to_owned),
            stream,
            indexes,
        }
    }
}

fn keys(schema: &[KeySchemaElement], definitions: &[AttributeDefinition]) -> String {
    let describe = |key: &KeySchemaElement| {
        let name = key.attribute_name();
        let kind = definitions
            .iter()
            .find(|definition| definition.attribute_name() == name)
            .map_or("?", |definition| definition.attribute_type().as_str());
        format!("{name} {kind} {}", key.key_type().as_str())
    };
    schema.iter().map(describe).collect::<Vec<_>>().join(", ")
}

fn projection(projection: Option<&Projection>) -> String {
    let Some(kind) = projection.and_then(Projection::projection_type) else {
        return NONE.to_owned();
    };
    match kind {
        ProjectionType::Include => {
            let mut names = projection
                .map(|projection| projection.non_key_attributes().to_vec())
                .unwrap_or_default();
            names.sort();
            format!("{} {}", kind.as_str(), names.join(", "))
        }
        kind => kind.as_str().to_owned(),
    }
}

fn capacity(throughput: Option<&ProvisionedThroughputDescription>) -> Option<Capacity> {
    let units = |units: Option<i64>| NonZeroU32::new(u32::try_from(units?).ok()?);
    let throughput = throughput?;
    Some(Capacity {
        read: units(throughput.read_capacity_units())?,
        write: units(throughput.write_capacity_units())?,
    })
}

/// The fields that differ so far.
struct Comparison(Vec<Difference>);

impl Comparison {
    fn field(&mut self, field: Field, wanted: &str, found: &str) {
        if wanted != found {
            self.0.push(Difference {
                field,
                wanted: wanted.to_owned(),
                found: found.to_owned(),
            });
        }
    }

    /// Compares capacities if both sides have one. Otherwise the billing modes already differ.
    fn capacity(
        &mut self,
        [read, write]: [Field; 2],
        wanted: Option<Capacity>,
        found: Option<Capacity>,
    ) {
        if let (Some(wanted), Some(found)) = (wanted, found) {
            for (field, wanted, found) in [
                (read, wanted.read, found.read),
                (write, wanted.write, found.write),
            ] {
                self.field(field, &wanted.to_string(), &found.to_string());
            }
        }
    }
}

/// Returns the primary key of the store's table.
fn own_keys() -> String {
    format!("{} S HASH, {} S RANGE", attribute::PK, attribute::SK)
}

impl Shape {
    /// Checks whether the primary key is that of the store. If it is, the table can hold every item of the store.
    pub fn has_own_keys(&self) -> bool {
        self.keys == own_keys()
    }

    /// Lists every field in which `found` is not what `self` wants.
    pub fn differences(&self, found: &Self) -> Vec<Difference> {
        let mut comparison = Comparison(Vec::new());
        comparison.field(Field::Keys, &self.keys, &found.keys);
        let billing = (self.billing.as_str(), found.billing.as_str());
        comparison.field(Field::Billing, billing.0, billing.1);
        comparison.capacity(
            [Field::ReadCapacity, Field::WriteCapacity],
            self.billing.capacity(),
            found.billing.capacity(),
        );
        if !self.stream_is_served_by(found) {
            let word = |stream: &Option<String>| stream.clone().unwrap_or_else(|| NONE.to_owned());
            comparison.field(Field::Stream, &word(&self.stream), &word(&found.stream));
        }
        let provisioned = matches!(found.billing, Billing::Provisioned(_));
        for (name, wanted) in &self.indexes {
            let field = |part| Field::Index(name.clone(), part);
            let Some(found) = found.indexes.get(name) else {
                comparison.field(field(IndexField::Itself), PRESENT, ABSENT);
                continue;
            };
            if found.local {
                comparison.field(field(IndexField::Itself), "global", "local");
            }
            comparison.field(field(IndexField::Keys), &wanted.keys, &found.keys);
            let projection = field(IndexField::Projection);
            comparison.field(projection, &wanted.projection, &found.projection);
            comparison.capacity(
                [IndexField::ReadCapacity, IndexField::WriteCapacity].map(field),
                wanted.capacity,
                found.capacity.filter(|_| provisioned),
            );
        }
        for name in found.indexes.keys() {
            if !self.indexes.contains_key(name) {
                let field = Field::Index(name.clone(), IndexField::Itself);
                comparison.field(field, ABSENT, PRESENT);
            }
        }
        comparison.0
    }

    /// Checks whether the stream of `found` carries what `self` wants.
    pub(super) fn stream_is_served_by(&self, found: &Self) -> bool {
        self.stream == found.stream
            || (self.stream.as_deref() == Some(NEW_IMAGE)
                && found.stream.as_deref() == Some(NEW_AND_OLD_IMAGES))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) fn capacity_of(read: u32, write: u32) -> Capacity {
        Capacity {
            read: NonZeroU32::new(read).unwrap(),
            write: NonZeroU32::new(write).unwrap(),
        }
    }

    /// The name that a difference must have, and the change that causes it.
    pub(crate) type Mutation = (&'static str, fn(&mut Shape));

    /// Lists changes of one field each.
    pub(crate) fn mutations() -> Vec<Mutation> {
        fn index(shape: &mut Shape) -> &mut IndexShape {
            shape.indexes.get_mut(GROUP_INDEX).unwrap()
        }
        vec![
            ("keys", |shape| shape.keys = "pk S HASH".into()),
            ("keys", |shape| shape.keys = "pk S HASH, sk N RANGE".into()),
            ("billing", |shape| {
                shape.billing = Billing::OnDemand;
                index(shape).capacity = None;
            }),
            ("billing", |shape| {
                shape.billing = Billing::OnDemand;
                index(shape).capacity = Some(capacity_of(9, 9));
            }),
            ("read_capacity", |shape| {
                shape.billing = Billing::Provisioned(capacity_of(6, 5));
            }),
            ("write_capacity", |shape| {
                shape.billing = Billing::Provisioned(capacity_of(5, 6));
            }),
            ("stream", |shape| shape.stream = None),
            ("stream", |shape| shape.stream = Some("KEYS_ONLY".into())),
            ("stream", |shape| shape.stream = Some("OLD_IMAGE".into())),
            ("index message-group-sk-index", |shape| {
                shape.indexes.clear();
            }),
            ("index message-group-sk-index", |shape| {
                index(shape).local = true;
            }),
            ("index message-group-sk-index keys", |shape| {
                index(shape).keys = "message_group_uuid S HASH".into();
            }),
            ("index message-group-sk-index projection", |shape| {
                index(shape).projection = "KEYS_ONLY".into();
            }),
            ("index message-group-sk-index read_capacity", |shape| {
                index(shape).capacity = Some(capacity_of(1, 5));
            }),
            ("index message-group-sk-index write_capacity", |shape| {
                index(shape).capacity = Some(capacity_of(5, 1));
            }),
            ("index other", |shape| {
                let copy = index(shape).clone();
                shape.indexes.insert("other".into(), copy);
            }),
        ]
    }

    #[test]
    fn p09_any_single_changed_field_is_named() {
        let wanted = TableSpec::default().shape();
        assert_eq!(wanted.differences(&wanted), []);
        for (field, change) in mutations() {
            let mut found = wanted.clone();
            change(&mut found);
            let names: Vec<String> = wanted
                .differences(&found)
                .into_iter()
                .map(|difference| difference.field.to_string())
                .collect();
            assert_eq!(names, [field]);
        }
    }

    #[test]
    fn a_stream_with_both_images_is_as_good() {
        let wanted = TableSpec::default().shape();
        let mut found = wanted.clone();
        found.stream = Some(NEW_AND_OLD_IMAGES.into());
        assert_eq!(wanted.differences(&found), []);
        let none = TableSpec {
            stream: false,
            ..TableSpec::default()
        };
        assert_eq!(
            none.shape().differences(&found),
            [Difference {
                field: Field::Stream,
                wanted: "none".into(),
                found: NEW_AND_OLD_IMAGES.into()
            }]
        );
    }
}
