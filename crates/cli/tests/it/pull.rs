//! `pull`: a copy with the people in it, one without them, and what is refused.

use std::collections::{BTreeSet, HashSet};

use ddb_core::item::{Item, Message, RawItem};
use ddb_test_support::aws::{Aws, Backups};
use ddb_test_support::proxy::{Fault, Proxy};
use ddb_test_support::{Door, Ran, Sandbox, Tool, is_deep, note};
use fastrand::Rng;
use serde_json::Value;
use unicode_segmentation::UnicodeSegmentation;
use uuid::Uuid;

use crate::kills::{block_on, seeded, with_table};
use crate::setup::{ANDREW, BAYKO, GROUP, message, one, strings, through_both_doors, tool};

/// Returns the options that direct the copy into a sandbox.
fn into(copy: &Sandbox) -> [String; 4] {
    [
        "--into".to_owned(),
        copy.url(),
        "--into-table".to_owned(),
        copy.table().to_string(),
    ]
}

fn pull(tool: &Tool, copy: &Sandbox, arguments: &[&str]) -> Ran {
    let into = into(copy);
    let into: Vec<&str> = into.iter().map(String::as_str).collect();
    tool.run(&[&["pull"], arguments, &into].concat())
}

/// Returns a tool on a copy, with the people file if there is one.
fn on_copy(copy: &Sandbox, files: &Tool) -> Tool {
    let tool = tool(Door::Front, copy);
    if let Ok(people) = std::fs::read(files.home().join("people.csv")) {
        tool.file("people.csv", people);
    }
    tool
}

fn copied(ran: Ran) -> [u64; 3] {
    let record = one(ran);
    ["messages", "rows", "unchanged"].map(|name| record[name].as_u64().unwrap())
}

#[tokio::test]
async fn a_conversation_comes_with_its_rows_and_a_second_pull_brings_what_is_new() {
    through_both_doors(async |sandbox, tool| {
        let copy = Sandbox::embedded();
        tool.run(&["seed"]).ok();
        let first = one(pull(tool, &copy, &["bayko", "-o", "jsonl"]));
        let all = sandbox.items().await.len() as u64;
        assert_eq!(
            first,
            serde_json::json!({"group_uuid": GROUP, "messages": all - 2, "rows": 2, "unchanged": 0, "masked": false})
        );
        assert_eq!(copy.items().await, sandbox.items().await);
        let again = pull(tool, &copy, &[GROUP, "-o", "jsonl"]);
        assert_eq!(copied(again), [0, 0, all]);
        sandbox
            .put(message("2999-01-01T00:00:00.000000+00:00", "newer"))
            .await;
        let more = pull(tool, &copy, &["--with", "bayko", "-o", "jsonl"]);
        assert_eq!(copied(more), [1, 2, all - 2]);
        let reading = on_copy(&copy, tool);
        assert_eq!(reading.run(&["check-conversations"]).ok(), "");
        // The table is the same as the one that schema-load creates.
        let load = one(reading.run(&["schema-load", "-o", "jsonl"]));
        assert_eq!(load["action"], "unchanged");
    })
    .await;
}

#[test]
fn a_masked_copy_is_read_by_the_other_commands_as_any() {
    let source = seeded();
    let tool = tool(Door::Front, &source);
    tool.file("mask.key", [7; 32]);
    let copy = Sandbox::embedded();
    let masked = [
        "--mask",
        "--mask-key",
        "mask.key",
        "--users-out",
        "people.csv",
    ];
    let ran = pull(
        &tool,
        &copy,
        &[&["bayko", "-o", "jsonl"][..], &masked].concat(),
    );
    assert!(ran.stderr.contains("ddb get-conversation "), "{ran:?}");
    let record = one(ran);
    assert_eq!(record["masked"], true);
    let id = record["group_uuid"].as_str().unwrap();
    let people = std::fs::read_to_string(tool.home().join("people.csv")).unwrap();
    let handles: Vec<&str> = people
        .lines()
        .skip(1)
        .map(|line| line.split(',').nth(2).unwrap())
        .collect();
    assert_eq!(handles.len(), 2, "{people}");
    let reading = on_copy(&copy, &tool);
    let users = ["--users", "people.csv"];
    let check = [&["check-conversations"][..], &users].concat();
    assert_eq!(reading.run(&check).ok(), "");
    let list = [
        &["list-conversations", handles[0], "-o", "jsonl"][..],
        &users,
    ]
    .concat();
    let listed = one(reading.run(&list));
    assert_eq!(listed["group_uuid"], id);
    assert_eq!(listed["handle"], handles[1]);
    let get = ["get-conversation", handles[1], "--me", handles[0], "--all"];
    let shown = reading
        .run(&[&get[..], &["-o", "jsonl"], &users].concat())
        .ok();
    assert_eq!(
        shown.lines().count() as u64,
        record["messages"].as_u64().unwrap()
    );

    // With the same key it continues; without it, it makes a separate copy.
    let again = pull(
        &tool,
        &copy,
        &[&["bayko", "-o", "jsonl"][..], &masked].concat(),
    );
    assert_eq!(copied(again)[..2], [0, 0]);
    let before = std::fs::read_to_string(tool.home().join("people.csv")).unwrap();
    assert_eq!(before, people);
    let other = [
        "bayko",
        "--mask",
        "--users-out",
        "people.csv",
        "-o",
        "jsonl",
    ];
    let other = one(pull(&tool, &copy, &other));
    assert_ne!(other["group_uuid"], id);
    // Nobody in the file is lost.
    let after = std::fs::read_to_string(tool.home().join("people.csv")).unwrap();
    assert!(
        after.starts_with(&people) && after.lines().count() == 5,
        "{after}"
    );
}

