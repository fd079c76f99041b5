//! Statistics of a table: one pass over its items, in memory that does not grow with their number.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use chrono::NaiveDate;

use crate::item::{Attributes, ItemView, Kind};
use crate::key::{ConversationId, PartitionKey};
use crate::schema::attribute;
use crate::timestamp::Timestamp;

/// The number of items and their bytes, as [`ItemView::size`] counts them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Volume {
    /// The number of items.
    pub items: u64,
    /// The bytes of all of them.
    pub bytes: u64,
    /// The bytes of the largest one.
    pub largest: u64,
}

impl Volume {
    fn add(&mut self, bytes: u64) {
        self.items += 1;
        self.bytes += bytes;
        self.largest = self.largest.max(bytes);
    }

    /// Returns the sum of two volumes.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            items: self.items + other.items,
            bytes: self.bytes + other.bytes,
            largest: self.largest.max(other.largest),
        }
    }
}

/// The counts of the items, updated item by item.
///
/// Memory is bounded: a counter for each calendar day that has messages (the written form of time
/// has 3.7 million days), and a [`Tally`] of conversations.
#[derive(Debug, Default)]
pub struct Statistics {
    /// The messages.
    pub messages: Volume,
    /// The rows.
    pub conversation_rows: Volume,
    /// All other items.
    pub unknown: Volume,
    /// The number of messages by day, in UTC.
    pub days: BTreeMap<NaiveDate, u64>,
    /// The number of messages whose sort key is not a time.
    pub undated: u64,
    /// The messages by conversation.
    pub conversations: Tally,
}

impl Statistics {
    /// Counts an item.
    pub fn add(&mut self, item: &ItemView<'_>) {
        let bytes = item.size() as u64;
        match Kind::of(item) {
            Kind::Message => {
                self.messages.add(bytes);
                self.add_message(item, bytes);
            }
            Kind::Group => self.conversation_rows.add(bytes),
            Kind::Unknown => self.unknown.add(bytes),
        }
    }

    /// Adds the counts of another part of the table.
    pub fn merge(&mut self, other: Self) {
        self.messages = self.messages.plus(other.messages);
        self.conversation_rows = self.conversation_rows.plus(other.conversation_rows);
        self.unknown = self.unknown.plus(other.unknown);
        for (day, messages) in other.days {
            *self.days.entry(day).or_default() += messages;
        }
        self.undated += other.undated;
        self.conversations.merge(&other.conversations);
    }

    fn add_message(&mut self, item: &ItemView<'_>, bytes: u64) {
        let text = |name| item.text(name).and_then(Result::ok);
        let time = text(attribute::SK).and_then(|sk| sk.parse::<Timestamp>().ok());
        match time {
            Some(time) => *self.days.entry(time.date()).or_default() += 1,
            None => self.undated += 1,
        }
        if let Some(Ok(PartitionKey::Messages(conversation))) =
            text(attribute::PK).map(|pk| pk.parse())
        {
            self.conversations.add(conversation, bytes);
        }
    }

    /// Returns the volume of all items.
    pub fn all(&self) -> Volume {
        self.messages
            .plus(self.conversation_rows)
            .plus(self.unknown)
    }

    /// Returns how many messages came in the thirty days that end with the newest one.
    pub fn last_thirty_days(&self) -> u64 {
        const BEFORE: chrono::Days = chrono::Days::new(29);
        let Some((newest, _)) = self.days.last_key_value() else {
            return 0;
        };
        let first = newest.checked_sub_days(BEFORE).unwrap_or(NaiveDate::MIN);
        self.days.range(first..).map(|(_, messages)| messages).sum()
    }
}

/// The messages by conversation, counted in bounded memory: at most twice [`Tally::KEPT`] counters of less
/// than 64 bytes each, and those of one page.
///
/// If there are more conversations, the smaller half is dropped. A scan of one segment returns the items of a
/// partition one after the other, so the dropped counts are complete, and too small to be shown. If the items come
/// in another order, as with several segments, a count is then a lower bound.
#[derive(Debug)]
pub struct Tally {
    counted: HashMap<ConversationId, Volume>,
    kept: usize,
    seen: u64,
    forgot: bool,
}

impl Default for Tally {
    fn default() -> Self {
        Self::keeping(Self::KEPT)
    }
}

impl Tally {
    /// The number of conversations that are always kept.
    pub const KEPT: usize = 50_000;

    fn keeping(kept: usize) -> Self {
        Self {
            counted: HashMap::new(),
            kept,
            seen: 0,
            forgot: false,
        }
    }

    fn add(&mut self, conversation: ConversationId, bytes: u64) {
        self.volume(conversation).add(bytes);
        self.forget(std::iter::once(&conversation));
    }

    /// Adds the counts of another page.
    fn merge(&mut self, page: &Self) {
        for (conversation, volume) in &page.counted {
            let own = self.volume(*conversation);
            *own = own.plus(*volume);
        }
        self.forget(page.counted.keys());
        self.forgot |= page.forgot;
    }

