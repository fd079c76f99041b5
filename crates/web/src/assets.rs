//! The files that pages load besides their HTML. They are embedded, and their names depend on their content.

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use axum::response::{IntoResponse, Response};

/// A file that pages load.
pub(crate) struct Asset {
    name: &'static str,
    ending: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
}

pub(crate) const STYLE: Asset = Asset {
    name: "page",
    ending: "css",
    kind: "text/css; charset=utf-8",
    bytes: include_bytes!("../assets/page.css"),
};
pub(crate) const SCRIPT: Asset = Asset {
    name: "page",
    ending: "js",
    kind: "text/javascript; charset=utf-8",
    bytes: include_bytes!("../assets/page.js"),
};
pub(crate) const ICON: Asset = Asset {
    name: "icon",
    ending: "svg",
    kind: "image/svg+xml",
    bytes: include_bytes!("../assets/icon.svg"),
};

impl Asset {
    /// Returns its path: `/assets/page-0123456789abcdef.css`.
    pub fn path(&self) -> String {
        format!(
            "/assets/{}-{:016x}.{}",
            self.name,
            hash(self.bytes),
            self.ending
        )
    }
}

/// FNV-1a: it distinguishes versions of a file, and is not for security.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Answers with the file of a path. Its name changes with its content, so browsers may cache it forever.
pub(crate) fn answer(path: &str) -> Option<Response> {
    let asset = [STYLE, SCRIPT, ICON]
        .into_iter()
        .find(|asset| asset.path() == path)?;
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(asset.kind)),
        (
            CACHE_CONTROL,
            HeaderValue::from_static("private, max-age=31536000, immutable"),
        ),
    ];
    Some((headers, asset.bytes).into_response())
}
