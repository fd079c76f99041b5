//! The reasons why a line is not an item that the table accepts.

use crate::item::{ItemView, MAX_SIZE, Number, NumberFault, Value};
use crate::schema::attribute;

/// The most levels of nested values; the attribute is the first level. See "Quotas in Amazon DynamoDB" in the AWS
/// developer guide.
const MAX_DEPTH: usize = 32;
/// The most bytes of each part of a key, from the same page.
const MAX_PARTITION_KEY: usize = 2048;
const MAX_SORT_KEY: usize = 1024;

/// A fault of a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It is longer than the JSON of any item.
    #[error("the line has more than {} MB; no item is that long", .0 / 1024 / 1024)]
    TooLong(usize),
    /// It is not UTF-8.
    #[error("it is not UTF-8")]
    NotUtf8,
    /// It is not JSON, or not the JSON of an item.
    #[error("{0}")]
    NoItem(String),
    /// A part of a key is missing.
    #[error("it has no `{0}`")]
    NoKey(&'static str),
    /// A part of a key has another type, or is empty.
    #[error("its `{0}` is not a text with at least one character, as the table's keys are")]
    OtherKey(&'static str),
    /// A part of a key is too long.
    #[error("its `{0}` has {1} bytes; DynamoDB takes at most {2}")]
    LongKey(&'static str, usize, usize),
    /// An attribute has no name.
    #[error("it has an attribute without a name")]
    NoName,
    /// A value cannot be stored.
    #[error("its `{0}` holds {1}")]
    Value(String, ValueFault),
    /// It is larger than DynamoDB's limit.
    #[error("it has {0} bytes; DynamoDB takes at most 409600 an item")]
    TooLarge(usize),
    /// The same key is elsewhere in the files, with other content.
    #[error("its key is also that of {0}, with other content")]
    Doubled(String),
}

/// A fault of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ValueFault {
    /// The type is not a DynamoDB type.
    #[error("a value of a type that is not known")]
    OtherType,
    /// A text has an unpaired surrogate.
    #[error("text that is not Unicode")]
    NotUnicode,
    /// A number is not one that DynamoDB accepts.
    #[error(transparent)]
    Number(#[from] NumberFault),
    /// A set has no elements.
    #[error("an empty set")]
    EmptySet,
    /// A set has an element twice.
    #[error("a set that contains an element twice")]
    DoubledElement,
    /// A map has an attribute without a name.
    #[error("an attribute without a name")]
    NoName,
    /// Lists and maps are nested too deeply.
    #[error("more than 32 levels of lists and maps")]
    TooDeep,
}

/// Finds the first reason why the table would not accept an item.
pub(super) fn find(item: &ItemView<'_>) -> Result<(), Fault> {
    key(item, attribute::PK, MAX_PARTITION_KEY)?;
    key(item, attribute::SK, MAX_SORT_KEY)?;
    if item.get(attribute::MESSAGE_GROUP_UUID).is_some() {
        key(item, attribute::MESSAGE_GROUP_UUID, MAX_PARTITION_KEY)?;
    }
    for (name, value) in item.iter() {
        if name.is_empty() {
            return Err(Fault::NoName);
        }
        inspect(value, 1).map_err(|fault| Fault::Value(name.to_owned(), fault))?;
    }
    match item.size() {
        bytes if bytes > MAX_SIZE => Err(Fault::TooLarge(bytes)),
        _ => Ok(()),
    }
}

/// Checks a part of the key of the table or of its index.
fn key(item: &ItemView<'_>, name: &'static str, most: usize) -> Result<(), Fault> {
    match item.get(name) {
        None => Err(Fault::NoKey(name)),
        Some(Value::S(text)) if text.len() > most => Err(Fault::LongKey(name, text.len(), most)),
        Some(Value::S(text)) if !text.is_empty() => Ok(()),
        Some(_) => Err(Fault::OtherKey(name)),
    }
}

fn inspect(value: &Value<'_>, depth: usize) -> Result<(), ValueFault> {
    if depth > MAX_DEPTH {
        return Err(ValueFault::TooDeep);
    }
    match value {
        Value::S(_) | Value::B(_) | Value::Bool(_) | Value::Null => Ok(()),
        Value::OtherType => Err(ValueFault::OtherType),
        Value::NotUnicode(_) | Value::Renamed(..) => Err(ValueFault::NotUnicode),
        Value::N(text) => Ok(Number::read(text).map(drop)?),
        Value::Ss(set) => elements(set),
        Value::Bs(set) => elements(set),
        Value::Ns(set) => {
            let numbers: Result<Vec<_>, _> = set.iter().map(|text| Number::read(text)).collect();
            let mut texts: Vec<_> = numbers?.iter().map(Number::to_string).collect();
            texts.sort_unstable();
            elements(&texts)
        }
        Value::L(values) => values
            .iter()
            .try_for_each(|value| inspect(value, depth + 1)),
        Value::M(map) => map.iter().try_for_each(|(name, value)| match name {
            "" => Err(ValueFault::NoName),
            _ => inspect(value, depth + 1),
        }),
    }
}

/// Checks the elements of a set, which are sorted.
fn elements<T: PartialEq>(set: &[T]) -> Result<(), ValueFault> {
    if set.is_empty() {
        return Err(ValueFault::EmptySet);
    }
    match set.windows(2).any(|pair| pair[0] == pair[1]) {
        true => Err(ValueFault::DoubledElement),
        false => Ok(()),
    }
}
