//! Changing items if they are still as they were read, all of them or none.

use aws_sdk_dynamodb::types::{AttributeValue, ConditionCheck, Delete, Put, TransactWriteItem};

use super::{Action, Store, Transacted, Writer};
use crate::error::{CallError, Error};
use crate::item::{ItemView, RawItem, size};
use crate::schema::attribute;

/// The maximum size of a condition and the values that it compares. "Expression size limit" in the DynamoDB
/// developer guide allows 4 KB for the expression alone; here the values count, too.
const MAX_CONDITION: usize = 4 * 1024;
/// The bytes that a condition needs for an attribute in addition to its name and its value: `#a00 = :a00 AND `.
const AROUND: usize = 16;
/// The bytes of an item that one write capacity unit writes.
const UNIT_BYTES: usize = 1024;

/// One item before and after a change. One of the two may be missing, and both have the same key.
#[derive(Debug, Clone, PartialEq)]
pub struct ItemChange {
    key: RawItem,
    before: Option<RawItem>,
    after: Option<RawItem>,
}

/// The reason why two images are not a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadChange {
    /// Both images are missing.
    #[error("a change has an item before it or after it")]
    Empty,
    /// An image has no key.
    #[error("an item has `pk` and `sk`, both strings")]
    NoKey,
    /// The images have different keys.
    #[error("the item before a change and the one after it have the same key")]
    OtherKey,
}

/// The state in which an item was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// As it was before the change.
    Before,
    /// As it is after the change.
    After,
    /// As it is both before and after the change, which is only a check.
    Same,
    /// Neither as before nor as after.
    Other,
}

fn key_of(item: &RawItem) -> Option<RawItem> {
    let part = |name: &str| match item.get(name)? {
        AttributeValue::S(text) => Some((name.to_owned(), AttributeValue::S(text.clone()))),
        _ => None,
    };
    Some([part(attribute::PK)?, part(attribute::SK)?].into())
}

fn is_same(a: &RawItem, b: &RawItem) -> bool {
    // Sets have no order, and a view sorts them.
    ItemView::from(a) == ItemView::from(b)
}

impl ItemChange {
    /// Makes a change from an item before and after it.
    ///
    /// # Errors
    ///
    /// If the two are not the same item.
    pub fn new(before: Option<RawItem>, after: Option<RawItem>) -> Result<Self, BadChange> {
        let some = before.as_ref().or(after.as_ref());
        let key = key_of(some.ok_or(BadChange::Empty)?).ok_or(BadChange::NoKey)?;
        let images = [&before, &after];
        for image in images.into_iter().flatten() {
            if key_of(image).as_ref() != Some(&key) {
                return Err(BadChange::OtherKey);
            }
        }
        Ok(Self { key, before, after })
    }

    /// Makes the change for an action on rows or messages.
    pub fn of(action: &Action) -> Self {
        let (before, after) = match action {
            Action::PutMessage(message) => (None, Some(RawItem::from(message))),
            Action::PutRow(row) => (None, Some(row.into())),
            Action::ReplaceRow { old, new } => (Some(old.into()), Some(new.into())),
            Action::DeleteRow(row) => (Some(row.into()), None),
            Action::KeepRow(row) => (Some(row.into()), Some(row.into())),
        };
        Self::new(before, after)
            .expect("messages and rows have keys, and a row is replaced under its own")
    }

    /// Returns the key.
    pub fn key(&self) -> &RawItem {
        &self.key
    }

    /// Returns a part of the key: `pk` or `sk`.
    fn part(&self, name: &str) -> &str {
        let value = self.key.get(name).and_then(|value| value.as_s().ok());
        value.map(String::as_str).unwrap_or_default()
    }

    /// Returns the partition key.
    pub fn pk(&self) -> &str {
        self.part(attribute::PK)
    }

    /// Returns the sort key.
    pub fn sk(&self) -> &str {
        self.part(attribute::SK)
    }

    /// Returns the item before the change, or `None` if its key is free.
    pub fn before(&self) -> Option<&RawItem> {
        self.before.as_ref()
    }

    /// Returns the item after the change, or `None` if it is deleted.
    pub fn after(&self) -> Option<&RawItem> {
        self.after.as_ref()
    }

