//! An item for display: borrowed from a page or from a map, with its attributes in a fixed order.

use std::borrow::Cow;
use std::cmp::Ordering;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;

use super::RawItem;
use super::number::{self, Number};
use super::unicode::{NotUnicode, held_name, name_held_in};
use crate::schema::attribute;

/// Attributes with their values, ordered: `pk`, `sk`, then by name. An item, or a value of type M.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct ItemView<'a> {
    attributes: Vec<(Cow<'a, str>, Value<'a>)>,
}

/// A value of an attribute. Binary is decoded. Sets are sorted: strings and numbers by their text, binaries by their
/// bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Value<'a> {
    /// A string.
    S(Cow<'a, str>),
    /// A number, with all its digits from the service.
    N(Cow<'a, str>),
    /// Binary.
    B(Cow<'a, [u8]>),
    /// A Boolean.
    Bool(bool),
    /// NULL.
    Null,
    /// A value of an unknown type. Its content is not read.
    OtherType,
    /// A list.
    L(Vec<Value<'a>>),
    /// A map.
    M(ItemView<'a>),
    /// A set of strings.
    Ss(Vec<Cow<'a, str>>),
    /// A set of numbers.
    Ns(Vec<Cow<'a, str>>),
    /// A set of binaries.
    Bs(Vec<Cow<'a, [u8]>>),
    /// A string, or a set of them, that is not Unicode.
    NotUnicode(NotUnicode<'a>),
    /// A value whose name is not Unicode, with that name as the service wrote it, as JSON. The name beside the value
    /// is only for display.
    Renamed(Cow<'a, str>, Box<Value<'a>>),
}

fn order(a: &str, b: &str) -> Ordering {
    let rank = |name: &str| match name {
        attribute::PK => 0,
        attribute::SK => 1,
        _ => 2,
    };
    (rank(a), a).cmp(&(rank(b), b))
}

impl<'a> ItemView<'a> {
    /// Returns the attributes in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value<'a>)> {
        self.attributes
            .iter()
            .map(|(name, value)| (name.as_ref(), value))
    }

    /// Returns the number of attributes.
    pub fn len(&self) -> usize {
        self.attributes.len()
    }

    /// Checks whether there are no attributes.
    pub fn is_empty(&self) -> bool {
        self.attributes.is_empty()
    }

    /// Returns the value of an attribute.
    pub fn get(&self, name: &str) -> Option<&Value<'a>> {
        self.iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value)
    }

    /// Returns the item without the attributes for which `seen` returns true.
    #[must_use]
    pub fn without(&self, seen: impl Fn(&str) -> bool) -> Self {
        let attributes = self.attributes.iter().filter(|(name, _)| !seen(name));
        Self {
            attributes: attributes.cloned().collect(),
        }
    }

    /// Returns the size in bytes, as [`super::size`] counts it.
    pub fn size(&self) -> usize {
        self.iter()
            .map(|(name, value)| name.len() + value.size())
            .sum()
    }

    /// Returns the item as the SDK has it.
    pub fn to_raw(&self) -> RawItem {
        self.iter()
            .map(|(name, value)| (name.to_owned(), value.to_raw()))
            .collect()
    }

    /// Returns the item with every number in its normal form, so that two items are equal if they are the same to the
    /// service: `1.0` and `1`, `1e2` and `100`.
    pub fn normalized(&self) -> Cow<'_, Self> {
        match self.iter().any(|(_, value)| value.may_have_numbers()) {
            true => Cow::Owned(self.with_normalized_values()),
            false => Cow::Borrowed(self),
        }
    }

    fn with_normalized_values(&self) -> Self {
        let normalized =
            |(name, value): &(Cow<'a, str>, Value<'a>)| (name.clone(), value.normalized());
        Self {
            attributes: self.attributes.iter().map(normalized).collect(),
        }
    }

    /// Returns the value at a position, so that it can be replaced.
    pub(super) fn value_mut(&mut self, place: usize) -> Option<&mut Value<'a>> {
        self.attributes.get_mut(place).map(|(_, value)| value)
    }
}

/// Sorts attributes. If several have the same name, the last one stays, as in the SDK's map.
fn sort(attributes: &mut Vec<(Cow<'_, str>, Value<'_>)>) {
    attributes.sort_by(|(a, _), (b, _)| order(a, b));
    attributes.dedup_by(|later, earlier| {
        let same = later.0 == earlier.0;
        if same {
            std::mem::swap(later, earlier);
        }
        same
    });
}

impl<'a> FromIterator<(Cow<'a, str>, Value<'a>)> for ItemView<'a> {
    fn from_iter<I: IntoIterator<Item = (Cow<'a, str>, Value<'a>)>>(attributes: I) -> Self {
        let mut attributes: Vec<_> = attributes.into_iter().collect();
        sort(&mut attributes);
        Self { attributes }
    }
}

impl<'a> From<&'a RawItem> for ItemView<'a> {
    fn from(item: &'a RawItem) -> Self {
        item.iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect()
    }
}

impl<'a> From<&'a AttributeValue> for Value<'a> {
    fn from(value: &'a AttributeValue) -> Self {
        let texts = |texts: &'a [String]| texts.iter().map(Cow::from).collect();
        let bytes = |blob: &'a Blob| Cow::from(blob.as_ref());
        match value {
            AttributeValue::S(text) => Self::S(text.into()),
            AttributeValue::N(number) => Self::number(number.into()),
            AttributeValue::B(blob) => Self::B(bytes(blob)),
            AttributeValue::Bool(value) => Self::Bool(*value),
            AttributeValue::L(values) => Self::list(values.iter().map(Self::from).collect()),
            AttributeValue::M(map) => Self::M(map.into()),
            AttributeValue::Ss(set) => Self::strings(texts(set)),
            AttributeValue::Ns(set) => Self::numbers(texts(set)),
            AttributeValue::Bs(set) => Self::binaries(set.iter().map(bytes).collect()),
            AttributeValue::Null(_) => Self::Null,
            // Types that a later version of the service may add.
            _ => Self::OtherType,
        }
    }
}

impl<'a> Value<'a> {
    /// Returns a number, or the text that is held in it.
    pub(super) fn number(number: Cow<'a, str>) -> Self {
        match NotUnicode::held_in(number) {
            Ok(text) => Self::NotUnicode(text),
            Err(number) => Self::N(number),
        }
    }

    /// Returns a list, or the value whose name is held in it.
    pub(super) fn list(mut values: Vec<Value<'a>>) -> Self {
        if let [Self::N(number), _] = values.as_slice()
            && let Some(name) = name_held_in(number)
        {
            let name = name.to_owned();
            if let Some(value) = values.pop() {
                return Self::Renamed(name.into(), Box::new(value));
            }
        }
        Self::L(values)
    }

    fn may_have_numbers(&self) -> bool {
        matches!(
            self,
            Self::N(_) | Self::Ns(_) | Self::L(_) | Self::M(_) | Self::Renamed(..)
        )
    }

    /// Returns the value with every number in its normal form.
    fn normalized(&self) -> Self {
        let one_form = |text: &Cow<'a, str>| match Number::read(text) {
            Ok(number) => number.to_string().into(),
            Err(_) => text.clone(),
        };
        match self {
            Self::N(text) => Self::N(one_form(text)),
            Self::Ns(set) => Self::numbers(set.iter().map(one_form).collect()),
            Self::L(values) => Self::L(values.iter().map(Self::normalized).collect()),
            Self::M(map) => Self::M(map.with_normalized_values()),
            Self::Renamed(name, value) => Self::Renamed(name.clone(), value.normalized().into()),
            value => value.clone(),
        }
    }

    /// Returns the size in bytes, without the name.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::S(text) => text.len(),
            Self::N(text) => number::size(text),
            Self::B(bytes) => bytes.len(),
            Self::Bool(_) | Self::Null | Self::OtherType => 1,
            Self::L(values) => 3 + values.iter().map(|value| 1 + value.size()).sum::<usize>(),
            Self::M(map) => 3 + map.len() + map.size(),
            Self::Ss(set) => set.iter().map(|text| text.len()).sum(),
            Self::Ns(set) => set.iter().map(|text| number::size(text)).sum(),
            Self::Bs(set) => set.iter().map(|bytes| bytes.len()).sum(),
            Self::NotUnicode(text) => text.held().len(),
            Self::Renamed(name, value) => 5 + held_name(name).len() + value.size(),
        }
    }

    /// Returns the value as the SDK has it.
    pub(super) fn to_raw(&self) -> AttributeValue {
        let texts =
            |set: &[Cow<'_, str>]| set.iter().map(|text| text.clone().into_owned()).collect();
        match self {
            Self::S(text) => AttributeValue::S(text.clone().into_owned()),
            Self::N(number) => AttributeValue::N(number.clone().into_owned()),
            Self::B(bytes) => AttributeValue::B(Blob::new(bytes.as_ref())),
            Self::Bool(value) => AttributeValue::Bool(*value),
            Self::Null | Self::OtherType => AttributeValue::Null(true),
            Self::L(values) => AttributeValue::L(values.iter().map(Self::to_raw).collect()),
            Self::M(map) => AttributeValue::M(map.to_raw()),
            Self::Ss(set) => AttributeValue::Ss(texts(set)),
            Self::Ns(set) => AttributeValue::Ns(texts(set)),
            Self::Bs(set) => {
                AttributeValue::Bs(set.iter().map(|bytes| Blob::new(bytes.as_ref())).collect())
            }
            Self::NotUnicode(text) => AttributeValue::N(text.held()),
            Self::Renamed(name, value) => {
                AttributeValue::L(vec![AttributeValue::N(held_name(name)), value.to_raw()])
            }
        }
    }

    pub(super) fn strings(mut set: Vec<Cow<'a, str>>) -> Self {
        set.sort_unstable();
        Self::Ss(set)
    }

    pub(super) fn numbers(mut set: Vec<Cow<'a, str>>) -> Self {
        set.sort_unstable();
        Self::Ns(set)
    }

    pub(super) fn binaries(mut set: Vec<Cow<'a, [u8]>>) -> Self {
        set.sort_unstable();
        Self::Bs(set)
    }
}
