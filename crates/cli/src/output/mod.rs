//! Data on its way to stdout: one printer, and all the forms.

mod cell;
pub mod escape;
mod format;
mod handout;
pub mod json;
mod printer;
mod record;
mod sheet;
mod table;
mod transcript;
pub mod width;

pub use cell::Cell;
pub use format::Format;
pub use printer::Printer;
pub use record::{Column, Record, Totals};
pub use sheet::Sheet;
pub use transcript::ChatLine;
