//! The output of `check-conversations`: a summary, then the findings, the worst first.

use std::collections::{BTreeMap, BTreeSet};

use ddb_core::conversation::{Finding, Rule};
use ddb_core::key::ConversationId;
use serde::Serialize;

use super::repair::Repaired;
use crate::failure::Failure;
use crate::output::{Cell, Column, Format, Record, Tone, Totals};
use crate::ui::Ui;
use crate::wording::{plural, short};

/// Lines of the screen that are not for findings: the summary's heading, the plan, the prompt.
const OTHER_LINES: usize = 8;

/// Returns what repairs a finding.
fn repaired_by(rule: Option<Rule>) -> Option<&'static str> {
    match rule? {
        Rule::RowMissing | Rule::RowDoubled | Rule::RowBehind => Some("--repair"),
        Rule::RowStray => Some("delete-conversation"),
        Rule::TimeUnreadable => None,
        Rule::TimeForm => Some("--repair --times"),
        Rule::NameStale => Some("--repair --names"),
    }
}

fn name_of(rule: Option<Rule>) -> &'static str {
    rule.map_or("unknown", Rule::as_str)
}

#[derive(Debug, Serialize)]
struct Row {
    rule: Option<&'static str>,
    group_uuid: Option<String>,
    items: u64,
    pk: String,
    sk: String,
    reason: String,
    repair: Option<&'static str>,
    repaired: bool,
}

impl Row {
    fn new(finding: &Finding, repaired: &Repaired) -> Self {
        let by = repaired_by(finding.rule);
        let can = finding.can_be_repaired || finding.rule == Some(Rule::RowStray);
        Self {
            rule: finding.rule.map(Rule::as_str),
            group_uuid: finding.conversation.map(|id| id.to_string()),
            items: finding.items,
            pk: finding.pk.clone(),
            sk: finding.sk.clone(),
            reason: finding.reason.clone(),
            repair: by.filter(|_| can),
            repaired: repaired.has(finding),
        }
    }
}

impl Record for Row {
    type Of<'a> = Self;
    const TABLE: &'static [Column<Self>] = &[
        Column::kept("rule", |row| {
            Cell::text(row.rule.unwrap_or("unknown")).tone(Tone::Odd)
        }),
        Column::kept("items", |row| Cell::number(row.items)),
        Column::kept("conversation", |row| {
            Cell::text_or_blank(row.group_uuid.as_deref().map(short))
        }),
        Column::<Self>::new("reason", |row| Cell::text(&row.reason)).wrapped(),
        // If many items have the same fault, there is no single key to show.
        Column::<Self>::optional("key", |row| {
            Cell::text(match row.items {
                1 => format!("{} {}", row.pk, row.sk),
                _ => String::new(),
            })
        })
        .below(),
        Column::optional("repaired", |row| {
            Cell::text(if row.repaired { "yes" } else { "" })
        }),
    ];
    const COLUMNS: &'static [Column<Self>] = &[
        Column::kept("rule", |row| Cell::text(row.rule.unwrap_or("unknown"))),
        Column::kept("items", |row| Cell::number(row.items)),
        Column::id("group_uuid", |row| {
            Cell::text_or_blank(row.group_uuid.as_deref())
        }),
        Column::id("pk", |row| Cell::text(&row.pk)),
        Column::id("sk", |row| Cell::text(&row.sk)),
        Column::new("reason", |row| Cell::text(&row.reason)),
        Column::optional("repaired", |row| {
            Cell::text(if row.repaired { "yes" } else { "" })
        }),
    ];
}

/// A line of the summary, for one rule.
#[derive(Debug, Serialize)]
struct RuleRow {
    rule: &'static str,
    conversations: u64,
    items: u64,
    repaired_by: Option<&'static str>,
}

impl Record for RuleRow {
    type Of<'a> = Self;
    const COLUMNS: &'static [Column<Self>] = &[
        Column::kept("rule", |row| Cell::text(row.rule).tone(Tone::Odd)),
        Column::kept("conversations", |row| Cell::number(row.conversations)),
        Column::kept("items", |row| Cell::number(row.items)),
        Column::kept("repaired by", |row| {
            Cell::text(row.repaired_by.unwrap_or("nothing"))
        }),
    ];
}

/// The findings of a check, and how they are shown.
pub(super) struct Report<'a> {
    findings: Vec<Finding>,
    all: bool,
    ui: &'a Ui,
    is_printed: bool,
}

impl<'a> Report<'a> {
    pub(super) fn new(findings: &[Finding], all: bool, ui: &'a Ui) -> Self {
        Self {
            findings: findings.to_vec(),
            all,
            ui,
            is_printed: false,
        }
    }

    /// Prints nothing, because something else goes to stdout.
    pub(super) fn is_not_for_stdout(&mut self) {
        self.is_printed = true;
    }

    /// Returns the findings, the worst first.
    pub(super) fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter()
    }

    /// Prints what people need to see before a question. JSON is printed once, at the end.
    pub(super) fn print_first(&mut self) -> Result<(), Failure> {
        if !matches!(self.ui.format(), Format::Json | Format::Jsonl) {
            self.print(&Repaired::default())?;
        }
        Ok(())
    }

    /// Prints everything, once.
    pub(super) fn print(&mut self, repaired: &Repaired) -> Result<(), Failure> {
        if std::mem::replace(&mut self.is_printed, true) {
            return Ok(());
        }
        let mut most = self.findings.len();
        if !matches!(self.ui.format(), Format::Json | Format::Jsonl) {
            let rules = self.summary();
            if let Some(lines) = self.ui.lines().filter(|_| !self.all) {
                most = most.min(lines.saturating_sub(rules.len() + OTHER_LINES).max(1));
            }
            let mut printer = self.ui.printer::<RuleRow>();
            rules.iter().try_for_each(|rule| printer.print(rule))?;
            printer.finish(Totals::default())?;
            if !self.findings.is_empty() {
                self.ui.blank_line()?;
            }
        }
        let mut printer = self.ui.printer::<Row>();
        for finding in self.findings.iter().take(most) {
            printer.print(&Row::new(finding, repaired))?;
        }
        printer.finish(Totals::default())?;
        let more = self.findings.len() - most;
        if more > 0 {
            let more = plural(more as u64, "more finding", "more findings");
            self.ui.note(&format!("{more}; --all shows them"));
        }
        Ok(())
    }

    /// Counts the findings by rule, the worst first.
    fn summary(&self) -> Vec<RuleRow> {
        type Counts = (BTreeSet<Option<ConversationId>>, u64);
        let mut rules: BTreeMap<(bool, Option<Rule>), Counts> = BTreeMap::new();
        for finding in &self.findings {
            // Findings without a rule come last.
            let (conversations, items) = rules
                .entry((finding.rule.is_none(), finding.rule))
                .or_default();
            conversations.insert(finding.conversation);
            *items += finding.items;
        }
        let rows = rules
            .into_iter()
            .map(|((_, rule), (mut conversations, items))| {
                conversations.remove(&None);
                RuleRow {
                    rule: name_of(rule),
                    conversations: conversations.len() as u64,
                    items,
                    repaired_by: repaired_by(rule),
                }
            });
        rows.collect()
    }
}