#[test]
fn all_of_a_person_s_conversations_come() {
    let source = seeded();
    let copy = Sandbox::embedded();
    let tool = tool(Door::Front, &source);
    tool.run(&[
        "create-conversation",
        "--me",
        "bayko",
        "--with",
        "londo",
        "Hello",
    ])
    .ok();
    tool.run(&[
        "create-conversation",
        "--me",
        "andrewbrown",
        "--with",
        "londo",
        "Hello",
    ])
    .ok();
    let ran = pull(&tool, &copy, &["--all-of", "bayko", "-o", "csv"]);
    assert_eq!(ran.ok().lines().count(), 3);
    let ids: BTreeSet<String> = block_on(copy.items())
        .iter()
        .filter_map(|item| item.get("message_group_uuid")?.as_s().ok().cloned())
        .collect();
    assert_eq!(ids.len(), 2);
    pull(&tool, &copy, &["--all-of", "altbrown"]).fails_with_hint(4, "no conversation");
}

#[test]
fn what_cannot_be_a_copy_is_refused() {
    let source = seeded();
    let url = source.url();
    let by_name = url.replace("127.0.0.1", "localhost");
    for door in Door::BOTH {
        let tool = tool(door, &source);
        for place in [&url, &by_name] {
            let same = ["pull", GROUP, "--into", place];
            tool.run(&same)
                .fails_with_hint(2, "it is both the source and the copy");
        }
        // A proxy in front of the same table has another port, but the table is the same.
        let proxy = Proxy::start(&url, |_, _| None);
        tool.run(&["pull", GROUP, "--into", &proxy.url()])
            .fails_with_hint(2, "it is both the source and the copy");
        let aws = "https://dynamodb.eu-central-1.amazonaws.com";
        tool.run(&["pull", GROUP, "--into", aws])
            .fails_with_hint(2, "--into: https://dynamodb");
        let variable = tool.command(&["pull", GROUP, "--endpoint-url", &url]);
        let ran: Ran = { variable }
            .env("DDB_ENDPOINT_URL", aws)
            .output()
            .unwrap()
            .into();
        ran.fails_with_hint(2, "DDB_ENDPOINT_URL: https://dynamodb");
        for (wrong, part) in [
            (&["pull"][..], "required"),
            (&["pull", GROUP, "--all-of", "bayko"], "cannot be used with"),
            (&["pull", GROUP, "--mask-key", "k"], "--mask"),
            (&["pull", GROUP, "--with", "bayko"], "cannot be used with"),
        ] {
            tool.run(wrong).fails(2, part);
        }
        let copy = Sandbox::embedded();
        tool.file("short.key", "too short\n");
        let short = [GROUP, "--mask", "--mask-key", "short.key"];
        pull(&tool, &copy, &short).fails_with_hint(2, "a key has 32 bytes or more");
        let absent = [GROUP, "--mask", "--mask-key", "absent.key"];
        pull(&tool, &copy, &absent).fails_with_hint(4, "absent.key");
        tool.file("users.csv", include_str!("../../../../seed-data/users.csv"));
        let same = [GROUP, "--users", "users.csv", "--users-out", "./users.csv"];
        pull(&tool, &copy, &same).fails_with_hint(2, "--users and --users-out");
        let nowhere = [GROUP, "--users-out", "absent/people.csv"];
        pull(&tool, &copy, &nowhere).fails_with_hint(1, "absent/people.csv");
        let nobody = "00000000-0000-4000-8000-000000000000";
        pull(&tool, &copy, &[GROUP, nobody]).fails_with_hint(4, nobody);
        // None of this created a table.
        assert!(block_on(copy.store().describe()).unwrap().is_none());
    }
}

