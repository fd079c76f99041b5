//! What a plan promises, whichever command made it: its size, its cost, and that `apply` does the same.

use std::sync::Mutex;

use ddb_core::item::RawItem;
use ddb_test_support::http::{Server, forward};
use ddb_test_support::proxy::Fault;
use ddb_test_support::{Door, Sandbox, Tool};
use serde_json::Value;

use crate::changes::{
    REPAIR, behind, conversation, is_killed_at, json_lines, long, old_table, receipts, row, said,
};
use crate::kills::{block_on, with_table};
use crate::setup::{ANDREW, BAYKO, strings, tool};

fn filled(items: &[RawItem]) -> (Sandbox, Tool) {
    let sandbox = with_table();
    block_on(sandbox.fill(items));
    let tool = tool(Door::Front, &sandbox);
    (sandbox, tool)
}

/// A message of the old table.
const MESSAGE: &str = "33333333-3333-4333-8333-000000000999";

#[test]
fn p31_apply_does_what_the_planned_command_would_have_done() {
    let id = conversation(1);
    let mut renamed = behind(1);
    renamed[2].extend(strings(&[("user_handle", "andrew_old")]));
    let delete = ["delete-conversation", &id];
    for (items, first, command) in [
        (behind(2), &[][..], &REPAIR[..]),
        (
            old_table(),
            &[],
            &[
                "check-conversations",
                "--repair",
                "--times",
                "--assume-zone",
                "Europe/Berlin",
            ],
        ),
        (
            renamed,
            &[],
            &["check-conversations", "--repair", "--names"],
        ),
        (long(), &[], &delete),
        (
            old_table(),
            &["check-conversations", "--repair", "--times"],
            &["delete-message", MESSAGE, "--group", &id],
        ),
        (long(), &delete, &["undo", "first"]),
    ] {
        let ready = || {
            let (sandbox, tool) = filled(&items);
            if !first.is_empty() {
                tool.run(&[first, &["--receipt", "first"]].concat()).ok();
            }
            (sandbox, tool)
        };
        let wanted = {
            let (sandbox, tool) = ready();
            tool.run(command).ok();
            block_on(sandbox.items())
        };
        let (sandbox, tool) = ready();
        let before = block_on(sandbox.items());
        assert_ne!(wanted, before, "{command:?}");
        let dry = tool.run(&[command, &["--dry-run"]].concat());
        assert!(dry.stderr.contains("\nplan: "), "{dry:?}");
        assert!(dry.stderr.contains("nothing was changed"), "{dry:?}");
        dry.ok();
        let saved = tool.run(&[command, &["--plan", "p"]].concat());
        assert!(saved.stderr.contains("`ddb apply p"), "{saved:?}");
        saved.ok();
        assert_eq!(block_on(sandbox.items()), before, "{command:?}");
        assert!(receipts(&tool).is_empty(), "{command:?}");
        tool.run(&["apply", "p"]).ok();
        assert_eq!(block_on(sandbox.items()), wanted, "{command:?}");
        // Whatever it was, it can be undone.
        tool.run(&["undo", receipts(&tool)[0].to_str().unwrap()])
            .ok();
        assert_eq!(block_on(sandbox.items()), before, "{command:?}");
    }
}

/// Returns the number of changes in each step of a plan, and what the command said.
fn steps_of(tool: &Tool, options: &[&str]) -> (Vec<usize>, String) {
    let id = conversation(1);
    let delete = ["delete-conversation", id.as_str(), "--plan", "p"];
    let ran = tool.run(&[&delete[..], options].concat());
    let said = ran.stderr.clone();
    ran.ok();
    let plan = tool.home().join("p");
    let steps = json_lines(&plan);
    std::fs::remove_file(plan).unwrap();
    let changes = |line: &Value| Some(line["changes"].as_array()?.len());
    (steps.iter().filter_map(changes).collect(), said)
}

