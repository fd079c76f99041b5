//! The report of `seed`.

use ddb_core::item::Message;
use ddb_core::key::SortKey;
use ddb_core::seed::Seed;
use ddb_core::timezone::Zone;
use ddb_people::users::Users;
use serde::Serialize;

use crate::output::{Cell, Column, Record};
use crate::wording::{plural, short, span};

/// The result of `seed`.
#[derive(Debug, Serialize)]
pub struct Row {
    pub(super) group_uuid: String,
    pub(super) messages: u64,
    pub(super) written: u64,
    pub(super) unchanged: u64,
    pub(super) first_at: String,
    pub(super) last_at: String,
    pub(super) users_source: String,
    #[serde(skip)]
    pub(super) people: Option<String>,
    #[serde(skip)]
    pub(super) dry_run: bool,
}

impl Row {
    /// Describes the messages of a seed, `written` of which are written.
    pub(super) fn new(seed: &Seed, users: &Users, messages: &[Message], written: u64) -> Self {
        let total = messages.len() as u64;
        let at = |message: Option<&Message>| text(message.map(|message| &message.created_at));
        Self {
            group_uuid: seed.conversation.to_string(),
            messages: total,
            written,
            unchanged: total.saturating_sub(written),
            first_at: at(messages.first()),
            last_at: at(messages.last()),
            users_source: users.source().to_string(),
            people: Some(format!("{}, {}", seed.me.handle, seed.other.handle)),
            dry_run: false,
        }
    }
}

/// Formats a time as the contract defines it, or returns an empty text if there is no message.
pub(super) fn text(time: Option<&SortKey>) -> String {
    time.map_or_else(String::new, SortKey::to_string)
}

impl Record for Row {
    type Of<'a> = Self;
    const COLUMNS: &'static [Column<Self>] = &[
        Column::id("group_uuid", |row| Cell::text(&row.group_uuid)),
        Column::kept("messages", |row| Cell::number(row.messages)),
        Column::kept("written", |row| Cell::number(row.written)),
        Column::kept("unchanged", |row| Cell::number(row.unchanged)),
        Column::time("first", |row| Cell::time(&row.first_at)),
        Column::time("last", |row| Cell::time(&row.last_at)),
        Column::new("users", |row| Cell::text(&row.users_source)),
    ];

    fn sentence(row: &Self, zone: Zone) -> Option<String> {
        let times = span(&row.first_at, &row.last_at, zone);
        let all = plural(row.messages, "message", "messages");
        let people = row.people.as_deref().unwrap_or(&row.users_source);
        let place = format!("{} ({people})", short(&row.group_uuid));
        let rest = match row.unchanged {
            0 => String::new(),
            some => format!(", {some} unchanged"),
        };
        Some(match (row.dry_run, row.written) {
            (true, written) => format!("would seed {written} of {all} into {place}, {times}"),
            (false, 0) => format!("{place} has all {all} already, {times}"),
            (false, written) => {
                let written = plural(written, "message", "messages");
                format!("seeded {written} into {place}, {times}{rest}")
            }
        })
    }
}
