//! Queries: one partition, in the order of its sort keys.

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnConsumedCapacity};
use futures::stream::Stream;

use super::{LastKey, Page, unless_empty};
use crate::error::CallError;
use crate::item::{ItemView, read_page};
use crate::key::{ConversationId, PartitionKey};
use crate::pages::pages;
use crate::schema::{GROUP_INDEX, attribute};
use crate::store::Store;
use crate::store::body::{OwnText, ResponseBody};

const QUERY: &str = "Query";

/// The order of the sort key in which a partition is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Oldest first.
    Ascending,
    /// Newest first.
    Descending,
}

/// The partition that a query reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Partition {
    /// A partition of the table.
    Table(PartitionKey),
    /// The rows of a conversation, through the index. Always eventually consistent.
    ConversationIndex(ConversationId),
}

/// A query.
#[derive(Debug, Clone)]
pub struct Query {
    partition: Partition,
    range: (Option<String>, Option<String>),
    of_conversation: Option<ConversationId>,
    direction: Direction,
    consistent: bool,
    page_size: PageSize,
}

/// The maximum number of items that the service reads for one page.
#[derive(Debug, Clone, Copy)]
enum PageSize {
    /// No limit other than the service's: 1 MB.
    Any,
    /// This many for each page.
    Fixed(i32),
    /// This many for the first page, and twice as many for each page after it.
    Growing(i32),
}

impl PageSize {
    /// Returns the limit of a page, if it has one. The first page has the number 0.
    fn of(self, page: u32) -> Option<i32> {
        match self {
            Self::Any => None,
            Self::Fixed(items) => Some(items),
            Self::Growing(items) => Some(items.saturating_mul(1 << page.min(30))),
        }
    }
}

fn items(items: u32) -> i32 {
    i32::try_from(items.max(1)).unwrap_or(i32::MAX)
}

impl Query {
    /// Makes a query for a whole partition in ascending order.
    pub fn new(partition: Partition) -> Self {
        Self {
            partition,
            range: (None, None),
            of_conversation: None,
            direction: Direction::Ascending,
            consistent: false,
            page_size: PageSize::Any,
        }
    }

    /// Limits the sort key to a range, compared as text, with both ends inclusive.
    #[must_use]
    pub fn range(mut self, low: Option<String>, high: Option<String>) -> Self {
        self.range = (low, high);
        self
    }

    /// Makes the service leave out all rows except those of one conversation.
    #[must_use]
    pub fn of_conversation(mut self, conversation: ConversationId) -> Self {
        self.of_conversation = Some(conversation);
        self
    }

    /// Sets the order.
    #[must_use]
    pub fn direction(mut self, direction: Direction) -> Self {
        self.direction = direction;
        self
    }

    /// Requests strongly consistent reads, which an index does not support.
    #[must_use]
    pub fn consistent(mut self) -> Self {
        self.consistent = matches!(self.partition, Partition::Table(_));
        self
    }

    /// Limits the items that the service reads for one page.
    #[must_use]
    pub fn page_size(mut self, most: u32) -> Self {
        self.page_size = PageSize::Fixed(items(most));
        self
    }

    /// Limits the items that the service reads for the first page. Each page after it may have twice as many.
    #[must_use]
    pub fn growing_pages(mut self, first: u32) -> Self {
        self.page_size = PageSize::Growing(items(first));
        self
    }
}

/// A query as parameters of the API: what is sent, and what is shown if the operator asks for the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryWords {
    /// The index, or `None` for the table itself.
    pub index: Option<&'static str>,
    /// `KeyConditionExpression`.
    pub key_condition: String,
    /// `FilterExpression`.
    pub filter: Option<&'static str>,
    /// `ExpressionAttributeNames`.
    pub names: Vec<(&'static str, &'static str)>,
    /// `ExpressionAttributeValues`, all of them strings.
    pub values: Vec<(&'static str, String)>,
    /// `ScanIndexForward`.
    pub forward: bool,
    /// `ConsistentRead`.
    pub consistent: bool,
}

