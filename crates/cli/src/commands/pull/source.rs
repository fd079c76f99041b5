//! Which conversations are pulled.

use ddb_core::conversation::has_items;
use ddb_core::handle::PersonName;
use ddb_core::key::{ConversationId, PartitionKey, UserId};
use ddb_core::pull::all_of;
use ddb_core::store::Store;
use ddb_people::users::{Users, UsersError};

use super::Args;
use crate::args::{Asked, Me, me};
use crate::failure::{Exit, Failure};
use crate::runner::Context;
use crate::wording::plural;

impl Args {
    /// Returns the conversations in the way they were named.
    fn asked(&self) -> Vec<Asked> {
        let names = self.conversations.iter().chain(&self.group);
        let mut asked: Vec<Asked> = names.map(|name| Asked::from(name.clone())).collect();
        asked.extend(self.with.clone().map(Asked::with));
        asked
    }

    /// Opens the users if somebody has to be looked up. A person who is named by id needs none, so production may have
    /// none in this case.
    pub(super) async fn open_users(&self, context: &Context) -> Result<Option<Users>, Failure> {
        let is_short = self.asked().iter().any(Asked::is_short);
        let whom = match &self.all_of {
            Some(person) => person.clone(),
            None if is_short => me(self.me.as_ref(), &context.environment)?,
            None => return Ok(None),
        };
        let production = self.table.is_production();
        let chosen = self.users.choose(context, production);
        if let (PersonName::Id(_), Err(UsersError::LocalUsers)) = (&whom, &chosen) {
            return Ok(None);
        }
        self.users.open(context, production).await.map(Some)
    }

    /// Finds the conversations, each once, in the order in which they were named. All of them exist.
    pub(super) async fn conversations(
        &self,
        source: &Store,
        users: Option<&Users>,
        context: &Context,
    ) -> Result<Vec<ConversationId>, Failure> {
        if let Some(person) = &self.all_of {
            let id = self.id_of(person, users).await?;
            return self.all_of(source, id, context).await;
        }
        let mut found = Vec::new();
        for asked in self.asked() {
            let id = match asked {
                Asked::Id(id) => id,
                Asked::LookUp(short) => {
                    let name = me(self.me.as_ref(), &context.environment)?;
                    let id = self.id_of(&name, users).await?;
                    let me = Me { id, name };
                    match self.mask {
                        // With a mask, the conversations that were found are not listed.
                        true => {
                            let rows = short.candidates(source, &me, users).await;
                            match rows.map_err(|failure| self.discreet(failure))?.as_slice() {
                                [row] => row.conversation,
                                [] => return Err(self.nobody(source, Exit::NotFound)),
                                _ => return Err(self.nobody(source, Exit::Refused)),
                            }
                        }
                        false => short.find(source, &me, users, context).await?,
                    }
                }
            };
            if !found.contains(&id) {
                found.push(id);
            }
        }
        for id in &found {
            if !has_items(source, PartitionKey::Messages(*id)).await? {
                return Err(self.absent(source, *id));
            }
        }
        Ok(found)
    }

    async fn id_of(&self, name: &PersonName, users: Option<&Users>) -> Result<UserId, Failure> {
        match (name, users) {
            (PersonName::Id(id), _) => Ok(*id),
            (PersonName::Handle(handle), Some(users)) => {
                let found = users.by_handle(handle).await;
                Ok(found.map_err(|error| self.discreet(error.into()))?.uuid)
            }
            (PersonName::Handle(_), None) => Err(self.discreet(UsersError::LocalUsers.into())),
        }
    }

    async fn all_of(
        &self,
        source: &Store,
        id: UserId,
        context: &Context,
    ) -> Result<Vec<ConversationId>, Failure> {
        let (found, stray) = all_of(source, id).await?;
        if stray > 0 {
            context.ui.warn(&format!(
                "{} without messages: skipped",
                plural(stray, "row is", "rows are")
            ));
        }
        match found.is_empty() {
            true => Err(self.nobody(source, Exit::NotFound)),
            false => Ok(found),
        }
    }

    fn absent(&self, source: &Store, id: ConversationId) -> Failure {
        let message = match self.mask {
            true => format!("{}: there is no such conversation", source.destination()),
            false => format!("{}: no conversation {id}", source.destination()),
        };
        Failure::new(Exit::NotFound, format!("{message}; nothing was copied"))
            .hint("`ddb list-conversations HANDLE` shows those of a user")
    }

    /// Makes a failure for a name that leads to no conversation, or to several, without further details.
    fn nobody(&self, source: &Store, exit: Exit) -> Failure {
        let found = match exit {
            Exit::NotFound => "no conversation has that name",
            _ => "several conversations have that name",
        };
        let message = format!("{}: {found}; nothing was copied", source.destination());
        Failure::new(exit, message).hint(
            "`ddb list-conversations HANDLE` shows those of a user, with their ids: a whole id needs no lookup",
        )
    }

    /// With a mask, replaces a failure about an unknown person by one that contains no names.
    fn discreet(&self, failure: Failure) -> Failure {
        match failure {
            Failure::Error {
                exit: exit @ (Exit::NotFound | Exit::Refused),
                ..
            } if self.mask => Failure::new(
                exit,
                "a handle names nobody, or more than one person; nothing was copied",
            )
            .hint("`ddb list-conversations HANDLE` says more than --mask may"),
            failure => failure,
        }
    }
}
