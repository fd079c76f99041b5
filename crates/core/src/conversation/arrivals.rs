//! Finding new messages of a conversation by polling, for tables without a stream.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::time::Duration;

use futures::TryStreamExt;

use crate::error::CallError;
use crate::item::{RawItem, sort_key};
use crate::key::{ConversationId, PartitionKey, SortKey};
use crate::store::{Direction, Partition, Query, Store};
use crate::timestamp::Timestamp;

/// How far back each poll reads. A sort key is the writer's time, so a message can arrive after a message with a later
/// key: its write was retried for a while, or two clocks differ.
const WINDOW: Duration = Duration::from_secs(60);

/// The page size for reading back.
const LOOK_BACK_PAGE: u32 = 20;

/// Finds messages that were not seen yet: later than the newest, within the last minute, or between messages in the
/// future.
///
/// It remembers, and reads each time, the sort keys of the last minute and all later ones. If the last minute has none,
/// it starts at the newest key before it.
#[derive(Debug)]
pub struct Arrivals {
    store: Store,
    partition: PartitionKey,
    seen: BTreeSet<String>,
    pages: u32,
    consistent: bool,
}

impl Arrivals {
    /// Starts to watch a conversation. Everything in it now counts as seen.
    pub async fn begin(
        store: &Store,
        conversation: ConversationId,
        now: Timestamp,
    ) -> Result<Self, CallError> {
        let mut arrivals = Self {
            store: store.clone(),
            partition: PartitionKey::Messages(conversation),
            seen: BTreeSet::new(),
            pages: 1,
            consistent: true,
        };
        let begin = window(now);
        let query = arrivals
            .query()
            .direction(Direction::Descending)
            .page_size(LOOK_BACK_PAGE);
        let mut pages = std::pin::pin!(store.query(query));
        while let Some(page) = pages.try_next().await? {
            for item in page.items {
                let key = sort_key(&item).to_string();
                let is_before = key < begin;
                arrivals.seen.insert(key);
                if is_before {
                    return Ok(arrivals);
                }
            }
        }
        Ok(arrivals)
    }

    /// Uses eventually consistent reads from now on, at half the price. What was just written may be seen a little
    /// later.
    #[must_use]
    pub fn at_half_price(self) -> Self {
        Self {
            consistent: false,
            ..self
        }
    }

    /// Checks whether a message counts as seen.
    pub fn has_seen(&self, key: &SortKey) -> bool {
        self.seen.contains(key.as_str())
    }

    /// Marks a message as seen.
    pub fn see(&mut self, key: &SortKey, now: Timestamp) {
        self.seen.insert(key.to_string());
        self.forget_old(now);
    }

    /// Forgets everything: the table was replaced, and everything in it is new.
    pub fn forget(&mut self) {
        self.seen.clear();
    }

    /// Returns the number of pages of the last read.
    pub fn pages(&self) -> u32 {
        self.pages
    }

    /// Reads the messages that were not seen yet, in order of their sort keys. Reads are strongly consistent, except
    /// after [`Arrivals::at_half_price`].
    ///
    /// # Errors
    ///
    /// If a request fails. No message of this read counts as seen then.
    pub async fn next(&mut self, now: Timestamp) -> Result<Vec<RawItem>, CallError> {
        let query = self.query().range(self.low(now), None);
        let mut pages = std::pin::pin!(self.store.query(query));
        let (mut new, mut read) = (Vec::new(), 0);
        while let Some(page) = pages.try_next().await? {
            read += 1;
            let items = page.items.into_iter();
            new.extend(items.filter(|item| !self.has_seen(&sort_key(item))));
        }
        self.pages = read;
        self.seen
            .extend(new.iter().map(|item| sort_key(item).to_string()));
        self.forget_old(now);
        Ok(new)
    }

    fn query(&self) -> Query {
        let query = Query::new(Partition::Table(self.partition));
        match self.consistent {
            true => query.consistent(),
            false => query,
        }
    }

    /// Returns the sort key at which reading begins: a minute ago, or the newest key if it is older. Returns `None` if
    /// nothing was seen.
    fn low(&self, now: Timestamp) -> Option<String> {
        let now_text = now.to_string();
        let past = (Bound::Unbounded, Bound::Included(now_text.as_str()));
        let newest = self.seen.range::<str, _>(past).next_back();
        match (newest, self.seen.is_empty()) {
            (_, true) => None,
            (Some(newest), _) if *newest < window(now) => Some(newest.clone()),
            _ => Some(window(now)),
        }
    }

    fn forget_old(&mut self, now: Timestamp) {
        if let Some(low) = self.low(now) {
            self.seen = self.seen.split_off(&low);
        }
    }
}

fn window(now: Timestamp) -> String {
    now.minus(WINDOW).unwrap_or(now).to_string()
}
