//! The hot path inside the tools: from the bytes of a page to printed lines, and from messages to the bytes of a batch.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ddb_bench::replay;
use ddb_cli::output::escape;
use ddb_cli::output::json::{Export, Plain, WriteJson};
use ddb_core::item::{Kind, read_page};
use ddb_core::key::PartitionKey;
use ddb_core::seed::Synthetic;
use ddb_core::store::Batch;
use ddb_core::timestamp::Timestamp;

const TIME: &str = "2026-03-22T08:35:09.123456+00:00";
const KEY: &str = "MSG#5ae290ed-55d1-47a0-bc6d-fe2bc2700399";

fn pages(c: &mut Criterion) {
    let page = replay::page_of(replay::items_per_page());
    let mut group = c.benchmark_group("a page of 1 MB");
    group.throughput(Throughput::Elements(replay::items_per_page()));
    group.bench_function("read", |b| {
        b.iter(|| {
            read_page(black_box(&page), |item| {
                black_box(item);
            })
        });
    });
    group.bench_function("read, judged", |b| {
        b.iter(|| {
            read_page(black_box(&page), |item| {
                black_box(Kind::of(item));
            })
        });
    });
    let mut out = Vec::new();
    group.bench_function("to jsonl", |b| {
        b.iter(|| {
            out.clear();
            let read = read_page(black_box(&page), |item| {
                let kind = Kind::of(item);
                Plain { kind, item }.write_json(&mut out);
                out.push(b'\n');
            });
            black_box(&out);
            read
        });
    });
    group.bench_function("to ddb-json", |b| {
        b.iter(|| {
            out.clear();
            let read = read_page(black_box(&page), |item| {
                Export(item).write_json(&mut out);
                out.push(b'\n');
            });
            black_box(&out);
            read
        });
    });
    group.finish();
}

fn texts(c: &mut Criterion) {
    c.bench_function("timestamp, parsed", |b| {
        b.iter(|| black_box(TIME).parse::<Timestamp>());
    });
    let time: Timestamp = TIME.parse().expect("a time");
    c.bench_function("timestamp, formatted", |b| {
        b.iter(|| black_box(time).to_string())
    });
    c.bench_function("partition key, parsed", |b| {
        b.iter(|| black_box(KEY).parse::<PartitionKey>());
    });
    let key: PartitionKey = KEY.parse().expect("a key");
    c.bench_function("partition key, formatted", |b| {
        b.iter(|| black_box(key).to_string())
    });
    for (name, text) in [
        (
            "plain",
            "a message of middling length, with nothing odd in it",
        ),
        (
            "with controls",
            "a message\n of middling \u{1b}[31mlength\u{202e}",
        ),
    ] {
        c.bench_function(&format!("escape, {name}"), |b| {
            b.iter(|| escape::line(black_box(text)).len());
        });
    }
}

fn batches(c: &mut Criterion) {
    let time = TIME.parse().expect("a time");
    let load = Synthetic::new(1_000, 1_000, 10, 1, time, Duration::from_secs(60));
    let load = load.expect("a load");
    let mut group = c.benchmark_group("25 messages");
    group.throughput(Throughput::Elements(25));
    group.bench_function("generated", |b| {
        b.iter(|| load.conversation(0).messages().take(25).count());
    });
    let messages: Vec<_> = load.conversation(0).messages().take(25).collect();
    let mut batch = Batch::default();
    group.bench_function("packed into a batch", |b| {
        b.iter(|| {
            for message in &messages {
                let full = batch.put_message(message).expect("it is small");
                assert!(full.is_none(), "25 messages fit");
            }
            batch.take()
        });
    });
    group.finish();
}

criterion_group!(benches, pages, texts, batches);
criterion_main!(benches);
