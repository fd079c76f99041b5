//! Pulling: copying a conversation into a local table, masked or unchanged.
//!
//! The source is only read: it is a [`Store`], never a writer. The copy is a [`LocalWriter`], which only a local
//! endpoint makes. This example compiles; each of the examples after it differs from it in one thing:
//!
//! ```no_run
//! # use ddb_core::connect::Local;
//! # use ddb_core::retry::ThrottleListener;
//! # use ddb_core::pull::Pull;
//! # use ddb_core::schema::TableName;
//! # use ddb_core::store::{LocalWriter, Store};
//! fn copy(here: &Local, table: TableName) -> LocalWriter {
//!     here.writer(table, ThrottleListener::default())
//! }
//! fn pull<'a>(source: &'a Store, copy: &'a LocalWriter) -> Pull<'a> {
//!     Pull { source, copy, mask: None }
//! }
//! ```
//!
//! Production makes no writer for copies:
//!
//! ```compile_fail,E0599
//! # use ddb_core::connect::Prod;
//! # use ddb_core::retry::ThrottleListener;
//! # use ddb_core::schema::TableName;
//! # use ddb_core::store::LocalWriter;
//! fn copy(aws: &Prod, table: TableName) -> LocalWriter {
//!     aws.writer(table, ThrottleListener::default())
//! }
//! ```
//!
//! Neither does a target that may be production:
//!
//! ```compile_fail,E0599
//! # use ddb_core::connect::Target;
//! # use ddb_core::retry::ThrottleListener;
//! # use ddb_core::schema::TableName;
//! # use ddb_core::store::LocalWriter;
//! fn copy(anywhere: &Target, table: TableName) -> LocalWriter {
//!     anywhere.writer(table, ThrottleListener::default())
//! }
//! ```
//!
//! A copy cannot be written with a [`Writer`](crate::store::Writer), since that may write to production:
//!
//! ```compile_fail,E0308
//! # use ddb_core::pull::Pull;
//! # use ddb_core::store::{Store, Writer};
//! fn pull<'a>(source: &'a Store, allowed: &'a Writer) -> Pull<'a> {
//!     Pull { source, copy: allowed, mask: None }
//! }
//! ```
//!
//! The source cannot be written:
//!
//! ```compile_fail,E0599
//! # use ddb_core::pull::Pull;
//! # use ddb_core::item::Message;
//! async fn write(pull: &Pull<'_>, message: Message) {
//!     let _ = pull.source.put_message(message).await;
//! }
//! ```

mod page;
mod people;

use std::collections::BTreeMap;

use futures::TryStreamExt;
use futures::future::join;

use crate::conversation::{Doubled, Missing, SyncRequest, look, sync_rows};
use crate::error::{CallError, Error};
use crate::item::{ConversationRow, Kind, Person};
use crate::key::{ConversationId, PartitionKey, UserId};
use crate::mask::Mask;
use crate::schema::attribute;
use crate::store::{LocalWriter, Partition, Query, Store};
use page::Sorted;

pub use people::{People, SameHandle};

/// The reason why a conversation was not copied completely.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// Reading the source failed.
    #[error(transparent)]
    Source(#[from] CallError),
    /// Writing or reading the copy failed.
    #[error(transparent)]
    Copy(Error),
    /// Two people have the same invented handle.
    #[error(transparent)]
    SameHandle(#[from] SameHandle),
}

/// Copies conversations from a table into a local one.
#[derive(Debug, Clone, Copy)]
pub struct Pull<'a> {
    /// The table to read.
    pub source: &'a Store,
    /// The table to write.
    pub copy: &'a LocalWriter,
    /// The mask that invents people and texts; `None` to copy them unchanged.
    pub mask: Option<&'a Mask>,
}

/// The counts of a copied conversation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pulled {
    /// Messages that were written, and items of unknown shape, if these are copied.
    pub messages: u64,
    /// Rows that were created, or moved to the newest message.
    pub rows: u64,
    /// Messages, items and rows that already existed.
    pub unchanged: u64,
    /// Items whose keys have other content in the copy, which is left unchanged.
    pub different: u64,
    /// Items of unknown shape that were left out, and messages that cannot be masked because their sort key is not a
    /// time.
    pub left_out: u64,
    /// The number of participants, out of two, who have no row at the source. No row is created for them.
    pub missing_rows: u64,
}

