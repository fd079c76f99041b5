//! The recipe in CONTRIBUTING: a command that is added by it works through both doors.

use std::path::{Path, PathBuf};
use std::process::Command;

use ddb_test_support::is_deep;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Step 1: the command.
const COMMAND: &str = r#"//! `hello`: a greeting.

use clap::Parser;
use serde::Serialize;

use crate::failure::{Failure, Outcome};
use crate::help::examples;
use crate::launch::{Command, Context};
use crate::output::{Cell, Column, Format, Record};

/// Greets somebody.
#[derive(Debug, Parser)]
#[command(name = "hello", version, after_help = examples(&[("Greet", "ddb hello bayko")]))]
pub struct Args {
    /// Who is greeted
    #[arg(value_name = "HANDLE")]
    handle: String,
}

#[derive(Debug, Serialize)]
struct Row {
    greeting: String,
}

impl Record for Row {
    type Of<'a> = Self;
    const COLUMNS: &'static [Column<Self>] = &[
        Column::kept("greeting", |row| Cell::text(&row.greeting)),
    ];
}

impl Command for Args {
    const FORMATS: &'static [Format] = Format::BASIC;

    async fn run(self, context: Context) -> Result<Outcome, Failure> {
        let greeting = format!("hello {}", self.handle);
        context.ui.report(&Row { greeting }, "the greeting was said")?;
        Ok(Outcome::Done)
    }
}
"#;

/// Step 3: the binary.
const BINARY: &str =
    "//! `hello`: a greeting.\n\nddb_cli::main!(ddb_cli::commands::hello::Args);\n";

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (source, copied) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type().unwrap().is_dir() {
            copy(&source, &copied);
        } else {
            std::fs::copy(&source, &copied).unwrap();
        }
    }
}

/// Shares the built dependencies: a file that cargo replaces is no longer shared.
fn share(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (source, shared) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type().unwrap().is_dir() {
            share(&source, &shared);
        } else {
            std::fs::hard_link(&source, &shared).unwrap();
        }
    }
}

fn replace(file: &Path, old: &str, new: &str) {
    let text = std::fs::read_to_string(file).unwrap();
    assert!(text.contains(old), "{}: {old}", file.display());
    std::fs::write(file, text.replacen(old, new, 1)).unwrap();
}

/// Takes minutes, since the crates of the workspace are built again: only with `--deep`.
#[test]
fn a_command_that_is_added_by_the_recipe_works() {
    if !is_deep() {
        return;
    }
    let built = Path::new(env!("CARGO_BIN_EXE_ddb")).parent().unwrap();
    // Next to the build, so that files can be shared with it.
    let scratch = tempfile::tempdir_in(built.parent().unwrap()).unwrap();
    let copied = scratch.path().join("workspace");
    for folder in ["crates", "seed-data"] {
        copy(&root().join(folder), &copied.join(folder));
    }
    for file in ["Cargo.toml", "Cargo.lock", "rust-toolchain.toml"] {
        std::fs::copy(root().join(file), copied.join(file)).unwrap();
    }
    let cli = copied.join("crates/cli/src");
    std::fs::write(cli.join("commands/hello.rs"), COMMAND).unwrap();
    let table = cli.join("commands/mod.rs");
    replace(
        &table,
        "pub mod list_tables;",
        "pub mod hello;\npub mod list_tables;",
    );
    let row = "utility::<scan::Args>(),";
    replace(&table, row, &format!("{row}\nutility::<hello::Args>(),"));
    std::fs::write(cli.join("bin/hello.rs"), BINARY).unwrap();

    let target = scratch.path().join("target/debug");
    for folder in ["deps", ".fingerprint", "build"] {
        share(&built.join(folder), &target.join(folder));
    }
    // Includes one of the tests, so that dependencies have the features that they were built with.
    let ran = Command::new(env!("CARGO"))
        .args(
            "build --quiet --workspace --locked --offline --bin ddb --bin hello --test runtime"
                .split(' '),
        )
        .env("CARGO_TARGET_DIR", scratch.path().join("target"))
        .current_dir(&copied)
        .output()
        .unwrap();
    assert!(
        ran.status.success(),
        "{}",
        String::from_utf8_lossy(&ran.stderr)
    );

    let run = |binary: &str, arguments: &[&str]| {
        let ran = Command::new(target.join(binary))
            .args(arguments)
            .output()
            .unwrap();
        String::from_utf8(ran.stdout).unwrap()
    };
    assert_eq!(
        run("hello", &["bayko", "-o", "jsonl"]),
        "{\"greeting\":\"hello bayko\"}\n"
    );
    assert_eq!(run("ddb", &["hello", "bayko"]), run("hello", &["bayko"]));
    assert!(run("ddb", &["--help"]).contains("  hello "));
    assert!(run("ddb", &["completions", "fish", "hello"]).contains("complete -c hello"));
    assert!(run("ddb", &["man", "hello"]).contains("Greets somebody"));
}
