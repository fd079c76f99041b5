//! Rewriting older times in the written form.
//!
//! A message moves to its new key in one transaction: the old item is deleted and the new one is put. Messages whose
//! new key sorts later move first, newest first; then the messages whose new key sorts earlier, oldest first. Readers
//! take the message with the highest key as the newest. Whenever that message changes, the rows change in the same
//! transaction, so that a reader never sees it go back.

use std::collections::{BTreeSet, HashSet};

use aws_sdk_dynamodb::types::AttributeValue;
use futures::TryStreamExt;

use super::RepairPlanner;
use super::turns::{Out, Planned};
use super::zone::{Written, written};
use crate::changes::{Packer, Step};
use crate::conversation::check::{FindPerson, Rule, rows_of};
use crate::conversation::read::newest_message;
use crate::conversation::rows::{free_row_key, is_at_target, look};
use crate::error::Error;
use crate::item::{ConversationRow, Item, Message, RawItem};
use crate::key::{ConversationId, PartitionKey, SortKey, UserId};
use crate::schema::attribute;
use crate::store::{Direction, ItemChange, MAX_BUMP_MICROS, Partition, Query};
use crate::timezone::Zone;

const WHY: &str = Rule::TimeForm.as_str();
/// The page size for reading messages. Several conversations are planned at once, each with a page in memory.
const PAGE: u32 = 1_000;

/// Plans to rewrite the times of one conversation.
struct Times<'m, 'a, F> {
    planner: &'m RepairPlanner<'a, F>,
    conversation: ConversationId,
    zone: Zone,
    /// The final instants of messages.
    taken: HashSet<i64>,
    /// The message that readers take as the newest at this point of the plan.
    top: Option<Message>,
    /// The message with the highest final key among all others.
    second: Option<Message>,
    rows: Vec<ConversationRow>,
    packer: Packer,
    /// Keys that this plan gives to rows.
    given: BTreeSet<(UserId, SortKey)>,
    never_was: Vec<(String, String)>,
}

impl<F: FindPerson + Sync> RepairPlanner<'_, F> {
    /// Plans to rewrite the older times of a conversation. Starts from its rows as the plan leaves them, or reads them
    /// if the plan does not have them. Sends steps, and items whose time never occurred in the zone, one at a time.
    pub(super) async fn times_of(
        &self,
        conversation: ConversationId,
        owners: &[UserId],
        zone: Zone,
        out: &Out,
    ) -> Result<(), Error> {
        let rows = match self.rows_then.get(&conversation) {
            Some(rows) => rows.clone(),
            None => match look(self.store, conversation, owners).await? {
                Some((_, rows)) => rows,
                None => rows_of(self.store, conversation, owners).await?,
            },
        };
        let mut times = Times::new(self, conversation, zone, rows);
        Box::pin(times.pass(Direction::Descending, out)).await?;
        Box::pin(times.pass(Direction::Ascending, out)).await?;
        for step in times.rest().await? {
            out.put(Planned::Step(step)).await;
        }
        for (pk, sk) in times.never_was {
            out.put(Planned::NeverWas {
                conversation,
                pk,
                sk,
            })
            .await;
        }
        Ok(())
    }

    /// Plans a step again after its items changed: the rest of its messages and rows.
    pub(super) async fn times_again(&self, step: &Step) -> Result<Vec<Step>, Error> {
        let (Some(conversation), Some(zone)) = (step.conversation, self.zone) else {
            return Ok(Vec::new());
        };
        let owners: Vec<UserId> = super::owners_of(step).collect();
        let looked = look(self.store, conversation, &owners).await?;
        let rows = match looked {
            Some((_, rows)) => rows,
            None => rows_of(self.store, conversation, &owners).await?,
        };
        let mut times = Times::new(self, conversation, zone, rows);
        times.top = newest_message(self.store, conversation).await?;
        let mut steps = Vec::new();
        for change in &step.changes {
            if change.before().is_none() || super::owner_of(change).is_some() {
                continue;
            }
            let Some(item) = self.store.read_again(change).await? else {
                continue;
            };
            if let Item::Message(message) = Item::decode(item.clone()) {
                steps.extend(times.move_again(message, item).await?);
            }
        }
        steps.extend(times.rest().await?);
        Ok(steps)
    }
}

impl<'m, 'a, F: FindPerson + Sync> Times<'m, 'a, F> {
    fn new(
        planner: &'m RepairPlanner<'a, F>,
        conversation: ConversationId,
        zone: Zone,
        rows: Vec<ConversationRow>,
    ) -> Self {
        Self {
            planner,
            conversation,
            zone,
            taken: HashSet::new(),
            top: None,
            second: None,
            rows,
            packer: Packer::new(planner.size),
            given: BTreeSet::new(),
            never_was: Vec::new(),
        }
    }

