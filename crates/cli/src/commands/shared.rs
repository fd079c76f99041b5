//! What several commands need for tables.

use std::time::Duration;

/// How long a command waits for a table to reach the wanted state.
pub const TABLE_DEADLINE: Duration = Duration::from_secs(10 * 60);
