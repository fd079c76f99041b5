//! Shared code of commands that change items: the plan is shown before the question, and a receipt is written while it
//! is carried out.

mod announce;
mod carry_out;
mod ground;
mod options;

pub use carry_out::{CarriedOut, Job, PlanKind};
pub use ground::Ground;
pub use options::{CarryOutArgs, PlanArgs, folder};
