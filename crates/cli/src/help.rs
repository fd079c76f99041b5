//! How help is laid out: one form, short enough to be read, with examples at its end.

use std::fmt::Write;

use clap::Command;
use clap::builder::styling::Styles;
use clap::builder::{Resettable, StyledStr};

use crate::output::width;

/// The columns that help is laid out for where it is not written to a terminal.
pub const COLUMNS: usize = 80;

/// Makes the examples that end a command's help: what each is for, and what to type.
///
/// They work as they stand, on a table that `ddb schema-load` and `ddb seed` made.
pub fn examples(examples: &[(&str, &str)]) -> StyledStr {
    let mut text = heading("Examples:");
    for (purpose, line) in examples {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n  {purpose}:\n    {line}");
    }
    text.into()
}

/// Gives a command and all below it the one form of help, by `-h` and by `--help`: all there is to say on top,
/// and a line or two for each option.
pub fn shaped(command: Command) -> Command {
    let all = command
        .get_long_about()
        .or(command.get_about())
        .cloned()
        .unwrap_or_default();
    command
        .about(all)
        .long_about(Resettable::Reset)
        .mut_subcommands(shaped)
}

/// Lists commands under headings, each with what it does.
pub fn groups(command: &Command, groups: &[(&str, Vec<String>)]) -> StyledStr {
    let names = groups.iter().flat_map(|(_, members)| members);
    let widest = names.map(|name| width::of(name)).max().unwrap_or_default();
    let mut text = String::new();
    for (title, members) in groups {
        text.push_str(&heading(title));
        for member in members {
            let about = match member.as_str() {
                "help" => "Shows this, or the help of one command".to_owned(),
                member => about(command, member),
            };
            let lines = width::wrap(&about, COLUMNS - widest - 4);
            for (index, line) in lines.iter().enumerate() {
                let member = if index == 0 { member } else { "" };
                let _ = write!(text, "\n  {member:widest$}  {line}");
            }
        }
        text.push_str("\n\n");
    }
    text.into()
}

fn about(command: &Command, subcommand: &str) -> String {
    let found = command.find_subcommand(subcommand);
    let about = found.and_then(Command::get_about);
    about.map(ToString::to_string).unwrap_or_default()
}

/// Styles a heading as clap styles its own.
pub fn heading(text: &str) -> String {
    let styles = Styles::styled();
    let style = styles.get_header();
    format!("{style}{text}{style:#}")
}
