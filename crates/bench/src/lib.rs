//! The benchmarks of the tools: see `bin-scripts/bench`, and `cargo bench` for the hot path inside the tools.

pub mod replay;
