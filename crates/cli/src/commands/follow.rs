//! Messages of one conversation as they come: from the stream, or by asking where the table has none.

use std::collections::HashSet;
use std::time::Duration;

use ddb_core::key::{MessageGroupId, PartitionKey, SortKey};
use ddb_core::store::{Partition, Query, Store};
use ddb_core::stream::{Begin, Follower, Streams};
use ddb_core::timestamp::Timestamp;
use futures::TryStreamExt;

use super::partition::{Layout, Row, Stdout};
use crate::failure::Failure;
use crate::launch::Context;

/// How often it is looked whether something came.
const POLL: Duration = Duration::from_millis(500);

/// A conversation that is followed from a moment on.
pub(super) struct Following<'a> {
    store: &'a Store,
    group: MessageGroupId,
    news: News,
}

enum News {
    Stream(Box<Follower>),
    /// What is later than this sort key is new.
    Polling(String),
}

impl<'a> Following<'a> {
    /// Begins to follow: whatever comes from now on will be shown.
    pub async fn begin(
        store: &'a Store,
        streams: Streams,
        group: MessageGroupId,
    ) -> Result<Self, Failure> {
        let now = Timestamp::now();
        let news = match super::sync_conversations::stream_if_any(store).await? {
            Some(arn) => {
                let mut follower = Follower::new(streams, &arn, Begin::Latest, now);
                let first = follower.next().await?;
                follower.commit(first);
                News::Stream(Box::new(follower))
            }
            None => News::Polling(now.to_string()),
        };
        Ok(Self { store, group, news })
    }

    /// Prints new messages until the command is stopped. `shown` holds the sort keys that were printed.
    pub async fn go_on<L: Layout>(
        mut self,
        printer: &mut Stdout,
        mut shown: HashSet<String>,
        context: &Context,
    ) -> Result<(), Failure> {
        loop {
            let keys = tokio::select! {
                () = context.stopped() => return Ok(()),
                keys = self.next() => keys?,
            };
            let came = !keys.is_empty();
            for key in keys {
                if shown.contains(key.as_str()) {
                    continue;
                }
                let partition = PartitionKey::Messages(self.group);
                if let Some(item) = self.store.get(&partition, &key).await? {
                    printer.print(&Row::<L>::of_message(item))?;
                    shown.insert(key.to_string());
                }
            }
            printer.flush()?;
            if came {
                continue;
            }
            tokio::select! {
                () = context.stopped() => return Ok(()),
                () = tokio::time::sleep(POLL) => {}
            }
        }
    }

    /// Returns the sort keys of messages that may be new.
    async fn next(&mut self) -> Result<Vec<SortKey>, Failure> {
        match &mut self.news {
            News::Stream(follower) => {
                let mut batch = follower.next().await?;
                let inserted = std::mem::take(&mut batch.inserted);
                follower.commit(batch);
                let of_group = inserted
                    .into_iter()
                    .filter(|(group, _)| *group == self.group);
                Ok(of_group.map(|(_, key)| key).collect())
            }
            News::Polling(after) => {
                let partition = Partition::Table(PartitionKey::Messages(self.group));
                let query = Query::new(partition)
                    .range(Some(after.clone()), None)
                    .consistent();
                let mut pages = std::pin::pin!(self.store.query(query));
                let mut keys = Vec::new();
                while let Some(page) = pages.try_next().await? {
                    let texts = page
                        .items
                        .iter()
                        .filter_map(|item| item.get("sk")?.as_s().ok());
                    keys.extend(texts.map(SortKey::verbatim));
                }
                // The bound is inclusive: the last one comes again, and is new no more.
                let newest = keys.last().map(ToString::to_string);
                keys.retain(|key| key.as_str() != after.as_str());
                if let Some(newest) = newest {
                    *after = newest;
                }
                Ok(keys)
            }
        }
    }
}