    fn volume(&mut self, conversation: ConversationId) -> &mut Volume {
        self.counted.entry(conversation).or_insert_with(|| {
            self.seen += 1;
            Volume::default()
        })
    }

    /// Drops the smaller half if there are too many, but not the conversations that came last: more of them may come.
    fn forget<'a>(&mut self, last: impl Iterator<Item = &'a ConversationId>) {
        if self.counted.len() > 2 * self.kept {
            let last: Vec<_> = last
                .filter_map(|conversation| Some((*conversation, *self.counted.get(conversation)?)))
                .collect();
            self.counted = self.biggest(self.kept).into_iter().chain(last).collect();
            self.forgot = true;
        }
    }

    /// Returns the number of conversations.
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// Checks whether every count is exact in any order of the items.
    pub fn is_exact(&self) -> bool {
        !self.forgot
    }

    /// Returns the conversations with the most messages, the biggest first.
    pub fn biggest(&self, number: usize) -> Vec<(ConversationId, Volume)> {
        let mut conversations: Vec<_> =
            self.counted.iter().map(|(id, size)| (*id, *size)).collect();
        conversations.sort_unstable_by_key(|(id, size)| (Reverse((size.items, size.bytes)), *id));
        conversations.truncate(number);
        conversations
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::{RawItem, size};
    use crate::sample;
    use aws_sdk_dynamodb::types::AttributeValue;

    fn conversation(number: u128) -> ConversationId {
        ConversationId::new(uuid::Uuid::from_u128(number))
    }

    fn message(number: u128, sk: &str, text: &str) -> RawItem {
        RawItem::from(&crate::item::Message {
            conversation: conversation(number),
            ..sample::message(sk, text)
        })
    }

    #[test]
    fn items_are_counted_by_kind_day_and_conversation() {
        let mut statistics = Statistics::default();
        let items = [
            message(1, "2026-03-22T23:59:59Z", "a"),
            message(1, "2026-03-23T00:30:00+01:00", "bb"),
            message(2, "2026-03-23T00:00:00Z", "c"),
            message(2, "soon", "d"),
            RawItem::from(&sample::conversation_row("2026-03-23T00:00:00Z", "c")),
            RawItem::from([("pk".to_owned(), AttributeValue::S("x".to_owned()))]),
        ];
        for item in &items {
            statistics.add(&item.into());
        }
        assert_eq!(statistics.messages.items, 4);
        assert_eq!(
            statistics.messages.largest,
            size(&items[1]).max(size(&items[0])) as u64
        );
        assert_eq!(statistics.conversation_rows.items, 1);
        assert_eq!(
            statistics.unknown,
            Volume {
                items: 1,
                bytes: 3,
                largest: 3
            }
        );
        let bytes: usize = items.iter().map(size).sum();
        assert_eq!(
            (statistics.all().items, statistics.all().bytes),
            (6, bytes as u64)
        );
        let day = |day| NaiveDate::from_ymd_opt(2026, 3, day).unwrap();
        assert_eq!(
            statistics.days,
            BTreeMap::from([(day(22), 2), (day(23), 1)])
        );
        assert_eq!(statistics.undated, 1);
        let conversations = statistics.conversations.biggest(9);
        assert_eq!(
            conversations
                .iter()
                .map(|(id, v)| (*id, v.items))
                .collect::<Vec<_>>(),
            [(conversation(1), 2), (conversation(2), 2)]
        );
        assert!(statistics.conversations.is_exact());
    }

    #[test]
    fn the_pace_is_that_of_thirty_days() {
        let mut statistics = Statistics::default();
        assert_eq!(statistics.last_thirty_days(), 0);
        for day in ["2026-03-01", "2026-03-02", "2026-03-31"] {
            let message = message(1, &format!("{day}T12:00:00Z"), "a");
            statistics.add(&(&message).into());
        }
        assert_eq!(statistics.last_thirty_days(), 2);
    }

    #[test]
    fn a_tally_is_bounded_and_keeps_the_biggest() {
        let mut tally = Tally::keeping(10);
        for number in 0..1_000 {
            // One in a hundred is big.
            let messages = if number % 100 == 7 { 50 + number } else { 1 };
            for _ in 0..messages {
                tally.add(conversation(number), 10);
                assert!(tally.counted.len() <= 20);
            }
        }
        assert_eq!(tally.seen(), 1_000);
        assert!(!tally.is_exact());
        let biggest: Vec<(ConversationId, u64)> = tally
            .biggest(10)
            .iter()
            .map(|(conversation, volume)| (*conversation, volume.items))
            .collect();
        let expected: Vec<(ConversationId, u64)> = (0..10)
            .rev()
            .map(|hundred| 100 * hundred + 7)
            .map(|number| (conversation(number), u64::try_from(50 + number).unwrap()))
            .collect();
        assert_eq!(biggest, expected);
    }
}
