//! Reading: every page, in every way.

use std::collections::BTreeSet;

use ddb_core::conversation::{Filter, find_conversations, has_items, newest_message, read};
use ddb_core::item::{Kind, RawItem};
use ddb_core::key::{PartitionKey, SortKey};
use ddb_core::store::{Direction, Scan, Segment, Segments};
use ddb_core::timestamp::TimeRange;
use ddb_test_support::Sandbox;
use futures::TryStreamExt;

use crate::data::{at, conversation, message, person, raw, row};

const T: &str = "2026-03-22T08:35:09.123456+00:00";

fn keys(items: &[RawItem]) -> BTreeSet<(String, String)> {
    items
        .iter()
        .map(|item| {
            let text = |name: &str| item[name].as_s().unwrap().clone();
            (text("pk"), text("sk"))
        })
        .collect()
}

fn scan(segments: Segments) -> Scan {
    Scan {
        segments,
        consistent: true,
        ..Scan::default()
    }
}

/// 3 MB are at least three pages.
#[tokio::test]
async fn p22_a_scan_returns_every_item_in_any_number_of_segments() {
    let sandbox = Sandbox::with_table().await;
    let store = sandbox.store();
    let text = "x".repeat(10_000);
    let items: Vec<RawItem> = (0..300u32)
        .map(|n| {
            let time = at(T).plus_micros(n.into()).unwrap();
            raw(&message(conversation(u128::from(n % 40)), time, 1, &text))
        })
        .collect();
    let expected = keys(&items);
    sandbox.fill(&items).await;

    for total in [1, 4, 7] {
        let one_by_one: Vec<Segments> = Segment::all(total).map(Segments::One).collect();
        for shares in [one_by_one, vec![Segments::All(total)]] {
            let mut found = Vec::new();
            let mut pages = 0;
            for segments in shares {
                let stream = store.scan(scan(segments), |items: &mut Vec<RawItem>, item| {
                    items.push(item.to_raw());
                });
                let mut stream = std::pin::pin!(stream);
                while let Some(page) = stream.try_next().await.unwrap() {
                    pages += 1;
                    assert_eq!(page.count, page.value.len() as u64);
                    found.extend(page.value);
                }
            }
            assert_eq!(found.len(), 300, "{total} segments");
            assert_eq!(keys(&found), expected);
            assert!(pages >= 3);
        }
    }
    let counted: Vec<u64> = store
        .scan(
            Scan {
                count_only: true,
                ..scan(Segments::WHOLE)
            },
            |items: &mut u64, _| *items += 1,
        )
        .map_ok(|page| {
            assert_eq!(page.value, 0);
            page.count
        })
        .try_collect()
        .await
        .unwrap();
    assert_eq!(counted.iter().sum::<u64>(), 300);
}

#[tokio::test]
async fn a_query_follows_its_pages_in_both_directions() {
    let sandbox = Sandbox::with_table().await;
    let store = sandbox.store();
    let text = "x".repeat(10_000);
    let items: Vec<RawItem> = (0..250)
        .map(|n| {
            raw(&message(
                conversation(1),
                at(T).plus_micros(n).unwrap(),
                1,
                &text,
            ))
        })
        .collect();
    sandbox.fill(&items).await;
    let partition = PartitionKey::Messages(conversation(1));
    for (direction, page_size) in [
        (Direction::Ascending, None),
        (Direction::Descending, None),
        (Direction::Descending, Some(7)),
    ] {
        let slices = read(&store, partition, Filter::default(), direction, page_size);
        let items: Vec<RawItem> = slices
            .map_ok(|slice| slice.page.items)
            .try_concat()
            .await
            .unwrap();
        let mut sks: Vec<String> = items
            .iter()
            .map(|item| item["sk"].as_s().unwrap().clone())
            .collect();
        assert_eq!(sks.len(), 250);
        if direction == Direction::Descending {
            sks.reverse();
        }
        assert!(sks.is_sorted());
    }
}