/// Messages about a conversation that is not copied name neither the conversation nor anybody in it.
#[test]
fn p39_a_masked_pull_that_fails_names_nobody() {
    let source = seeded();
    let tool = tool(Door::Front, &source);
    let another = "6ae290ed-55d1-47a0-bc6d-fe2bc2700399";
    let sk = "2026-04-01T00:00:00.000000+00:00";
    block_on(source.put(row(another, (ANDREW, BAYKO), "bayko", sk, "x")));
    let copy = Sandbox::embedded();
    let absent = "00000000-0000-4000-8000-000000000000";
    for (arguments, code) in [
        (&[absent][..], 4),
        (&["bayko"], 2),
        (&["londo"], 4),
        (&["nobodyatall"], 4),
        (&["5ae2", "--me", "nobodyatall"], 4),
        (&["--all-of", "nobodyatall"], 4),
    ] {
        let ran = pull(&tool, &copy, &[arguments, &["--mask", "-v"]].concat());
        ran.fails_with_hint(code, "");
        // The built-in users are shown as 'built-in', and the table's name is a name of the target.
        for known in [
            GROUP,
            &GROUP[..8],
            another,
            absent,
            ANDREW,
            BAYKO,
            "bayko",
            "andrewbrown",
            "londo",
            "nobodyatall",
        ] {
            assert!(!ran.stderr.contains(known), "{known}: {}", ran.stderr);
        }
    }
    // A service that quotes a key in an error.
    let quoting = ddb_test_support::http::Server::start(|_| {
        let body = format!(
            r#"{{"__type":"x#ValidationException","message":"the key MSG#{GROUP} is odd"}}"#
        );
        ddb_test_support::http::Answer::json(400, body)
    });
    let ran = pull(
        &tool,
        &copy,
        &[GROUP, "--mask", "-v", "--endpoint-url", &quoting.url()],
    );
    ran.fails(1, "the key MSG#(id) is odd");
}

/// A partial copy that nobody can continue is named with the line that deletes it.
#[test]
fn a_masked_pull_that_is_cut_says_how_to_delete_the_half() {
    let source = seeded();
    let tool = tool(Door::Front, &source);
    let copy = with_table();
    let proxy = Proxy::start(&copy.url(), |_, request| {
        (request.operation == "TransactWriteItems").then_some(Fault::ServerError)
    });
    let arguments = [
        "pull",
        GROUP,
        "--mask",
        "--into",
        &proxy.url(),
        "--into-table",
        copy.table().as_str(),
    ];
    let ran = tool.run(&arguments);
    ran.fails_with_hint(5, "messages were copied");
    let half = block_on(copy.items());
    assert!(half.len() > 50 && half.iter().all(|item| item.contains_key("message_uuid")));
    let hint = ran.stderr.split("hint: `ddb ").nth(1).unwrap();
    let (line, _) = hint.split_once('`').unwrap();
    assert!(
        line.starts_with("delete-conversation ") && !line.contains("--prod"),
        "{line}"
    );
    assert!(!ran.stderr.contains(GROUP), "{ran:?}");
    // The same line was shown before anything was copied: a killed process says nothing.
    let before = ran.stderr.split("error: ").next().unwrap();
    assert!(
        before.contains(&format!("`ddb {line}` deletes the partial copy")),
        "{ran:?}"
    );
    let line = line.replace(&proxy.url(), &copy.url());
    let words: Vec<&str> = line.split(' ').collect();
    tool.run(&[&words[..], &["--receipt", "none"]].concat())
        .ok();
    assert_eq!(block_on(copy.items()), []);
}