    /// Reads all messages in one direction, and plans the moves that are made in that direction.
    async fn pass(&mut self, direction: Direction, out: &Out) -> Result<(), Error> {
        let partition = Partition::Table(PartitionKey::Messages(self.conversation));
        let query = Query::new(partition)
            .direction(direction)
            .consistent()
            .page_size(PAGE);
        let mut pages = std::pin::pin!(self.planner.store.query(query));
        while let Some(page) = pages.try_next().await? {
            for item in page.items {
                let Item::Message(message) = Item::decode(item.clone()) else {
                    continue;
                };
                let steps = match direction {
                    Direction::Descending => Box::pin(self.take_down(message, item)).await?,
                    Direction::Ascending => Box::pin(self.take_up(message, item)).await?,
                };
                for step in steps {
                    out.put(Planned::Step(step)).await;
                }
            }
        }
        if let Some(step) = self.packer.finish() {
            out.put(Planned::Step(step)).await;
        }
        Ok(())
    }

    /// Takes the next message of the descending pass, and moves it if its new key sorts later.
    async fn take_down(&mut self, message: Message, item: RawItem) -> Result<Vec<Step>, Error> {
        let is_top = self.top.is_none();
        if is_top {
            self.top = Some(message.clone());
        }
        let key = match written(&message.created_at, self.zone) {
            Written::Already => {
                if let Ok(time) = message.created_at.time() {
                    self.taken.insert(time.micros());
                }
                message.created_at.clone()
            }
            Written::Unreadable => message.created_at.clone(),
            Written::NeverWas => {
                let pk = PartitionKey::Messages(self.conversation).to_string();
                self.never_was.push((pk, message.created_at.to_string()));
                message.created_at.clone()
            }
            Written::As(time) if SortKey::from(time) > message.created_at => {
                let key = self
                    .free(time.micros())
                    .ok_or_else(|| self.no_key(&message))?;
                let moved = Message {
                    created_at: key.clone(),
                    ..message
                };
                let rises = self
                    .top
                    .as_ref()
                    .is_none_or(|top| moved.created_at > top.created_at);
                self.remember(is_top, &moved);
                return self.moved(item, moved, rises).await;
            }
            // It is moved by the ascending pass.
            Written::As(time) => SortKey::from(time),
        };
        let in_the_end = Message {
            created_at: key,
            ..message
        };
        self.remember(is_top, &in_the_end);
        Ok(Vec::new())
    }

    /// Remembers the message with the highest final key among all except the top.
    fn remember(&mut self, is_top: bool, in_the_end: &Message) {
        let is_later = |second: &Message| in_the_end.created_at > second.created_at;
        if !is_top && self.second.as_ref().is_none_or(is_later) {
            self.second = Some(in_the_end.clone());
        }
    }

    /// Takes the next message of the ascending pass, and moves it if its new key sorts earlier.
    async fn take_up(&mut self, message: Message, item: RawItem) -> Result<Vec<Step>, Error> {
        let Written::As(time) = written(&message.created_at, self.zone) else {
            return Ok(Vec::new());
        };
        if SortKey::from(time) > message.created_at {
            return Ok(Vec::new());
        }
        let key = self
            .free(time.micros())
            .ok_or_else(|| self.no_key(&message))?;
        let is_top = self
            .top
            .as_ref()
            .is_some_and(|top| top.created_at == message.created_at);
        let moved = Message {
            created_at: key,
            ..message
        };
        match self.second.clone().filter(|_| is_top) {
            Some(second) if second.created_at > moved.created_at => {
                let change = self.pair(item, &moved);
                self.new_top(second, change).await
            }
            _ => self.moved(item, moved, is_top).await,
        }
    }

    /// Plans the move of one message, and of the rows if it is the newest after that.
    async fn moved(
        &mut self,
        item: RawItem,
        moved: Message,
        is_top: bool,
    ) -> Result<Vec<Step>, Error> {
        let change = self.pair(item, &moved);
        if is_top {
            return self.new_top(moved, change).await;
        }
        let step = self.packer.add(Some(self.conversation), WHY, change);
        Ok(step.into_iter().collect())
    }

    /// Makes the changes that delete a message and put it under its new key.
    fn pair(&self, item: RawItem, moved: &Message) -> Vec<ItemChange> {
        const KEYED: &str = "a message has a key";
        let mut put = item.clone();
        put.insert(
            attribute::SK.to_owned(),
            AttributeValue::S(moved.created_at.to_string()),
        );
        if let Some(person) = self.planner.names.get(&moved.sender.id) {
            for (name, text) in [
                (attribute::USER_DISPLAY_NAME, &person.display_name),
                (attribute::USER_HANDLE, &person.handle),
            ] {
                put.insert(name.to_owned(), AttributeValue::S(text.clone()));
            }
        }
        vec![
            ItemChange::new(Some(item), None).expect(KEYED),
            ItemChange::new(None, Some(put)).expect(KEYED),
        ]
    }

    /// Makes a message the one that readers take as the newest. The rows change in the same transaction.
    async fn new_top(
        &mut self,
        top: Message,
        mut changes: Vec<ItemChange>,
    ) -> Result<Vec<Step>, Error> {
        let old = self.top.replace(top.clone());
        let mut steps: Vec<Step> = self.packer.finish().into_iter().collect();
        for row in std::mem::take(&mut self.rows) {
            let follows = old.as_ref().is_none_or(|old| is_at_target(&row, old));
            if !follows {
                self.rows.push(row);
                continue;
            }
            let key = Box::pin(self.row_key(row.owner, &top)).await?;
            changes.extend(self.row_to(row, key, &top.text));
        }
        steps.push(self.step(changes));
        Ok(steps)
    }

