//! Comparing a table with files in both directions.

use futures::TryStreamExt;

use super::check::Checked;
use super::marks::Mark;
use crate::error::CallError;
use crate::item::ItemView;
use crate::rate_limit::Rate;
use crate::store::{Scan, Store};

/// The counts of a comparison.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Compared {
    /// Items of the files that are in the table unchanged.
    pub unchanged: u64,
    /// Items of the files whose keys have other content in the table.
    pub different: u64,
    /// Items of the files that are not in the table.
    pub missing: u64,
    /// Items of the table that are not in the files.
    pub extra: u64,
}

/// How an item of the files compares with the table so far.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    Not,
    Same,
    Different,
}

impl Checked {
    /// Reads the whole table with strongly consistent reads, and compares it with the checked files. Calls `see` with
    /// the number of items read so far.
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
