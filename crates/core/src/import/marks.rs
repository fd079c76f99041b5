//! What is remembered of the items that were checked.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};

use crate::item::{ItemView, Value};
use crate::schema::attribute;

/// Hashes of an item's key and of the whole item, which nobody can predict. Among a million different items, two have
/// the same mark once in ten million times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mark {
    pub key: u64,
    content: u64,
}

/// Makes marks.
#[derive(Debug, Clone, Default)]
pub(super) struct Marker(RandomState);

impl Marker {
    /// Returns the mark of an item. Numbers are compared by value, not as they are written.
    pub fn mark(&self, item: &ItemView<'_>) -> Mark {
        let text = |name: &str| match item.get(name) {
            Some(Value::S(text)) => Some(text),
            _ => None,
        };
        Mark {
            key: self.0.hash_one([attribute::PK, attribute::SK].map(text)),
            content: self.0.hash_one(item.normalized().as_ref()),
        }
    }
}

/// The marks of many items, one per key, sorted.
#[derive(Debug, Default)]
pub(super) struct Marks {
    sorted: Vec<Mark>,
    /// The number of further copies of an item, by the mark of its key.
    copies: HashMap<u64, u64>,
    /// Keys that have items with different contents. They are not among the marks.
    doubled: HashSet<u64>,
}

impl Marks {
    /// Sorts marks.
    pub fn new(mut marks: Vec<Mark>) -> Self {
        marks.sort_unstable();
        let (mut copies, mut doubled) = (HashMap::new(), HashSet::new());
        for pair in marks.windows(2) {
            if pair[0] == pair[1] {
                *copies.entry(pair[0].key).or_default() += 1;
            } else if pair[0].key == pair[1].key {
                doubled.insert(pair[0].key);
            }
        }
        marks.dedup();
        if !doubled.is_empty() {
            marks.retain(|mark| !doubled.contains(&mark.key));
            copies.retain(|key, _| !doubled.contains(key));
        }
        Self {
            sorted: marks,
            copies,
            doubled,
        }
    }

    /// Returns the number of items, including copies.
    pub fn items(&self) -> u64 {
        self.sorted.len() as u64 + self.copies.values().sum::<u64>()
    }

    /// Returns the number of keys.
    pub fn keys(&self) -> usize {
        self.sorted.len()
    }

    /// Checks whether there are items with this key and different contents.
    pub fn is_doubled(&self, key: u64) -> bool {
        self.doubled.contains(&key)
    }

    /// Checks whether any key has items with different contents.
    pub fn has_doubled(&self) -> bool {
        !self.doubled.is_empty()
    }

    /// Checks whether there is more than one item with this key, all of them equal.
    pub fn has_copies(&self, key: u64) -> bool {
        self.copies.contains_key(&key)
    }

    /// Returns the position of a key, and whether the content is the same.
    pub fn find(&self, mark: Mark) -> Option<(usize, bool)> {
        let place = self
            .sorted
            .binary_search_by_key(&mark.key, |mark| mark.key)
            .ok()?;
        Some((place, self.sorted[place] == mark))
    }

    /// Returns the number of items with the key at a position.
    pub fn count(&self, place: usize) -> u64 {
        1 + self
            .copies
            .get(&self.sorted[place].key)
            .copied()
            .unwrap_or_default()
    }
}
