//! `scan`: every item, in every format.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use ddb_core::item::RawItem;
use ddb_test_support::http::{Answer, Server, forward};
use ddb_test_support::{Door, Sandbox};
use serde_json::{Value, json};

use crate::setup::{document, lines, message, strings, through_both_doors, tool};

/// Fills a table with several pages: 320 items of 10 KB.
async fn fill(sandbox: &Sandbox) {
    let items: Vec<RawItem> = (0..320)
        .map(|n| {
            let mut item = message(
                &format!("2026-03-22T08:35:09.{n:06}+00:00"),
                &"x".repeat(10_000),
            );
            let pk = format!("MSG#5ae290ed-55d1-47a0-bc6d-{:012x}", n % 50);
            item.insert("pk".to_owned(), AttributeValue::S(pk));
            item
        })
        .collect();
    sandbox.fill(&items).await;
}

#[tokio::test]
async fn p22_every_item_of_every_page_in_any_number_of_segments() {
    let sandbox = Sandbox::with_table().await;
    fill(&sandbox).await;
    let tool = tool(Door::Own, &sandbox);
    let keys = |options: &[&str]| -> Vec<String> {
        let items = lines(tool.run(&[&["scan", "-o", "jsonl"], options].concat()));
        items
            .iter()
            .map(|item| format!("{} {}", item["pk"], item["sk"]))
            .collect()
    };
    let whole: BTreeSet<String> = keys(&[]).into_iter().collect();
    assert_eq!(whole.len(), 320);
    for options in [
        vec!["--segments", "4"],
        vec!["--segments", "9", "--consistent"],
    ] {
        let found = keys(&options);
        assert_eq!(found.len(), 320, "{options:?}");
        assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), whole);
    }
    let shares: Vec<String> = (0..3)
        .flat_map(|n| keys(&["--segment", &format!("{n}/3")]))
        .collect();
    assert_eq!(shares.len(), 320);
    assert_eq!(shares.into_iter().collect::<BTreeSet<_>>(), whole);

    let all = document(tool.run(&["scan", "-o", "json"]));
    assert_eq!(all["count"], 320);
    // Engines disagree on whether the item that ends a page counts as scanned.
    assert!(all["scanned_count"].as_u64().unwrap() >= 320);
    assert_eq!(all["items"].as_array().unwrap().len(), 320);
    assert_eq!(all["truncated"], false);
    assert!(
        all["consumed_capacity"].as_f64().unwrap() > 300.0,
        "{}",
        all["consumed_capacity"]
    );
}

/// Closing the pipe in the middle of several pages is not an error.
#[tokio::test]
async fn p29_a_closed_pipe_ends_quietly() {
    let sandbox = Sandbox::with_table().await;
    fill(&sandbox).await;
    for door in Door::BOTH {
        for form in ["jsonl", "json", "csv", "table", "ddb-json"] {
            let mut child = tool(door, &sandbox).spawn(&["scan", "-o", form, "--segments", "2"]);
            let mut stdout = BufReader::new(child.stdout.take().unwrap());
            let mut line = String::new();
            stdout.read_line(&mut line).unwrap();
            drop(stdout);
            let ran = child.wait_with_output().unwrap();
            assert_eq!(ran.status.code(), Some(0), "{form}");
            let stderr = String::from_utf8(ran.stderr).unwrap();
            assert!(
                !stderr.contains("error") && !stderr.contains("panic"),
                "{form}: {stderr}"
            );
        }
    }
}

