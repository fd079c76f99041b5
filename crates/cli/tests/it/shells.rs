//! Completions and manual pages: all are written, and they do what they are for.

use std::path::Path;

use ddb_test_support::{Door, Ran, Tool};

fn front() -> Tool {
    Tool::new(env!("CARGO_BIN_EXE_ddb"), Door::Front)
}

fn shell(tool: &Tool, script: &str) -> Ran {
    tool.shell(script).output().unwrap().into()
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
        ("zsh/_ddb", "--follow"),
        ("zsh/_get-conversation", "#compdef get-conversation"),
        ("fish/ddb.fish", "-l follow"),
        ("fish/get-conversation.fish", "complete -c get-conversation"),
    ] {
        let script = std::fs::read_to_string(folder.join(file)).unwrap();
        assert!(script.contains(part), "{file}");
    }
}

#[test]
fn bash_completes_commands_options_and_values() {
    let tool = front();
    for (typed, completed) in [
        ("ddb get-c", "get-conversation"),
        ("ddb scan --seg", "--segments\n--segment"),
        ("ddb scan --kind mes", "message"),
        ("get-conversation --fol", "--follow"),
    ] {
        let words: Vec<&str> = typed.split(' ').collect();
        let (binary, last) = (words[0], words.len() - 1);
        let script = format!(
            "set +u; source <(ddb completions bash {binary})
             COMP_WORDS=({typed}) COMP_CWORD={last}
             function=$(complete -p {binary}); function=${{function#*-F }}
             \"${{function%% *}}\" {binary} '{}' '{}'
             printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            words[last],
            words[last - 1]
        );
        assert_eq!(shell(&tool, &script).ok().trim_end(), completed, "{typed}");
    }
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
        .fails_with_hint(2, "`doctor` is no binary of its own");
    tool.run(&["completions"]).fails_with_hint(2, "<SHELL>");
    tool.run(&["completions", "bash", "-o", "json"])
        .fails_with_hint(2, "json is not a form of this command");
}
