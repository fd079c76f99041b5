//! An item in DynamoDB JSON, with the types of its values: `{"pk":{"S":"text"}}`.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};

use super::{ItemView, Value};

/// An item that is written in DynamoDB JSON, and read back as an [`ItemView`].
#[derive(Debug, Clone, Copy)]
pub struct Typed<'v, 'a>(pub &'v ItemView<'a>);

struct TypedValue<'v, 'a>(&'v Value<'a>);

impl Serialize for Typed<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, TypedValue(value))))
    }
}

impl Serialize for TypedValue<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        fn one<S: Serializer>(
            serializer: S,
            kind: &str,
            value: impl Serialize,
        ) -> Result<S::Ok, S::Error> {
            serializer.collect_map([(kind, value)])
        }
        let base64 = |bytes: &Cow<'_, [u8]>| STANDARD.encode(bytes);
        match self.0 {
            Value::S(text) => one(serializer, "S", text),
            Value::N(number) => one(serializer, "N", number),
            Value::B(bytes) => one(serializer, "B", base64(bytes)),
            Value::Bool(value) => one(serializer, "BOOL", value),
            Value::Null | Value::OtherType => one(serializer, "NULL", true),
            Value::L(values) => {
                let values: Vec<_> = values.iter().map(TypedValue).collect();
                one(serializer, "L", values)
            }
            Value::M(map) => one(serializer, "M", Typed(map)),
            Value::Ss(set) => one(serializer, "SS", set),
            Value::Ns(set) => one(serializer, "NS", set),
            Value::Bs(set) => {
                let set: Vec<String> = set.iter().map(base64).collect();
                one(serializer, "BS", set)
            }
            // Text that is not Unicode is held in a number. Such an item is never changed.
            Value::NotUnicode(text) => one(serializer, "N", text.held()),
            Value::Renamed(_, value) => TypedValue(value).serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::RawItem;
    use aws_sdk_dynamodb::primitives::Blob;
    use aws_sdk_dynamodb::types::AttributeValue;

    #[test]
    fn an_item_is_read_back_as_it_was() {
        let s = |text: &str| AttributeValue::S(text.to_owned());
        let digits = "12345678901234567890123456789012345678".to_owned();
        let item = RawItem::from([
            ("pk".to_owned(), s("a\"\u{1b}\n")),
            ("n".to_owned(), AttributeValue::N(digits)),
            ("b".to_owned(), AttributeValue::B(Blob::new([0, 255]))),
            ("t".to_owned(), AttributeValue::Bool(false)),
            ("z".to_owned(), AttributeValue::Null(true)),
            ("l".to_owned(), AttributeValue::L(vec![s("x")])),
            (
                "m".to_owned(),
                AttributeValue::M([("k".to_owned(), s("v"))].into()),
            ),
            (
                "ss".to_owned(),
                AttributeValue::Ss(vec!["a".into(), "b".into()]),
            ),
            (
                "ns".to_owned(),
                AttributeValue::Ns(vec!["1".into(), "2".into()]),
            ),
            ("bs".to_owned(), AttributeValue::Bs(vec![Blob::new([1])])),
        ]);
        let json = serde_json::to_string(&Typed(&ItemView::from(&item))).unwrap();
        let back: ItemView<'_> = serde_json::from_str(&json).unwrap();
        assert_eq!(back.to_raw(), item);
    }
}