#[tokio::test]
async fn limits_kinds_and_counts() {
    through_both_doors(async |_, tool| {
        tool.run(&["seed"]).ok();
        let count = |options: &[&str]| tool.run(&[&["scan", "--count"], options].concat()).ok();
        assert_eq!(count(&[]), "105\n");
        assert_eq!(count(&["--kind", "group"]), "2\n");
        assert_eq!(count(&["--kind", "unknown", "--segments", "3"]), "0\n");
        assert_eq!(count(&["-o", "csv"]), "count\n105\n");
        assert_eq!(count(&["-o", "jsonl"]), "{\"count\":105}\n");
        let counted = document(tool.run(&["scan", "--count", "-o", "json"]));
        assert_eq!(
            (&counted["items"], &counted["count"]),
            (&json!([]), &json!(105))
        );

        let three = tool.run(&["scan", "--limit", "3", "-o", "json"]);
        assert!(
            three.stderr.contains("--limit ended the scan"),
            "{}",
            three.stderr
        );
        let three = document(three);
        assert_eq!(
            (&three["count"], &three["truncated"]),
            (&json!(3), &json!(true))
        );
        for limit in ["105", "106"] {
            let all = document(tool.run(&["scan", "--limit", limit, "-o", "json"]));
            assert_eq!(
                (&all["count"], &all["truncated"]),
                (&json!(105), &json!(false))
            );
        }
        let conversations =
            document(tool.run(&["scan", "--kind", "group", "--limit", "1", "-o", "json"]));
        assert_eq!(
            (&conversations["count"], &conversations["truncated"]),
            (&json!(1), &json!(true))
        );
        let conversations =
            document(tool.run(&["scan", "--kind", "group", "--limit", "2", "-o", "json"]));
        assert_eq!(
            (&conversations["count"], &conversations["truncated"]),
            (&json!(2), &json!(false))
        );
    })
    .await;
}

fn odd() -> RawItem {
    let mut odd = strings(&[
        ("pk", "ODD#1"),
        ("sk", "=cmd()"),
        ("kind", "mine"),
        ("message", "a\u{1b}[31mb\u{202e}\u{9b}c\nd\\e"),
    ]);
    let digits = "12345678901234567890123456789012345678";
    odd.insert("digits".to_owned(), AttributeValue::N(digits.to_owned()));
    odd.insert(
        "set".to_owned(),
        AttributeValue::Ss(vec!["b".to_owned(), "a".to_owned()]),
    );
    odd.insert(
        "numbers".to_owned(),
        AttributeValue::Ns(vec!["2".to_owned(), "1".to_owned()]),
    );
    odd.insert("blob".to_owned(), AttributeValue::B(Blob::new([0, 255])));
    odd
}

#[tokio::test]
async fn p28_p30_an_odd_item_is_shown_whole_and_never_raw() {
    through_both_doors(async |sandbox, tool| {
        sandbox.put(odd()).await;
        let shown = tool.run(&["scan", "-o", "jsonl"]).ok();
        assert_eq!(
            shown,
            "{\"kind\":\"unknown\",\"pk\":\"ODD#1\",\"sk\":\"=cmd()\",\"blob\":\"AP8=\",\
             \"digits\":12345678901234567890123456789012345678,\"kind_\":\"mine\",\
             \"message\":\"a\\u001b[31mb\\u202e\\u009bc\\nd\\\\e\",\"numbers\":[1,2],\"set\":[\"a\",\"b\"]}\n"
        );
        let csv = tool.run(&["scan", "-o", "csv"]).ok();
        let rows: Vec<&str> = csv.lines().collect();
        assert_eq!(
            rows[0],
            "kind,pk,sk,message_group_uuid,message_uuid,user_uuid,user_handle,user_display_name,message,other"
        );
        assert!(rows[1].starts_with("unknown,ODD#1,'=cmd(),,,,,,a\\u{1b}[31mb\\u{202e}\\u{9b}c\\nd\\\\e,"));
        assert_eq!(rows.len(), 2);
        let table = tool.run(&["scan"]).ok();
        for text in [&table, &csv, &shown] {
            assert!(!text.chars().any(|c| c != '\n' && c.is_control()), "{text:?}");
            assert!(!text.contains('\u{202e}'));
        }
    })
    .await;
}

/// PutItem accepts what `ddb-json` writes, and the item is the same again.
#[tokio::test]
async fn p30_the_export_form_goes_back_in() {
    let sandbox = Sandbox::with_table().await;
    sandbox.put(odd()).await;
    let tool = tool(Door::Own, &sandbox);
    let exported = tool.run(&["scan", "-o", "ddb-json"]).ok();
    let line: Value = serde_json::from_str(&exported).unwrap();
    sandbox.delete(&odd()).await;
    let request = json!({"TableName": sandbox.table().as_str(), "Item": line["Item"]});
    sandbox.post("PutItem", &request.to_string());
    assert_eq!(tool.run(&["scan", "-o", "ddb-json"]).ok(), exported);
}

