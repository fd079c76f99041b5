//! The output of `scan` for programs: every item in the columns of the contract, or in JSON.

use ddb_core::item::{ItemView, Kind, Value};
use ddb_core::schema::attribute;

use crate::output::json::WriteJson;
use crate::output::{Cell, Column, Record, json};

/// An item, in the columns of the contract.
pub(super) struct Row<'a> {
    pub(super) kind: Kind,
    pub(super) item: &'a ItemView<'a>,
}

impl WriteJson for Row<'_> {
    fn write_json(&self, out: &mut Vec<u8>) {
        let plain = json::Plain {
            kind: self.kind,
            item: self.item,
        };
        plain.write_json(out);
    }
}

/// The attributes that have their own column.
const ATTRIBUTES: [&str; 8] = [
    attribute::PK,
    attribute::SK,
    attribute::MESSAGE_GROUP_UUID,
    attribute::MESSAGE_UUID,
    attribute::USER_UUID,
    attribute::USER_HANDLE,
    attribute::USER_DISPLAY_NAME,
    attribute::MESSAGE,
];

/// The items of the table, each as a [`Row`].
pub(super) struct Items;

impl Record for Items {
    type Of<'a> = Row<'a>;
    const COLUMNS: &'static [Column<Self>] = &[
        Column::kept("kind", |row| Cell::text(row.kind.as_str())),
        Column::id(ATTRIBUTES[0], |row| row.cell(ATTRIBUTES[0])),
        Column::id(ATTRIBUTES[1], |row| row.cell(ATTRIBUTES[1])),
        Column::id(ATTRIBUTES[2], |row| row.cell(ATTRIBUTES[2])),
        Column::id(ATTRIBUTES[3], |row| row.cell(ATTRIBUTES[3])),
        Column::id(ATTRIBUTES[4], |row| row.cell(ATTRIBUTES[4])),
        Column::new(ATTRIBUTES[5], |row| row.cell(ATTRIBUTES[5])),
        Column::new(ATTRIBUTES[6], |row| row.cell(ATTRIBUTES[6])),
        Column::new(ATTRIBUTES[7], |row| row.cell(ATTRIBUTES[7])),
        Column::new("other", |row| row.others()),
    ];

    fn item<T>(row: &Row<'_>, see: impl FnOnce(&ItemView<'_>) -> T) -> Option<T> {
        Some(see(row.item))
    }
}

impl Row<'_> {
    fn cell(&self, name: &str) -> Cell {
        match self.item.get(name) {
            None => Cell::text(""),
            Some(Value::S(text)) => Cell::text(text.as_ref()),
            Some(Value::N(number)) => Cell::number(number),
            Some(Value::NotUnicode(text)) => Cell::text(text.shown()),
            Some(value) => Cell::text(json::text(&json::PlainValue(value))),
        }
    }

    /// Returns the attributes that have no column.
    fn others(&self) -> Cell {
        let others = self.item.without(|name| ATTRIBUTES.contains(&name));
        let others = (!others.is_empty()).then(|| json::text(&json::PlainMap(&others)));
        Cell::text_or_blank(others)
    }
}
