//! What several commands share about tables.

use std::time::Duration;

/// How long a command waits for a table to become what it should be.
pub const TABLE_DEADLINE: Duration = Duration::from_secs(10 * 60);
