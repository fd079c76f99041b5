//! The words that could come next on the command line.

use std::sync::Arc;

use clap::{Arg, Command};
use clap_complete::CompletionCandidate;
use clap_complete::engine::{ArgValueCompleter, complete};

use super::Candidate;
use super::lookup::{Found, Lookup, Wanted};
use crate::output::escape;

/// Returns the words that could come next, without hidden ones. The last of `words` is the one that is being typed.
pub(super) fn candidates(command: Command, words: &[String]) -> Vec<Candidate> {
    let Some(last) = words.len().checked_sub(1) else {
        return Vec::new();
    };
    let mut command = with_lookups(command, words);
    let arguments = words.iter().map(Into::into).collect();
    let here = std::env::current_dir().ok();
    let found = complete(&mut command, arguments, last, here.as_deref());
    let found = found.unwrap_or_default().into_iter();
    found
        // The engine offers hidden candidates if nothing else fits. Files that begin with a dot are different.
        .filter(|found| !found.is_hide_set() || words[last].starts_with('.'))
        .filter_map(candidate)
        .collect()
}

/// Returns a candidate in one line without unsafe characters, or `None` if that would change its value.
fn candidate(found: CompletionCandidate) -> Option<Candidate> {
    let value = found.get_value().to_str()?.to_owned();
    let about = found.get_help().map(ToString::to_string);
    let about = about.unwrap_or_default();
    let about = about.lines().next().unwrap_or_default();
    (!value.chars().any(escape::is_unsafe)).then(|| Candidate {
        value,
        about: escape::line(about).into_owned(),
    })
}

/// Attaches a lookup to each argument that names something in the table.
fn with_lookups(command: Command, words: &[String]) -> Command {
    let names: Vec<Found> = command
        .get_subcommands()
        .map(|command| Found {
            value: command.get_name().to_owned(),
            about: command
                .get_about()
                .map(ToString::to_string)
                .unwrap_or_default(),
        })
        .collect();
    let lookup = Arc::new(Lookup::new(words));
    with_completers(command, &Arc::new(names), &lookup)
}

fn with_completers(command: Command, names: &Arc<Vec<Found>>, lookup: &Arc<Lookup>) -> Command {
    let name = command.get_name().to_owned();
    command
        .mut_args(|argument| match wanted(&name, &argument) {
            Some(Offer::Commands) => {
                let names = Arc::clone(names);
                completed(argument, move || names.to_vec())
            }
            Some(Offer::Stored(wanted)) => {
                let lookup = Arc::clone(lookup);
                completed(argument, move || lookup.find(wanted))
            }
            None => argument,
        })
        .mut_subcommands(|command| with_completers(command, names, lookup))
}

fn completed(argument: Arg, find: impl Fn() -> Vec<Found> + Send + Sync + 'static) -> Arg {
    argument.add(ArgValueCompleter::new(move |typed: &std::ffi::OsStr| {
        let typed = typed.to_string_lossy();
        find()
            .into_iter()
            .filter(|found| found.value.starts_with(&*typed))
            .map(|found| CompletionCandidate::new(found.value).help(Some(found.about.into())))
            .collect()
    }))
}

/// The values that an argument takes.
enum Offer {
    /// The name of a command.
    Commands,
    /// Something that is stored.
    Stored(Wanted),
}

fn wanted(command: &str, argument: &Arg) -> Option<Offer> {
    let names = argument.get_value_names().unwrap_or_default();
    let value = names.first().map(clap::builder::Str::as_str);
    Some(match (command, value?) {
        ("man", "COMMAND") => Offer::Commands,
        (_, "TABLE") => Offer::Stored(Wanted::Tables),
        (_, "NAME") if argument.get_long() == Some("table") => Offer::Stored(Wanted::Tables),
        (_, "HANDLE") => Offer::Stored(Wanted::Handles),
        (_, "CONVERSATION") => Offer::Stored(Wanted::Conversations),
        // An existing conversation, not one that is about to be created.
        (command, "GROUP_UUID") if command != "seed" => Offer::Stored(Wanted::Conversations),
        _ => return None,
    })
}
