//! The actors of a storm, and what they act on.

use std::time::Duration;

use ddb_core::Error;
use ddb_core::changes::Keep;
use ddb_core::conversation::{
    Doubled, Missing, Pass, SyncRequest, SyncedRows, Text, create_conversation, create_message,
    sync_rows,
};
use ddb_core::item::RawItem;
use ddb_core::key::{ConversationId, MessageId, SortKey};
use ddb_core::seed::{Script, Seed, SeedError, Speakers, prepare};
use ddb_core::store::{Scan, Store, Writer};
use ddb_core::timestamp::Timestamp;
use ddb_test_support::Sandbox;
use futures::TryStreamExt;

use super::verdict::Broken;
use crate::changes::repair;
use crate::data::{at, conversation, message, person, raw};

/// When the conversations end, if a seed says so.
const T: &str = "2026-03-22T08:35:09.123456+00:00";
/// An instant after all others, in the forms of older tools.
pub const OLD_FORMS: [&str; 3] = [
    "2026-03-22T08:35:09.200000Z",
    "2026-03-22T10:35:09.200000+02:00",
    "2026-03-22T08:35:09.200000",
];
const HOUR: i64 = 3_600_000_000;

/// A conversation of user 1.
#[derive(Debug, Clone, Copy)]
pub struct Talk {
    pub number: u128,
    pub other: u128,
    /// Whether it was there before the storm.
    pub is_begun: bool,
    /// Whether its seeds say when it ends.
    pub ends_at: bool,
}

impl Talk {
    pub fn conversation(self) -> ConversationId {
        conversation(self.number)
    }

    fn seed(self, ends_at: Option<Timestamp>) -> Seed {
        Seed {
            conversation: self.conversation(),
            me: person(1),
            other: person(self.other),
            ends_at,
            interval: Duration::from_secs(60),
        }
    }
}

/// What one actor does. `place` is the index of the conversation on the stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    Seed {
        place: usize,
        script: usize,
    },
    /// Three messages, each within 1 ms of the next.
    Message {
        place: usize,
        sender: u128,
    },
    OldMessage {
        place: usize,
        form: usize,
    },
    Conversation,
    Sync,
    Repair,
}

/// A message that an actor was told is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledged {
    pub conversation: ConversationId,
    /// `None` if only its text is known.
    pub id: Option<MessageId>,
    pub text: String,
}

/// What an actor was told is done.
#[derive(Debug, Clone, Default)]
pub struct Told {
    pub messages: Vec<Acknowledged>,
    /// Conversations whose rows were moved to the message at this key, or to a newer one.
    pub moved: Vec<(ConversationId, SortKey)>,
}

impl Told {
    fn synced(&mut self, synced: SyncedRows) {
        let newest = synced.newest.into_iter();
        self.moved
            .extend(newest.map(|newest| (newest.conversation, newest.created_at)));
    }

    pub fn extend(&mut self, more: Self) {
        self.messages.extend(more.messages);
        self.moved.extend(more.moved);
    }
}

pub struct Stage {
    pub sandbox: Sandbox,
    pub talks: Vec<Talk>,
}

/// A script with its own lines.
fn script(name: &str, lines: usize) -> Script {
    let text: String = (0..lines)
        .map(|n| format!("Person {}: {name}, line {n}\n", n % 2 + 1))
        .collect();
    Script::parse(name, text.as_bytes(), &Speakers::new("user1", "other")).unwrap()
}

fn own_script(script_number: usize) -> Script {
    script(["one", "another"][script_number], 12)
}

fn now(micros: i64) -> Timestamp {
    at(T).plus_micros(micros).unwrap()
}

impl Stage {
    pub fn new(sandbox: Sandbox, talks: Vec<Talk>) -> Self {
        Self { sandbox, talks }
    }

    /// Seeds the conversations that are there before the storm.
    pub async fn begin(&self) {
        let before = at(T).plus_micros(-24 * HOUR).unwrap();
        for talk in self.talks.iter().filter(|talk| talk.is_begun) {
            let seed = talk.seed(Some(before));
            self.seed(&self.sandbox.writer(), &seed, &script("begin", 3), before)
                .await
                .unwrap();
        }
    }

    async fn seed(
        &self,
        writer: &Writer,
        seed: &Seed,
        script: &Script,
        now: Timestamp,
    ) -> Result<Told, SeedError> {
        let prepared = prepare(writer, seed, script, now).await?;
        let messages = prepared.messages().iter().map(|message| Acknowledged {
            conversation: message.conversation,
            id: Some(message.id),
            text: message.text.clone(),
        });
        let mut told = Told {
            messages: messages.collect(),
            moved: Vec::new(),
        };
        let report = prepared.write(writer).await?;
        told.synced(report.rows);
        Ok(told)
    }