impl Query {
    /// Returns the query as parameters of the API.
    pub fn words(&self) -> QueryWords {
        let (index, name, value) = match self.partition {
            Partition::Table(key) => (None, attribute::PK, key.to_string()),
            Partition::ConversationIndex(conversation) => (
                Some(GROUP_INDEX),
                attribute::MESSAGE_GROUP_UUID,
                conversation.to_string(),
            ),
        };
        let mut names = vec![("#partition", name)];
        let mut values = vec![(":partition", value)];
        let sort = match &self.range {
            (None, None) => "",
            (Some(_), None) => " AND #sort >= :low",
            (None, Some(_)) => " AND #sort <= :high",
            (Some(_), Some(_)) => " AND #sort BETWEEN :low AND :high",
        };
        if !sort.is_empty() {
            names.push(("#sort", attribute::SK));
        }
        for (placeholder, bound) in [(":low", &self.range.0), (":high", &self.range.1)] {
            values.extend(bound.clone().map(|bound| (placeholder, bound)));
        }
        let filter = self.of_conversation.map(|conversation| {
            names.push(("#group", attribute::MESSAGE_GROUP_UUID));
            values.push((":group", conversation.to_string()));
            "#group = :group"
        });
        QueryWords {
            index,
            key_condition: format!("#partition = :partition{sort}"),
            filter,
            names,
            values,
            forward: self.direction == Direction::Ascending,
            consistent: self.consistent,
        }
    }
}

impl Store {
    /// Streams the pages of a query.
    pub fn query(
        &self,
        query: Query,
    ) -> impl Stream<Item = Result<Page, CallError>> + Send + use<> {
        self.query_as(query, |item: &ItemView<'_>| item.to_raw())
    }

    /// Streams the pages of a query with the value that `read` makes from each item, without a map per item.
    pub fn query_as<T, F>(
        &self,
        query: Query,
        read: F,
    ) -> impl Stream<Item = Result<Page<T>, CallError>> + Send + use<T, F>
    where
        T: Send + 'static,
        F: Fn(&ItemView<'_>) -> T + Clone + Send + 'static,
    {
        let store = self.clone();
        let mut asked = 0;
        pages(QUERY, &self.destination, move |last: LastKey| {
            let (store, query, read) = (store.clone(), query.clone(), read.clone());
            let size = query.page_size.of(asked);
            asked += 1;
            async move {
                let (size, reserved) = match &store.rate {
                    Some(rate) => {
                        let wanted = size.and_then(|size| u32::try_from(size).ok());
                        let (size, reserved) = rate.begin(wanted).await;
                        (size.map(items), reserved)
                    }
                    None => (size, 0.0),
                };
                let request = store.query_request(&query, size);
                let request = request.set_exclusive_start_key(last.clone());
                let send = |body: ResponseBody, own: OwnText| {
                    let request = request.clone().customize();
                    request.interceptor(body).interceptor(own).send()
                };
                let body = store.page_body(QUERY, &last, send).await?;
                let mut items = Vec::new();
                let meta = read_page(body.bytes().unwrap_or_default(), |item| {
                    items.push(read(item));
                })
                .map_err(|fault| store.garbled(QUERY, &fault))?;
                let page = Page {
                    items,
                    count: meta.count,
                    scanned: meta.scanned,
                    consumed: meta.consumed,
                };
                if let Some(rate) = &store.rate {
                    let end = rate.end(reserved, page.scanned, page.consumed);
                    end.map_err(|fault| store.garbled(QUERY, &fault))?;
                }
                Ok((page, unless_empty(meta.last)))
            }
        })
    }

    fn query_request(&self, query: &Query, size: Option<i32>) -> QueryFluentBuilder {
        let words = query.words();
        let mut request = self
            .client
            .query()
            .table_name(self.table.as_str())
            .set_index_name(words.index.map(str::to_owned))
            .key_condition_expression(words.key_condition)
            .set_filter_expression(words.filter.map(str::to_owned))
            .scan_index_forward(words.forward)
            .set_consistent_read(words.consistent.then_some(true))
            .set_limit(size)
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        for (placeholder, name) in words.names {
            request = request.expression_attribute_names(placeholder, name);
        }
        for (placeholder, value) in words.values {
            request = request.expression_attribute_values(placeholder, AttributeValue::S(value));
        }
        request
    }
}
