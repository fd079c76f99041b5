//! Writing a synthetic load: many batches in flight, and a run that was cut goes on where it stopped.
//!
//! A conversation's rows are written after its messages, so they say that it is there. Where only the
//! newest message is there, which is written first, a run was cut, or the rows have moved on since: its
//! messages are put again, byte for byte, and its rows are settled with care. All other conversations are
//! new, so their rows go out in batches, too.
//!
//! A batch takes no conditions, and here none is needed: the ids of a load are its own, and keys and contents
//! follow from its arguments. What two runs at the same time put under one key is the same item.

use std::sync::atomic::{AtomicU64, Ordering};

use futures::{StreamExt, TryStreamExt, stream};

use super::generate::{Synthetic, SyntheticGroup};
use crate::conversation::{Doubled, Missing, Settlement, settle};
use crate::error::{CallError, Error};
use crate::key::{PartitionKey, SortKey};
use crate::pace::{Rate, Window};
use crate::store::{Batch, Encoded, Store, Writer};

/// How many conversations are looked at and written together: their rows fill a batch.
const CHUNK: u64 = 12;
/// The most batches in flight.
const IN_FLIGHT: usize = 32;

/// Counts messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Those that were written.
    pub written: u64,
    /// Those that were there.
    pub unchanged: u64,
}

/// How far the conversations of a chunk are.
enum State {
    Done,
    Begun,
    New,
}

type Key = (PartitionKey, SortKey);

/// The keys that tell how far a conversation is: its newest message, and its rows.
fn marks(group: &SyntheticGroup) -> Option<(Key, [Key; 2])> {
    let rows = group.rows()?;
    let newest = (
        PartitionKey::Messages(group.id),
        rows[0].last_message_at.clone(),
    );
    let rows = rows.map(|row| (PartitionKey::Groups(row.owner), row.last_message_at));
    Some((newest, rows))
}

fn chunks(load: &Synthetic) -> impl Iterator<Item = Vec<SyntheticGroup>> {
    let groups = load.groups();
    (0..groups.div_ceil(CHUNK)).map(move |chunk| {
        let first = chunk * CHUNK;
        (first..groups.min(first + CHUNK))
            .map(|number| load.group(number))
            .collect()
    })
}

async fn look(
    store: &Store,
    groups: Vec<SyntheticGroup>,
) -> Result<Vec<(SyntheticGroup, State)>, CallError> {
    let marked: Vec<_> = groups
        .into_iter()
        .filter_map(|group| marks(&group).map(|marks| (group, marks)))
        .collect();
    let keys: Vec<Key> = marked
        .iter()
        .flat_map(|(_, (newest, rows))| std::iter::once(newest).chain(rows).cloned())
        .collect();
    let there = store.which_are_there(&keys).await?;
    let states = marked.into_iter().map(|(group, (newest, rows))| {
        let state = if rows.iter().all(|row| there.contains(row)) {
            State::Done
        } else if there.contains(&newest) {
            State::Begun
        } else {
            State::New
        };
        (group, state)
    });
    Ok(states.collect())
}

/// Counts what is there of a load and what is not, and writes nothing.
///
/// # Errors
///
/// When a request fails.
pub async fn survey(store: &Store, load: &Synthetic) -> Result<Loaded, Error> {
    let looked = stream::iter(chunks(load).map(|groups| look(store, groups)));
    let mut looked = looked.buffer_unordered(IN_FLIGHT);
    let mut found = Loaded::default();
    while let Some(groups) = looked.try_next().await? {
        for (group, state) in groups {
            match state {
                State::Done => found.unchanged += group.messages,
                State::Begun | State::New => found.written += group.messages,
            }
        }
    }
    Ok(found)
}

/// How far a load is; it can be asked at any time.
#[derive(Debug, Default)]
pub struct Loading {
    written: AtomicU64,
    unchanged: AtomicU64,
}

impl Loading {
    /// Returns how far the load is.
    pub fn loaded(&self) -> Loaded {
        Loaded {
            written: self.written.load(Ordering::Relaxed),
            unchanged: self.unchanged.load(Ordering::Relaxed),
        }
    }
}

/// Writes what is not there of a load.
///
/// # Errors
///
/// When a request fails for another reason than that the service asks for less load, or when it asks for
/// that for too long: [`Error::PartlyWritten`] where something was written. A later run goes on there.
pub async fn load(
    writer: &Writer,
    load: &Synthetic,
    rate: Option<Rate>,
    loading: &Loading,
) -> Result<(), Error> {
    let loader = Loader {
        writer,
        window: Window::new(IN_FLIGHT),
        rate,
        loading,
    };
    let done = stream::iter(chunks(load).map(|groups| loader.write(groups)))
        .buffer_unordered(IN_FLIGHT)
        .try_collect::<()>();
    let error = match done.await {
        Ok(()) => return Ok(()),
        Err(error) => error,
    };
    let Loaded { written, unchanged } = loading.loaded();
    match error {
        error @ (Error::Contended { .. } | Error::NoFreeKey { .. }) => Err(error),
        Error::Call(error) if written == 0 && !error.is_throttling() => Err(error.into()),
        error => Err(Error::PartlyWritten {
            place: writer.place().to_owned(),
            written,
            unwritten: load.messages().saturating_sub(written + unchanged),
            cause: error.into_cause(),
        }),
    }
}

struct Loader<'a> {
    writer: &'a Writer,
    window: Window,
    rate: Option<Rate>,
    loading: &'a Loading,
}

impl Loader<'_> {
    async fn write(&self, groups: Vec<SyntheticGroup>) -> Result<(), Error> {
        let groups = look(self.writer, groups).await?;
        let mut batch = Batch::default();
        for (group, state) in &groups {
            if let State::Done = state {
                self.loading
                    .unchanged
                    .fetch_add(group.messages, Ordering::Relaxed);
                continue;
            }
            for message in group.messages() {
                if let Some(full) = batch.put_message(&message)? {
                    self.send_messages(&full).await?;
                }
            }
        }
        if let Some(last) = batch.take() {
            self.send_messages(&last).await?;
        }
        for (group, state) in &groups {
            match state {
                State::Done => {}
                State::Begun => self.settle(group).await?,
                State::New => {
                    for row in group.rows().iter().flatten() {
                        if let Some(full) = batch.put_row(row)? {
                            self.send(&full).await?;
                        }
                    }
                }
            }
        }
        match batch.take() {
            Some(last) => self.send(&last).await,
            None => Ok(()),
        }
    }

    async fn settle(&self, group: &SyntheticGroup) -> Result<(), Error> {
        let settlement = Settlement {
            group: group.id,
            missing: Missing::Create(Box::new(group.people.clone())),
            doubled: Doubled::Leave,
            never_back: true,
        };
        settle(self.writer, &settlement).await?;
        Ok(())
    }

    async fn send_messages(&self, batch: &Encoded) -> Result<(), Error> {
        let sent = self.send(batch).await;
        let written = match &sent {
            Ok(()) => batch.items(),
            Err(Error::PartlyWritten { written, .. }) => *written,
            Err(_) => 0,
        };
        self.loading.written.fetch_add(written, Ordering::Relaxed);
        sent
    }

    async fn send(&self, batch: &Encoded) -> Result<(), Error> {
        let rate = self.rate.as_ref();
        self.writer.put_batch(batch, &self.window, rate).await
    }
}
