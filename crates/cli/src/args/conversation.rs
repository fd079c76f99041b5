//! Which conversation a command works on: by its id, the first digits of it, or the other person.

use clap::Args;
use ddb_core::conversation::{ConversationName, FirstDigits, find_conversations};
use ddb_core::handle::{Handle, PersonName};
use ddb_core::item::ConversationRow;
use ddb_core::key::{ConversationId, KeyError, UserId};
use ddb_core::store::Store;
use ddb_people::users::{Source, Users, UsersError};

use super::people::Me;
use crate::failure::{Exit, Failure};
use crate::runner::Context;
use crate::wording::to_the_minute;

/// The conversation that is seeded and shown by default.
pub const SEEDED_GROUP: ConversationId =
    ConversationId::new(uuid::uuid!("5ae290ed-55d1-47a0-bc6d-fe2bc2700399"));

/// Options that name a conversation.
#[derive(Debug, Clone, Args)]
pub struct ConversationArgs {
    /// Conversation: its id, the first 4 or more digits of it, or the other person's handle
    #[arg(value_name = "CONVERSATION", conflicts_with_all = ["group", "with"])]
    conversation: Option<ConversationName>,
    /// Conversation, as an option
    #[arg(long, value_name = "CONVERSATION", conflicts_with = "with")]
    group: Option<ConversationName>,
    /// The conversation with this person
    #[arg(long, value_name = "HANDLE")]
    with: Option<PersonName>,
}

/// How a conversation was named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// By its id, so there is nothing to look up.
    Id(ConversationId),
    /// By something to look up in the rows of one of its two people.
    LookUp(Short),
}

/// A short name of a conversation: the first digits of its id, or a person. If it can be both, either matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Short {
    digits: Option<FirstDigits>,
    with: PersonName,
}

impl ConversationArgs {
    /// Returns how the conversation was named, if it was.
    pub fn asked(&self) -> Option<Asked> {
        let name = self.conversation.as_ref().or(self.group.as_ref());
        match (name, &self.with) {
            (Some(name), _) => Some(name.clone().into()),
            (None, Some(with)) => Some(Asked::with(with.clone())),
            (None, None) => None,
        }
    }
}

impl From<ConversationName> for Asked {
    fn from(name: ConversationName) -> Self {
        let (digits, handle) = match name {
            ConversationName::Id(id) => return Self::Id(id),
            ConversationName::With(handle) => (None, handle),
            ConversationName::Either(digits, handle) => (Some(digits), handle),
        };
        Self::LookUp(Short {
            digits,
            with: PersonName::Handle(handle),
        })
    }
}

impl Asked {
    /// Names the conversation with a person.
    pub fn with(person: PersonName) -> Self {
        Self::LookUp(Short {
            digits: None,
            with: person,
        })
    }

    /// Checks whether it has to be looked up.
    pub fn is_short(&self) -> bool {
        matches!(self, Self::LookUp(_))
    }
}

/// The other person to look for in the rows: by id, or by the handle in a row.
enum Other {
    Person(UserId),
    Handle(Handle),
    Nobody,
}

impl Other {
    /// Finds out who is meant. The source of users decides. The handles in the rows count if there is no source, or if
    /// it is the built-in one, which nobody chose, and it does not know the handle.
    async fn of(short: &Short, users: Option<&Users>) -> Result<Self, Failure> {
        let handle = match &short.with {
            PersonName::Id(id) => return Ok(Self::Person(*id)),
            PersonName::Handle(handle) => handle,
        };
        let Some(users) = users else {
            return Ok(Self::Handle(handle.clone()));
        };
        match users.by_handle(handle).await {
            Ok(user) => Ok(Self::Person(user.uuid)),
            Err(UsersError::NotFound { .. }) if *users.source() == Source::BuiltIn => {
                Ok(Self::Handle(handle.clone()))
            }
            Err(UsersError::NotFound { .. }) if short.digits.is_some() => Ok(Self::Nobody),
            Err(error) => Err(error.into()),
        }
    }

    fn is(&self, row: &ConversationRow) -> bool {
        match self {
            Self::Person(id) => row.other.id == *id,
            Self::Handle(handle) => handle.is(&row.other.handle),
            Self::Nobody => false,
        }
    }
}

