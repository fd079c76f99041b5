//! Updating names and handles in items.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use super::RepairPlanner;
use super::zone::{Written, written};
use crate::changes::{Packer, Step};
use crate::conversation::check::{FindPerson, Rule};
use crate::error::Error;
use crate::item::{ItemView, Known, Person, RawItem};
use crate::key::{ConversationId, UserId};
use crate::schema::attribute;
use crate::store::ItemChange;

/// People whose names in items differ from those of the users.
#[derive(Debug, Clone)]
pub struct StalePeople(HashMap<UserId, Person>);

impl StalePeople {
    /// Checks whether an item has an old name of one of them.
    pub fn is_named_in(&self, item: &ItemView<'_>) -> bool {
        let copied = match Known::of(item) {
            Ok(Known::Message(message)) => message.sender,
            Ok(Known::ConversationRow(row)) => row.other,
            Err(_) => return false,
        };
        self.0
            .get(&copied.id)
            .is_some_and(|person| *person != copied)
    }
}

impl<F: FindPerson + Sync> RepairPlanner<'_, F> {
    /// Returns the people whose names are updated.
    pub fn stale_people(&self) -> StalePeople {
        StalePeople(self.names.clone())
    }

    /// Returns the conversation and the person if an item has an old name. Items that the plan already changes get the
    /// new name with that change, so they return `None`.
    pub fn stale(&self, item: &ItemView<'_>) -> Option<(ConversationId, Person)> {
        let known = Known::of(item).ok()?;
        let key = match &known {
            Known::Message(message) => &message.created_at,
            Known::ConversationRow(row) => &row.last_message_at,
        };
        // An item whose time is rewritten gets the new name with that.
        if let Some(zone) = self.zone
            && matches!(written(key, zone), Written::As(_))
        {
            return None;
        }
        let (conversation, copied) = match known {
            Known::Message(message) => (message.conversation, message.sender),
            Known::ConversationRow(row) => {
                if self
                    .touched
                    .contains(&(row.owner, row.last_message_at.clone()))
                {
                    return None;
                }
                (row.conversation, row.other)
            }
        };
        let person = self.names.get(&copied.id)?;
        (*person != copied).then(|| (conversation, person.clone()))
    }

    /// Plans the same for items that changed in the meantime.
    pub(super) async fn names_again(&self, step: &Step) -> Result<Vec<Step>, Error> {
        let mut packer = Packer::new(self.size);
        let mut steps = Vec::new();
        for change in &step.changes {
            let Some(item) = self.store.read_again(change).await? else {
                continue;
            };
            if let Some((conversation, person)) = self.stale(&ItemView::from(&item)) {
                let change = rename(item, &person);
                let why = Rule::NameStale.as_str();
                steps.extend(packer.add(Some(conversation), why, vec![change]));
            }
        }
        steps.extend(packer.finish());
        Ok(steps)
    }
}

/// Makes the change that updates the name in an item.
pub fn rename(item: RawItem, person: &Person) -> ItemChange {
    let mut renamed = item.clone();
    for (name, text) in [
        (attribute::USER_DISPLAY_NAME, &person.display_name),
        (attribute::USER_HANDLE, &person.handle),
    ] {
        renamed.insert(name.to_owned(), AttributeValue::S(text.clone()));
    }
    ItemChange::new(Some(item), Some(renamed))
        .expect("an item that is known has a key, which is kept")
}
