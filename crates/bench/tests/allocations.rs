//! Counts the allocations between the bytes of a page and printed lines.

use std::hint::black_box;

use allocation_counter::measure;
use ddb_bench::replay;
use ddb_cli::output::json::{Export, Plain, WriteJson};
use ddb_core::item::{Item, ItemView, Kind, read_page};

/// Does something with each item of a page, and returns how many allocations that took per item.
fn allocations(mut each: impl FnMut(&mut Vec<u8>, &ItemView<'_>)) -> f64 {
    let count = replay::items_per_page();
    let page = replay::page_of(count);
    let mut out = Vec::with_capacity(4 * page.len());
    let taken = measure(|| {
        let read = read_page(&page, |item| each(&mut out, item));
        assert_eq!(read.expect("a page").count, count);
    });
    taken.count_total as f64 / count as f64
}

/// One item in ten has escapes in its text, which is then copied: that takes four allocations.
#[test]
fn an_item_without_escapes_is_shown_without_any() {
    let jsonl = allocations(|out, item| {
        let kind = Kind::of(item);
        Plain { kind, item }.write_json(out);
    });
    let ddb_json = allocations(|out, item| Export(item).write_json(out));
    assert!(jsonl < 0.41, "{jsonl}");
    assert!(ddb_json < 0.41, "{ddb_json}");
}

/// These are the names and values of seven attributes, their map, and the intermediate form.
#[test]
fn an_item_that_is_decoded_takes_twenty() {
    let decoded = allocations(|_, item| {
        black_box(Item::decode(item.to_raw()));
    });
    assert!(decoded < 20.0, "{decoded}");
}
