//! Synthetic loads: conversations of invented people. The same parameters give the same load on any machine.

use std::time::Duration;

use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::Rng;
use uuid::{Builder, Uuid};

use crate::item::{ConversationRow, Message, Person};
use crate::key::{ConversationId, MessageId, UserId};
use crate::timestamp::Timestamp;

/// The namespace of all synthetic ids (UUIDv5, RFC 9562, section 5.5).
const NAMESPACE: Uuid = uuid::uuid!("8f1d0c52-6f0e-4a39-9d4b-2f7c41c5b7ae");

/// The reason why a load is not possible.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SyntheticError {
    /// There are too few users: a conversation has two people.
    #[error("a load needs at least 2 users")]
    TooFewUsers,
    /// The interval is too short: two messages cannot have the same time.
    #[error("the time between two messages must be at least 1us")]
    NoInterval,
    /// The load would begin before the year 0000.
    #[error("the load reaches back to before the year 0000")]
    OutOfRange,
}

/// The description of a load.
///
/// Conversation `n`, counted from 0, ends `n` intervals before `ends_at`, so that no two conversations end at the same
/// time and no two rows of a user have the same key. Its messages are one interval apart on average. All ids are
/// derived from the description without the number of messages, so a larger load contains all complete conversations of
/// a smaller one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Synthetic {
    messages: u64,
    per_group: u64,
    users: u64,
    ends_at: Timestamp,
    interval: i64,
    namespace: Uuid,
}

impl Synthetic {
    /// Describes a load of `messages` messages in conversations of `per_group` messages each, between `users` users.
    /// Another `rng_seed` makes another load.
    pub fn new(
        messages: u64,
        per_group: u32,
        users: u32,
        rng_seed: u64,
        ends_at: Timestamp,
        interval: Duration,
    ) -> Result<Self, SyntheticError> {
        let interval = i64::try_from(interval.as_micros());
        let interval = interval.map_err(|_| SyntheticError::OutOfRange)?;
        if interval < 1 {
            return Err(SyntheticError::NoInterval);
        }
        if users < 2 {
            return Err(SyntheticError::TooFewUsers);
        }
        let name = format!("{rng_seed}\n{per_group}\n{users}\n{ends_at}\n{interval}");
        let load = Self {
            messages,
            per_group: u64::from(per_group.max(1)),
            users: u64::from(users),
            ends_at,
            interval,
            namespace: Uuid::new_v5(&NAMESPACE, name.as_bytes()),
        };
        // Messages are at most two intervals apart.
        let reach = load.per_group.checked_mul(2);
        let reach = reach.and_then(|reach| reach.checked_add(load.conversations()));
        reach
            .and_then(|reach| i64::try_from(reach).ok()?.checked_mul(-interval))
            .and_then(|micros| ends_at.plus_micros(micros))
            .ok_or(SyntheticError::OutOfRange)?;
        Ok(load)
    }

    /// Returns the number of messages.
    pub fn messages(&self) -> u64 {
        self.messages
    }

    /// Returns the number of conversations.
    pub fn conversations(&self) -> u64 {
        self.messages.div_ceil(self.per_group)
    }

    /// Returns the time of the oldest message of the oldest conversation.
    pub fn first_at(&self) -> Timestamp {
        let oldest = self.conversation(self.conversations().saturating_sub(1));
        let first = oldest.messages().last();
        first
            .and_then(|message| message.created_at.time().ok())
            .unwrap_or(self.ends_at)
    }

    /// Returns conversation `number`, from 0.
    pub fn conversation(&self, number: u64) -> SyntheticConversation {
        let before = number * self.per_group;
        let messages = self.per_group.min(self.messages.saturating_sub(before));
        // A conversation with fewer messages has another id than the complete one.
        let name = format!("group {number} of {messages}");
        let id = Uuid::new_v5(&self.namespace, name.as_bytes());
        let mut random = Pcg64Mcg::new(id.as_u128());
        let first = random.next_u64() % self.users;
        let second = (first + 1 + random.next_u64() % (self.users - 1)) % self.users;
        let back = i64::try_from(number).unwrap_or(i64::MAX);
        let ends_at = self
            .ends_at
            .plus_micros(back.saturating_mul(-self.interval))
            .unwrap_or(self.ends_at);
        SyntheticConversation {
            id: ConversationId::new(id),
            people: [self.user(first), self.user(second)],
            messages,
            ends_at,
            interval: self.interval,
            random,
        }
    }

