//! Help: what it says, and that its examples work unchanged.

use std::fmt::Write;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};

use ddb_test_support::aws::{Aws, Backups};
use ddb_test_support::cognito::{Cognito, Hardship, MotoPool, POOL, PoolUser};
use ddb_test_support::{Door, Postgres, Ran, Sandbox, Tool};
use snapbox::{assert_data_eq, file};

use crate::faults::kill;
use crate::setup::tool;

/// Commands whose examples need a database or a pool of users.
const PEOPLE: [&str; 3] = ["db-setup", "list-users", "update-cognito-user-ids"];

fn help(tool: &Tool, command: &[&str]) -> String {
    tool.run(&[command, &["--help"]].concat()).ok()
}

/// Returns the commands that the help of `ddb` lists, in its order.
fn commands(tool: &Tool) -> Vec<String> {
    let help = help(tool, &[]);
    let listed = help.lines().skip_while(|line| *line != "Set up:");
    listed
        .take_while(|line| *line != "Options:")
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next())
        .filter(|name| !["", "help"].contains(name))
        .map(str::to_owned)
        .collect()
}

fn front(sandbox: &Sandbox) -> Tool {
    tool(Door::Front, sandbox).with("COLUMNS", "80")
}

/// The reference is what the commands say about themselves. After an intended change, `SNAPSHOTS=overwrite` with this
/// test writes the page again.
#[test]
fn the_reference_is_the_help_of_every_command() {
    let sandbox = Sandbox::new();
    let tool = front(&sandbox);
    let commands = commands(&tool);
    assert!(commands.len() >= 18, "{commands:?}");
    let mut page = "# Reference\n\nWhat every command says about itself with `--help`. This page is written by a test; see\n[CONTRIBUTING.md](../CONTRIBUTING.md).\n".to_owned();
    let mut section = |name: &str, help: String| {
        let help = help.trim_end();
        write!(page, "\n## {name}\n\n```text\n{help}\n```\n").unwrap();
    };
    section("ddb", help(&tool, &[]));
    for command in &commands {
        section(command, help(&tool, &[command]));
    }
    assert_data_eq!(page, file!["../../../../docs/reference.md"].raw());
}

#[test]
fn help_fits_a_terminal_of_80_columns_and_24_lines() {
    let sandbox = Sandbox::new();
    let tool = front(&sandbox);
    for command in commands(&tool) {
        let long = help(&tool, &[&command]);
        for line in long.lines() {
            assert!(line.chars().count() <= 80, "{command}: {line}");
        }
        assert_eq!(tool.run(&["help", &command]).ok(), long);
        let screen = tool.run(&[&command, "-h"]).ok();
        // The prompt that follows takes a line, too.
        assert!(screen.lines().count() <= 23, "{screen}");
        for line in screen.lines() {
            assert!(line.chars().count() <= 80, "{command}: {line}");
        }
        for part in [
            "Usage: ddb ",
            "\nExample:\n",
            "\n    ddb ",
            "--help shows all",
        ] {
            assert!(screen.contains(part), "{command}: {part}\n{screen}");
        }
    }
    // Help names the formats that a command has, and no others.
    let forms = |command: &str| {
        let help = help(&tool, &[command]);
        let words = help.split_whitespace().collect::<Vec<_>>().join(" ");
        let (_, forms) = words.split_once("Output format: ").unwrap_or(("", ""));
        forms.split(" [default").next().unwrap().to_owned()
    };
    assert_eq!(forms("drop"), "table, wide, json, jsonl");
    assert!(forms("get-conversation").ends_with("ddb-json, txt, md, html"));
    assert!(forms("scan").ends_with(", ddb-json"));
    assert_eq!(forms("man"), "");
    let front = tool.run(&["-h"]).ok();
    assert!(front.lines().count() <= 60, "{front}");
    let own = Tool::new(env!("CARGO_BIN_EXE_ddb"), Door::Own);
    assert!(own.run(&["scan", "-h"]).ok().contains("Usage: scan "));
}

