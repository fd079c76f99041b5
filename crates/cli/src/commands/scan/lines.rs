//! The output of `scan` on a terminal: a line for each item, with what a person looks for.

use std::collections::HashMap;

use ddb_core::item::{ItemView, Known, UnknownReason, Value};
use ddb_core::schema::attribute;
use serde::Serialize;

use crate::output::{Cell, Column, Record, Tone, json, width};
use crate::wording::short;

/// The maximum number of people whose handles are remembered; others are shown by their ids.
const MOST_PEOPLE: usize = 10_000;

/// Longer partition keys are cut, because what is odd about the item comes after them.
const WIDEST_KEY: usize = 16;

/// Shown instead of a conversation if an item belongs to none.
const UNKNOWN: &str = "unknown";

/// An item in a form for people.
#[derive(Debug)]
pub(super) enum Seen {
    Message {
        at: String,
        conversation: String,
        sender: String,
        handle: String,
        text: String,
    },
    Row {
        at: String,
        conversation: String,
        owner: String,
        with: String,
        handle: String,
        text: String,
    },
    Unknown {
        keys: [String; 2],
        reason: UnknownReason,
    },
}

impl From<&ItemView<'_>> for Seen {
    fn from(item: &ItemView<'_>) -> Self {
        match Known::of(item) {
            Ok(Known::Message(message)) => Self::Message {
                at: message.created_at.to_string(),
                conversation: message.conversation.to_string(),
                sender: message.sender.id.to_string(),
                handle: message.sender.handle,
                text: message.text,
            },
            Ok(Known::ConversationRow(row)) => Self::Row {
                at: row.last_message_at.to_string(),
                conversation: row.conversation.to_string(),
                owner: row.owner.to_string(),
                with: row.other.id.to_string(),
                handle: row.other.handle,
                text: row.text,
            },
            Err(reason) => Self::Unknown {
                keys: [key(item, attribute::PK), key(item, attribute::SK)],
                reason,
            },
        }
    }
}

fn key(item: &ItemView<'_>, name: &str) -> String {
    match item.get(name) {
        None => "(none)".to_owned(),
        Some(Value::S(text)) => text.as_ref().to_owned(),
        Some(Value::NotUnicode(text)) => text.shown().into_owned(),
        Some(value) => json::text(&json::PlainValue(value)),
    }
}

/// The handles of people that items have named so far.
#[derive(Debug, Default)]
pub(super) struct Handles(HashMap<String, String>);

impl Handles {
    /// Remembers the handle and the person that an item names.
    pub fn learn(&mut self, seen: &Seen) {
        let (id, handle) = match seen {
            Seen::Message { sender, handle, .. } => (sender, handle),
            Seen::Row { with, handle, .. } => (with, handle),
            Seen::Unknown { .. } => return,
        };
        if self.0.len() < MOST_PEOPLE && !self.0.contains_key(id) {
            self.0.insert(id.clone(), handle.clone());
        }
    }

    fn of<'a>(&'a self, id: &'a str) -> &'a str {
        self.0.get(id).map_or_else(|| short(id), String::as_str)
    }
}

/// An item as a line of the output.
#[derive(Debug, Serialize)]
pub(super) struct Line {
    time: String,
    conversation: String,
    who: String,
    text: String,
    #[serde(skip)]
    tone: Tone,
}

impl Line {
    pub fn new(seen: Seen, handles: &Handles) -> Self {
        match seen {
            Seen::Message {
                at,
                conversation,
                handle,
                text,
                ..
            } => Self {
                time: at,
                conversation: short(&conversation).to_owned(),
                who: handle,
                text,
                tone: Tone::Plain,
            },
            Seen::Row {
                at,
                conversation,
                owner,
                handle,
                text,
                ..
            } => Self {
                time: at,
                conversation: short(&conversation).to_owned(),
                who: handles.of(&owner).to_owned(),
                text: format!("[row, with {handle}] {text}"),
                tone: Tone::Faint,
            },
            Seen::Unknown {
                keys: [pk, sk],
                reason,
            } => Self {
                time: String::new(),
                conversation: UNKNOWN.to_owned(),
                who: width::cut(&pk, WIDEST_KEY),
                text: format!("{sk}: {reason}"),
                tone: Tone::Plain,
            },
        }
    }

    fn time(&self) -> Cell {
        Cell::time(&self.time).tone(self.tone)
    }

    fn cell(&self, text: &str) -> Cell {
        Cell::text(text).tone(self.tone)
    }
}

impl Record for Line {
    type Of<'a> = Self;
    const LIVE: bool = true;
    const COLUMNS: &'static [Column<Self>] = &[
        Column::time("time", |line| line.time()),
        Column::kept("conversation", |line| match line.conversation.as_str() {
            UNKNOWN => Cell::text(UNKNOWN).tone(Tone::Odd),
            conversation => line.cell(conversation),
        }),
        Column::new("who", |line| line.cell(&line.who)),
        Column::new("text", |line| line.cell(&line.text)),
    ];
}
