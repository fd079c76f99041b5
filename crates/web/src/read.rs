//! Reads from the table what a page shows: a part of a conversation, the conversations of a person, search results.

use ddb_core::CallError;
use ddb_core::conversation::{Filter, Needle, Verdict};
use ddb_core::item::{ConversationRow, ItemView, Known, Message, sort_key};
use ddb_core::key::{ConversationId, PartitionKey, SortKey, UserId};
use ddb_core::store::{Direction, Partition, Query, Store};
use futures::TryStreamExt;

/// Messages on a page.
pub(crate) const PAGE: usize = 50;
/// Conversations on a page.
const ROWS: usize = 50;
/// How many messages one search reads before it asks whether to continue.
const SEARCHED: u64 = 10_000;

/// The part of a conversation to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stretch {
    Newest,
    /// The messages before a message.
    Before(SortKey),
    /// A message and the messages after it.
    From(SortKey),
    /// A message, and the messages before and after it.
    Around(SortKey),
}

/// An item of a conversation's partition.
#[derive(Debug)]
pub(crate) enum Entry {
    Message(Message),
    Unknown { sk: SortKey, why: String },
}

impl Entry {
    fn of(item: &ItemView<'_>) -> Self {
        match Known::of(item) {
            Ok(Known::Message(message)) => Self::Message(message),
            Ok(Known::ConversationRow(row)) => Self::Unknown {
                sk: row.last_message_at,
                why: "a row among the messages".to_owned(),
            },
            Err(reason) => Self::Unknown {
                sk: sort_key(item),
                why: reason.to_string(),
            },
        }
    }

    pub fn sk(&self) -> &SortKey {
        match self {
            Self::Message(message) => &message.created_at,
            Self::Unknown { sk, .. } => sk,
        }
    }
}

/// A part of a conversation, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Transcript {
    pub entries: Vec<Entry>,
    /// Whether there is more before it.
    pub older: bool,
    /// Whether there is more after it.
    pub newer: bool,
}

/// Reads the first items of a query, with one request unless the service returns fewer items than requested.
async fn first<T: Send + 'static>(
    store: &Store,
    query: Query,
    most: usize,
    read: fn(&ItemView<'_>) -> T,
) -> Result<Vec<T>, CallError> {
    let query = query.page_size(u32::try_from(most).unwrap_or(u32::MAX));
    let mut pages = std::pin::pin!(store.query_as(query, read));
    let mut items = Vec::new();
    while items.len() < most
        && let Some(page) = pages.try_next().await?
    {
        items.extend(page.items);
    }
    items.truncate(most);
    Ok(items)
}

/// Reads a part of a conversation.
pub(crate) async fn transcript(
    store: &Store,
    conversation: ConversationId,
    stretch: &Stretch,
    page: usize,
    consistent: bool,
) -> Result<Transcript, CallError> {
    let partition = Partition::Table(PartitionKey::Messages(conversation));
    let query = match consistent {
        true => Query::new(partition).consistent(),
        false => Query::new(partition),
    };
    let before = async |key: Option<&SortKey>, page: usize| {
        let high = key.map(|key| key.as_str().to_owned());
        let back = query
            .clone()
            .range(None, high)
            .direction(Direction::Descending);
        // One for the item that is excluded, and one to see whether there are more.
        let most = page + 1 + usize::from(key.is_some());
        let mut items = first(store, back, most, Entry::of).await?;
        items.retain(|item| key.is_none_or(|key| item.sk() != key));
        let older = items.len() > page;
        items.truncate(page);
        items.reverse();
        Ok::<_, CallError>((items, older))
    };
    let from = async |key: &SortKey, page: usize| {
        let on = query.clone().range(Some(key.as_str().to_owned()), None);
        let mut items = first(store, on, page + 1, Entry::of).await?;
        let newer = items.len() > page;
        items.truncate(page);
        Ok::<_, CallError>((items, newer))
    };
    let (items, older, newer) = match stretch {
        Stretch::Newest => {
            let (items, older) = before(None, page).await?;
            (items, older, false)
        }
        Stretch::Before(key) => {
            let (items, older) = before(Some(key), page).await?;
            (items, older, true)
        }
        Stretch::From(key) => {
            let (items, newer) = from(key, page).await?;
            (items, true, newer)
        }
        Stretch::Around(key) => {
            let (mut items, older) = before(Some(key), page / 2).await?;
            let (after, newer) = from(key, page / 2).await?;
            items.extend(after);
            (items, older, newer)
        }
    };
    Ok(Transcript {
        entries: items,
        older,
        newer,
    })
}

/// Reads conversations of a person, newest first, and returns where the next page begins.
pub(crate) async fn rows(
    store: &Store,
    me: UserId,
    before: Option<&SortKey>,
) -> Result<(Vec<ConversationRow>, Option<SortKey>), CallError> {
    let high = before.map(|key| key.as_str().to_owned());
    let query = Query::new(Partition::Table(PartitionKey::Rows(me)))
        .range(None, high)
        .direction(Direction::Descending);
    let most = ROWS + 1 + usize::from(before.is_some());
    let keyed = |item: &ItemView<'_>| (sort_key(item), Known::of(item).ok());
    let mut items = first(store, query, most, keyed).await?;
    items.retain(|(key, _)| before != Some(key));
    let more = items.len() > ROWS;
    items.truncate(ROWS);
    let next = items.last().filter(|_| more).map(|(key, _)| key.clone());
    let rows = items.into_iter().filter_map(|(_, known)| match known {
        Some(Known::ConversationRow(row)) => Some(row),
        _ => None,
    });
    Ok((rows.collect(), next))
}

/// What a search found, newest first.
#[derive(Debug, Default)]
pub(crate) struct Search {
    pub found: Vec<Message>,
    pub read: u64,
    /// Where it stopped, if that is not the beginning of the conversation.
    pub stopped_at: Option<SortKey>,
}

/// Searches for a text, backwards from a message or from the newest one, as far as one request is allowed to.
pub(crate) async fn search(
    store: &Store,
    conversation: ConversationId,
    needle: Needle,
    before: Option<&SortKey>,
) -> Result<Search, CallError> {
    let filter = Filter {
        contains: Some(needle),
        messages_only: true,
        ..Filter::default()
    };
    let partition = PartitionKey::Messages(conversation);
    let mut search = Search::default();
    let query = Query::new(Partition::Table(partition))
        .range(None, before.map(|key| key.as_str().to_owned()))
        .direction(Direction::Descending)
        .growing_pages(200);
    let keyed = move |item: &ItemView<'_>| {
        let found = match filter.judge(item) {
            Verdict::Kept => Known::of(item).ok(),
            _ => None,
        };
        (sort_key(item), found)
    };
    let mut pages = std::pin::pin!(store.query_as(query, keyed));
    while let Some(page) = pages.try_next().await? {
        for (key, found) in page.items {
            if before == Some(&key) {
                continue;
            }
            search.read += 1;
            if let Some(Known::Message(message)) = found {
                search.found.push(message);
            }
            if search.found.len() == PAGE || search.read == SEARCHED {
                search.stopped_at = Some(key);
                return Ok(search);
            }
        }
    }
    Ok(search)
}