/// Returns the examples of a command: lines that can be typed. A line that ends in `\` is joined to the next.
fn examples(tool: &Tool, command: &str) -> Vec<String> {
    let help = help(tool, &[command]);
    let (_, examples) = help.split_once("\nExamples:\n").expect(command);
    let mut lines: Vec<String> = Vec::new();
    for line in examples.lines() {
        let Some(typed) = line.strip_prefix("    ") else {
            continue;
        };
        match lines.last_mut() {
            Some(last) if last.ends_with('\\') => {
                last.push('\n');
                last.push_str(typed);
            }
            _ => lines.push(typed.to_owned()),
        }
    }
    let few = 1..=4;
    assert!(few.contains(&lines.len()), "{command}: {lines:?}");
    lines
}

/// Runs a line to its end. One that would keep running is stopped once it says so.
fn run(tool: &Tool, line: &str) -> Ran {
    let mut child = tool
        .shell(line)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        stdout.read_to_string(&mut text).map(|_| text)
    });
    let stderr = stop_where_it_goes_on(&mut child);
    Ran {
        code: child.wait().unwrap().code(),
        stdout: reader.join().unwrap().unwrap(),
        stderr,
    }
}

fn stop_where_it_goes_on(child: &mut Child) -> String {
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut said = String::new();
    for line in lines {
        let line = line.unwrap();
        if line.ends_with("press Ctrl-C to stop") {
            kill(child, "TERM");
        }
        said.push_str(&line);
        said.push('\n');
    }
    said
}

fn examples_work(tool: &Tool, sandbox: &Sandbox, of: impl Fn(&str) -> bool) {
    // A stand-in, for when there is no manual reader.
    tool.file("man", "#!/bin/sh\nexec cat\n");
    let aws = Aws::in_front_of(sandbox, Backups::On);
    let stand_in = aws.options().join(" ");
    for command in commands(tool).iter().filter(|command| of(command)) {
        for line in examples(tool, command) {
            let here = line
                .replace("cruddur-messages", sandbox.table().as_str())
                .replace("~/", "./")
                .replace("--prod", &stand_in)
                .replace("--port 8001", "--port 0")
                .replace("ddb serve", "ddb serve --port 0")
                .replace("| man -l -", "| sh man -l -");
            let ran = run(tool, &here);
            // 3 is the exit code of a command that was asked whether something differs.
            let looked = ran.code == Some(3) && line.contains("--check");
            assert!(ran.code == Some(0) || looked, "{line}\n{ran:?}");
        }
    }
}

#[test]
fn examples_work_as_they_stand() {
    let sandbox = Sandbox::new();
    // Copies go to the same engine, to their own table.
    let tool = front(&sandbox)
        .with("DDB_ENDPOINT_URL", &sandbox.url())
        .with("AWS_ACCESS_KEY_ID", "AKIATESTER")
        .with("AWS_SECRET_ACCESS_KEY", "secret");
    tool.file("mask.key", [7; 32]);
    tool.run(&["schema-load"]).ok();
    tool.run(&["seed"]).ok();
    // Dropping the table is an example, too; it comes last.
    examples_work(&tool, &sandbox, |command| {
        !PEOPLE.contains(&command) && command != "drop"
    });
    examples_work(&tool, &sandbox, |command| command == "drop");
}

#[test]
fn examples_of_list_users_work_as_they_stand() {
    let cognito = Cognito::start(
        (0..3).map(PoolUser::numbered).collect(),
        Hardship::default(),
    );
    let sandbox = Sandbox::new();
    let tool = front(&sandbox)
        .with("AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER", &cognito.url())
        .with("AWS_COGNITO_USER_POOL_ID", POOL);
    examples_work(&tool, &sandbox, |command| command == "list-users");
}

#[tokio::test]
#[ignore = "needs PostgreSQL and moto: bin-scripts/test --real"]
async fn examples_about_people_work_as_they_stand() {
    let database = Postgres::absent();
    let pool = MotoPool::open().await;
    let sandbox = Sandbox::new();
    let tool = front(&sandbox)
        .with(
            "AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER",
            &MotoPool::url(),
        )
        .with("AWS_COGNITO_USER_POOL_ID", &pool.id)
        .with("DATABASE_URL", &database.url());
    examples_work(&tool, &sandbox, |command| PEOPLE.contains(&command));
}
