//! The front door: every utility as `ddb <command>`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Command;

use crate::commands::{COMMAND_LINES, CommandLine, Entry, GROUPS};
use crate::complete;
use crate::help;
use crate::runner::{self, Program};
use crate::version;

const FIRST_STEPS: &str = "\
First steps, in two terminals:
  ddb local                    a DynamoDB endpoint on this machine
  ddb schema-load              create the table there
  ddb seed                     load a conversation
  ddb get-conversation         read it

Lost? `ddb doctor` checks your setup and shows which command to type next.";

const DDB: Program = Program {
    command: catalog,
    binaries,
    catalog,
};

/// Runs the front door with the arguments of this process. If it was started under the name of a utility, such as
/// through a link, it runs that utility, so one file serves for all.
pub fn run() -> ExitCode {
    if let Some(utility) = called().and_then(|name| utility(&name)) {
        return crate::standalone(utility.line.command, utility.run);
    }
    if let Some(answered) = complete::asked(catalog) {
        return answered;
    }
    let mut command = self::command();
    let options = match runner::parse(&mut command, self::command) {
        Ok(options) => options,
        Err(exit) => return exit,
    };
    let chosen = options.subcommand().and_then(|(name, options)| {
        let mut known = entries().zip(command.get_subcommands());
        let (entry, _) = known.find(|(_, command)| command.get_name() == name)?;
        Some((entry.run)(DDB, options))
    });
    // A command is required, so there is one.
    chosen.unwrap_or(ExitCode::FAILURE)
}

/// Returns the name that this process was started under.
fn called() -> Option<String> {
    let path = PathBuf::from(std::env::args_os().next()?);
    Some(path.file_name()?.to_str()?.to_owned())
}

/// Returns the utility with this name.
fn utility(name: &str) -> Option<&'static Entry> {
    // The name is usually `ddb`: then no command lines are made only to be asked for their names.
    let named = |entry: &&Entry| entry.line.is_binary && entry.line.name() == name;
    (name != "ddb").then(|| entries().find(named)).flatten()
}

fn entries() -> impl Iterator<Item = &'static Entry> {
    GROUPS.iter().flat_map(|(_, entries)| *entries)
}

/// Makes `ddb` with all its commands, in order, without the parts that only help needs.
pub fn catalog() -> Command {
    Command::new("ddb")
        .version(version::NUMBER)
        .long_version(version::WHOLE)
        .about("Operator tools for the Cruddur message store in DynamoDB")
        .after_help(FIRST_STEPS)
        // They may also come before the name of the command.
        .args(runner::common_options().map(|option| option.hide(true).global(true)))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands(COMMAND_LINES.iter().map(|line| (line.command)()))
}

/// Returns `ddb` for parsing, with its commands grouped in its help.
pub fn command() -> Command {
    let command = catalog();
    let groups = help::groups(&command, &groups());
    let template = format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{}{}\n{{options}}{{after-help}}",
        groups.ansi(),
        help::heading("Options:")
    );
    help::shaped(command).help_template(template)
}

/// Returns the names of the commands under their headings.
fn groups() -> Vec<(&'static str, Vec<String>)> {
    let names = |entries: &[Entry]| {
        let names = entries.iter().map(|entry| entry.line.name());
        names.collect::<Vec<_>>()
    };
    let mut groups: Vec<_> = GROUPS
        .iter()
        .map(|(heading, entries)| (*heading, names(entries)))
        .collect();
    // Clap adds this one.
    if let Some((_, last)) = groups.last_mut() {
        last.insert(0, "help".to_owned());
    }
    groups
}

/// Returns the names of the commands that also exist as separate binaries.
fn binaries() -> Vec<String> {
    COMMAND_LINES
        .iter()
        .filter(|line| line.is_binary)
        .map(CommandLine::name)
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::failure::{Failure, Guide};
    use proptest::prelude::*;

    #[test]
    fn the_table_of_commands_says_which_have_a_binary() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/bin");
        let stem = |file: std::io::Result<std::fs::DirEntry>| {
            let path = file.unwrap().path();
            path.file_stem().unwrap().to_str().unwrap().to_owned()
        };
        let mut files: BTreeSet<String> = std::fs::read_dir(folder).unwrap().map(stem).collect();
        assert!(files.remove("ddb"));
        assert_eq!(files, binaries().into_iter().collect());
    }

    /// Every word that the command line knows, and some that it does not.
    fn words() -> Vec<String> {
        let mut words: Vec<String> = [
            "-",
            "--",
            "",
            "prod",
            "0/4",
            "-1d",
            "now",
            "\u{1b}[2J",
            "--=",
            "-qv",
            "é",
        ]
        .map(str::to_owned)
        .to_vec();
        for command in catalog().get_subcommands() {
            words.push(command.get_name().to_owned());
            let options = command
                .get_arguments()
                .filter_map(|argument| argument.get_long());
            words.extend(options.map(|name| format!("--{name}")));
        }
        words
    }

    proptest! {
        /// Any words are either a command or an error with a message.
        #[test]
        fn any_words_are_a_command_or_an_error(
            words in prop::collection::vec(prop_oneof![prop::sample::select(words()), ".{0,6}"], 0..7)
        ) {
            let all = std::iter::once("ddb").chain(words.iter().map(String::as_str));
            if let Err(error) = command().try_get_matches_from(all) {
                prop_assert!(!error.render().to_string().is_empty());
            }
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    fn said(arguments: &[&str]) -> (String, String) {
        let mut command = command();
        let error = command.try_get_matches_from_mut(arguments).unwrap_err();
        match runner::wrong_usage(&error.format(&mut command)) {
            Failure::Error { message, hint, .. } => {
                let guide = Guide::nowhere();
                let hint = hint.map(|hint| guide.words(&hint));
                (message, hint.unwrap_or_default())
            }
            Failure::ClosedPipe => panic!(),
        }
    }

    #[test]
    fn wrong_usage_is_one_line_and_a_hint() {
        for (arguments, message, hint) in [
            (
                &["ddb", "drop"][..],
                "the following required arguments were not provided: <TABLE>",
                "see --help",
            ),
            (
                &["ddb", "scan", "--sgements", "2"],
                "unexpected argument '--sgements' found",
                "a similar argument exists: '--segments'",
            ),
            (
                &["ddb", "scan", "-o", "jsn"],
                "invalid value 'jsn' for '--output <FORMAT>' [possible values: table, wide, json, jsonl, csv, ddb-json, txt, md, html]",
                "a similar value exists: 'json'",
            ),
            (
                &["ddb", "qqqq"],
                "unrecognized subcommand 'qqqq'",
                "see --help",
            ),
        ] {
            assert_eq!(said(arguments), (message.to_owned(), hint.to_owned()));
        }
    }

    #[test]
    fn the_most_similar_command_is_named_first() {
        for (typed, meant) in [
            ("get-conversatoin", "get-conversation"),
            ("sed", "seed"),
            ("list-user", "list-users"),
            ("chek-conversations", "check-conversations"),
            ("schemaload", "schema-load"),
            ("list-conversation", "list-conversations"),
        ] {
            let (_, hint) = said(&["ddb", typed]);
            assert!(
                hint.starts_with(&format!("did you mean `{meant}`")),
                "{typed}: {hint}"
            );
            assert!(hint.matches('`').count() <= 6, "{typed}: {hint}");
        }
    }
}