#[test]
fn p40_processes_that_are_killed_at_any_request_end_in_the_same_copy() {
    let source = with_table();
    let mut items = Vec::new();
    for n in 0..6 {
        items.push(message(&format!("2026-03-22T08:35:0{n}.000000+00:00"), "x"));
    }
    for (item, n) in items.iter_mut().zip(0..) {
        let id = aws_sdk_dynamodb::types::AttributeValue::S(Uuid::from_u128(n).to_string());
        item.insert("message_uuid".to_owned(), id);
    }
    block_on(source.fill(&items));
    for (owner, other, name) in [(ANDREW, BAYKO, "bayko"), (BAYKO, ANDREW, "andrewbrown")] {
        let row = row(
            GROUP,
            (owner, other),
            name,
            "2026-03-22T08:35:05.000000+00:00",
            "x",
        );
        block_on(source.put(row));
    }
    let run = |url: &str, copy: &Sandbox| {
        let tool = tool(Door::Own, &source);
        tool.file("mask.key", [7; 32]);
        let words = [
            "pull",
            GROUP,
            "--mask",
            "--mask-key",
            "mask.key",
            "--users-out",
            "people.csv",
            "--into",
            url,
            "--into-table",
            copy.table().as_str(),
        ];
        (tool, words.map(str::to_owned))
    };
    let whole = |copy: &Sandbox| {
        let (tool, words) = run(&copy.url(), copy);
        tool.run(&words.each_ref().map(String::as_str)).ok();
        let people = std::fs::read(tool.home().join("people.csv")).unwrap();
        (block_on(copy.items()), people)
    };
    let expected = whole(&Sandbox::embedded());
    assert_eq!(expected.0.len(), 8);
    let mut kills = 0;
    for fault in [Fault::KilledBefore, Fault::KilledAfter] {
        for nth in 0.. {
            let copy = Sandbox::embedded();
            let proxy = Proxy::start(&copy.url(), move |n, _| (n == nth).then_some(fault));
            let (tool, words) = run(&proxy.url(), &copy);
            let ran = proxy.run(&tool, &words.each_ref().map(String::as_str));
            assert!([None, Some(0)].contains(&ran.code), "{ran:?}");
            assert_eq!(whole(&copy), expected, "{fault:?} at {nth}");
            if ran.code.is_some() {
                break;
            }
            kills += 1;
        }
    }
    assert!(kills >= 10, "{kills}");
    note(&format!(
        "p40: {kills} kills of a pull process, all converged"
    ));
}

fn row(group: &str, (owner, other): (&str, &str), handle: &str, sk: &str, text: &str) -> RawItem {
    strings(&[
        ("pk", &format!("GRP#{owner}")),
        ("sk", sk),
        ("message_group_uuid", group),
        ("message", text),
        ("user_uuid", other),
        ("user_display_name", handle),
        ("user_handle", handle),
    ])
}

/// Letters that invented text never has.
const FOREIGN: &[u8] = b"bfghjkwxyz";
/// The only letters that invented text has.
const OWN: &[u8] = b"acdeilmnopqrstuv";

fn word(rng: &mut Rng, letters: &[u8], length: std::ops::Range<usize>) -> String {
    let length = rng.usize(length);
    let mut word: String = (1..length)
        .map(|_| char::from(letters[rng.usize(..letters.len())]))
        .collect();
    // The last letter is not a digit of an id.
    word.push(char::from(letters[letters.len() - 1]));
    word
}

fn id(rng: &mut Rng) -> String {
    Uuid::from_u128(rng.u128(..)).to_string()
}

/// Two people and what they write: words that must not be found again.
struct Talk {
    id: String,
    people: [[String; 3]; 2],
    items: Vec<RawItem>,
    secrets: Vec<String>,
}

