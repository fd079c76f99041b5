//! Masking: replacing real people and words with invented ones. Pure functions; nothing here reads or writes.
//!
//! Everything invented is derived from a secret key and an id by HMAC-SHA256 (RFC 2104), and from nothing else. So a
//! person is the same everywhere, and the same key gives the same copy. Without the key, nobody who has a copy can find
//! the original of an id or verify a guess.
//!
//! Times and lengths are kept: a masked conversation is pseudonymous, not anonymous.

mod hide;
mod words;

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use uuid::{Builder, Uuid};

use crate::item::{Message, Person};
use crate::key::{ConversationId, MessageId, UserId};

pub use hide::without_ids;

/// The size of a digest, and of a generated key.
const BYTES: usize = 32;

/// The prefix of everything that is hashed, so that other uses of the same key reveal nothing about the results.
const SCHEME: &str = "ddb mask 1";

/// The reason why there is no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MaskError {
    /// The secret is short enough to be guessed.
    #[error("a key has {BYTES} bytes or more; this one has {0}")]
    Short(usize),
    /// The system provides no random numbers.
    #[error("this system provides no random numbers: {0}")]
    NoRandom(String),
}

/// A secret key, which everything invented is derived from.
#[derive(Clone)]
pub struct Mask(Hmac<Sha256>);

impl fmt::Debug for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mask(secret)")
    }
}

/// The purpose of a digest. Digests for different purposes are unrelated.
#[derive(Debug, Clone, Copy)]
enum Of {
    Conversation,
    Message,
    User,
    Name,
    Text(u32),
}

impl Mask {
    /// Makes a random key that nobody knows. It is lost when this value is dropped.
    ///
    /// # Errors
    ///
    /// [`MaskError::NoRandom`].
    pub fn random() -> Result<Self, MaskError> {
        let mut secret = [0; BYTES];
        getrandom::fill(&mut secret).map_err(|error| MaskError::NoRandom(error.to_string()))?;
        Self::from_secret(&secret)
    }

    /// Makes a mask from a secret key of at least 32 bytes. Line ends after the key are not part of it, except within
    /// the first 32 bytes: a random byte may look like a line end.
    ///
    /// # Errors
    ///
    /// [`MaskError::Short`].
    pub fn from_secret(secret: &[u8]) -> Result<Self, MaskError> {
        let (must, may) = secret.split_at(secret.len().min(BYTES));
        let line_ends = may
            .iter()
            .rev()
            .take_while(|byte| [b'\r', b'\n'].contains(byte));
        let secret = &secret[..must.len() + may.len() - line_ends.count()];
        if secret.len() < BYTES {
            return Err(MaskError::Short(secret.len()));
        }
        let mac = Hmac::new_from_slice(secret).map_err(|_| MaskError::Short(secret.len()))?;
        Ok(Self(mac))
    }

    fn digest(&self, of: Of, id: &Uuid) -> [u8; BYTES] {
        let (word, part) = match of {
            Of::Conversation => ("conversation", 0),
            Of::Message => ("message", 0),
            Of::User => ("user", 0),
            Of::Name => ("name", 0),
            Of::Text(part) => ("text", part),
        };
        let mut mac = self.0.clone();
        // Each field ends with a zero byte, except the last two, whose length is fixed.
        for field in [SCHEME, word] {
            mac.update(field.as_bytes());
            mac.update(&[0]);
        }
        mac.update(&part.to_be_bytes());
        mac.update(id.as_bytes());
        mac.finalize().into_bytes().into()
    }

    /// Makes a UUIDv8 (RFC 9562, section 5.8) from the first half of a digest.
    fn id(&self, of: Of, id: &Uuid) -> Uuid {
        let digest = self.digest(of, id);
        let mut half = [0; 16];
        half.copy_from_slice(&digest[..16]);
        Builder::from_custom_bytes(half).into_uuid()
    }

    /// Returns the invented id of a conversation.
    pub fn conversation(&self, id: ConversationId) -> ConversationId {
        ConversationId::new(self.id(Of::Conversation, id.uuid()))
    }

    /// Returns the invented id of a person.
    pub fn user(&self, id: UserId) -> UserId {
        UserId::new(self.id(Of::User, id.uuid()))
    }

    /// Returns the invented person for an id. Everything is derived from the id, so a person whose name or handle
    /// changed during a conversation is still one person.
    ///
    /// For example, the display name is `Tilo Sane Ruda` and the handle `tilo-sane-ruda-417`.
    pub fn person(&self, id: UserId) -> Person {
        let (display_name, handle) = words::name(&self.digest(Of::Name, id.uuid()));
        Person {
            id: self.user(id),
            display_name,
            handle,
        }
    }

    /// Returns the invented message for a message. Returns `None` if its sort key is not a time, because nobody knows
    /// what such a key reveals.
    pub fn message(&self, message: &Message) -> Option<Message> {
        message.created_at.time().ok()?;
        Some(Message {
            conversation: self.conversation(message.conversation),
            created_at: message.created_at.clone(),
            id: MessageId::new(self.id(Of::Message, message.id.uuid())),
            text: self.text(message.id, &message.text),
            sender: self.person(message.sender.id),
        })
    }

