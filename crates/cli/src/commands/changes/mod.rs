//! Plans and receipts: carrying out plans, and taking back what was done.

pub mod apply;
pub mod receipts;
mod steps;
pub mod undo;