    /// Acts, and returns what this actor is told. An error is one that no actor should get.
    pub async fn act(&self, writer: &Writer, deed: Deed, micros: i64) -> Result<Told, String> {
        let text: Text = format!("said at {micros}").parse().unwrap();
        let told = |conversation, id| Told {
            messages: vec![Acknowledged {
                conversation,
                id,
                text: text.as_str().to_owned(),
            }],
            moved: Vec::new(),
        };
        match deed {
            Deed::Seed { place, script } => {
                let talk = self.talks[place];
                let seed = talk.seed(talk.ends_at.then(|| at(T)));
                let script = own_script(script);
                match self.seed(writer, &seed, &script, now(micros)).await {
                    // It reports truthfully that it did not do it.
                    Err(SeedError::Plan { .. } | SeedError::Store(Error::Contended { .. })) => {
                        Ok(Told::default())
                    }
                    done => done.map_err(|error| error.to_string()),
                }
            }
            Deed::Message { place, sender } => {
                let conversation = self.talks[place].conversation();
                let mut all = Told::default();
                for step in 0..3 {
                    let now = now(micros + step * 200);
                    let made = create_message(writer, conversation, person(sender), &text, now);
                    let made = made.await.map_err(|error| error.to_string())?;
                    all.extend(told(conversation, Some(made.id)));
                }
                Ok(all)
            }
            Deed::OldMessage { place, form } => {
                let sk = SortKey::verbatim(OLD_FORMS[form]);
                let message = message(self.talks[place].conversation(), sk, 1, text.as_str());
                self.sandbox.put(raw(&message)).await;
                Ok(told(message.conversation, Some(message.id)))
            }
            Deed::Conversation => {
                let people = [person(1), person(2)];
                create_conversation(writer, people, &text, now(micros))
                    .await
                    .map(|row| told(row.conversation, None))
                    .map_err(|error| error.to_string())
            }
            Deed::Sync => self.sync(writer).await,
            Deed::Repair => self.repair(writer).await,
        }
    }

    /// Moves rows twice, as a follower of the stream does for each message.
    async fn sync(&self, writer: &Writer) -> Result<Told, String> {
        let mut told = Told::default();
        for talk in self.talks.iter().chain(&self.talks) {
            let request = SyncRequest {
                conversation: talk.conversation(),
                missing: Missing::PassOver,
                doubled: Doubled::Leave,
                never_back: false,
            };
            match sync_rows(writer, &request).await {
                Ok(synced) => told.synced(synced),
                Err(Error::Contended { .. }) => {}
                Err(error) => return Err(error.to_string()),
            }
        }
        Ok(told)
    }

    /// Checks and repairs, as `check-conversations --repair` does.
    async fn repair(&self, writer: &Writer) -> Result<Told, String> {
        let mut pass = Pass::default();
        for item in scan(writer).await? {
            pass.take(&(&item).into());
        }
        for conversation in pass.suspects() {
            let owners = pass.owners(conversation);
            let found = [(conversation, owners)];
            let repaired = Box::pin(repair(writer, &found, &Keep::Nowhere)).await;
            repaired.map_err(|error| error.to_string())?;
        }
        Ok(Told::default())
    }

    /// Does what an operator does after the storm, without interference: runs all seeds again, then moves and repairs
    /// rows. Returns what the operator is told, and what failed.
    pub async fn sync_rows(&self, deeds: &[Deed]) -> (Told, Vec<Broken>) {
        let writer = self.sandbox.writer();
        let (mut told, mut broken) = (Told::default(), Vec::new());
        let mut seeded = Vec::new();
        for deed in deeds {
            let Deed::Seed { place, script } = *deed else {
                continue;
            };
            if seeded.contains(deed) {
                continue;
            }
            seeded.push(*deed);
            let talk = self.talks[place];
            let seed = talk.seed(talk.ends_at.then(|| at(T)));
            let script = own_script(script);
            match self.seed(&writer, &seed, &script, now(HOUR)).await {
                Ok(more) => told.extend(more),
                Err(error) => {
                    let what = format!("{deed:?} again");
                    broken.push(Broken::failed(what, &error.to_string()));
                }
            }
        }
        for (what, done) in [
            ("sync in peace", self.sync(&writer).await),
            ("repair in peace", self.repair(&writer).await),
        ] {
            broken.extend(done.err().map(|error| Broken::failed(what, &error)));
        }
        (told, broken)
    }
}

/// Reads the whole table.
pub async fn scan(store: &Store) -> Result<Vec<RawItem>, String> {
    let scan = Scan {
        consistent: true,
        ..Scan::default()
    };
    let pages = store.scan(scan, |items: &mut Vec<RawItem>, item| {
        items.push(item.to_raw());
    });
    let pages = pages.map_ok(|page| page.value);
    let pages: Vec<Vec<RawItem>> = pages
        .try_collect()
        .await
        .map_err(|error| error.to_string())?;
    Ok(pages.concat())
}
