//! Conversations: reading them (access patterns A and B), writing them (C and D), and keeping the participants' rows at
//! the newest message (E).

mod arrivals;
mod check;
mod create;
mod delete;
mod filter;
mod name;
mod read;
mod repair;
mod rows;

pub use arrivals::Arrivals;
pub use check::{
    Copied, Example, FindPerson, Finding, Inspection, Pass, Rule, UnknownRule, inspect,
};
pub(crate) use create::shows_nothing;
pub use create::{
    MAX_TEXT, Membership, Text, TextError, create_conversation, create_message, membership,
};
pub use delete::{
    DELETE_CONVERSATION, DELETE_MESSAGE, DeleteAgain, Deletion, FoundMessage, MessageSearch,
    message_at, message_step, plan_deletion, search_message,
};
pub use filter::{Filter, Needle, NothingToFind, Verdict};
pub use name::{ConversationName, FirstDigits, NameError, find_conversations};
pub use read::{Slice, has_items, newest_message, query, read};
pub use repair::{Planned, RepairPlanner, RowRules, StalePeople, rename};
pub(crate) use rows::row_changes_to;
pub use rows::{Doubled, Missing, SyncRequest, SyncedRows, look, sync_rows};
