//! What the tools are measured with: see `bin-scripts/bench`, and `cargo bench` for the hot path inside.

pub mod replay;
