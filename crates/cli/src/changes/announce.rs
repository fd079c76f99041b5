//! Prints a plan in lines that a person can check.

use std::num::NonZeroU32;

use ddb_core::changes::{Plan, Step, Summary};
use ddb_core::item::RawItem;
use ddb_core::store::ItemChange;

use super::Ground;
use crate::output::width;
use crate::ui::Ui;
use crate::wording::{plural, short};

/// The most changes that are shown one by one, in whole steps. A saved plan has all of them.
const SHOWN: usize = 20;

/// Prints a plan: its totals, then its first steps.
pub(super) fn announce(plan: &Plan, ground: &Ground, ui: &Ui) {
    let summary = plan.summary();
    if summary.steps == 0 {
        ui.note("plan: nothing to change");
        return;
    }
    ui.announce(&total(summary, ground.capacity()));
    let shown = announce_steps(plan, ui);
    let more = summary.steps.saturating_sub(shown);
    if more > 0 {
        let more = plural(more, "more step", "more steps");
        ui.announce(&format!("  and {more}; --plan FILE saves all of them"));
    }
    if ground.puts_into_stream(summary) {
        let put = plural(
            summary.messages_put,
            "message is put again",
            "messages are put again",
        );
        ui.announce(&format!(
            "{put}, and the table has a stream: its readers see each as an INSERT"
        ));
    }
}

/// Prints the first steps, and returns how many there are. Steps of several conversations alternate in a plan; the
/// output groups those of one conversation.
fn announce_steps(plan: &Plan, ui: &Ui) -> u64 {
    let mut shown: Vec<(String, Vec<String>)> = Vec::new();
    let (mut shown_steps, mut shown_lines) = (0, 0);
    // A plan that has become unreadable fails when it is carried out.
    for step in plan.steps().into_iter().flatten().map_while(Result::ok) {
        let (heading, lines) = (heading_of(&step), lines_of(&step));
        shown_lines += lines.len();
        if shown_steps > 0 && shown_lines > SHOWN {
            break;
        }
        shown_steps += 1;
        match shown.iter_mut().find(|(seen, _)| *seen == heading) {
            Some((_, seen)) => seen.extend(lines),
            None => shown.push((heading, lines)),
        }
    }
    for (heading, lines) in shown {
        ui.announce(&heading);
        lines.iter().for_each(|line| ui.announce(line));
    }
    shown_steps
}

/// Formats the totals of a plan.
fn total(summary: &Summary, capacity: Option<NonZeroU32>) -> String {
    let time = capacity.map_or_else(String::new, |capacity| {
        let seconds = summary.units.div_ceil(u64::from(capacity.get()));
        let time = humantime::format_duration(std::time::Duration::from_secs(seconds));
        format!(", {time} at the table's {capacity} units a second")
    });
    format!(
        "plan: {} in {}, {} write capacity units{time}",
        plural(summary.changes, "change", "changes"),
        plural(summary.steps, "step", "steps"),
        summary.units
    )
}

/// Formats the reason for a step, and its conversation.
fn heading_of(step: &Step) -> String {
    let conversation = step
        .conversation
        .map(|conversation| conversation.to_string());
    match conversation {
        Some(conversation) => format!("  {}, conversation {}:", step.why, short(&conversation)),
        None => format!("  {}:", step.why),
    }
}

/// Names an item of the step's conversation, short enough for a terminal line.
fn item_of(change: &ItemChange) -> String {
    let (pk, sk) = (change.pk(), change.sk());
    match pk.split_once('#') {
        Some(("MSG", _)) => format!("message {sk}"),
        Some(("GRP", owner)) => format!("row of {} {sk}", short(owner)),
        _ => format!("{pk} {sk}"),
    }
}

/// Describes a step: a line for each item that it changes.
fn lines_of(step: &Step) -> Vec<String> {
    let text = |item: Option<&RawItem>| -> String {
        const MOST: usize = 17;
        let text = item.and_then(|item| item.get("message")?.as_s().ok());
        width::cut(text.map_or("", String::as_str), MOST)
    };
    let put_in = |pk: &str| {
        let mut puts = step
            .changes
            .iter()
            .filter(|change| change.before().is_none());
        puts.find(|change| change.pk() == pk)
    };
    let line = |change: &ItemChange| -> Option<String> {
        let key = item_of(change);
        let deletes_in = |pk: &str| {
            let deleted = |other: &&ItemChange| other.after().is_none() && other.pk() == pk;
            step.changes.iter().filter(deleted).count()
        };
        Some(match (change.before(), change.after()) {
            _ if change.is_check() => return None,
            (Some(before), None) => match put_in(change.pk()) {
                Some(put) if deletes_in(change.pk()) == 1 => {
                    format!("moves {key} to {} `{}`", put.sk(), text(put.after()))
                }
                _ => format!("deletes {key} `{}`", text(Some(before))),
            },
            (None, after) if deletes_in(change.pk()) != 1 => {
                format!("puts {key} `{}`", text(after))
            }
            (None, _) => return None,
            (Some(before), Some(after)) if text(Some(before)) != text(Some(after)) => {
                format!(
                    "changes {key} `{}` to `{}`",
                    text(Some(before)),
                    text(Some(after))
                )
            }
            (Some(_), Some(_)) => format!("changes the names in {key}"),
        })
    };
    let lines = step.changes.iter().filter_map(line);
    lines.map(|line| format!("    {line}")).collect()
}
