//! Completions and manual pages: all of them are written, and they work.

use std::path::Path;

use ddb_test_support::http::{Answer, Breakage, Server};
use ddb_test_support::{Door, Ran, Sandbox, Tool};

use crate::setup::{GROUP, tool};

fn front() -> Tool {
    Tool::new(env!("CARGO_BIN_EXE_ddb"), Door::Front)
}

fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn every_shell_gets_completions_for_every_binary() {
    let tool = front();
    tool.run(&["completions", "--dir", "made/here"]).ok();
    let folder = tool.home().join("made/here");
    let bash = files(&folder.join("bash"));
    assert!(bash.contains(&"ddb".to_owned()) && bash.contains(&"drop".to_owned()));
    assert!(!bash.contains(&"local".to_owned()), "{bash:?}");
    let named = |form: &dyn Fn(&String) -> String| bash.iter().map(form).collect::<Vec<_>>();
    assert_eq!(
        files(&folder.join("zsh")),
        named(&|name| format!("_{name}"))
    );
    assert_eq!(
        files(&folder.join("fish")),
        named(&|name| format!("{name}.fish"))
    );
    for (file, part) in [
        (
            "bash/drop",
            "complete -o nosort -F _ddb_completes_drop drop",
        ),
        ("zsh/_get-conversation", "#compdef get-conversation"),
        ("fish/get-conversation.fish", " -c get-conversation "),
    ] {
        let script = std::fs::read_to_string(folder.join(file)).unwrap();
        assert!(script.contains(part), "{file}");
    }
}

