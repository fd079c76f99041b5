//! Bringing items back: lines of DynamoDB JSON, as a scan, and an export to S3, write them.
//!
//! Files are read more than once. The first reading looks at every line ([`check`]), so that nothing is written where one of
//! them is wrong. The second one ([`Import::write`]) looks for each item in the table, and puts it where its key is free: what
//! is there stays as it is. A last one does that with the rows of conversations, so that no row is there before its messages.
//!
//! Of an item that was looked at, 16 bytes are remembered.

mod check;
mod compare;
mod export;
mod fault;
mod marks;
mod reader;
mod source;
mod write;

pub use check::{BadLine, Checked, check};
pub use compare::Compared;
pub use export::ExportFault;
pub use fault::Fault;
pub use source::{LinesRead, Source, SourceError};
pub use write::{Import, ImportError, Left, Tally, WhyLeft};
