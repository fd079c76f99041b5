//! Finds what is new, for all pages at once: with one follower of the table's stream, or with one query at a time.
//!
//! A stream serves two readers per shard, and the application's Lambda function is one of them. So all pages share one
//! follower. If there is no stream, or the table is in production, the open conversations are queried every few
//! seconds, at half a unit. Nothing is queried while no page is open.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ddb_core::CallError;
use ddb_core::conversation::Arrivals;
use ddb_core::item::sort_key;
use ddb_core::key::{ConversationId, SortKey};
use ddb_core::store::Store;
use ddb_core::stream::{Begin, Lost, News, PollIntervals, Streams, TableFollower, TableStream};
use ddb_core::timestamp::Timestamp;
use tokio::sync::{Notify, broadcast};

/// How often the stream is read.
const POLL: Duration = Duration::from_millis(500);
/// How often a conversation is queried if there is no stream.
const ASK: Duration = Duration::from_secs(3);
/// How long to wait after an error.
const PAUSE: Duration = Duration::from_secs(1);

/// Where the news comes from.
#[derive(Debug, Clone)]
pub enum LiveSource {
    /// The stream of the table, if it has one.
    Stream(Streams, PollIntervals),
    /// The conversations themselves.
    Table,
}

/// What a page is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Told {
    /// There are new messages; the oldest of them has this key.
    Message(ConversationId, SortKey),
    /// The source does not answer, for this reason.
    Lost(String),
    /// The page has to look for what it missed.
    Back,
}

type Open = Mutex<HashMap<ConversationId, usize>>;

/// Tells pages what is new.
#[derive(Debug)]
pub(crate) struct Live {
    store: Store,
    source: LiveSource,
    open: Open,
    opened: Notify,
    told: broadcast::Sender<Told>,
}

/// A page that is told what is new. It counts as open until this is dropped.
pub(crate) struct Watch {
    live: Arc<Live>,
    pub conversation: ConversationId,
    pub told: broadcast::Receiver<Told>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut open = self.live.open();
        if let Some(pages) = open.get_mut(&self.conversation) {
            *pages -= 1;
            if *pages == 0 {
                open.remove(&self.conversation);
            }
        }
    }
}

impl Live {
    pub fn new(store: Store, source: LiveSource) -> Arc<Self> {
        Arc::new(Self {
            store,
            source,
            open: Mutex::default(),
            opened: Notify::new(),
            told: broadcast::channel(256).0,
        })
    }

    fn open(&self) -> MutexGuard<'_, HashMap<ConversationId, usize>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_watched(&self) -> bool {
        !self.open().is_empty()
    }

    /// Registers a page of a conversation to be told what is new.
    pub fn watch(self: &Arc<Self>, conversation: ConversationId) -> Watch {
        let told = self.told.subscribe();
        *self.open().entry(conversation).or_default() += 1;
        self.opened.notify_one();
        Watch {
            live: Arc::clone(self),
            conversation,
            told,
        }
    }

    fn tell(&self, told: Told) {
        // There is no receiver if the last page has just been closed.
        let _ = self.told.send(told);
    }

    /// Follows for as long as it is polled.
    pub async fn run(&self) {
        loop {
            while !self.is_watched() {
                self.opened.notified().await;
            }
            if let Err(why) = self.follow().await {
                self.tell(Told::Lost(why));
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// Follows until the last page is closed.
    async fn follow(&self) -> Result<(), String> {
        let LiveSource::Stream(streams, intervals) = &self.source else {
            return self.ask().await.map_err(|error| error.to_string());
        };
        let gone = || format!("{}: the table is gone", self.store.destination());
        let said = |error: CallError| error.to_string();
        let stream = TableStream::of(&self.store).await.map_err(said)?;
        if stream == TableStream::NoTable {
            return Err(gone());
        }
        if stream == TableStream::Off {
            return self.ask().await.map_err(said);
        }
        let (store, streams) = (self.store.clone(), streams.clone());
        let mut follower = TableFollower::new(store, streams, &stream, Begin::Latest, *intervals);
        let mut first = true;
        while self.is_watched() {
            match follower.next().await.map_err(|error| error.to_string())? {
                News::Batch(mut batch) => {
                    for (conversation, key) in std::mem::take(&mut batch.inserted) {
                        self.tell(Told::Message(conversation, key));
                    }
                    follower.commit(batch);
                }
                News::Renewed => self.tell(Told::Back),
                News::Lost(Lost::Table) => return Err(gone()),
                // The table is checked again, and then queried.
                News::Lost(Lost::Stream) => return Ok(()),
            }
            if std::mem::take(&mut first) {
                // The stream is read from here on; what came before is in the table.
                self.tell(Told::Back);
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    /// Queries the open conversations, until none is open, or for so long that there may be a stream by now.
    async fn ask(&self) -> Result<(), CallError> {
        const ROUNDS: usize = 20;
        let mut arrivals: HashMap<ConversationId, Arrivals> = HashMap::new();
        let mut round = 0;
        self.tell(Told::Back);
        while self.is_watched() && round < ROUNDS {
            round += 1;
            let open: Vec<ConversationId> = self.open().keys().copied().collect();
            arrivals.retain(|conversation, _| open.contains(conversation));
            for conversation in open {
                let now = Timestamp::now();
                if let Some(arrivals) = arrivals.get_mut(&conversation) {
                    let new = arrivals.next(now).await?;
                    if let Some(item) = new.first() {
                        self.tell(Told::Message(conversation, sort_key(item)));
                    }
                } else {
                    let begun = Arrivals::begin(&self.store, conversation, now).await?;
                    arrivals.insert(conversation, begun.at_half_price());
                    // Messages that came after the page was read and before this are in the table.
                    self.tell(Told::Back);
                }
            }
            tokio::time::sleep(ASK).await;
        }
        Ok(())
    }
}