impl Talk {
    fn generate(rng: &mut Rng) -> Self {
        let group = id(rng);
        let mut secrets = vec![group.clone()];
        let people = [(); 2].map(|()| {
            // Half of them have names of the same letters as invented text.
            let letters = if rng.bool() { FOREIGN } else { OWN };
            let handle = word(rng, letters, 6..14);
            let name = format!("{} {}", word(rng, letters, 5..9), word(rng, letters, 5..9));
            [id(rng), handle, name]
        });
        for [id, handle, name] in &people {
            secrets.extend([id.clone(), handle.clone()]);
            secrets.extend(name.split(' ').map(str::to_owned));
        }
        let mut items = Vec::new();
        let count = rng.usize(1..12);
        let mut last = (String::new(), String::new());
        for n in 0..count {
            let [user, handle, name] = &people[rng.usize(..2)];
            let mut text = word(rng, FOREIGN, 6..10);
            secrets.push(text.clone());
            for _ in 0..rng.usize(..8) {
                let part = match rng.u8(..5) {
                    0 => "👩‍👩‍👧".to_owned(),
                    1 => people[rng.usize(..2)][1].clone(),
                    2 => people[rng.usize(..2)][2].to_uppercase(),
                    3 => "\r\n\tnäïve e\u{301}, +49 170 5551234\u{a0}".to_owned(),
                    _ => word(rng, FOREIGN, 5..9),
                };
                text = format!("{text} {part}");
            }
            let sk = format!("2026-03-22T08:{n:02}:09.123456+00:00");
            let message_id = id(rng);
            secrets.push(message_id.clone());
            items.push(strings(&[
                ("pk", &format!("MSG#{group}")),
                ("sk", &sk),
                ("message_uuid", &message_id),
                ("message", &text),
                ("user_uuid", user),
                ("user_display_name", name),
                ("user_handle", handle),
            ]));
            last = (sk, text);
        }
        for (me, other) in [(0, 1), (1, 0)] {
            let (me, other) = (&people[me], &people[other]);
            let mut row = row(&group, (&me[0], &other[0]), &other[1], &last.0, &last.1);
            let name = aws_sdk_dynamodb::types::AttributeValue::S(other[2].clone());
            row.insert("user_display_name".to_owned(), name);
            items.push(row);
        }
        // Items of unknown shape, and a message whose time is not one.
        let odd = word(rng, FOREIGN, 8..12);
        secrets.push(odd.clone());
        items.push(strings(&[
            ("pk", &format!("MSG#{group}")),
            ("sk", &odd),
            (&odd, &odd),
        ]));
        let mut liked = items[0].clone();
        let text = |text: &str| aws_sdk_dynamodb::types::AttributeValue::S(text.to_owned());
        liked.insert("sk".to_owned(), text("2026-03-21T00:00:00.000000+00:00"));
        liked.insert(odd.clone(), text(&odd));
        items.push(liked);
        let mut timeless = items[0].clone();
        timeless.insert("sk".to_owned(), text(&format!("{odd}y")));
        items.push(timeless);
        Self {
            id: group,
            people,
            items,
            secrets,
        }
    }

    /// Returns the messages that a masked copy has, as they are at the source, oldest first.
    fn messages(&self) -> Vec<Message> {
        messages(&self.items)
    }
}

fn messages(items: &[RawItem]) -> Vec<Message> {
    let mut messages: Vec<Message> = items
        .iter()
        .filter_map(|item| match Item::decode(item.clone()) {
            Item::Message(message) if message.created_at.is_written_form() => Some(message),
            _ => None,
        })
        .collect();
    messages.sort_by_key(|message| message.created_at.clone());
    messages
}

/// Returns all sequences of five letters, in lower case.
fn runs(text: &str) -> BTreeSet<String> {
    let text = text.to_lowercase();
    let words = text.split(|c: char| !c.is_alphabetic());
    words
        .flat_map(|word| {
            let letters: Vec<char> = word.chars().collect();
            let runs = letters.windows(5).map(|run| run.iter().collect());
            runs.collect::<Vec<String>>()
        })
        .collect()
}

fn graphemes(text: &str) -> usize {
    text.graphemes(true).count()
}

