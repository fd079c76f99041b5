//! How often memory is asked for, on the way from the bytes of a page to printed lines. The figures are those of
//! docs/performance.md; with `--nocapture` they are printed.

use allocation_counter::{AllocationInfo, measure};
use ddb_bench::replay;
use ddb_cli::output::json::{Export, Plain, WriteJson};
use ddb_core::item::{Item, Kind, read_page};

/// Does something with each item of a page, and returns what that took, an item.
fn per_item(what: &str, mut each: impl FnMut(&mut Vec<u8>, &ddb_core::item::ItemView<'_>)) -> f64 {
    let count = replay::items_per_page();
    let page = replay::page_of(count);
    let mut out = Vec::with_capacity(4 * page.len());
    let AllocationInfo {
        count_total,
        bytes_max,
        ..
    } = measure(|| {
        let read = read_page(&page, |item| each(&mut out, item));
        assert_eq!(read.expect("a page").count, count);
    });
    let times = count_total as f64 / count as f64;
    println!("{what}: {times:.2} allocations an item, {bytes_max} bytes at most");
    times
}

#[test]
fn an_item_that_is_shown_as_it_is_takes_none() {
    // One item in ten has a text with escapes, which is read by another way.
    let jsonl = per_item("jsonl", |out, item| {
        let kind = Kind::of(item);
        Plain { kind, item }.write_json(out);
    });
    let ddb_json = per_item("ddb-json", |out, item| Export(item).write_json(out));
    assert!(jsonl < 0.5, "{jsonl}");
    assert!(ddb_json < 0.5, "{ddb_json}");
}

#[test]
fn an_item_that_is_decoded_takes_one_for_each_attribute_at_the_most_twice() {
    let decoded = per_item("decoded", |_, item| {
        std::hint::black_box(Item::decode(item.to_raw()));
    });
    // Seven attributes: a map of names and values, and what is made of it.
    assert!(decoded < 28.0, "{decoded}");
}
