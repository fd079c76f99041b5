//! The front door: every utility as `ddb <command>`.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::commands::{
    check_conversations, create_conversation, create_message, db_setup, doctor, drop,
    get_conversation, list_conversations, list_tables, list_users, local, scan, schema_load, seed,
    sync_conversations, update_cognito_user_ids,
};
use crate::launch;

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
    ListUsers(list_users::Args),
    UpdateCognitoUserIds(update_cognito_user_ids::Args),
    DbSetup(db_setup::Args),
    Doctor(doctor::Args),
}

/// Runs the front door with the arguments of this process.
pub fn run() -> ExitCode {
    match launch::parse::<Ddb>() {
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
            Front::ListUsers(command) => launch::run(command),
            Front::UpdateCognitoUserIds(command) => launch::run(command),
            Front::DbSetup(command) => launch::run(command),
            Front::Doctor(command) => launch::run(command),
        },
        Err(exit) => exit,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;
    use proptest::prelude::*;

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
            if let Err(error) = Ddb::try_parse_from(all) {
                prop_assert!(!error.render().to_string().is_empty());
            }
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        Ddb::command().debug_assert();
    }
}
