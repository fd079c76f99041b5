//! What commands that follow the table's stream share.

use std::time::Duration;

use ddb_core::store::Store;
use ddb_core::stream::{Lost, Pace};

use crate::args::Site;
use crate::ui::Ui;

/// How often a command that follows looks whether the stream still is the table's.
pub fn pace(site: &Site) -> Pace {
    let (look, empty) = if site.is_production() { (5, 5) } else { (1, 2) };
    Pace {
        look: Duration::from_secs(look),
        empty: Duration::from_secs(empty),
    }
}

/// Says what happened to the stream of a table that is followed; `then` is what is done now.
pub fn say_lost(lost: Lost, store: &Store, ui: &Ui, then: &str) {
    let place = store.place();
    ui.warn(&match lost {
        Lost::Table => format!("{place}: the table is gone; {then}"),
        Lost::Stream => format!("{place}: the table has no stream now; {then}"),
    });
    ui.hint(match lost {
        Lost::Table => "`ddb schema-load` creates the table",
        Lost::Stream => "`ddb schema-load --apply` turns it on",
    });
}

/// Says that the table has another stream.
pub fn say_renewed(store: &Store, ui: &Ui) {
    ui.warn(&format!(
        "{}: the table has another stream: it was created anew, or its stream was turned off and on; following the new one from its beginning",
        store.place()
    ));
}
