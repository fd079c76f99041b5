//! The terminal that an answer goes to.

/// The terminal that an answer goes to.
#[derive(Debug, Clone, Copy)]
pub struct Screen {
    /// How many columns it has.
    pub columns: usize,
    /// Whether it shows colors.
    pub colored: bool,
}