    /// Checks whether the change only checks that an item is as it was.
    pub fn is_check(&self) -> bool {
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => is_same(before, after),
            _ => false,
        }
    }

    /// Returns the change that undoes this one.
    #[must_use]
    pub fn reversed(self) -> Self {
        Self {
            before: self.after,
            after: self.before,
            ..self
        }
    }

    /// Returns the write capacity units that the change uses in the table: a transaction counts twice.
    pub fn units(&self) -> u64 {
        let images = [&self.before, &self.after];
        let largest = images.into_iter().flatten().map(size).max();
        2 * largest.unwrap_or_default().div_ceil(UNIT_BYTES).max(1) as u64
    }

    /// Compares an item that was read under its key with the change.
    pub fn judge(&self, item: Option<&RawItem>) -> Found {
        let is = |image: &Option<RawItem>| match (item, image) {
            (Some(item), Some(image)) => is_same(item, image),
            (None, None) => true,
            _ => false,
        };
        match (is(&self.before), is(&self.after)) {
            (true, true) => Found::Same,
            (true, false) => Found::Before,
            (false, true) => Found::After,
            (false, false) => Found::Other,
        }
    }

    fn request(self, table: &str) -> TransactWriteItem {
        const COMPLETE: &str = "all required fields are set";
        let is_check = self.is_check();
        let condition = Condition::of(self.before.as_ref());
        let item = TransactWriteItem::builder();
        let values = (!condition.values.is_empty()).then_some(condition.values);
        let names = Some(condition.names);
        match self.after {
            Some(_) if is_check => {
                let check = ConditionCheck::builder()
                    .table_name(table)
                    .set_key(Some(self.key))
                    .condition_expression(condition.expression)
                    .set_expression_attribute_names(names)
                    .set_expression_attribute_values(values);
                item.condition_check(check.build().expect(COMPLETE)).build()
            }
            Some(after) => {
                let put = Put::builder()
                    .table_name(table)
                    .set_item(Some(after))
                    .condition_expression(condition.expression)
                    .set_expression_attribute_names(names)
                    .set_expression_attribute_values(values);
                item.put(put.build().expect(COMPLETE)).build()
            }
            None => {
                let delete = Delete::builder()
                    .table_name(table)
                    .set_key(Some(self.key))
                    .condition_expression(condition.expression)
                    .set_expression_attribute_names(names)
                    .set_expression_attribute_values(values);
                item.delete(delete.build().expect(COMPLETE)).build()
            }
        }
    }
}

/// The condition that an item is as it was read.
#[derive(Debug, Default)]
struct Condition {
    expression: String,
    names: std::collections::HashMap<String, String>,
    values: std::collections::HashMap<String, AttributeValue>,
    bytes: usize,
}

impl Condition {
    /// Compares every attribute of an image. If the image is too large for an expression, this compares the smaller
    /// attributes, ids among them, and as much of the beginning of each text as there is room for.
    fn of(image: Option<&RawItem>) -> Self {
        let mut condition = Self::default();
        let Some(image) = image else {
            condition.name("pk", attribute::PK);
            condition.expression = "attribute_not_exists(#pk)".to_owned();
            return condition;
        };
        let view = ItemView::from(image);
        let mut attributes: Vec<(&str, usize)> = view
            .iter()
            .map(|(name, _)| (name, cost(name, &image[name])))
            .collect();
        // The small ones first, and equal ones in the order of their names, so that an image always has the same
        // condition.
        attributes.sort_by_key(|(_, bytes)| *bytes);
        for (nth, (name, bytes)) in attributes.into_iter().enumerate() {
            let value = &image[name];
            if [attribute::PK, attribute::SK].contains(&name) && image.len() > 2 {
                // The request has the key, and the other attributes already require that the item exists.
                continue;
            }
            if condition.bytes + bytes <= MAX_CONDITION {
                condition.term(nth, name, value.clone(), bytes, |n, v| format!("{n} = {v}"));
            } else if let AttributeValue::S(text) = value {
                let room =
                    (MAX_CONDITION - condition.bytes).saturating_sub(name.len() + 3 * AROUND);
                if room == 0 {
                    continue;
                }
                let start = AttributeValue::S(prefix(text, room).to_owned());
                condition.term(nth, name, start, room + name.len() + 3 * AROUND, |n, v| {
                    format!("begins_with({n}, {v})")
                });
            }
        }
        condition
    }

    fn name(&mut self, placeholder: &str, name: &str) -> String {
        let placeholder = format!("#{placeholder}");
        self.names.insert(placeholder.clone(), name.to_owned());
        placeholder
    }

    fn term(
        &mut self,
        nth: usize,
        name: &str,
        value: AttributeValue,
        bytes: usize,
        write: impl Fn(&str, &str) -> String,
    ) {
        let name = self.name(&format!("a{nth}"), name);
        let placeholder = format!(":a{nth}");
        if !self.expression.is_empty() {
            self.expression.push_str(" AND ");
        }
        self.expression.push_str(&write(&name, &placeholder));
        self.values.insert(placeholder, value);
        self.bytes += bytes;
    }
}

