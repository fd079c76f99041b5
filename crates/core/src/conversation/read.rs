//! Access patterns A (the messages of a conversation) and B (the conversations of a user).

use futures::{Stream, TryStreamExt};

use super::filter::{Filter, Verdict};
use crate::error::CallError;
use crate::item::{ConversationRow, ItemView, Known, Message};
use crate::key::{ConversationId, PartitionKey};
use crate::store::{Direction, Page, Partition, Query, Store};
use crate::timestamp::TimeRange;

/// One page of a partition, without the items that are not wanted.
#[derive(Debug, Clone)]
pub struct Slice {
    /// The page with the wanted items; `count` is their number.
    pub page: Page,
    /// How many items were left out because their sort key is not a time.
    pub undated: u64,
}

/// Streams the wanted items of a partition, in sort key order.
///
/// The key condition only limits whole dates. Each item is then judged by its parsed time, so that keys with any offset
/// are handled correctly. `first` limits the first page, and each page after it may be twice as large: a caller that
/// stops early pays for little, and a caller that reads on makes few requests.
pub fn read(
    store: &Store,
    partition: PartitionKey,
    filter: Filter,
    direction: Direction,
    first: Option<u32>,
) -> impl Stream<Item = Result<Slice, CallError>> + Send + use<> {
    let mut query = query(partition, filter.range, direction);
    if let Some(size) = first {
        query = query.growing_pages(size);
    }
    store.query(query).map_ok(move |page| cut(page, &filter))
}

/// Makes the query that reads a partition. Its key condition is wider than the time range.
pub fn query(partition: PartitionKey, range: TimeRange, direction: Direction) -> Query {
    let (low, high) = range.net();
    Query::new(Partition::Table(partition))
        .range(low, high)
        .direction(direction)
}

fn cut(mut page: Page, filter: &Filter) -> Slice {
    let mut undated = 0;
    page.items.retain(|item| {
        let verdict = filter.judge(item);
        undated += u64::from(verdict == Verdict::Undated);
        verdict == Verdict::Kept
    });
    page.count = page.items.len() as u64;
    Slice { page, undated }
}

/// Finds the newest message of a conversation with consistent reads: the message with the highest sort key as text.
/// Skips items that are not messages.
pub async fn newest_message(
    store: &Store,
    conversation: ConversationId,
) -> Result<Option<Message>, CallError> {
    let query = Query::new(Partition::Table(PartitionKey::Messages(conversation)))
        .direction(Direction::Descending)
        .consistent()
        .page_size(5);
    let message = |item: &ItemView<'_>| match Known::of(item) {
        Ok(Known::Message(message)) => Some(message),
        _ => None,
    };
    let mut pages = std::pin::pin!(store.query_as(query, message));
    while let Some(page) = pages.try_next().await? {
        if let Some(message) = page.items.into_iter().flatten().next() {
            return Ok(Some(message));
        }
    }
    Ok(None)
}

/// Checks whether a partition has any items.
pub async fn has_items(store: &Store, partition: PartitionKey) -> Result<bool, CallError> {
    let query = Query::new(Partition::Table(partition)).page_size(1);
    let mut pages = std::pin::pin!(store.query(query));
    while let Some(page) = pages.try_next().await? {
        if page.count > 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Collects the rows that a query finds. Skips other items.
pub(super) async fn conversation_rows(
    store: &Store,
    query: Query,
) -> Result<Vec<ConversationRow>, CallError> {
    let row = |item: &ItemView<'_>| match Known::of(item) {
        Ok(Known::ConversationRow(row)) => Some(row),
        _ => None,
    };
    let pages = store.query_as(query, row);
    pages
        .try_fold(Vec::new(), |mut rows, page| async move {
            rows.extend(page.items.into_iter().flatten());
            Ok(rows)
        })
        .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::{RawItem, sort_key};
    use crate::sample;
    use crate::timestamp::TimeRange;

    #[test]
    fn a_cut_judges_by_the_instant_and_counts_what_has_none() {
        let items: Vec<RawItem> = [
            "2025-12-31T23:59:59Z",
            "2025-12-31T20:00:00-05:00",
            "2026-06-01T00:00:00",
            "2027-01-01T00:30:00+01:00",
            "2027-01-01T00:00:00Z",
            "soon",
        ]
        .iter()
        .map(|sk| RawItem::from(&sample::message(sk, "x")))
        .collect();
        let page = Page {
            items,
            ..Page::default()
        };
        let year = Filter::of_time(TimeRange::year(2026).unwrap());
        let slice = cut(page.clone(), &year);
        let kept: Vec<String> = slice
            .page
            .items
            .iter()
            .map(|i| sort_key(i).to_string())
            .collect();
        assert_eq!(
            kept,
            [
                "2025-12-31T20:00:00-05:00",
                "2026-06-01T00:00:00",
                "2027-01-01T00:30:00+01:00"
            ]
        );
        assert_eq!((slice.page.count, slice.undated), (3, 1));
        assert_eq!(cut(page, &Filter::default()).page.items.len(), 6);
    }
}