/// Returns what could come next after a line, as the shells' scripts ask for it.
fn next(tool: &Tool, line: &str) -> Vec<String> {
    let binary = line.split(' ').next().unwrap();
    let tool_of = |name: &str| {
        let mut command = tool.command(&[]);
        let program = Path::new(command.get_program()).with_file_name(name);
        let mut other = std::process::Command::new(program);
        other.env_clear().current_dir(tool.home());
        other.envs(
            command
                .env("DDB_COMPLETE", "bash")
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        other
    };
    let ran: Ran = tool_of(binary)
        .env("DDB_COMPLETE_LINE", line)
        .output()
        .unwrap()
        .into();
    assert_eq!(ran.stderr, "", "{line}");
    ran.ok().lines().map(str::to_owned).collect()
}

#[test]
fn what_could_come_next_is_known() {
    // Its own engine, so that no other tables are offered.
    let sandbox = Sandbox::embedded();
    let tool = tool(Door::Front, &sandbox).with("DDB_COMPLETE_TIMEOUT", "10m");
    tool.run(&["schema-load"]).ok();
    tool.run(&["seed"]).ok();
    tool.file("users.csv", "");
    let table = sandbox.table().to_string();
    for (line, expected) in [
        ("ddb get-conv", vec!["get-conversation"]),
        ("ddb help stat", vec!["stats"]),
        ("ddb man stat", vec!["stats"]),
        ("ddb scan --seg", vec!["--segments", "--segment"]),
        ("ddb scan --kind mes", vec!["message"]),
        ("get-conversation --fol", vec!["--follow"]),
        ("ddb scan --table te", vec![&table]),
        ("ddb drop te", vec![&table]),
        ("drop te", vec![&table]),
        ("ddb get-conversation 5ae2", vec![GROUP]),
        ("ddb list-conversations ba", vec!["bayko"]),
        ("ddb seed --users us", vec!["users.csv"]),
        // Files are offered only where a file is expected, and hidden options nowhere.
        ("ddb seed --group-uuid us", vec![]),
        ("ddb scan --sts", vec![]),
        // Tables of production are not offered.
        ("ddb scan --prod --table te", vec![]),
    ] {
        assert_eq!(next(&tool, line), expected, "{line}");
    }
}

#[test]
fn an_endpoint_that_is_dead_or_hangs_is_no_trouble() {
    let tool = front();
    let hung = Server::start(|_| Answer::json(200, "{}").broken(Breakage::Hung));
    for url in [
        "http://127.0.0.1:1",
        &hung.url(),
        "nonsense",
        "https://dynamodb.eu-central-1.amazonaws.com",
    ] {
        for asked in ["--table ", "--table=", "--kind=message --table x"] {
            let line = format!("ddb scan --endpoint-url {url} {asked}");
            assert_eq!(next(&tool, &line), Vec::<String>::new(), "{line}");
        }
    }
    // Production is not even connected to.
    let trap = Server::trap();
    let line = format!(
        "ddb scan --table x --prod --endpoint-url {} --table ",
        trap.url()
    );
    assert_eq!(next(&tool, &line), Vec::<String>::new());
    assert_eq!(trap.connections(), 0);
}

/// Types lines into a real shell, with a tab in each. If the shell is missing, nothing is tested.
fn types(shell: &[&str], load: &str) {
    let sandbox = Sandbox::embedded();
    let tool = tool(Door::Front, &sandbox).with("DDB_COMPLETE_TIMEOUT", "10m");
    tool.run(&["schema-load"]).ok();
    let Some(mut terminal) = tool.shell_at_terminal(shell) else {
        return;
    };
    // The answer ends the wait, not the line as it was typed.
    terminal.enter(&format!("{load}; echo rea''dy\n"));
    terminal.expect("ready");
    terminal.enter("ddb man get-conv\t | grep TH\n");
    terminal.expect("ddb-get-conversation 1");
    let table = sandbox.table().to_string();
    let (typed, rest) = table.split_at(6);
    terminal.enter(&format!(
        "ddb scan -o json --table {typed}\t | grep -c items; echo EN''D\n"
    ));
    terminal.expect("END");
    terminal.expect(rest);
    terminal.enter(&format!(
        "ddb scan --count --table={typed}\t && echo COUN''TED\n"
    ));
    terminal.expect("COUNTED");
    // A word that bash splits at its colons comes before.
    terminal.enter(&format!(
        "ddb scan --endpoint-url {} --count --table {typed}\t && echo AT''URL\n",
        sandbox.url()
    ));
    terminal.expect("ATURL");
    terminal.enter("ddb scan --sts\t-none; echo FAI''LED\n");
    terminal.expect("FAILED");
    terminal.expect("'--sts-none'");
    terminal.enter("exit\n");
    terminal.end();
    tool.run(&["drop", &table]).ok();
}

#[test]
fn bash_completes() {
    types(
        &["bash", "--norc", "--noprofile", "-i"],
        "source <(ddb completions bash)",
    );
}

#[test]
fn zsh_completes() {
    types(
        &["zsh", "-f", "-i"],
        "autoload -U compinit; compinit -u -D; source <(ddb completions zsh)",
    );
}

#[test]
fn fish_completes() {
    types(
        &["fish", "--no-config", "-i"],
        "ddb completions fish | source",
    );
}

#[test]
fn every_command_has_a_manual_page_with_all_of_its_options() {
    let tool = front();
    tool.run(&["man", "--dir", "man1"]).ok();
    let folder = tool.home().join("man1");
    let pages = files(&folder);
    assert!(pages.contains(&"ddb.1".to_owned()));
    for page in &pages {
        let text = std::fs::read_to_string(folder.join(page)).unwrap();
        let Some(command) = page.strip_prefix("ddb-") else {
            if page != "ddb.1" {
                assert_eq!(text, format!(".so man1/ddb-{page}\n"));
            }
            continue;
        };
        let command = command.strip_suffix(".1").unwrap();
        assert_eq!(tool.run(&["man", command]).ok(), text);
        for section in ["NAME", "SYNOPSIS", "OPTIONS", "EXAMPLES"] {
            assert!(
                text.contains(&format!(".SH {section}\n")),
                "{page} {section}"
            );
        }
        let help = tool.run(&[command, "--help"]).ok();
        let options = help.split_whitespace().filter_map(|word| {
            let name = word.strip_prefix("--")?;
            let end = name.find(|c: char| !c.is_ascii_lowercase() && c != '-');
            Some(&name[..end.unwrap_or(name.len())])
        });
        for option in options.filter(|option| !option.is_empty()) {
            let written = format!("\\-\\-{}", option.replace('-', "\\-"));
            assert!(text.contains(&written), "{page} {option}");
        }
    }
    let front = tool.run(&["man"]).ok();
    assert!(front.contains("FIRST STEPS, IN TWO TERMINALS"), "{front}");
}

#[test]
fn names_that_are_none_are_refused() {
    let tool = front();
    tool.run(&["man", "nope"])
        .fails_with_hint(2, "there is no command `nope`");
    tool.run(&["completions", "bash", "nope"])
        .fails_with_hint(2, "there is no binary `nope`");
    tool.run(&["completions", "bash", "doctor"])
        .fails_with_hint(2, "`doctor` has no binary of its own");
    tool.run(&["completions"]).fails_with_hint(2, "<SHELL>");
    tool.run(&["completions", "bash", "-o", "json"])
        .fails_with_hint(2, "json is not a format of this command");
}