    /// Returns the invented text of a message. It has the same number of graphemes (UAX #29), also in each word.
    ///
    /// The words are derived only from the id of the message, so that equal texts become different ones.
    pub fn text(&self, message: MessageId, text: &str) -> String {
        let parts = (0..=u32::MAX).map(Of::Text);
        let mut bytes = parts.flat_map(|part| self.digest(part, message.uuid()));
        words::text(text, &mut bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use proptest::prelude::*;
    use unicode_segmentation::UnicodeSegmentation;

    const SECRET: &[u8; 32] = b"0123456789abcdef0123456789abcdef";

    fn mask() -> Mask {
        Mask::from_secret(SECRET).unwrap()
    }

    fn user(n: u128) -> UserId {
        UserId::new(Uuid::from_u128(n))
    }

    #[test]
    fn a_key_is_not_short_not_shown_and_the_same_with_a_line_end() {
        assert_eq!(
            Mask::from_secret(&SECRET[1..]).unwrap_err(),
            MaskError::Short(31)
        );
        // Random bytes may end with a byte that looks like a line end.
        let random = [&SECRET[1..], b"\n"].concat();
        assert!(Mask::from_secret(&random).is_ok());
        let line = Mask::from_secret(&[SECRET, b"\n".as_slice()].concat()).unwrap();
        assert_eq!(line.person(user(1)), mask().person(user(1)));
        assert_eq!(format!("{:?}", mask()), "Mask(secret)");
    }

    /// Existing copies are continued with the same key, so the results must not change. Computed by Python's
    /// hmac.new(secret, b"ddb mask 1\0user\0" + bytes(4) + id.bytes, "sha256").
    #[test]
    fn what_a_key_invents_stays_the_same() {
        let person = mask().person(sample::andrew().id);
        assert_eq!(person.id.to_string(), PYTHON_USER);
        assert_eq!(person.id.uuid().get_version_num(), 8);
    }

    const PYTHON_USER: &str = "bde56bf4-1c39-84e5-9ba3-6e7b2b4cb67e";

    #[test]
    fn two_keys_made_anew_have_nothing_in_common() {
        let [one, other] = [(); 2].map(|()| Mask::random().unwrap());
        assert_ne!(one.person(user(1)), other.person(user(1)));
        assert_ne!(one.user(user(1)), mask().user(user(1)));
    }

    #[test]
    fn an_id_becomes_another_one_by_what_it_names() {
        let id = Uuid::from_u128(7);
        let mask = mask();
        let ids = [
            *mask.conversation(ConversationId::new(id)).uuid(),
            *mask.user(UserId::new(id)).uuid(),
            mask.id(Of::Message, &id),
            id,
        ];
        for (at, id) in ids.iter().enumerate() {
            assert!(!ids[at + 1..].contains(id));
        }
    }

    #[test]
    fn a_person_is_the_same_whatever_the_name_and_no_two_share_a_handle() {
        let mask = mask();
        let mut renamed = sample::message("2026-03-22T08:35:09Z", "x");
        renamed.sender.handle = "somebody-else".to_owned();
        let before = sample::message("2026-03-22T08:35:09Z", "x");
        let [before, renamed] = [&before, &renamed].map(|message| mask.message(message).unwrap());
        assert_eq!(before, renamed);
        let handles: std::collections::HashSet<String> =
            (0..2_000).map(|n| mask.person(user(n)).handle).collect();
        assert_eq!(handles.len(), 2_000);
    }

    #[test]
    fn a_message_whose_sort_key_is_no_time_has_no_masked_form() {
        let mask = mask();
        assert!(mask.message(&sample::message("zkjwy", "x")).is_none());
        let message = sample::message("2026-03-22T08:35:09Z", "x");
        let masked = mask.message(&message).unwrap();
        assert_eq!(masked.created_at, message.created_at);
    }

    fn runs(text: &str) -> impl Iterator<Item = usize> {
        text.split(|c: char| !c.is_alphabetic())
            .map(|run| run.chars().count())
    }

    proptest! {
        #[test]
        fn p39_lengths_stay_word_by_word_and_no_five_letters_run_on(text in "\\PC{0,40}|[a-z ]{0,60}|(\r\n|[\t\u{a0}é👩\u{200d}👩\u{301}]){0,20}", n: u128) {
            let id = MessageId::new(Uuid::from_u128(n));
            let masked = mask().text(id, &text);
            let [before, after] = [text.as_str(), &masked].map(|text| text.graphemes(true).count());
            prop_assert_eq!(before, after);
            prop_assert!(runs(&masked).all(|letters| letters <= 4), "{}", masked);
            prop_assert!(masked.chars().all(|c| c == ' ' || c == '\n' || c == '-' || words::LETTERS.contains(c)), "{}", masked);
            prop_assert_eq!(masked, mask().text(id, &text));
        }

        #[test]
        fn p39_an_invented_name_has_no_five_letters_in_a_run(n: u128) {
            let person = mask().person(user(n));
            for name in [&person.display_name, &person.handle] {
                prop_assert!(runs(name).all(|letters| letters <= 4), "{}", name);
                let known = |c: char| " -0123456789".contains(c) || words::LETTERS.contains(c.to_ascii_lowercase());
                prop_assert!(name.chars().all(known), "{}", name);
            }
        }
    }
}
