//! Shared code of commands that follow the table's stream.

use std::time::Duration;

use ddb_core::store::Store;
use ddb_core::stream::{Lost, PollIntervals};

use crate::args::TableTarget;
use crate::ui::Ui;

/// Returns how often a command that follows a stream checks whether it still is the table's stream.
pub fn intervals(target: &TableTarget) -> PollIntervals {
    let (look, empty) = if target.is_production() {
        (5, 5)
    } else {
        (1, 2)
    };
    PollIntervals {
        look: Duration::from_secs(look),
        empty: Duration::from_secs(empty),
    }
}

/// Prints what happened to the stream of a table that is followed. `then` says what the command does next.
pub fn say_lost(lost: Lost, store: &Store, ui: &Ui, then: &str) {
    let destination = store.destination();
    ui.warn(&match lost {
        Lost::Table => format!("{destination}: the table is gone; {then}"),
        Lost::Stream => format!("{destination}: the table has no stream now; {then}"),
    });
    ui.hint(match lost {
        Lost::Table => "`ddb schema-load` creates the table",
        Lost::Stream => "`ddb schema-load --apply` turns it on",
    });
}

/// Prints that the table has another stream.
pub fn say_renewed(store: &Store, ui: &Ui) {
    ui.warn(&format!(
        "{}: the table has another stream: it was created again, or its stream was turned off and on; following the new one from its beginning",
        store.destination()
    ));
}
