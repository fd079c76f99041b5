//! Changes that can be taken back: a plan that is said first, a receipt that is written while it is carried out, and
//! undo.
//!
//! A plan is a list of steps. A step is one transaction: up to ten changes of items, each with the item before and
//! after it. Plans and receipts are files of JSON lines in one format, so that they can be larger than memory. A
//! receipt is a write-ahead log: a step is on disk before its transaction is sent.

mod error;
mod execute;
mod folder;
mod line;
mod plan;
mod receipt;
mod step;
mod table;
mod undo;

pub use error::ChangesError;
pub use execute::{AT_ONCE, Executor, Never, Replan, Seen, Tally};
pub use folder::{Listed, list, prune};
pub use line::{Head, Left, Outcome};
pub use plan::{Plan, PlanWriter, Summary};
pub use receipt::{Keep, Receipt, Started};
pub use step::{MAX_CHANGES, Packer, Sink, Step, StepSize};
pub use table::TableIdentity;
pub use undo::undo_plan;
