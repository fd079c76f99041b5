//! Plans and receipts: carrying out what was planned, and taking back what was done.

pub mod apply;
pub mod receipts;
mod steps;
pub mod undo;