impl Short {
    /// Finds the conversation in the rows of `me`. `users` is the source of handles, if there is one.
    ///
    /// # Errors
    ///
    /// There is no such conversation, or there are several, which are then listed, each with the line to type.
    pub async fn find(
        &self,
        store: &Store,
        me: &Me,
        users: Option<&Users>,
        context: &Context,
    ) -> Result<ConversationId, Failure> {
        let (other, found) = self.look(store, me, users).await?;
        match found.as_slice() {
            [row] => Ok(row.conversation),
            [] => Err(self.not_found(store, me, users, &other).await),
            several => Err(self.ambiguous(several, store, me, context)),
        }
    }

    /// Finds all conversations that it may mean, without printing them.
    ///
    /// # Errors
    ///
    /// A person is unknown, or a request fails.
    pub async fn candidates(
        &self,
        store: &Store,
        me: &Me,
        users: Option<&Users>,
    ) -> Result<Vec<ConversationRow>, Failure> {
        Ok(self.look(store, me, users).await?.1)
    }

    async fn look(
        &self,
        store: &Store,
        me: &Me,
        users: Option<&Users>,
    ) -> Result<(Other, Vec<ConversationRow>), Failure> {
        let other = Other::of(self, users).await?;
        let is_me = match &other {
            Other::Person(id) => *id == me.id,
            Other::Handle(handle) => me.name == PersonName::Handle(handle.clone()),
            Other::Nobody => false,
        };
        if is_me && self.digits.is_none() {
            return Err(Failure::refused(format!(
                "the other person and --me are both `{}`: a conversation has two people",
                me.name
            ))
            .hint("use --me to say whose conversations you mean"));
        }
        let is_meant = |row: &ConversationRow| {
            let digits = self.digits.as_ref();
            digits.is_some_and(|digits| digits.begin(row.conversation)) || other.is(row)
        };
        let found = find_conversations(store, me.id, is_meant).await?;
        Ok((other, found))
    }

    async fn not_found(
        &self,
        store: &Store,
        me: &Me,
        users: Option<&Users>,
        other: &Other,
    ) -> Failure {
        // No row has the handle, so the source of users decides whether it exists.
        if let (Other::Handle(handle), Some(users), None) = (other, users, &self.digits)
            && let Err(error) = users.by_handle(handle).await
        {
            return error.into();
        }
        let begins = match self.digits {
            Some(_) => format!("whose id begins with `{}`, and none ", self.with),
            None => String::new(),
        };
        let message = format!(
            "{}: no conversation of {} {begins}with {}",
            store.destination(),
            me.name,
            self.with
        );
        Failure::new(Exit::NotFound, message)
            .hint(format!("`ddb list-conversations {}` lists them", me.name))
    }

    fn ambiguous(
        &self,
        several: &[ConversationRow],
        store: &Store,
        me: &Me,
        context: &Context,
    ) -> Failure {
        let typed = self.with.to_string();
        for row in several {
            let id = row.conversation.to_string();
            let first = &id[..8];
            let alone = several
                .iter()
                .filter(|other| other.conversation.to_string().starts_with(first))
                .count()
                == 1;
            let line = context
                .typed
                .with_conversation(&typed, if alone { first } else { &id });
            context.ui.choice(&format!(
                "  {line}  # {}, {}",
                row.other.handle,
                to_the_minute(row.last_message_at.as_str(), context.zones.times)
            ));
        }
        let message = match self.digits {
            Some(_) => format!(
                "`{typed}` names {} conversations of {}",
                several.len(),
                me.name
            ),
            None => format!(
                "{} and {typed} have {} conversations",
                me.name,
                several.len()
            ),
        };
        Failure::refused(format!("{}: {message}", store.destination()))
            .hint("type one of the lines above; the newest comes first")
    }
}

/// Parses an id with letters in either case. Keys contain lower-case letters.
///
/// # Errors
///
/// What is wrong with it.
pub fn id<T: std::str::FromStr<Err = KeyError>>(text: &str) -> Result<T, KeyError> {
    text.to_ascii_lowercase().parse()
}
