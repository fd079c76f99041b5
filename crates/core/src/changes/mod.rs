//! Changes that can be undone: a plan that is shown first, a receipt that is written while the plan is carried out, and
//! undo.
//!
//! A plan is a list of steps. A step is one transaction of up to ten item changes, each with the item before and after
//! the change. Plans and receipts are files of JSON lines in the same format, so that they can be larger than memory.
//! A receipt is a write-ahead log: a step is on disk before its transaction is sent.

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
