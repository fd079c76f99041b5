//! The version of this program.

/// The version alone, for `-V` and for receipts.
pub const NUMBER: &str = env!("CARGO_PKG_VERSION");

/// The version with its commit and the date of that commit, for `--version`: `0.2.0 (1a2b3c4d5 2026-03-22)`.
///
/// Unknown parts are left out. A debug build is `0.2.0 (development)`: see `build.rs`.
pub const WHOLE: &str = env!("DDB_VERSION");
