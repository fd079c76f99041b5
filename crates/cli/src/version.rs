//! Which version this is.

/// The version alone: what `-V` says, and a receipt.
pub const NUMBER: &str = env!("CARGO_PKG_VERSION");

/// The version with the commit that it was built from and the date of that, as `--version` says it: `0.2.0 (1a2b3c4d5 2026-03-22)`.
///
/// A part that is not known is left out, and a build in debug is `0.2.0 (development)`: see `build.rs`.
pub const WHOLE: &str = env!("DDB_VERSION");
