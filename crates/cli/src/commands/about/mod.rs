//! Commands about the commands themselves.

pub mod completions;
mod files;
pub mod man;