/// Keys that older tools wrote sort as text, not as time. The range that is read has to include them all.
#[tokio::test]
async fn a_year_is_cut_by_time_whatever_the_offset() {
    let sandbox = Sandbox::with_table().await;
    let inside = [
        "2026-01-01T00:00:00.000000+00:00",
        "2025-12-31T23:30:00-01:00",
        "2026-12-31T23:59:59Z",
        "2027-01-01T10:00:00+14:00",
        "2026-07-01T00:00:00",
    ];
    let outside = [
        "2025-12-31T23:59:59.999999+00:00",
        "2026-01-01T00:30:00+01:00",
        "2027-01-01T00:00:00Z",
        "2026-12-31T23:30:00-01:00",
        "2026-soon",
    ];
    for sk in inside.iter().chain(&outside) {
        let item = raw(&message(conversation(1), SortKey::verbatim(*sk), 1, "x"));
        sandbox.put(item).await;
    }
    let partition = PartitionKey::Messages(conversation(1));
    let year = Filter::of_time(TimeRange::year(2026).unwrap());
    let store = sandbox.store();
    let mut slices = std::pin::pin!(read(&store, partition, year, Direction::Ascending, None));
    let (mut found, mut undated) = (BTreeSet::new(), 0);
    while let Some(slice) = slices.try_next().await.unwrap() {
        undated += slice.undated;
        found.extend(keys(&slice.page.items).into_iter().map(|(_, sk)| sk));
    }
    assert_eq!(found, inside.map(str::to_owned).into());
    assert_eq!(undated, 1);
}

#[tokio::test]
async fn the_newest_message_is_the_highest_key_among_messages() {
    let sandbox = Sandbox::with_table().await;
    let store = sandbox.store();
    assert_eq!(newest_message(&store, conversation(1)).await.unwrap(), None);
    assert!(
        !has_items(&store, PartitionKey::Messages(conversation(1)))
            .await
            .unwrap()
    );
    let newest = message(conversation(1), at(T), 1, "newest");
    sandbox.put(raw(&newest)).await;
    for n in 1..20 {
        sandbox
            .put(raw(&message(
                conversation(1),
                at(T).plus_micros(-n).unwrap(),
                1,
                "x",
            )))
            .await;
        let mut odd = raw(&message(
            conversation(1),
            at(T).plus_micros(n).unwrap(),
            1,
            "x",
        ));
        odd.remove("message_uuid");
        assert_eq!(Kind::of(&odd), Kind::Unknown);
        sandbox.put(odd).await;
    }
    assert_eq!(
        newest_message(&store, conversation(1)).await.unwrap(),
        Some(newest)
    );
    assert!(
        has_items(&store, PartitionKey::Messages(conversation(1)))
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn conversations_of_two_people_are_found_once_each() {
    let sandbox = Sandbox::with_table().await;
    let later = at(T).plus_micros(1).unwrap();
    for (conversation, sk, people) in [
        (conversation(1), at(T), (1, 2)),
        (conversation(2), later, (1, 2)),
        (conversation(2), later.plus_micros(1).unwrap(), (1, 2)),
        (conversation(3), later, (1, 3)),
        (conversation(4), later, (3, 2)),
    ] {
        sandbox.put(raw(&row(conversation, sk, people, "x"))).await;
    }
    let store = sandbox.store();
    let between = async |a: u128, b: u128| {
        let found = find_conversations(&store, person(a).id, |row| row.other.id == person(b).id);
        let found = found.await.unwrap();
        let ids: Vec<_> = found.iter().map(|row| row.conversation).collect();
        ids
    };
    // Newest first.
    assert_eq!(between(1, 2).await, [conversation(2), conversation(1)]);
    assert_eq!(between(1, 3).await, [conversation(3)]);
    assert!(between(2, 1).await.is_empty());
}

/// A page is no larger than it needs to be: the newest few messages of a long conversation cost only their own size.
#[tokio::test]
async fn the_newest_few_since_a_time_are_read_in_a_small_page() {
    let sandbox = Sandbox::with_table().await;
    let text = "x".repeat(400);
    let items: Vec<RawItem> = (0..250)
        .map(|n| {
            let time = at(T).plus_micros(n).unwrap();
            raw(&message(conversation(1), time, 1, &text))
        })
        .collect();
    sandbox.fill(&items).await;
    let since = Filter::of_time(TimeRange {
        since: Some(at(T)),
        until: None,
    });
    let partition = PartitionKey::Messages(conversation(1));
    let store = sandbox.store();
    let pages = |first: Option<u32>| {
        let slices = read(
            &store,
            partition,
            since.clone(),
            Direction::Descending,
            first,
        );
        slices.map_ok(|slice| (slice.page.scanned, slice.page.consumed.unwrap()))
    };
    let mut small = std::pin::pin!(pages(Some(6)));
    // 6 items of about 600 bytes take half a unit in an eventually consistent read.
    assert_eq!(small.try_next().await.unwrap(), Some((6, 0.5)));
    // Pages get larger as reading continues.
    let rest: Vec<u64> = small
        .map_ok(|(items, _)| items)
        .try_collect()
        .await
        .unwrap();
    assert_eq!(rest[..3], [12, 24, 48]);
    assert_eq!(rest.iter().sum::<u64>(), 244);
    let whole: Vec<(u64, f64)> = pages(None).try_collect().await.unwrap();
    assert!(whole[0].1 > 10.0, "{whole:?}");
}