#[test]
fn a_step_is_as_large_as_the_capacity_of_a_second_and_the_plan_says_its_price() {
    let (_sandbox, provisioned) = filled(&long());
    // Five units a second, and a transaction takes two for a change of a small item.
    let (steps, said) = steps_of(&provisioned, &[]);
    assert_eq!(steps, [&[2; 13][..], &[1]].concat());
    let price = "plan: 27 changes in 14 steps, 54 write capacity units, 11s at the table's 5 units a second";
    assert!(said.contains(price), "{said}");
    // Both rows go together, however few units a second has.
    let (steps, _) = steps_of(&provisioned, &["--max-wcu", "2"]);
    assert_eq!(steps, [&[2][..], &[1; 25]].concat());
    let sandbox = Sandbox::embedded();
    let on_demand = tool(Door::Front, &sandbox);
    on_demand
        .run(&["schema-load", "--billing", "on-demand"])
        .ok();
    block_on(sandbox.fill(&long()));
    let (steps, said) = steps_of(&on_demand, &[]);
    assert_eq!(steps, [2, 10, 10, 5]);
    assert!(
        said.contains("4 steps, 54 write capacity units\n"),
        "{said}"
    );
    assert_eq!(steps_of(&on_demand, &["--max-wcu", "7"]).0[..3], [2, 3, 3]);
}

#[test]
fn what_finding_a_message_takes_is_said() {
    let (_sandbox, tool) = filled(&old_table());
    let id = conversation(1);
    let delete = ["delete-message", MESSAGE, "--group", &id, "--dry-run"];
    let ran = tool.run(&delete);
    assert!(ran.stderr.contains("finding the message took "), "{ran:?}");
    assert!(
        ran.stderr.contains(" read capacity units; --at SK"),
        "{ran:?}"
    );
    ran.ok();
    let ran = tool.run(&[&delete[..], &["--at", "2023-05-01T10:30:07.654321"]].concat());
    assert!(!ran.stderr.contains("finding the message"), "{ran:?}");
    ran.ok();
}

/// A receipt that was begun is continued only by the same command.
#[test]
fn another_command_begins_a_receipt_of_its_own() {
    let (sandbox, tool) = filled(&behind(3));
    let mut at = 0;
    while receipts(&tool).is_empty() {
        assert!(is_killed_at(
            &tool,
            &sandbox,
            at,
            Fault::KilledBefore,
            &REPAIR
        ));
        at += 1;
    }
    tool.run(&[&REPAIR[..], &["--rule", "row-behind"]].concat())
        .ok();
    assert_eq!(receipts(&tool).len(), 2);
    tool.run(&REPAIR).ok();
    let files = receipts(&tool);
    assert_eq!(files.len(), 2);
    for file in &files {
        assert_eq!(json_lines(file).last().unwrap()["end"], "done");
    }
}

/// Suspicious rows are read again, consistently: somebody may have repaired them since.
#[test]
fn a_suspicion_is_read_again_before_it_is_reported() {
    let (sandbox, tool) = filled(&behind(1));
    let found = tool.run(&["check-conversations"]);
    assert_eq!(found.code, Some(3), "{found:?}");
    let (engine, client, table) = (sandbox.url(), sandbox.client(), sandbox.table().to_string());
    let old = EARLIER_ROW.replace("OWNER", BAYKO);
    let repaired = Mutex::new(false);
    let server = Server::start(move |request| {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        let is_again = ["Query", "GetItem"].contains(&request.operation.as_str());
        if is_again && body["IndexName"].is_null() {
            assert_eq!(body["ConsistentRead"], true, "{body}");
        }
        let mut repaired = repaired.lock().unwrap();
        if is_again && !std::mem::replace(&mut *repaired, true) {
            let (pk, sk) = old.split_once(' ').unwrap();
            let gone = client.delete_item().table_name(&table);
            let gone = strings(&[("pk", pk), ("sk", sk)])
                .into_iter()
                .fold(gone, |gone, (name, value)| gone.key(name, value));
            block_on(gone.send()).unwrap();
            let right = row(1, BAYKO, "2026-03-22T08:35:09.000001+00:00", "new");
            let put = client.put_item().table_name(&table).set_item(Some(right));
            block_on(put.send()).unwrap();
        }
        forward(request, &engine)
    });
    let ran = tool.run(&["check-conversations", "--endpoint-url", &server.url()]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stderr.contains("0 findings"), "{ran:?}");
}

