//! Data on its way to stdout: one printer, all the formats, and a pager for output that is longer than the screen.

mod cell;
pub mod escape;
mod format;
mod handout;
pub mod json;
pub mod pager;
mod printer;
mod record;
mod screen;
mod sheet;
pub mod style;
mod table;
mod transcript;
pub mod width;

pub use cell::Cell;
pub use format::Format;
pub use pager::Out;
pub use printer::Printer;
pub use record::{Column, Record, Totals};
pub use screen::Screen;
pub use sheet::Sheet;
pub use style::Tone;
pub use transcript::ChatLine;
