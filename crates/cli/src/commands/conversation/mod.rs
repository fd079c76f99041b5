//! Conversations: reading, writing, and keeping their rows in sync.

pub mod check_conversations;
pub mod create_conversation;
pub mod create_message;
pub mod delete_conversation;
pub mod delete_message;
mod deleted;
mod follow;
pub mod get_conversation;
pub mod list_conversations;
mod partition;
pub mod serve;
mod stream;
pub mod sync_conversations;
mod text;
pub mod web;
