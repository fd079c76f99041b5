//! The front door: every utility as `ddb <command>`, and what tells about them.

mod completions;
mod man;

use std::io;
use std::path::Path;
use std::process::ExitCode;

use clap::{Command, CommandFactory, Parser, Subcommand};

use crate::commands::{
    check_conversations, create_conversation, create_message, db_setup, doctor, drop,
    get_conversation, list_conversations, list_tables, list_users, local, scan, schema_load, seed,
    stats, sync_conversations, update_cognito_user_ids,
};
use crate::failure::{Exit, Failure};
use crate::{help, launch};

/// Operator tools for the Cruddur message store in DynamoDB.
#[derive(Debug, Parser)]
#[command(name = "ddb", version, arg_required_else_help = true, after_help = FIRST_STEPS)]
struct Ddb {
    #[command(subcommand)]
    command: Front,
}

const FIRST_STEPS: &str = "\
First steps, in two terminals:
  ddb local                    a DynamoDB endpoint on this machine
  ddb schema-load              create the table there
  ddb seed                     load a conversation
  ddb get-conversation         read it

Lost? `ddb doctor` says what is not right, and which command to type next.";

/// The commands by what one wants to do.
const GROUPS: &[(&str, &[&str])] = &[
    ("Set up:", &["local", "schema-load", "seed", "drop"]),
    ("Write:", &["create-conversation", "create-message"]),
    (
        "Read:",
        &[
            "get-conversation",
            "list-conversations",
            "scan",
            "list-tables",
        ],
    ),
    ("Watch:", &["stats", "sync-conversations"]),
    (
        "People:",
        &["db-setup", "list-users", "update-cognito-user-ids"],
    ),
    ("Mend:", &["doctor", "check-conversations"]),
    ("About this tool:", &["help", "man", "completions"]),
];

/// The commands that have no binary of their own.
const FRONT_ONLY: [&str; 4] = ["local", "doctor", "man", "completions"];

#[derive(Debug, Subcommand)]
enum Front {
    Local(local::Args),
    SchemaLoad(schema_load::Args),
    ListTables(list_tables::Args),
    Drop(drop::Args),
    Seed(seed::Args),
    Scan(scan::Args),
    GetConversation(get_conversation::Args),
    ListConversations(list_conversations::Args),
    CreateMessage(create_message::Args),
    CreateConversation(create_conversation::Args),
    SyncConversations(sync_conversations::Args),
    CheckConversations(check_conversations::Args),
    Stats(stats::Args),
    ListUsers(list_users::Args),
    UpdateCognitoUserIds(update_cognito_user_ids::Args),
    DbSetup(db_setup::Args),
    Doctor(doctor::Args),
    Completions(completions::Args),
    Man(man::Args),
}

/// Runs the front door with the arguments of this process.
pub fn run() -> ExitCode {
    match launch::parse::<Ddb>(command()) {
        Ok(Ddb { command }) => match command {
            Front::Local(command) => launch::run(command),
            Front::SchemaLoad(command) => launch::run(command),
            Front::ListTables(command) => launch::run(command),
            Front::Drop(command) => launch::run(command),
            Front::Seed(command) => launch::run(command),
            Front::Scan(command) => launch::run(command),
            Front::GetConversation(command) => launch::run(command),
            Front::ListConversations(command) => launch::run(command),
            Front::CreateMessage(command) => launch::run(command),
            Front::CreateConversation(command) => launch::run(command),
            Front::SyncConversations(command) => launch::run(command),
            Front::CheckConversations(command) => launch::run(command),
            Front::Stats(command) => launch::run(command),
            Front::ListUsers(command) => launch::run(command),
            Front::UpdateCognitoUserIds(command) => launch::run(command),
            Front::DbSetup(command) => launch::run(command),
            Front::Doctor(command) => launch::run(command),
            Front::Completions(command) => launch::run(command),
            Front::Man(command) => launch::run(command),
        },
        Err(exit) => exit,
    }
}

/// Returns `ddb` as it is parsed, its commands grouped in its help.
pub fn command() -> Command {
    let command = Ddb::command();
    let groups = help::groups(&command, GROUPS);
    let template = format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{}{}\n{{options}}{{after-help}}",
        groups.ansi(),
        help::heading("Options:")
    );
    help::shaped(command).help_template(template)
}

/// Returns `ddb` and every command below it with all their names made: `ddb get-conversation`,
/// `ddb-get-conversation`.
fn built() -> Command {
    let mut command = Ddb::command().disable_help_subcommand(true);
    command.build();
    command
}

fn create(folder: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(folder).map_err(failed(folder))
}

fn write(file: &Path, content: &[u8]) -> Result<(), Failure> {
    std::fs::write(file, content).map_err(failed(file))
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> Failure {
    move |error| Failure::new(Exit::Failed, format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_command_stands_in_one_group() {
        let mut grouped: Vec<&str> = GROUPS
            .iter()
            .flat_map(|(_, members)| *members)
            .copied()
            .collect();
        grouped.sort_unstable();
        let mut all: Vec<String> = Ddb::command()
            .get_subcommands()
            .map(|command| command.get_name().to_owned())
            .collect();
        all.push("help".to_owned());
        all.sort_unstable();
        assert_eq!(grouped, all);
    }

    #[test]
    fn every_other_command_has_a_binary() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/bin");
        let files = std::fs::read_dir(folder).unwrap();
        let mut binaries: BTreeSet<String> = files
            .map(|file| {
                file.unwrap()
                    .path()
                    .file_stem()
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .to_owned()
            })
            .collect();
        assert!(binaries.remove("ddb"));
        binaries.extend(FRONT_ONLY.map(str::to_owned));
        let commands: BTreeSet<String> = built()
            .get_subcommands()
            .map(|command| command.get_name().to_owned())
            .collect();
        assert_eq!(binaries, commands);
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
        for command in Ddb::command().get_subcommands() {
            words.push(command.get_name().to_owned());
            let options = command
                .get_arguments()
                .filter_map(|argument| argument.get_long());
            words.extend(options.map(|name| format!("--{name}")));
        }
        words
    }

    proptest! {
        /// Any words are a command or an error that says something.
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
}
