//! Whether everybody can use the pages: what axe-core finds about contrast, names, order and roles.

use ddb_test_support::browser::Browser;
use serde_json::json;

use crate::browser::opened;
use crate::kills::{block_on, seeded};
use crate::setup::{GROUP, message, strings};
use crate::web::web;

/// High enough that nothing is out of view: what has to be scrolled to is not judged.
const HIGH: u32 = 12_000;

#[test]
#[ignore = "needs Chromium: bin-scripts/test --real"]
fn no_page_has_a_barrier_in_the_light_or_in_the_dark() {
    let sandbox = seeded();
    // In addition: an item that is not a message, a character that reorders text, and a name without a letter.
    let mut odd = message("2030-01-01T00:00:00.000000+00:00", "\u{202e}abc שלום");
    odd.extend(strings(&[("user_display_name", "👩‍🍳")]));
    block_on(sandbox.put(odd));
    let unknown = [("pk", format!("MSG#{GROUP}")), ("sk", "odd".to_owned())];
    let unknown = unknown
        .each_ref()
        .map(|(name, text)| (*name, text.as_str()));
    block_on(sandbox.put(strings(&unknown)));
    let served = web(&sandbox, &["--write"]);
    let browser = opened(&served, Browser::open());
    browser.go(&format!("http://127.0.0.1:{}/c/{GROUP}", served.port));
    browser.awaits_text("#messages", "line 103");
    let raw = "return document.querySelector('.raw').getAttribute('href')";
    let raw = browser.run(raw, &json!([]));
    let pages = [
        ("/", ".blank", "Choose one"),
        (&format!("/c/{GROUP}"), "#messages", "line 103"),
        (&format!("/c/{GROUP}/search?q=line"), ".count", "50 found"),
        (&format!("/c/{GROUP}/search?q=nowhere"), ".count", "0 found"),
        (raw.as_str().unwrap(), "pre", "MSG#"),
        ("/nothing", "main", "Not found"),
        ("/enter/0", "main", "used already"),
    ];
    let mut found = Vec::new();
    for (width, dark) in [(1280, false), (1280, true), (390, false), (390, true)] {
        browser.look((width, HIGH), dark);
        for (path, selector, shown) in pages {
            browser.go(&format!("http://127.0.0.1:{}{path}", served.port));
            if width > 390 || path != "/" {
                browser.awaits_text(selector, shown);
            }
            let barriers = browser.barriers().into_iter();
            found.extend(barriers.map(|barrier| format!("{path}, {width}, {dark}: {barrier}")));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}
