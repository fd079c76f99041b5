//! One utility a file: its options, its work, and what it shows.

pub mod check_conversations;
pub mod create_conversation;
pub mod create_message;
pub mod db_setup;
pub mod doctor;
pub mod drop;
mod follow;
mod generate;
pub mod get_conversation;
pub mod list_conversations;
pub mod list_tables;
pub mod list_users;
pub mod local;
mod partition;
pub mod scan;
pub mod schema_load;
pub mod seed;
pub mod stats;
pub mod sync_conversations;
pub mod update_cognito_user_ids;

use std::time::Duration;

use ddb_core::key::MessageGroupId;
use ddb_core::timestamp::Timestamp;

/// The conversation that is seeded and shown where none is named.
pub const SEEDED_GROUP: MessageGroupId =
    MessageGroupId::new(uuid::uuid!("5ae290ed-55d1-47a0-bc6d-fe2bc2700399"));

/// How long a command waits for a table to become what it should be.
const TABLE_DEADLINE: Duration = Duration::from_secs(10 * 60);

/// Returns `1 item`, `2 items`.
fn counted(count: u64, one: &str, many: &str) -> String {
    if count == 1 {
        format!("1 {one}")
    } else {
        format!("{count} {many}")
    }
}

/// Returns `, 12.5 capacity units` where the service said so.
fn capacity(consumed: Option<f64>) -> String {
    match consumed {
        None => String::new(),
        Some(1.0) => ", 1 capacity unit".to_owned(),
        Some(units) => format!(", {units} capacity units"),
    }
}

/// Adds what a page consumed to what was consumed before.
fn add(total: &mut Option<f64>, page: Option<f64>) {
    if let Some(units) = page {
        *total.get_or_insert(0.0) += units;
    }
}

/// Returns a stored time for people, in UTC; as it is stored where it is no time.
fn utc(stored: &str) -> String {
    match stored.parse::<Timestamp>() {
        Ok(time) => time.for_people().to_string(),
        Err(_) => stored.to_owned(),
    }
}
