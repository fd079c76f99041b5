//! Seeding: writing messages and rows from a conversation file. A second run changes nothing.

mod generate;
mod load;
mod plan;
mod replace;
mod run;
mod script;

pub use generate::{Synthetic, SyntheticConversation, SyntheticError};
pub use load::{Loaded, Loading, load, survey};
pub use plan::{Plan, PlanError};
pub use replace::{REPLACE, ReplaceAgain, Replacement, plan_replacement};
pub use run::{Prepared, Report, Seed, SeedError, prepare};
pub use script::{Line, Problem, Script, ScriptError, Side, Speakers};