impl Pull<'_> {
    /// Returns the id that a conversation has in the copy.
    pub fn id_of_copy(&self, conversation: ConversationId) -> ConversationId {
        self.mask
            .map_or(conversation, |mask| mask.conversation(conversation))
    }

    fn id_of_person(&self, id: UserId) -> UserId {
        self.mask.map_or(id, |mask| mask.user(id))
    }

    fn person(&self, person: &Person) -> Person {
        match self.mask {
            Some(mask) => mask.person(person.id),
            None => person.clone(),
        }
    }

    /// Copies one conversation: its messages, page by page, then its rows as in access pattern E. Existing items are
    /// left unchanged, so a later run copies what is new, and continues an interrupted run. Adds the people of the copy
    /// to `people`, and calls `see` with the counts so far.
    ///
    /// # Errors
    ///
    /// [`PullError`] says on which side a request failed. What was written stays.
    pub async fn conversation(
        &self,
        conversation: ConversationId,
        people: &mut People,
        mut see: impl FnMut(&Pulled),
    ) -> Result<Pulled, PullError> {
        let mut pulled = Pulled::default();
        // The last name read for each person.
        let mut senders: BTreeMap<UserId, Person> = BTreeMap::new();
        let query = Query::new(Partition::Table(PartitionKey::Messages(conversation)));
        let mut pages = std::pin::pin!(self.source.query(query));
        let mut page = pages.try_next().await?;
        while let Some(current) = page {
            let sorted = Sorted::of(current.items, self.mask, &mut senders);
            pulled.left_out += sorted.left_out;
            // The next page is read while this one is written.
            let written = sorted.write(self.copy, self.id_of_copy(conversation));
            let (written, next) = join(written, pages.try_next()).await;
            let written = written.map_err(PullError::Copy)?;
            pulled.messages += written.messages;
            pulled.unchanged += written.unchanged;
            pulled.different += written.different;
            see(&pulled);
            page = next?;
        }
        self.rows(conversation, &senders, people, &mut pulled)
            .await?;
        for person in senders.values() {
            people.see(self.person(person))?;
        }
        Ok(pulled)
    }

    /// Creates the rows that exist at the source, and moves them to the newest message of the copy.
    async fn rows(
        &self,
        conversation: ConversationId,
        senders: &BTreeMap<UserId, Person>,
        people: &mut People,
        pulled: &mut Pulled,
    ) -> Result<(), PullError> {
        pulled.left_out += self.unknown_rows(conversation).await?;
        let known: Vec<UserId> = senders.keys().copied().collect();
        let looked = look(self.source, conversation, &known).await?;
        let mut rows: BTreeMap<UserId, ConversationRow> = BTreeMap::new();
        for row in looked.into_iter().flat_map(|(_, rows)| rows) {
            rows.entry(row.owner).or_insert(row);
        }
        if rows.is_empty() && senders.is_empty() {
            return Ok(());
        }
        pulled.missing_rows = 2u64.saturating_sub(rows.len() as u64);
        let copied = rows.values().map(|row| {
            let owner = self.id_of_person(row.owner);
            (owner, self.person(&row.other))
        });
        let request = SyncRequest {
            conversation: self.id_of_copy(conversation),
            missing: Missing::CreateThese(copied.collect()),
            doubled: Doubled::Leave,
            never_back: true,
        };
        let synced = sync_rows(self.copy, &request).await;
        let synced = synced.map_err(PullError::Copy)?;
        pulled.rows += (synced.created.len() + synced.updated.len()) as u64;
        pulled.unchanged += synced.unchanged.len() as u64;
        for row in rows.values() {
            people.see(self.person(&row.other))?;
        }
        Ok(())
    }

    /// Counts items of unknown shape that the index lists for the conversation. Items of the conversation's own
    /// partition were counted with the messages.
    async fn unknown_rows(&self, conversation: ConversationId) -> Result<u64, CallError> {
        let query = Query::new(Partition::ConversationIndex(conversation));
        let mut pages = std::pin::pin!(self.source.query(query));
        let own = PartitionKey::Messages(conversation).to_string();
        let mut unknown = 0;
        while let Some(page) = pages.try_next().await? {
            let elsewhere = page.items.iter().filter(|item| {
                let pk = item.get(attribute::PK).and_then(|pk| pk.as_s().ok());
                Kind::of(*item) == Kind::Unknown && pk != Some(&own)
            });
            unknown += elsewhere.count() as u64;
        }
        Ok(unknown)
    }
}

/// Finds the conversations of a person from their rows, newest first. Conversations without messages are left out, and
/// counted.
pub async fn all_of(store: &Store, me: UserId) -> Result<(Vec<ConversationId>, u64), CallError> {
    let rows = crate::conversation::find_conversations(store, me, |_| true).await?;
    let (mut found, mut stray) = (Vec::new(), 0);
    for row in rows {
        let messages = PartitionKey::Messages(row.conversation);
        match crate::conversation::has_items(store, messages).await? {
            true => found.push(row.conversation),
            false => stray += 1,
        }
    }
    Ok((found, stray))
}
