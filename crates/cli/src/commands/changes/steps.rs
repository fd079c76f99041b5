//! The output of `undo` and `apply`: a line for each step, then totals.

use ddb_core::changes::{Outcome, Seen};
use ddb_core::timezone::Zone;
use serde::Serialize;

use crate::changes::CarriedOut;
use crate::failure::{self, Exit, Failure};
use crate::output::{Cell, Column, Format, Printer, Record, Totals};
use crate::ui::Ui;
use crate::wording::plural;

/// A step, or the totals at the end.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Row {
    Step {
        step: u64,
        group_uuid: Option<String>,
        state: &'static str,
        reason: Option<String>,
    },
    Totals {
        done: u64,
        left: u64,
        receipt: Option<String>,
    },
}

impl Record for Row {
    type Of<'a> = Self;
    const COLUMNS: &'static [Column<Self>] = &[
        Column::kept("step", |row| match row {
            Self::Step { step, .. } => Cell::number(step),
            Self::Totals { .. } => Cell::text("all"),
        }),
        Column::id("group_uuid", |row| match row {
            Self::Step { group_uuid, .. } => Cell::text_or_blank(group_uuid.as_deref()),
            Self::Totals { .. } => Cell::text(""),
        }),
        Column::kept("state", |row| match row {
            Self::Step { state, .. } => Cell::text(*state),
            Self::Totals { done, left, .. } => Cell::text(format!("{done} done, {left} left")),
        }),
        Column::optional("reason", |row| match row {
            Self::Step { reason, .. } => Cell::text_or_blank(reason.as_deref()),
            Self::Totals { .. } => Cell::text(""),
        }),
    ];

    fn sentence(row: &Self, _: Zone) -> Option<String> {
        match row {
            Self::Totals { done, left: 0, .. } => {
                Some(format!("{} done", plural(*done, "step", "steps")))
            }
            _ => None,
        }
    }
}

/// Prints steps as they end. People see only the steps that were left, and the totals.
pub(super) struct Steps<'a> {
    printer: Printer<Row>,
    ui: &'a Ui,
    failed: Option<Failure>,
}

impl<'a> Steps<'a> {
    pub(super) fn new(ui: &'a Ui) -> Self {
        Self {
            printer: ui.printer(),
            ui,
            failed: None,
        }
    }

    pub(super) fn see(&mut self, seen: &Seen<'_>) {
        let Seen::Ended(number, step, outcome) = seen else {
            return;
        };
        let (state, reason) = match outcome {
            Outcome::Done => ("done", None),
            Outcome::FoundDone => ("found done", None),
            Outcome::Left(left) => {
                let key = |name: &str, left: &ddb_core::changes::Left| -> String {
                    let value = left.key.get(name).and_then(|value| value.as_s().ok());
                    value.cloned().unwrap_or_default()
                };
                let items = left
                    .iter()
                    .map(|left| format!("{} {}: {}", key("pk", left), key("sk", left), left.why));
                ("left", Some(items.collect::<Vec<_>>().join("; ")))
            }
        };
        if let Some(reason) = &reason {
            self.ui.warn(&format!("step {number} is left: {reason}"));
        }
        if !matches!(self.ui.format(), Format::Json | Format::Jsonl) && state != "left" {
            return;
        }
        let row = Row::Step {
            step: *number,
            group_uuid: step.conversation.map(|id| id.to_string()),
            state,
            reason,
        };
        let printed = self.ui.around_progress(|| self.printer.print(&row));
        if let Err(failure) = printed {
            // The work continues, because a half-finished plan helps nobody.
            self.failed.get_or_insert(failure);
        }
    }

    /// Prints the totals. If a step was left, the command fails.
    pub(super) fn end(mut self, carried_out: &CarriedOut) -> Result<failure::Outcome, Failure> {
        let tally = carried_out.tally;
        let receipt = carried_out.receipt.as_ref();
        let totals = Row::Totals {
            done: tally.done,
            left: tally.left,
            receipt: receipt.map(|path| path.display().to_string()),
        };
        let printed = self.printer.print_only(&totals);
        let printed = printed.and_then(|()| self.printer.finish(Totals::default()));
        if tally.left > 0 {
            let left = plural(tally.left, "step was left", "steps were left");
            let message = format!("{left}: the items have changed since; {} done", tally.done);
            return Err(Failure::new(Exit::Partly, message).hint("the warnings name the items"));
        }
        self.failed.map_or(Ok(()), Err)?;
        printed?;
        Ok(failure::Outcome::Done)
    }
}
