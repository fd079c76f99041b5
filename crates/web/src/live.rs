//! What is new, for all pages at once: one follower of the table's stream, or one question at a time.
//!
//! A stream serves two readers a shard, and the application's Lambda function is one of them. So all pages share one
//! follower; and where there is no stream, or the table is that of production, the conversations that are open are asked
//! every few seconds, at half a unit. Nobody is asked while no page is open.

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
/// How often a conversation is asked where there is no stream.
const ASK: Duration = Duration::from_secs(3);
/// How long it is waited after something failed.
const PAUSE: Duration = Duration::from_secs(1);

/// Where news come from.
#[derive(Debug, Clone)]
pub enum LiveSource {
    /// The stream of the table, where it has one.
    Stream(Streams, PollIntervals),
    /// The conversations themselves.
    Table,
}

/// What a page is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Told {
    /// There is a message; the oldest one that is new has this key.
    Message(ConversationId, SortKey),
    /// Nobody answers; why.
    Lost(String),
    /// Whatever was missed has to be looked for.
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

/// A page that is told. It counts as open until this is dropped.
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

    /// Has a page of a conversation told what is new.
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
        // Nobody listens where the last page was closed just now.
        let _ = self.told.send(told);
    }

    /// Follows for as long as somebody polls it.
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
                // It is looked at anew, and then asked.
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

    /// Asks the conversations that are open, until none is, or for so long that a stream may be there by now.
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
                    // What came between the page and this is in the table.
                    self.tell(Told::Back);
                }
            }
            tokio::time::sleep(ASK).await;
        }
        Ok(())
    }
}