    fn user(&self, number: u64) -> Person {
        const NAMES: [&str; 12] = [
            "Ada", "Björn", "Chiara", "Dmitri", "Esi", "Farah", "Guo", "Hana", "Iker", "Jana",
            "Kofi", "Lena",
        ];
        let name = NAMES[(number % NAMES.len() as u64) as usize];
        Person {
            id: UserId::new(Uuid::new_v5(
                &self.namespace,
                format!("user {number}").as_bytes(),
            )),
            display_name: format!("{name} {number}"),
            handle: format!("user{number}"),
        }
    }
}

/// A synthetic conversation.
#[derive(Debug, Clone)]
pub struct SyntheticConversation {
    /// Its id.
    pub id: ConversationId,
    /// The two people.
    pub people: [Person; 2],
    /// The number of its messages.
    pub messages: u64,
    /// The time of its last message.
    pub ends_at: Timestamp,
    interval: i64,
    random: Pcg64Mcg,
}

impl SyntheticConversation {
    /// Makes the messages, newest first.
    pub fn messages(&self) -> impl Iterator<Item = Message> + use<> {
        let mut conversation = self.clone();
        (0..self.messages).map(move |_| conversation.next_message())
    }

    fn next_message(&mut self) -> Message {
        let created_at = self.ends_at;
        // From one microsecond to just under two intervals, one interval on average.
        let gap = 1 + self.random.next_u64() % (2 * self.interval - 1).unsigned_abs();
        let back = i64::try_from(gap).unwrap_or(i64::MAX);
        self.ends_at = created_at.plus_micros(-back).unwrap_or(created_at);
        let id = u128::from(self.random.next_u64()) << 64 | u128::from(self.random.next_u64());
        let sender = &self.people[(self.random.next_u64() % 2) as usize];
        Message {
            conversation: self.id,
            created_at: created_at.into(),
            id: MessageId::new(Builder::from_random_bytes(id.to_be_bytes()).into_uuid()),
            sender: sender.clone(),
            text: text(&mut self.random),
        }
    }

    /// Makes the two rows, at the newest message.
    pub fn rows(&self) -> Option<[ConversationRow; 2]> {
        let newest = self.messages().next()?;
        let row = |owner: usize| ConversationRow {
            owner: self.people[owner].id,
            last_message_at: newest.created_at.clone(),
            conversation: self.id,
            text: newest.text.clone(),
            other: self.people[1 - owner].clone(),
        };
        Some([row(0), row(1)])
    }
}

const WORDS: [&str; 48] = [
    "the", "train", "coffee", "you", "we", "after", "maybe", "tomorrow", "is", "was", "late",
    "again", "with", "my", "bicycle", "under", "bridge", "please", "send", "photo", "of", "it",
    "soup", "never", "mind", "ja", "déjà", "vu", "ok", "so", "what", "about", "friday", "rain",
    "limit", "keys", "found", "lost", "two", "at", "nine", "harbour", "then", "call", "me", "no",
    "really", "🙂",
];

