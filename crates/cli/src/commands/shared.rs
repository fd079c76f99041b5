//! What several commands share about tables.

use std::time::Duration;

use futures::stream::{self, Stream, StreamExt};

/// How long a command waits for a table to become what it should be.
pub const TABLE_DEADLINE: Duration = Duration::from_secs(10 * 60);

/// The most segments of a scan that are read at once, however many there are: each of them holds a page.
const SEGMENTS_AT_ONCE: usize = 64;

/// Reads the segments of a scan, some of them at once; one that has ended makes room for the next.
pub fn side_by_side<S: Stream + Unpin>(
    segments: impl Iterator<Item = S>,
) -> impl Stream<Item = S::Item> {
    stream::iter(segments).flatten_unordered(SEGMENTS_AT_ONCE)
}