const EARLIER_ROW: &str = "GRP#OWNER 2026-03-22T08:00:00.000001+00:00";

#[test]
fn a_time_that_never_was_is_named_by_its_key_and_the_rest_is_brought_up_to_date() {
    let naive = [
        "2026-03-29T01:30:00.000000",
        "2026-03-29T02:30:00.000000",
        "2026-03-29T03:30:00.000000",
    ];
    let mut items: Vec<RawItem> = naive.iter().map(|sk| said(1, sk, sk)).collect();
    items.extend([ANDREW, BAYKO].map(|owner| row(1, owner, naive[2], naive[2])));
    let (sandbox, tool) = filled(&items);
    let migrate = [&REPAIR[..], &["--times", "--assume-zone", "Europe/Berlin"]].concat();
    let ran = tool.run(&migrate);
    ran.fails(5, "could not be repaired");
    let key = format!(
        "MSG#{} {} is left as it is: that time did not exist in Europe/Berlin",
        conversation(1),
        naive[1]
    );
    assert!(ran.stderr.contains(&key), "{ran:?}");
    let keys: Vec<String> = block_on(sandbox.items())
        .iter()
        .filter(|item| item["pk"].as_s().unwrap().starts_with("MSG#"))
        .map(|item| item["sk"].as_s().unwrap().clone())
        .collect();
    let written = [
        "2026-03-29T00:30:00.000000+00:00",
        "2026-03-29T01:30:00.000000+00:00",
        naive[1],
    ];
    assert_eq!(keys, written);
}

/// At a terminal of 80 columns no line breaks within a word, and a command can be copied.
#[test]
fn p29_what_is_said_fits_eighty_columns_but_for_commands() {
    let (sandbox, tool) = filled(&old_table());
    let url = sandbox.url();
    let target = [
        "--endpoint-url",
        &url,
        "--color",
        "never",
        "--no-progress",
        "--no-pager",
    ];
    let migrate = [&REPAIR[..], &["--times"]].concat();
    let mut commands = 0;
    for arguments in [
        &["check-conversations"][..],
        &[&migrate[..], &["--dry-run"]].concat(),
        &[&migrate[..], &["--rule", "row-stray", "--dry-run"]].concat(),
        &[&migrate[..], &["--receipt", "r"]].concat(),
        &["check-conversations", "--rule", "time-form"],
        &["undo", "r", "--dry-run"],
        &[
            "undo",
            "nowhere-at-all-in-this-folder-and-with-quite-a-long-name",
        ],
        &["delete-conversation", "@bayko"],
        &["seed", "--me", "nobody"],
        &["apply", "r"],
        &["undo", "r", "--receipt", "none"],
    ] {
        let (_, shown) = tool.at_terminal(&[arguments, &target].concat(), 80).end();
        for line in shown.lines().map(str::trim_end) {
            let is_command = line.contains("`ddb ");
            commands += usize::from(is_command);
            let words = line.trim_start().split(' ').count();
            assert!(
                line.chars().count() <= 80 || is_command || words == 1,
                "{arguments:?}: {line:?}"
            );
            if line.contains('`') {
                assert_eq!(line.matches('`').count() % 2, 0, "{line:?}");
            }
        }
    }
    assert!(commands >= 2, "{commands}");
    // If there is no terminal, lines are not wrapped.
    let plain = tool.run(&[&migrate[..], &["--dry-run"]].concat());
    let is_move =
        |line: &str| line.starts_with("    moves row of ") && line.contains(" to 2023-05-");
    assert!(plain.stderr.lines().any(is_move), "{plain:?}");
}
