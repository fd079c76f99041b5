//! Shared code of the commands that delete.

use ddb_core::changes::Seen;
use ddb_core::conversation::Deletion;
use ddb_core::key::ConversationId;
use ddb_core::timezone::Zone;
use serde::Serialize;

use crate::changes::CarriedOut;
use crate::failure::{Failure, Outcome};
use crate::output::{Cell, Column, Record};
use crate::ui::Ui;
use crate::wording::{plural, short};

/// What was deleted.
#[derive(Debug, Serialize)]
pub(super) struct Deleted {
    group_uuid: String,
    messages: u64,
    rows: u64,
    receipt: Option<String>,
}

impl Record for Deleted {
    type Of<'a> = Self;
    const COLUMNS: &'static [Column<Self>] = &[
        Column::id("group_uuid", |row| Cell::text(&row.group_uuid)),
        Column::kept("messages", |row| Cell::number(row.messages)),
        Column::kept("rows", |row| Cell::number(row.rows)),
        Column::new("receipt", |row| Cell::text_or_blank(row.receipt.as_deref())),
    ];

    fn sentence(row: &Self, _: Zone) -> Option<String> {
        let messages = plural(row.messages, "message", "messages");
        let rows = plural(row.rows, "row", "rows");
        Some(format!(
            "deleted {messages} and {rows} of {}",
            short(&row.group_uuid)
        ))
    }
}

/// Prints that a step was planned again.
pub(super) fn see(seen: &Seen<'_>, ui: &Ui) {
    if let Seen::PlannedAgain(step) = seen {
        ui.note(&format!(
            "{}: its items changed; it is planned again",
            step.why
        ));
    }
}

/// Prints what was deleted. If a step was left, the command fails.
pub(super) fn report(
    conversation: ConversationId,
    deletion: Deletion,
    carried_out: Option<CarriedOut>,
    ui: &Ui,
) -> Result<Outcome, Failure> {
    let Some(carried_out) = carried_out else {
        return Ok(Outcome::Done);
    };
    carried_out.all_done()?;
    let row = Deleted {
        group_uuid: conversation.to_string(),
        messages: deletion.messages,
        rows: deletion.rows,
        receipt: carried_out.receipt.map(|path| path.display().to_string()),
    };
    let done = format!("deleted from {conversation}");
    ui.report(&row, &done)?;
    Ok(Outcome::Done)
}