    fn step(&self, changes: Vec<ItemChange>) -> Step {
        Step {
            conversation: Some(self.conversation),
            why: WHY.into(),
            changes,
        }
    }

    /// Moves a row to a key, or changes its text if it has that key already.
    fn row_to(&mut self, row: ConversationRow, key: SortKey, text: &str) -> Vec<ItemChange> {
        const KEYED: &str = "a row has a key";
        let other = self.planner.names.get(&row.other.id).unwrap_or(&row.other);
        let new = ConversationRow {
            last_message_at: key,
            text: text.to_owned(),
            other: other.clone(),
            ..row.clone()
        };
        self.given.insert((new.owner, new.last_message_at.clone()));
        self.rows.push(new.clone());
        if new == row {
            return Vec::new();
        }
        let (old, put) = (Some(RawItem::from(&row)), Some(RawItem::from(&new)));
        if new.last_message_at == row.last_message_at {
            return vec![ItemChange::new(old, put).expect(KEYED)];
        }
        vec![
            ItemChange::new(old, None).expect(KEYED),
            ItemChange::new(None, put).expect(KEYED),
        ]
    }

    /// Finds the key of a row for the newest message: the message's key, or the first free key after it.
    async fn row_key(&self, owner: UserId, top: &Message) -> Result<SortKey, Error> {
        let planned = self.planner.planned_keys(owner);
        let own = self.planner.rows_then.get(&self.conversation);
        let is_own = |key: &SortKey| {
            let at = |row: &ConversationRow| row.owner == owner && row.last_message_at == *key;
            own.is_some_and(|rows| rows.iter().any(at))
        };
        free_row_key(self.planner.store, owner, top, |key| {
            let is_planned = planned.is_some_and(|keys| keys.contains(key)) && !is_own(key);
            is_planned || self.given.contains(&(owner, key.clone()))
        })
        .await
    }

    /// Plans the rest: rows whose own time is in an older form.
    async fn rest(&mut self) -> Result<Vec<Step>, Error> {
        let mut steps: Vec<Step> = self.packer.finish().into_iter().collect();
        for row in std::mem::take(&mut self.rows) {
            let time = match written(&row.last_message_at, self.zone) {
                Written::As(time) => time,
                Written::NeverWas => {
                    let pk = PartitionKey::Rows(row.owner).to_string();
                    self.never_was.push((pk, row.last_message_at.to_string()));
                    self.rows.push(row);
                    continue;
                }
                Written::Already | Written::Unreadable => {
                    self.rows.push(row);
                    continue;
                }
            };
            let at = match &self.top {
                Some(top) if is_at_target(&row, top) => top.clone(),
                // A row that is not at the top message, or whose conversation has no messages, keeps its own time.
                _ => Message {
                    conversation: row.conversation,
                    created_at: time.into(),
                    id: crate::key::MessageId::new(uuid::Uuid::nil()),
                    text: row.text.clone(),
                    sender: row.other.clone(),
                },
            };
            let key = match written(&at.created_at, self.zone) {
                Written::Already => self.row_key(row.owner, &at).await?,
                _ => time.into(),
            };
            let text = row.text.clone();
            let changes = self.row_to(row, key, &text);
            if !changes.is_empty() {
                steps.push(self.step(changes));
            }
        }
        Ok(steps)
    }

    /// Takes the first free instant, starting at `micros`.
    fn free(&mut self, micros: i64) -> Option<SortKey> {
        let mut free = (micros..=micros.checked_add(MAX_BUMP_MICROS)?)
            .filter(|micros| !self.taken.contains(micros));
        let micros = free.next()?;
        self.taken.insert(micros);
        crate::timestamp::Timestamp::from_micros(micros).map(SortKey::from)
    }

    fn no_key(&self, message: &Message) -> Error {
        Error::NoFreeKey {
            destination: self.planner.store.destination().to_owned(),
            partition: PartitionKey::Messages(self.conversation).to_string(),
            first: message.created_at.to_string(),
            last: message.created_at.to_string(),
        }
    }

    /// Plans the move of one message from the current contents of the table.
    async fn move_again(&mut self, message: Message, item: RawItem) -> Result<Vec<Step>, Error> {
        let Written::As(time) = written(&message.created_at, self.zone) else {
            return Ok(Vec::new());
        };
        let partition = PartitionKey::Messages(self.conversation);
        let key = loop {
            let key = self
                .free(time.micros())
                .ok_or_else(|| self.no_key(&message))?;
            if self.planner.store.get(&partition, &key).await?.is_none() {
                break key;
            }
        };
        let is_top = self
            .top
            .as_ref()
            .is_some_and(|top| top.created_at <= message.created_at);
        let rises = self.top.as_ref().is_some_and(|top| top.created_at < key);
        let moved = Message {
            created_at: key,
            ..message
        };
        self.moved(item, moved, is_top || rises).await
    }
}
