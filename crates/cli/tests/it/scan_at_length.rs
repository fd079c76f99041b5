//! `scan` over more than one page: empty pages, and any number of items.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use ddb_test_support::http::{Answer, Request, Server};
use ddb_test_support::proxy::{Fault, Proxy};
use ddb_test_support::{Door, Tool, is_deep, note};
use serde_json::{Value, json};

use crate::kills::{block_on, by_way_of, seeded};
use crate::setup::{field, lines};

/// Items in a page: about 1 MB.
const PAGE: u64 = 5_000;

/// Returns a page of a table with so many generated items. Every third page is empty.
fn page(request: &Request, items: u64) -> Answer {
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    let key = |name: &str| body["ExclusiveStartKey"][name]["S"].as_str();
    let start: u64 = key("sk").map_or(0, |start| start.parse().unwrap());
    let is_empty = key("pk") == Some("full");
    let end = if is_empty {
        start
    } else {
        (start + PAGE).min(items)
    };
    let mut list = String::new();
    for n in start..end {
        let comma = if n > start { "," } else { "" };
        write!(
            list,
            "{comma}{{\"pk\":{{\"S\":\"p\"}},\"sk\":{{\"S\":\"{n}\"}},\"message\":{{\"S\":\"{:0>100}\"}}}}",
            n
        )
        .unwrap();
    }
    // An empty page comes after every second full one.
    let next = match (is_empty, (end / PAGE) % 2) {
        (false, 0) => "full",
        _ => "go on",
    };
    let last = match end < items {
        true => json!({"pk": {"S": next}, "sk": {"S": end.to_string()}}),
        false => Value::Null,
    };
    let count = end - start;
    Answer::json(
        200,
        format!(
            "{{\"Items\":[{list}],\"Count\":{count},\"ScannedCount\":{count},\"LastEvaluatedKey\":{last}}}"
        ),
    )
}

/// Scans so many items and returns the process's peak memory, in KiB.
fn peak_of(items: u64) -> u64 {
    let (process, peak) = (Arc::new(OnceLock::new()), Arc::new(AtomicU64::new(0)));
    let (watched, highest) = (Arc::clone(&process), Arc::clone(&peak));
    let server = Server::start(move |request| {
        if let Some(id) = watched.get() {
            highest.fetch_max(resident(*id), Ordering::SeqCst);
        }
        page(request, items)
    });
    let mut child = Tool::new(env!("CARGO_BIN_EXE_ddb"), Door::Own)
        .with("AWS_ENDPOINT_URL_DYNAMODB", &server.url())
        .spawn(&["scan", "-o", "jsonl", "-q"]);
    process.set(child.id()).unwrap();
    let shown = BufReader::new(child.stdout.take().unwrap()).lines().count();
    assert!(child.wait().unwrap().success());
    assert_eq!(shown as u64, items);
    let pages = items / PAGE;
    assert_eq!(server.operations().len() as u64, pages + (pages - 1) / 2);
    peak.load(Ordering::SeqCst)
}

/// Returns `VmHWM` of a process: its peak memory so far, in KiB.
pub fn resident(id: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let words = line.and_then(|line| line.split_whitespace().next());
    words.map_or(0, |kib| kib.parse().unwrap())
}

#[test]
fn p22_memory_stays_flat_however_many_items_there_are() {
    let many = if is_deep() { 1_000_000 } else { 100_000 };
    let (few_peak, many_peak) = (peak_of(4 * PAGE), peak_of(many));
    note(&format!(
        "p22: {few_peak} KiB for {} items, {many_peak} KiB for {many}",
        4 * PAGE
    ));
    assert!(few_peak > 0);
    // If all items were kept, each would take hundreds of bytes.
    assert!(
        many_peak < few_peak + 16 * 1024,
        "{few_peak} KiB, {many_peak} KiB"
    );
}

#[test]
fn p22_empty_pages_end_nothing_in_any_number_of_segments() {
    let sandbox = seeded();
    let count = block_on(sandbox.items()).len();
    for segments in ["1", "3", "16"] {
        let proxy = Proxy::start(&sandbox.url(), |_, request| {
            let first = !String::from_utf8_lossy(&request.body).contains("ExclusiveStartKey");
            first.then_some(Fault::EmptyPage)
        });
        let tool = by_way_of(&proxy, &sandbox);
        let shown = lines(tool.run(&["scan", "-o", "jsonl", "--segments", segments]));
        let mut keys = field(&shown, "sk");
        keys.sort_unstable();
        assert_eq!(keys.len(), count);
        let empty = proxy.injected()[&Fault::EmptyPage];
        assert_eq!(empty.to_string(), segments);
        let talk = lines(tool.run(&["get-conversation", "--all", "-o", "jsonl"]));
        assert_eq!(talk.len(), count - 2);
    }
}
