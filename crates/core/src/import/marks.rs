//! What is remembered of the items that were looked at.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};

use crate::item::{ItemView, Value};
use crate::schema::attribute;

/// Stands for the key of an item, and for all of it, by hashes that nobody can foresee. Where two items of a million are
/// not equal, their marks are equal once in ten million times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mark {
    pub key: u64,
    content: u64,
}

/// Makes marks.
#[derive(Debug, Clone, Default)]
pub(super) struct Marker(RandomState);

impl Marker {
    /// Returns the mark of an item. Numbers count as what they are, not as they are written.
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

/// The marks of many items, one a key, in order.
#[derive(Debug, Default)]
pub(super) struct Marks {
    sorted: Vec<Mark>,
    /// How often an item is there beside the first time, by the marks of their keys.
    copies: HashMap<u64, u64>,
    /// Of these keys there are items with different contents. None of them is among the marks.
    doubled: HashSet<u64>,
}

impl Marks {
    /// Puts marks in order.
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

    /// Returns how many items there are, copies among them.
    pub fn items(&self) -> u64 {
        self.sorted.len() as u64 + self.copies.values().sum::<u64>()
    }

    /// Returns how many keys there are.
    pub fn keys(&self) -> usize {
        self.sorted.len()
    }

    /// Tells whether there are items with this key and different contents.
    pub fn is_doubled(&self, key: u64) -> bool {
        self.doubled.contains(&key)
    }

    /// Tells whether any key has items with different contents.
    pub fn has_doubled(&self) -> bool {
        !self.doubled.is_empty()
    }

    /// Tells whether there is more than one item of this key, all of them equal.
    pub fn has_copies(&self, key: u64) -> bool {
        self.copies.contains_key(&key)
    }

    /// Finds the place of a key, and tells whether the content is the same.
    pub fn find(&self, mark: Mark) -> Option<(usize, bool)> {
        let place = self
            .sorted
            .binary_search_by_key(&mark.key, |mark| mark.key)
            .ok()?;
        Some((place, self.sorted[place] == mark))
    }

    /// Returns how many items have the key at a place.
    pub fn count(&self, place: usize) -> u64 {
        1 + self
            .copies
            .get(&self.sorted[place].key)
            .copied()
            .unwrap_or_default()
    }
}