/// Makes a text of 1 to 1024 characters: usually a short line, sometimes a paragraph.
fn text(random: &mut Pcg64Mcg) -> String {
    let shape = random.next_u64();
    let words = match shape % 64 {
        0 => 80 + shape / 64 % 40,
        1..=8 => 20 + shape / 64 % 20,
        _ => 1 + shape / 64 % 12,
    };
    let mut text = String::with_capacity(words as usize * 7);
    let mut bits = 0;
    for word in 0..words {
        if word % 10 == 0 {
            bits = random.next_u64();
        }
        if word > 0 {
            text.push(' ');
        }
        text.push_str(WORDS[(bits % WORDS.len() as u64) as usize]);
        bits /= WORDS.len() as u64;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn load(messages: u64) -> Synthetic {
        let ends_at = "2026-03-22T08:00:00Z".parse().unwrap();
        Synthetic::new(messages, 50, 20, 7, ends_at, Duration::from_secs(60)).unwrap()
    }

    fn all(load: &Synthetic) -> Vec<Message> {
        let conversations = (0..load.conversations()).map(|number| load.conversation(number));
        conversations
            .flat_map(|conversation| conversation.messages())
            .collect()
    }

    /// Every later version makes the same load, so that an interrupted run can be continued.
    #[test]
    fn the_load_is_the_same_everywhere() {
        let conversation = load(120).conversation(1);
        let first = conversation.messages().next().unwrap();
        assert_eq!(
            format!(
                "{} {} {} {}",
                conversation.id, first.created_at, first.id, first.text
            ),
            "6dff104a-93e9-56d0-9306-a4245fa420bc 2026-03-22T07:59:00.000000+00:00 \
             adbce379-2c80-4358-856f-3fc77607189e me again soup my soup ja the again ok call at"
        );
    }

    #[test]
    fn every_message_and_every_row_has_a_key_of_its_own() {
        let load = load(5_020);
        assert_eq!(load.conversations(), 101);
        let messages = all(&load);
        assert_eq!(messages.len(), 5_020);
        let keys: HashSet<_> = messages
            .iter()
            .map(|message| (message.conversation, message.created_at.clone()))
            .collect();
        assert_eq!(keys.len(), 5_020);
        let rows: HashSet<_> = (0..load.conversations())
            .flat_map(|number| load.conversation(number).rows().unwrap())
            .map(|row| (row.owner, row.last_message_at))
            .collect();
        assert_eq!(rows.len(), 202);
        for message in &messages {
            let characters = message.text.chars().count();
            assert!((1..=1024).contains(&characters));
            assert!(message.created_at.is_written_form());
        }
    }

    #[test]
    fn rows_are_at_the_newest_message_and_name_each_other() {
        let conversation = load(120).conversation(2);
        assert_eq!(conversation.messages().count(), 20);
        let newest = conversation
            .messages()
            .max_by_key(|message| message.created_at.clone());
        let newest = newest.unwrap();
        let rows = conversation.rows().unwrap();
        for (mine, other) in [(0, 1), (1, 0)] {
            assert_eq!(rows[mine].last_message_at, newest.created_at);
            assert_eq!(rows[mine].text, newest.text);
            assert_eq!(rows[mine].owner, rows[other].other.id);
        }
        assert_ne!(rows[0].owner, rows[1].owner);
    }

    #[test]
    fn a_larger_load_holds_a_smaller_one() {
        let small: HashSet<_> = all(&load(100))
            .into_iter()
            .map(|message| message.id)
            .collect();
        let large: HashSet<_> = all(&load(240))
            .into_iter()
            .map(|message| message.id)
            .collect();
        assert!(small.is_subset(&large));
    }

    #[test]
    fn other_numbers_make_another_load() {
        let ends_at = "2026-03-22T08:00:00Z".parse().unwrap();
        let minute = Duration::from_secs(60);
        let id = |load: Result<Synthetic, _>| load.unwrap().conversation(0).id;
        let ids = HashSet::from([
            id(Synthetic::new(100, 50, 20, 7, ends_at, minute)),
            id(Synthetic::new(100, 50, 20, 8, ends_at, minute)),
            id(Synthetic::new(100, 51, 20, 7, ends_at, minute)),
            id(Synthetic::new(100, 50, 21, 7, ends_at, minute)),
            id(Synthetic::new(100, 50, 20, 7, ends_at, minute * 2)),
        ]);
        assert_eq!(ids.len(), 5);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let ends_at = "0000-03-22T08:00:00Z".parse().unwrap();
        let new = |users, interval| Synthetic::new(100, 50, users, 7, ends_at, interval);
        let day = Duration::from_secs(86_400);
        assert_eq!(new(1, day), Err(SyntheticError::TooFewUsers));
        assert_eq!(new(2, Duration::ZERO), Err(SyntheticError::NoInterval));
        assert_eq!(new(2, day), Err(SyntheticError::OutOfRange));
        assert!(new(2, Duration::from_secs(1)).is_ok());
    }
}
