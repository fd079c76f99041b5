//! The tree of shards: which of them may be read, and how far each was read.

use std::collections::{BTreeMap, BTreeSet};

/// A shard as the service describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Described {
    pub id: String,
    pub parent: Option<String>,
}

/// The position up to which a shard was read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum Position {
    /// Nothing was read. The oldest record comes first.
    #[default]
    Oldest,
    /// Nothing was read, and only new records are wanted.
    Latest,
    /// Read up to the record with this sequence number.
    After(String),
    /// Read to its end: it is closed.
    Done(Option<String>),
}

impl Position {
    /// Returns the sequence number of the last record that was read.
    pub fn sequence_number(&self) -> Option<&str> {
        match self {
            Self::Oldest | Self::Latest | Self::Done(None) => None,
            Self::After(number) | Self::Done(Some(number)) => Some(number),
        }
    }
}

#[derive(Debug, Clone, Default)]
struct Shard {
    parent: Option<String>,
    position: Position,
}

/// The known shards.
#[derive(Debug, Clone, Default)]
pub(super) struct Shards(BTreeMap<String, Shard>);

impl Shards {
    /// Checks whether no shard is known.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds the shards that the service described. New shards begin at the position that `begin` returns.
    pub fn learn(&mut self, described: Vec<Described>, begin: impl Fn(&str) -> Position) {
        for shard in described {
            let known = self.0.entry(shard.id.clone()).or_insert_with(|| Shard {
                parent: None,
                position: begin(&shard.id),
            });
            known.parent = shard.parent;
        }
    }

    /// Returns the shards that may be read now: those that are not at their end, and whose parent is at its
    /// end or gone. A child's records come after its parent's.
    pub fn ready(&self) -> Vec<String> {
        self.0
            .iter()
            .filter(|(_, shard)| !shard.is_done())
            .filter(|(_, shard)| {
                let parent = shard.parent.as_ref().and_then(|parent| self.0.get(parent));
                parent.is_none_or(Shard::is_done)
            })
            .map(|(id, _)| id.clone())
            .collect()
    }

    /// Checks whether the service may have more shards: none is known, or one was read to its end and no
    /// other has it as its parent.
    pub fn may_have_more(&self) -> bool {
        let parents: BTreeSet<&String> = self.0.values().flat_map(|shard| &shard.parent).collect();
        let mut shards = self.0.iter();
        self.is_empty() || shards.any(|(id, shard)| shard.is_done() && !parents.contains(id))
    }

    /// Returns how far a shard was read.
    pub fn position(&self, id: &str) -> Position {
        let shard = self.0.get(id);
        shard
            .map(|shard| shard.position.clone())
            .unwrap_or_default()
    }

    /// Sets how far a shard was read.
    pub fn set_position(&mut self, id: &str, position: Position) {
        if let Some(shard) = self.0.get_mut(id) {
            shard.position = position;
        }
    }

    /// Returns the last sequence number of each shard that was read.
    pub fn sequence_numbers(&self) -> BTreeMap<String, String> {
        self.0
            .iter()
            .filter_map(|(id, shard)| {
                Some((id.clone(), shard.position.sequence_number()?.to_owned()))
            })
            .collect()
    }
}

impl Shard {
    fn is_done(&self) -> bool {
        matches!(self.position, Position::Done(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(shards: &[(&str, Option<&str>)]) -> Vec<Described> {
        let owned = |(id, parent): &(&str, Option<&str>)| Described {
            id: (*id).to_owned(),
            parent: parent.map(str::to_owned),
        };
        shards.iter().map(owned).collect()
    }

    #[test]
    fn p21_parents_come_before_children() {
        let mut shards = Shards::default();
        let tree = [
            ("a", None),
            ("b", Some("a")),
            ("c", Some("a")),
            ("d", Some("b")),
            ("x", Some("gone")),
        ];
        shards.learn(described(&tree), |_| Position::Oldest);
        assert_eq!(shards.ready(), ["a", "x"]);
        shards.set_position("a", Position::After("1".into()));
        assert_eq!(shards.ready(), ["a", "x"]);
        shards.set_position("a", Position::Done(Some("2".into())));
        assert_eq!(shards.ready(), ["b", "c", "x"]);
        shards.set_position("c", Position::Done(None));
        shards.set_position("x", Position::Done(None));
        assert_eq!(shards.ready(), ["b"]);
        shards.set_position("b", Position::Done(None));
        assert_eq!(shards.ready(), ["d"]);
        assert_eq!(
            shards.sequence_numbers(),
            [("a".to_owned(), "2".to_owned())].into()
        );
    }

    #[test]
    fn a_shard_that_ended_without_a_child_may_have_one() {
        let mut shards = Shards::default();
        assert!(shards.may_have_more());
        shards.learn(described(&[("a", None)]), |_| Position::Oldest);
        assert!(!shards.may_have_more());
        shards.set_position("a", Position::Done(None));
        assert!(shards.may_have_more());
        shards.learn(described(&[("a", None), ("b", Some("a"))]), |_| {
            Position::Oldest
        });
        assert!(!shards.may_have_more());
    }

    #[test]
    fn what_is_described_again_keeps_its_position() {
        let mut shards = Shards::default();
        shards.learn(described(&[("a", None)]), |_| Position::Oldest);
        shards.set_position("a", Position::After("5".into()));
        shards.learn(described(&[("a", None), ("b", Some("a"))]), |_| {
            Position::Oldest
        });
        assert_eq!(shards.position("a"), Position::After("5".into()));
        assert_eq!(shards.position("b"), Position::Oldest);
    }
}
