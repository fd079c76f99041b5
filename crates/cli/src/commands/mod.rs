//! One file for each utility: its options, its work, and its output. The table of all utilities is here.

pub mod about;
pub mod changes;
pub mod conversation;
pub mod demo;
pub mod doctor;
pub mod drop;
pub mod explain;
pub mod import;
pub mod list_tables;
pub mod local;
pub mod people;
pub mod pull;
pub mod scan;
pub mod schema_load;
pub mod seed;
mod shared;
pub mod stats;

use std::process::ExitCode;

use clap::ArgMatches;

use crate::runner::{self, Command, Program, command_line};
use about::{completions, man};
use changes::{apply, receipts, undo};
use conversation::{
    check_conversations, create_conversation, create_message, delete_conversation, delete_message,
    get_conversation, list_conversations, serve, sync_conversations, web,
};
use people::{db_setup, list_users, update_cognito_user_ids};

/// Makes the table of commands, and a second one with only their command lines. Code that refers to the first table
/// links the work of every command, and starts more slowly.
macro_rules! table {
    ($($heading:literal: [$($make:ident::<$args:ty>()),* $(,)?],)*) => {
        /// All commands, grouped by purpose. Help, completions and manual pages are made from it.
        pub const GROUPS: &[(&str, &[Entry])] = &[$(($heading, &[$($make::<$args>()),*])),*];

        /// The command line of each command, in the order of [`GROUPS`].
        pub const COMMAND_LINES: &[CommandLine] = &[$($($make::<$args>().line),*),*];
    };
}

table! {
    "Set up:": [
        only_in_ddb::<demo::Args>(),
        only_in_ddb::<local::Args>(),
        utility::<schema_load::Args>(),
        utility::<seed::Args>(),
        utility::<import::Args>(),
        utility::<pull::Args>(),
        utility::<drop::Args>(),
    ],
    "Write:": [
        utility::<create_conversation::Args>(),
        utility::<create_message::Args>(),
        utility::<delete_conversation::Args>(),
        utility::<delete_message::Args>(),
    ],
    "Read:": [
        utility::<get_conversation::Args>(),
        utility::<list_conversations::Args>(),
        utility::<scan::Args>(),
        utility::<list_tables::Args>(),
        only_in_ddb::<web::Args>(),
        only_in_ddb::<serve::Args>(),
    ],
    "People:": [
        utility::<db_setup::Args>(),
        utility::<list_users::Args>(),
        utility::<update_cognito_user_ids::Args>(),
    ],
    "Watch and repair:": [
        only_in_ddb::<doctor::Args>(),
        utility::<stats::Args>(),
        utility::<sync_conversations::Args>(),
        utility::<check_conversations::Args>(),
        utility::<undo::Args>(),
        utility::<apply::Args>(),
        only_in_ddb::<receipts::Args>(),
    ],
    "About this tool:": [
        only_in_ddb::<man::Args>(),
        only_in_ddb::<completions::Args>(),
    ],
}

/// A command in the table.
#[derive(Debug)]
pub struct Entry {
    /// Its command line.
    pub line: CommandLine,
    /// Runs it with the parsed options.
    pub run: fn(Program, &ArgMatches) -> ExitCode,
}

/// The command line of a command, without the work behind it.
#[derive(Debug, Clone, Copy)]
pub struct CommandLine {
    /// Makes its command line.
    pub command: fn() -> clap::Command,
    /// Whether it also exists as a separate binary.
    pub is_binary: bool,
}

impl CommandLine {
    /// Returns the name of the command.
    pub fn name(&self) -> String {
        (self.command)().get_name().to_owned()
    }
}

/// A command that is only a subcommand of `ddb`.
const fn only_in_ddb<C: Command>() -> Entry {
    entry::<C>(false)
}

/// A command that is a subcommand of `ddb`, and also a separate binary in `src/bin`.
const fn utility<C: Command>() -> Entry {
    entry::<C>(true)
}

const fn entry<C: Command>(is_binary: bool) -> Entry {
    Entry {
        line: CommandLine {
            command: command_line::<C>,
            is_binary,
        },
        run: runner::run::<C>,
    }
}