#[tokio::test]
async fn an_empty_table_is_an_empty_answer() {
    through_both_doors(async |_, tool| {
        for (form, stdout) in [("table", ""), ("jsonl", ""), ("ddb-json", "")] {
            let ran = tool.run(&["scan", "-o", form]);
            assert!(ran.stderr.contains("no items"), "{}", ran.stderr);
            assert_eq!(ran.ok(), stdout);
        }
        assert_eq!(tool.run(&["scan", "-o", "csv"]).ok().lines().count(), 1);
        assert_eq!(
            document(tool.run(&["scan", "-o", "json"]))["items"],
            json!([])
        );
    })
    .await;
}

/// Pages are limited so that none costs more than a second of the rate, and a rate that cannot be kept is reported.
#[tokio::test]
async fn a_rate_bounds_the_pages() {
    let sandbox = Sandbox::with_table().await;
    let items: Vec<RawItem> = (0..40)
        .map(|n| message(&format!("2026-03-22T08:35:09.{n:06}+00:00"), "x"))
        .collect();
    sandbox.fill(&items).await;
    let engine = sandbox.url();
    let limits = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&limits);
    let server = Server::start(move |request| {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        if request.operation == "Scan" {
            seen.lock().unwrap().push(body["Limit"].clone());
        }
        forward(request, &engine)
    });
    let tool = tool(Door::Own, &sandbox).with("AWS_ENDPOINT_URL_DYNAMODB", &server.url());
    let scanned = tool.run(&["scan", "--max-rcu", "2", "-ojsonl", "--timeout", "60s"]);
    assert_eq!(lines(scanned).len(), 40);
    // Two units read 4 items of unknown size, and many more once it is known that the items are small.
    let bounded = || {
        let limits = std::mem::take(&mut *limits.lock().unwrap());
        assert_eq!(limits[0], 4);
        assert!(limits[1].as_u64().unwrap() > 4, "{limits:?}");
    };
    bounded();
    for (command, code) in [("stats", 0), ("check-conversations", 3)] {
        let ran = tool.run(&[command, "--max-rcu", "2", "--timeout", "60s"]);
        assert_eq!(ran.code, Some(code), "{}", ran.stderr);
        bounded();
    }

    let silent = Server::start(|_| Answer::json(200, r#"{"Count":0,"Items":[],"ScannedCount":0}"#));
    let tool = tool.with("AWS_ENDPOINT_URL_DYNAMODB", &silent.url());
    for command in ["scan", "check-conversations"] {
        tool.run(&[command, "--max-rcu", "2"])
            .fails(1, "does not say what capacity it used");
    }
    assert_eq!(tool.run(&["scan", "-q"]).ok(), "");
}

#[tokio::test]
async fn a_throttled_scan_goes_on() {
    let sandbox = Sandbox::with_table().await;
    sandbox
        .put(message("2026-03-22T08:35:09.123456+00:00", "x"))
        .await;
    let engine = sandbox.url();
    let asked = AtomicUsize::new(0);
    let server = Server::start(move |request| match asked.fetch_add(1, Ordering::SeqCst) {
        0..8 => Answer::json(
            400,
            r#"{"__type":"ThrottlingException","message":"slower"}"#,
        ),
        _ => forward(request, &engine),
    });
    let tool = tool(Door::Own, &sandbox).with("AWS_ENDPOINT_URL_DYNAMODB", &server.url());
    assert_eq!(lines(tool.run(&["scan", "-ojsonl"])).len(), 1);
}

#[tokio::test]
async fn what_contradicts_itself_is_refused() {
    let sandbox = Sandbox::with_table().await;
    let tool = tool(Door::Front, &sandbox);
    for (options, part) in [
        (vec!["--segment", "4/4"], "0/4 to 3/4"),
        (vec!["--segment", "x"], "0/4 to 3/4"),
        (vec!["--segments", "0"], "--segments"),
        (
            vec!["--segments", "2", "--segment", "0/2"],
            "cannot be used with",
        ),
        (vec!["--limit", "0"], "--limit"),
        (vec!["--count", "--limit", "3"], "cannot be used with"),
        (vec!["--count", "-o", "ddb-json"], "--count"),
        (
            vec!["--kind", "nonsense"],
            "possible values: message, group, unknown",
        ),
    ] {
        tool.run(&[&["scan"], &options[..]].concat()).fails(2, part);
    }
    let misspelt = tool.run(&["scna"]);
    misspelt.fails_with_hint(2, "scna");
    assert!(misspelt.stderr.contains("`scan`"), "{}", misspelt.stderr);
}
