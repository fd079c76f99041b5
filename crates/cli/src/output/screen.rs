//! The terminal that the output goes to.

/// The terminal that the output goes to.
#[derive(Debug, Clone, Copy)]
pub struct Screen {
    /// The number of its columns.
    pub columns: usize,
    /// Whether it shows colors.
    pub colored: bool,
}
