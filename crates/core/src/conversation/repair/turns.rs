//! Planning several conversations in turn, one step of each at a time, so that steps that can be sent at once are next
//! to each other in a plan. The same items always give the same plan.

use std::collections::VecDeque;

use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::{Stream, unfold};
use tokio::sync::mpsc;

use super::RepairPlanner;
use crate::changes::{AT_ONCE, Step};
use crate::conversation::check::FindPerson;
use crate::error::Error;
use crate::key::{ConversationId, UserId};
use crate::timezone::Zone;

/// A piece of a plan that rewrites the older times of conversations.
#[derive(Debug)]
pub enum Planned {
    /// A step.
    Step(Step),
    /// An item that is left, because its time never occurred in the zone.
    NeverWas {
        /// Its conversation.
        conversation: ConversationId,
        /// Its partition key.
        pk: String,
        /// Its sort key: the time.
        sk: String,
    },
    /// All steps of a conversation were planned.
    Whole(ConversationId),
    /// Planning a conversation failed.
    Failed(ConversationId, Error),
}

/// The channel for the pieces of one conversation. Planning waits until they are received.
#[derive(Debug)]
pub(super) struct Out(mpsc::Sender<Planned>);

impl Out {
    pub(super) async fn put(&self, planned: Planned) {
        // A receiver that stops drops this work, too.
        let _ = self.0.send(planned).await;
    }
}

/// A conversation that is being planned.
struct Lane<'m> {
    conversation: ConversationId,
    planning: Option<BoxFuture<'m, Result<(), Error>>>,
    planned: mpsc::Receiver<Planned>,
    failed: Option<Error>,
}

impl<'m> Lane<'m> {
    fn new<F: FindPerson + Sync>(
        planner: &'m RepairPlanner<'_, F>,
        conversation: ConversationId,
        owners: &'m [UserId],
        zone: Zone,
    ) -> Self {
        let (out, planned) = mpsc::channel(1);
        let planning = async move {
            let out = Out(out);
            planner.times_of(conversation, owners, zone, &out).await
        };
        Self {
            conversation,
            planning: Some(planning.boxed()),
            planned,
            failed: None,
        }
    }

    /// Returns the next piece; `None` after the last.
    async fn next(&mut self) -> Option<Planned> {
        while let Some(planning) = &mut self.planning {
            tokio::select! {
                biased;
                Some(planned) = self.planned.recv() => return Some(planned),
                done = planning => {
                    self.failed = done.err();
                    self.planning = None;
                }
            }
        }
        self.planned.recv().await
    }

    fn end(self) -> Planned {
        match self.failed {
            Some(error) => Planned::Failed(self.conversation, error),
            None => Planned::Whole(self.conversation),
        }
    }
}

impl<F: FindPerson + Sync> RepairPlanner<'_, F> {
    /// Plans to rewrite the older times of conversations: [`AT_ONCE`] conversations at a time, one step of each in
    /// turn. The steps of a conversation come in the order in which to carry them out. For each conversation being
    /// planned, a page of messages and the instants of all its messages are in memory.
    pub fn times<'m>(
        &'m self,
        conversations: &'m [(ConversationId, Vec<UserId>)],
        zone: Zone,
    ) -> impl Stream<Item = Planned> + 'm {
        let start = (conversations.iter(), VecDeque::with_capacity(AT_ONCE));
        unfold(start, move |(mut waiting, mut lanes)| async move {
            while lanes.len() < AT_ONCE
                && let Some((conversation, owners)) = waiting.next()
            {
                lanes.push_back(Lane::new(self, *conversation, owners, zone));
            }
            let mut lane = lanes.pop_front()?;
            let planned = match lane.next().await {
                Some(planned) => {
                    lanes.push_back(lane);
                    planned
                }
                None => lane.end(),
            };
            Some((planned, (waiting, lanes)))
        })
    }
}
