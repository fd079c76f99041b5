//! Importing items from lines of DynamoDB JSON, as written by a scan or an export to S3.
//!
//! Files are read more than once. The first pass checks every line ([`check()`]), so that nothing is written if one of
//! them is wrong. The second pass ([`Import::write`]) looks up each item in the table, and puts it if its key is free.
//! Existing items stay unchanged. A last pass does the same with the rows of conversations, so that no row exists
//! before its messages.
//!
//! For each checked item, 16 bytes are kept in memory.

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
