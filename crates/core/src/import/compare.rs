//! Comparing a table with files, both ways.

use futures::TryStreamExt;

use super::check::Checked;
use super::marks::Mark;
use crate::error::CallError;
use crate::item::ItemView;
use crate::rate_limit::Rate;
use crate::store::{Scan, Store};

/// Counts items.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Compared {
    /// Those of the files that are in the table as they are.
    pub unchanged: u64,
    /// Those of the files whose keys have another content in the table.
    pub different: u64,
    /// Those of the files that are not in the table.
    pub missing: u64,
    /// Those of the table that are not in the files.
    pub extra: u64,
}

/// What is known of an item of the files.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    Not,
    Same,
    Different,
}

impl Checked {
    /// Reads the whole table, strongly consistent, and compares it with the files that were checked. `see` is told how many
    /// items were read.
    ///
    /// # Errors
    ///
    /// When a request fails.
    pub async fn compare(
        &self,
        store: &Store,
        rate: Option<Rate>,
        mut see: impl FnMut(u64),
    ) -> Result<Compared, CallError> {
        let scan = Scan {
            consistent: true,
            rate,
            ..Scan::default()
        };
        let marker = self.marker.clone();
        let pages = store.scan(scan, move |marks: &mut Vec<Mark>, item: &ItemView<'_>| {
            marks.push(marker.mark(item));
        });
        let mut pages = std::pin::pin!(pages);
        let mut seen = vec![Seen::Not; self.marks.keys()];
        let mut compared = Compared::default();
        let mut read = 0;
        while let Some(page) = pages.try_next().await? {
            read += page.value.len() as u64;
            for mark in page.value {
                match self.marks.find(mark) {
                    Some((place, true)) => seen[place] = Seen::Same,
                    Some((place, false)) => seen[place] = Seen::Different,
                    None => compared.extra += 1,
                }
            }
            see(read);
        }
        for (place, seen) in seen.into_iter().enumerate() {
            let count = match seen {
                Seen::Not => &mut compared.missing,
                Seen::Same => &mut compared.unchanged,
                Seen::Different => &mut compared.different,
            };
            *count += self.marks.count(place);
        }
        Ok(compared)
    }
}