/// Pulls generated conversations, and searches all results for their content. Returns the number of bytes searched.
fn nothing_is_found_again(seed: u64, count: usize) -> usize {
    let rng = &mut Rng::with_seed(seed);
    let talks: Vec<Talk> = (0..count).map(|_| Talk::generate(rng)).collect();
    let source = with_table();
    for talk in &talks {
        block_on(source.fill(&talk.items));
    }
    let copy = Sandbox::embedded();
    let tool = tool(Door::Front, &source);
    let ids = talks.iter().map(|talk| talk.id.as_str());
    let options = ["--mask", "--users-out", "people.csv", "-v", "-o", "jsonl"];
    let ran = pull(&tool, &copy, &ids.chain(options).collect::<Vec<_>>());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    // Each conversation has an unknown item, a message with another attribute, and one without a time.
    let left_out = format!("{} items were left out", 3 * count);
    assert!(ran.stderr.contains(&left_out), "{}", ran.stderr);

    let items = block_on(copy.items());
    let people = std::fs::read_to_string(tool.home().join("people.csv")).unwrap();
    let written: Vec<String> = items.iter().map(|item| format!("{item:?}")).collect();
    // The names of the tables are not secrets of the conversations.
    let shown = [&ran.stdout, &ran.stderr].map(|text| {
        text.replace(copy.table().as_str(), "")
            .replace(source.table().as_str(), "")
    });
    let all = [&written.join("\n"), &shown[0], &shown[1], &people].map(|text| text.to_lowercase());
    let there = five_grams(&all);
    for talk in &talks {
        for secret in &talk.secrets {
            // The index of sequences covers all texts at once.
            let secret = secret.to_lowercase();
            let is_there = there.contains(&secret.as_bytes()[..5]);
            let found = is_there && all.iter().any(|text| text.contains(&secret));
            assert!(!found, "seed {seed}: {secret}");
        }
    }

    let records: Vec<Value> = ran
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(records.len(), talks.len());
    for (talk, record) in talks.iter().zip(&records) {
        let pk = format!("MSG#{}", record["group_uuid"].as_str().unwrap());
        let own = items
            .iter()
            .filter(|item| *item["pk"].as_s().unwrap() == pk)
            .cloned();
        let (before, after) = (talk.messages(), messages(&own.collect::<Vec<_>>()));
        assert_eq!(before.len(), after.len(), "seed {seed}");
        let names: BTreeSet<String> = talk
            .people
            .iter()
            .flat_map(|[_, handle, name]| runs(&format!("{handle} {name}")))
            .collect();
        for (before, after) in before.iter().zip(&after) {
            assert_eq!(before.created_at, after.created_at);
            assert_eq!(
                graphemes(&before.text),
                graphemes(&after.text),
                "seed {seed}"
            );
            assert!(
                runs(&after.text).is_disjoint(&names),
                "seed {seed}: {}",
                after.text
            );
        }
    }
    let reading = on_copy(&copy, &tool);
    let check = reading.run(&["check-conversations", "--users", "people.csv"]);
    assert_eq!(check.ok(), "", "seed {seed}");
    all.iter().map(String::len).sum()
}

/// Returns all sequences of five bytes.
fn five_grams(texts: &[String]) -> HashSet<&[u8]> {
    let texts = texts.iter().map(String::as_bytes);
    texts.flat_map(|text| text.windows(5)).collect()
}

#[test]
fn p39_nothing_of_the_people_is_in_what_was_written_shown_or_logged() {
    const AT_ONCE: usize = 200;
    let rounds = if is_deep() { 50 } else { 1 };
    let bytes: usize = (0..rounds)
        .map(|seed| nothing_is_found_again(seed, AT_ONCE))
        .sum();
    note(&format!(
        "p39: {} conversations, {bytes} bytes looked through, nothing found",
        rounds as usize * AT_ONCE
    ));
}

/// Production has 50 conversations: one is pulled and shown, and production is only read.
#[test]
fn p40_production_is_only_read() {
    let rng = &mut Rng::with_seed(20);
    let source = with_table();
    let talks: Vec<Talk> = (0..50).map(|_| Talk::generate(rng)).collect();
    for talk in &talks {
        block_on(source.fill(&talk.items));
    }
    let before = block_on(source.items());
    let aws = Aws::in_front_of(&source, Backups::On);
    let copy = Sandbox::embedded();
    for door in Door::BOTH {
        // The variable leads to the copy's endpoint, and options lead to production's.
        let tool = Tool::new(env!("CARGO_BIN_EXE_ddb"), door)
            .with("AWS_ACCESS_KEY_ID", "AKIATESTER")
            .with("AWS_SECRET_ACCESS_KEY", "secret")
            .with("DDB_ENDPOINT_URL", &copy.url());
        let options = aws.options();
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        let own = [
            "pull",
            &talks[0].id,
            "--mask",
            "--table",
            source.table().as_str(),
            "--into-table",
            copy.table().as_str(),
            "-o",
            "jsonl",
        ];
        let ran = tool.run(&[&own[..], &options].concat());
        assert!(
            ran.stderr.contains("production account 123456789012"),
            "{ran:?}"
        );
        assert!(
            ran.stderr
                .contains(&format!("copy to local {}", copy.url())),
            "{ran:?}"
        );
        let id = one(ran)["group_uuid"].as_str().unwrap().to_owned();
        let reading = crate::setup::tool(door, &copy);
        let shown = reading
            .run(&["get-conversation", &id, "--all", "-o", "jsonl"])
            .ok();
        assert_eq!(shown.lines().count(), talks[0].messages().len());
    }
    assert_eq!(aws.writes(), [""; 0]);
    assert_eq!(block_on(source.items()), before);
}