fn cost(name: &str, value: &AttributeValue) -> usize {
    let item = RawItem::from([(name.to_owned(), value.clone())]);
    size(&item) + AROUND
}

/// Returns as many whole characters of a text as fit in `bytes`.
fn prefix(text: &str, bytes: usize) -> &str {
    let mut end = bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

impl Store {
    /// Reads the item of a change again, strongly consistent.
    pub async fn read_again(&self, change: &ItemChange) -> Result<Option<RawItem>, CallError> {
        self.get_by_key(change.key.clone()).await
    }

    /// Reads the item of a change, strongly consistent, and compares it with the change.
    pub async fn find(&self, change: &ItemChange) -> Result<Found, CallError> {
        let item = self.read_again(change).await?;
        Ok(change.judge(item.as_ref()))
    }
}

impl Writer {
    /// Makes all of the changes or none. Each requires that its item is as it was before.
    ///
    /// # Errors
    ///
    /// The same as [`Writer::transact`].
    pub async fn change_items(&self, changes: &[ItemChange]) -> Result<Transacted, Error> {
        let table = self.table.as_str();
        let items = changes.iter().map(|change| change.clone().request(table));
        self.transact_items(items.collect()).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    const T: &str = "2026-03-22T08:35:09.123456+00:00";

    fn message(text: &str) -> RawItem {
        RawItem::from(&sample::message(T, text))
    }

    #[test]
    fn a_condition_names_every_attribute_of_an_image() {
        let image = message("hello");
        let condition = Condition::of(Some(&image));
        let mut names: Vec<&str> = condition.names.values().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(
            names,
            [
                "message",
                "message_uuid",
                "user_display_name",
                "user_handle",
                "user_uuid"
            ]
        );
        assert_eq!(condition.expression.matches(" = ").count(), 5);
        let free = Condition::of(None);
        assert_eq!(free.expression, "attribute_not_exists(#pk)");
        let mut bare = message("");
        bare.retain(|name, _| ["pk", "sk"].contains(&name.as_str()));
        assert_eq!(
            Condition::of(Some(&bare)).names.len(),
            2,
            "keys alone are compared"
        );
    }

    #[test]
    fn of_a_large_image_ids_and_a_prefix_are_compared() {
        let image = message(&"é".repeat(100_000));
        let condition = Condition::of(Some(&image));
        assert!(
            condition.expression.contains("begins_with("),
            "{}",
            condition.expression
        );
        assert!(condition.names.values().any(|name| name == "message_uuid"));
        let bytes: usize = condition
            .values
            .values()
            .map(|value| value.as_s().unwrap().len())
            .sum();
        assert!((3_000..=MAX_CONDITION).contains(&bytes), "{bytes}");
        assert!(condition.expression.len() + bytes <= MAX_CONDITION);
    }

    /// A transaction of ten changes stays under 4 MB whatever its items, conditions included.
    #[test]
    fn ten_changes_fit_in_a_transaction() {
        const MOST: usize = 4 * 1024 * 1024;
        let condition = Condition::of(Some(&message(&"x".repeat(390_000))));
        let names: usize = condition.names.iter().map(|(a, b)| a.len() + b.len()).sum();
        let each = crate::item::MAX_SIZE + MAX_CONDITION + names;
        assert!(10 * each <= MOST, "{each}");
    }

    #[test]
    fn images_are_of_one_item() {
        let (old, new) = (message("old"), message("new"));
        assert_eq!(ItemChange::new(None, None), Err(BadChange::Empty));
        let mut other = new.clone();
        other.insert("sk".to_owned(), AttributeValue::S("later".to_owned()));
        assert_eq!(
            ItemChange::new(Some(old.clone()), Some(other)),
            Err(BadChange::OtherKey)
        );
        let mut keyless = new.clone();
        keyless.remove("sk");
        assert_eq!(ItemChange::new(None, Some(keyless)), Err(BadChange::NoKey));
        let change = ItemChange::new(Some(old.clone()), Some(new.clone())).unwrap();
        assert_eq!(change.judge(Some(&old)), Found::Before);
        assert_eq!(change.judge(Some(&new)), Found::After);
        assert_eq!(change.judge(None), Found::Other);
        assert_eq!(change.clone().reversed().judge(Some(&old)), Found::After);
        assert!(!change.is_check());
        assert!(
            ItemChange::new(Some(old.clone()), Some(old))
                .unwrap()
                .is_check()
        );
    }

    #[test]
    fn a_transaction_counts_twice() {
        let units = |text: &str| ItemChange::new(None, Some(message(text))).unwrap().units();
        assert_eq!(units("short"), 2);
        assert_eq!(units(&"x".repeat(1_500)), 4);
    }
}
