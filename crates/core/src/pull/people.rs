//! The people of a copy.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::item::Person;
use crate::key::UserId;

/// The error for two people of a copy with the same handle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("two people of the copy have the handle `{0}`")]
pub struct SameHandle(String);

/// The people of a copy, by their ids in the copy, each with one name.
#[derive(Debug, Clone, Default)]
pub struct People {
    by_id: BTreeMap<UserId, Person>,
    /// The owner of each handle, if invented handles have to differ.
    handles: Option<BTreeMap<String, UserId>>,
}

impl People {
    /// Makes an empty list. If people are `invented`, no two may have the same handle.
    pub fn new(invented: bool) -> Self {
        Self {
            by_id: BTreeMap::new(),
            handles: invented.then(BTreeMap::new),
        }
    }

    /// Adds a person. A known person keeps their name.
    ///
    /// # Errors
    ///
    /// [`SameHandle`] if somebody else has the same invented handle.
    pub(super) fn see(&mut self, person: Person) -> Result<(), SameHandle> {
        let Entry::Vacant(place) = self.by_id.entry(person.id) else {
            return Ok(());
        };
        if let Some(handles) = &mut self.handles {
            let whose = handles.entry(person.handle.clone()).or_insert(person.id);
            if *whose != person.id {
                return Err(SameHandle(person.handle));
            }
        }
        place.insert(person);
        Ok(())
    }

    /// Returns all of them, ordered by id.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Person> {
        self.by_id.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{andrew, bayko};

    #[test]
    fn two_invented_people_with_one_handle_are_refused() {
        let same = Person {
            handle: andrew().handle,
            ..bayko()
        };
        let mut people = People::new(true);
        people.see(andrew()).unwrap();
        people.see(andrew()).unwrap();
        assert_eq!(people.see(same.clone()), Err(SameHandle(andrew().handle)));
        // Real people may have the same handle.
        let mut people = People::new(false);
        people.see(andrew()).unwrap();
        people.see(same).unwrap();
        assert_eq!(people.iter().len(), 2);
    }
}
