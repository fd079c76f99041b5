//! The layout of help: `-h` prints one screen, `--help` prints everything, with examples at the end.

use std::fmt::Write;

use clap::builder::styling::Styles;
use clap::builder::{Resettable, StyledStr};
use clap::{Arg, Command};

use crate::output::width;

/// The width of help that is not written to a terminal.
pub const COLUMNS: usize = 80;

/// Makes the examples at the end of a command's help: the purpose of each, and what to type.
///
/// They work unchanged on a table made by `ddb schema-load` and `ddb seed`.
pub fn examples(examples: &[(&str, &str)]) -> StyledStr {
    let mut text = heading("Examples:");
    for (purpose, line) in examples {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n  {purpose}:\n    {line}");
    }
    text.into()
}

/// Gives a command and all its subcommands the long form of help: the whole description at the top, and a line or two
/// for each option.
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

/// Lists commands under headings, each with its description.
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

/// The options that a command shows first, if they are not the first in its definition.
const FIRST: &[(&str, &[&str])] = &[
    (
        "get-conversation",
        &["limit", "since", "contains", "follow", "output"],
    ),
    (
        "list-conversations",
        &["limit", "all", "year", "prod", "output"],
    ),
    ("scan", &["kind", "limit", "contains", "count", "output"]),
    (
        "check-conversations",
        &["repair", "times", "rule", "dry-run", "output"],
    ),
    ("create-message", &["me", "group", "prod", "yes", "output"]),
    (
        "seed",
        &["conversation", "me", "with", "replace", "dry-run"],
    ),
];

/// The number of options on one screen.
const OPTIONS: usize = 5;

/// Gives a command, and all its subcommands, help of two lengths: `-h` prints one screen, `--help` prints everything.
/// The command must not have parsed anything yet.
pub fn two_lengths(command: Command) -> Command {
    // The layout needs the built command with all its names. The parser has to know that there are two lengths.
    let mut built = command.clone();
    built.build();
    with_screens(command, built, true)
}

fn with_screens(command: Command, mut built: Command, is_root: bool) -> Command {
    let whole = built.render_help();
    // The top-level help keeps everything, because people choose a command by it.
    let screen = if is_root && built.has_subcommands() {
        whole.clone()
    } else {
        screen(&mut built)
    };
    command
        .mut_subcommands(|command| match built.find_subcommand(command.get_name()) {
            Some(built) => with_screens(command, built.clone(), false),
            None => command,
        })
        .help_template("{before-help}")
        .before_help(screen)
        .before_long_help(whole)
}

/// Wraps a text at its spaces, so that anything people copy, such as a URL, stays whole.
fn fold(text: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = vec![String::new()];
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if width::of(line) + 1 + width::of(word) <= columns => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Lays out the help that fits a screen: purpose, usage, arguments, the options that matter, one example.
fn screen(command: &mut Command) -> StyledStr {
    let about = command.get_about().map(ToString::to_string);
    let about = about.unwrap_or_default();
    let about = about.lines().next().unwrap_or_default();
    let usage = command.render_usage().ansi().to_string();
    let mut text = format!(
        "{}\n\n{usage}\n\n",
        fold(about.trim_end_matches('.'), COLUMNS).join("\n")
    );

    let positionals = command.get_positionals().filter(|arg| !arg.is_hide_set());
    let mut rows: Vec<(String, String)> = positionals.map(row).collect();
    rows.extend(first_options(command).into_iter().map(row));
    let widest = rows.iter().map(|(name, _)| width::of(name)).max();
    let widest = widest.unwrap_or_default();
    for (name, help) in &rows {
        let lines = fold(help, COLUMNS.saturating_sub(widest + 4));
        for (index, line) in lines.iter().enumerate() {
            let name = if index == 0 { name } else { "" };
            // Writing to a String cannot fail.
            let _ = writeln!(text, "  {name:widest$}  {line}");
        }
    }
    if let Some(example) = first_example(command) {
        let _ = write!(text, "\n{}\n{example}\n", heading("Example:"));
    }
    text.push_str("\n--help shows all options and more examples.");
    text.into()
}

/// Returns the options that fit on one screen: the required ones, the ones to show first, some of the command's own,
/// and those that most commands have.
fn first_options(command: &Command) -> Vec<&Arg> {
    let named = |name: &str| {
        let mut options = command.get_arguments();
        options.find(|option| option.get_long() == Some(name) && !option.is_hide_set())
    };
    let own = |option: &&Arg| {
        !option.is_positional()
            && option.get_help_heading().is_none()
            && !["help", "version"].contains(&option.get_id().as_str())
            && !option.is_hide_set()
    };
    let first = FIRST.iter().find(|(name, _)| *name == command.get_name());
    let first = first.into_iter().flat_map(|(_, names)| *names);
    let needed = command.get_arguments().filter(own);
    let needed = needed.filter(|option| option.is_required_set());
    let mut chosen: Vec<&Arg> = needed.collect();
    let common = ["prod", "output", "table"];
    let others = first
        .filter_map(|name| named(name))
        .chain(command.get_arguments().filter(own).take(3))
        .chain(common.iter().filter_map(|name| named(name)))
        .chain(command.get_arguments().filter(own));
    for option in others {
        if chosen.iter().all(|other| other.get_id() != option.get_id()) {
            chosen.push(option);
        }
    }
    chosen.truncate(OPTIONS);
    chosen
}

/// Returns how an argument is typed, and a short description of what it does.
fn row(argument: &Arg) -> (String, String) {
    let name = argument.to_string();
    let name = match argument.get_short() {
        Some(short) if !argument.is_positional() => format!("-{short}, {name}"),
        _ => name,
    };
    let help = argument.get_help().map(ToString::to_string);
    let help = help.unwrap_or_default();
    let end = [" [env", " [default", "; "]
        .iter()
        .filter_map(|mark| help.find(mark))
        .min();
    let help = help[..end.unwrap_or(help.len())].to_owned();
    (name, help)
}

/// Returns the first of the examples at the end of a command's help.
fn first_example(command: &Command) -> Option<String> {
    let examples = command.get_after_help()?.to_string();
    let (_, examples) = examples.split_once("Examples:\n")?;
    let mut lines = examples.lines();
    let purpose = lines.next()?;
    let typed = lines.take_while(|line| line.starts_with("    "));
    let example: Vec<&str> = std::iter::once(purpose).chain(typed).collect();
    Some(example.join("\n"))
}
