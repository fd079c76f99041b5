//! The messages of one conversation as they arrive: from the stream, or by polling while the table has no stream.

use std::collections::HashSet;
use std::time::Duration;

use ddb_core::CallError;
use ddb_core::conversation::{Arrivals, Filter, Verdict};
use ddb_core::item::RawItem;
use ddb_core::key::{ConversationId, PartitionKey, SortKey};
use ddb_core::schema::attribute;
use ddb_core::store::Store;
use ddb_core::stream::{Begin, Lost, News, PollIntervals, Streams, TableFollower, TableStream};
use ddb_core::timestamp::Timestamp;

use super::partition::{Entry, Layout};
use super::stream::{say_lost, say_renewed};
use crate::failure::Failure;
use crate::output::Printer;
use crate::runner::Context;
use crate::ui::Ui;

/// How often to check for new messages.
const POLL: Duration = Duration::from_millis(500);

/// A conversation that is followed from some moment on.
pub(super) struct Following<'a> {
    store: &'a Store,
    ui: &'a Ui,
    conversation: ConversationId,
    follower: TableFollower,
    arrivals: Arrivals,
    /// Whether the table has no stream, and is polled instead.
    asks: bool,
}

impl<'a> Following<'a> {
    /// Starts to follow: messages that arrive from now on will be shown.
    pub async fn begin(
        store: &'a Store,
        streams: Streams,
        intervals: PollIntervals,
        conversation: ConversationId,
        ui: &'a Ui,
    ) -> Result<Self, Failure> {
        let stream = TableStream::of(store).await?;
        if stream == TableStream::NoTable {
            return Err(Failure::no_table(store));
        }
        let arrivals = Arrivals::begin(store, conversation, Timestamp::now()).await?;
        let follower =
            TableFollower::new(store.clone(), streams, &stream, Begin::Latest, intervals);
        let mut following = Self {
            store,
            ui,
            conversation,
            follower,
            arrivals,
            asks: stream == TableStream::Off,
        };
        // The stream is read from here on.
        let first = following.follower.next().await?;
        following.heed(first, &mut HashSet::new());
        Ok(following)
    }

    /// Prints new messages that match the filter, until the command is stopped. `shown` contains the sort keys that
    /// were printed.
    pub async fn go_on<L: Layout>(
        mut self,
        printer: &mut Printer<Entry<L>>,
        filter: &Filter,
        mut shown: HashSet<String>,
        context: &Context,
    ) -> Result<(), Failure> {
        loop {
            let items = tokio::select! {
                () = context.stopped() => return Ok(()),
                items = self.next(&mut shown) => items?,
            };
            let came = !items.is_empty();
            let wanted = |item: &RawItem| filter.judge(item) == Verdict::Kept;
            for item in items.into_iter().filter(wanted) {
                printer.print(&Entry::new(item))?;
            }
            printer.flush()?;
            if came {
                continue;
            }
            tokio::select! {
                () = context.stopped() => return Ok(()),
                // If reading takes many pages, it is done less often.
                () = tokio::time::sleep(POLL * self.arrivals.pages()) => {}
            }
        }
    }

    /// Returns new messages, often none.
    async fn next(&mut self, shown: &mut HashSet<String>) -> Result<Vec<RawItem>, Failure> {
        let news = self.follower.next().await?;
        let keys = self.heed(news, shown);
        let items = if self.asks {
            let asked = self.arrivals.next(Timestamp::now()).await;
            asked.map(|mut items| {
                items.retain(|item| !sort_key(item).is_some_and(|key| shown.contains(key)));
                items
            })
        } else {
            self.get(keys, shown).await
        };
        match items {
            Err(error) if error.is_missing() && self.follower.has_lost_its_table().await? => {
                Ok(Vec::new())
            }
            items => Ok(items?),
        }
    }

    /// Gets the messages that the stream reports, and that were not shown yet.
    async fn get(
        &mut self,
        keys: Vec<SortKey>,
        shown: &HashSet<String>,
    ) -> Result<Vec<RawItem>, CallError> {
        let partition = PartitionKey::Messages(self.conversation);
        let mut items = Vec::new();
        for key in keys {
            if shown.contains(key.as_str()) || self.arrivals.has_seen(&key) {
                continue;
            }
            // It may have been deleted since.
            items.extend(self.store.get(&partition, &key).await?);
            self.arrivals.see(&key, Timestamp::now());
        }
        Ok(items)
    }

    /// Handles news from the follower, and returns the sort keys of messages that may be new.
    fn heed(&mut self, news: News, shown: &mut HashSet<String>) -> Vec<SortKey> {
        match news {
            News::Batch(mut batch) => {
                let inserted = std::mem::take(&mut batch.inserted);
                self.follower.commit(batch);
                let of_conversation = inserted
                    .into_iter()
                    .filter(|(conversation, _)| *conversation == self.conversation);
                return of_conversation.map(|(_, key)| key).collect();
            }
            News::Renewed => {
                say_renewed(self.store, self.ui);
                self.asks = false;
                shown.clear();
            }
            News::Lost(lost @ Lost::Table) => {
                say_lost(lost, self.store, self.ui, "waiting for it");
                self.asks = false;
                self.arrivals.forget();
                shown.clear();
            }
            News::Lost(lost @ Lost::Stream) => {
                say_lost(lost, self.store, self.ui, "asking it for new messages");
                self.asks = true;
            }
        }
        Vec::new()
    }
}

fn sort_key(item: &RawItem) -> Option<&String> {
    item.get(attribute::SK)?.as_s().ok()
}
