//! `stats`: what the table contains.

use serde_json::json;

use crate::setup::{GROUP, document, message, one, strings, through_both_doors};

#[tokio::test]
async fn everything_is_counted_once() {
    through_both_doors(async |sandbox, tool| {
        let seed = ["seed", "--ends-at", "2026-03-22T00:30:30Z"];
        tool.run(&seed).ok();
        sandbox.put(message("soon", "undated")).await;
        sandbox.put(strings(&[("pk", "x"), ("sk", "y")])).await;
        let report = one(tool.run(&["stats", "-o", "jsonl"]));
        assert_eq!(report["items"], 107);
        let kinds = report["kinds"].as_array().unwrap();
        let items: Vec<_> = kinds.iter().map(|kind| &kind["items"]).collect();
        assert_eq!(items, [104, 2, 1]);
        assert_eq!(kinds[2]["bytes"], 6);
        assert_eq!(
            report["days"],
            json!([{"date": "2026-03-21", "messages": 72}, {"date": "2026-03-22", "messages": 31}])
        );
        assert_eq!(
            (&report["undated"], &report["conversations"]),
            (&json!(1), &json!(1))
        );
        let biggest = &report["biggest_conversations"][0];
        assert_eq!(
            (&biggest["group_uuid"], &biggest["messages"]),
            (&json!(GROUP), &json!(104))
        );
        let costs = report["monthly_cost"].as_array().unwrap();
        assert_eq!(
            (
                &costs[1]["billing"],
                &costs[1]["current"],
                &costs[1]["total"]
            ),
            (&json!("provisioned"), &json!(true), &json!(5.694))
        );
        let segments = one(tool.run(&["stats", "-o", "jsonl", "--segments", "4"]));
        assert_eq!(segments, report);
        assert_eq!(
            document(tool.run(&["stats", "-o", "json"]))["items"][0],
            report
        );
    })
    .await;
}

#[tokio::test]
async fn days_are_bars_that_fit_the_terminal() {
    through_both_doors(async |_, tool| {
        tool.run(&["seed", "--ends-at", "2026-03-22T00:30:30Z"])
            .ok();
        for columns in [80, 200] {
            let (code, shown) = tool.at_terminal(&["stats"], columns).end();
            assert_eq!(code, Some(0));
            let width = |day: &str| {
                let line = shown.lines().find(|line| line.starts_with(day)).unwrap();
                assert!(line.chars().count() <= usize::from(columns), "{line}");
                line.matches('█').count()
            };
            let (longer, shorter) = (width("2026-03-21"), width("2026-03-22"));
            assert!(longer > shorter && shorter > 0, "{shown}");
            assert!(!shown.contains('…'), "{shown}");
        }
        let few = ["stats", "--days", "1", "--conversations", "0"];
        let newest = tool.run(&few).ok();
        // The old option name is accepted, and shown nowhere.
        let old = tool.run(&["stats", "--days", "1", "--groups", "0"]).ok();
        assert_eq!(old, newest);
        assert!(
            !newest.contains("2026-03-21") && !newest.contains(GROUP),
            "{newest}"
        );
    })
    .await;
}

#[tokio::test]
async fn an_empty_table_has_no_days_and_an_absent_one_no_statistics() {
    through_both_doors(async |_, tool| {
        let ran = tool.run(&["stats"]);
        assert!(
            ran.stderr.contains("0 items, 0 conversations, 0 days"),
            "{}",
            ran.stderr
        );
        assert!(!ran.ok().contains("day (UTC)"));
        tool.run(&["stats", "--table", "absent-table"])
            .fails_with_hint(4, "there is no such table");
    })
    .await;
}
