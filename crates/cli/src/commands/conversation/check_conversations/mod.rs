//! `check-conversations`: finds inconsistencies between messages and conversation rows, and repairs them.

mod repair;
mod report;

use std::collections::HashMap;

use clap::Parser;
use ddb_core::conversation::{Finding, Inspection, Pass, Rule, inspect};
use ddb_core::environment::Environment;
use ddb_core::item::Person;
use ddb_core::key::{ConversationId, UserId};
use ddb_core::store::Scan;
use ddb_core::timezone::{Zone, ZoneName};
use ddb_people::users::{Users, UsersError, UsersPlan};
use futures::TryStreamExt;

use crate::args::{ReadArgs, TableArgs, TableTarget, UsersArgs, WriteArgs, say_users};
use crate::changes::PlanArgs;
use crate::commands::explain::{ExplainArgs, Explanation};
use crate::failure::{Exit, Failure, Outcome};
use crate::help::examples;
use crate::output::Format;
use crate::runner::{Command, Context};
use crate::ui::Ui;
use crate::wording::plural;
use repair::Repaired;
use report::Report;

/// Checks that messages and rows agree, and repairs them
///
/// The exit code is 3 if anything is found and not repaired. The rules, and what repairs them:
///
/// row-missing      a conversation has a row for each of its two people     --repair
/// row-doubled      each person has one row per conversation                --repair
/// row-behind       a row has its conversation's newest message             --repair
/// row-stray        no row is without messages                              delete-conversation
/// time-unreadable  the sort key of a message or row is a time              nothing
/// time-form        a time is in the written form                           --repair --times
/// name-stale       names and handles in items are those of the users       --repair --names
#[derive(Debug, Parser)]
#[command(name = "check-conversations", version, verbatim_doc_comment, after_help = examples(&[
    ("Check the table", "ddb check-conversations"),
    ("See what a repair would change", "ddb check-conversations --repair --dry-run"),
    ("Repair rows, and update names and handles", "ddb check-conversations --repair --names"),
    ("Bring a table of the old scripts up to date", "ddb check-conversations --repair --times --assume-zone Europe/Berlin"),
]))]
pub struct Args {
    /// Repair rows; shows the changes before it asks
    #[arg(long)]
    repair: bool,
    /// With --repair, also update names and handles
    #[arg(long, requires = "repair")]
    names: bool,
    /// With --repair, also rewrite times of older forms in the written form
    #[arg(long, requires = "repair")]
    times: bool,
    /// With --times, the zone of times without an offset, such as Europe/Berlin [default: UTC]
    #[arg(long, requires = "times", value_name = "ZONE", value_parser = named_zone)]
    assume_zone: Option<Zone>,
    /// Check this rule only; may be repeated
    #[arg(long = "rule", value_name = "NAME")]
    rules: Vec<Rule>,
    /// Show every finding, even if they do not fit on the screen
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    explain: ExplainArgs,
    #[command(flatten)]
    plan: PlanArgs,
    #[command(flatten)]
    read: ReadArgs,
    #[command(flatten)]
    users: UsersArgs,
    #[command(flatten)]
    write: WriteArgs,
    #[command(flatten)]
    table: TableArgs,
}

/// Parses a zone by its name, so that a plan means the same on every machine.
fn named_zone(text: &str) -> Result<Zone, String> {
    match text.parse::<ZoneName>() {
        Ok(name @ ZoneName::Named(_)) => {
            let zone = name.resolve(&Environment::default());
            zone.map_err(|error| error.to_string())
        }
        Ok(ZoneName::Local) => Err("name the zone, such as Europe/Berlin".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

impl Command for Args {
    const FORMATS: &'static [Format] = Format::BASIC;

    async fn run(self, context: Context) -> Result<Outcome, Failure> {
        if !self.repair && self.plan.changes_nothing() {
            return Err(Failure::refused("there is a plan only with --repair")
                .hint("add --repair to see what it would change"));
        }
        if self.explain.is_wanted(&context.ui)? {
            return self.explain(&context).await;
        }
        let users = self.open_users(&context).await?;
        let source = users.as_ref().map(Users::source);
        let target = self.table.open(&context, source).await?;
        let check = Check {
            options: &self,
            target: &target,
            users: users.as_ref(),
            ui: &context.ui,
        };
        let found = check.find().await?;
        let mut report = Report::new(&found.findings, self.all, &context.ui);
        if !self.repair {
            report.print(&Repaired::default())?;
            return Ok(check.end(&report, &Repaired::default()));
        }
        if self.plan.is_plan_on_stdout() {
            report.is_not_for_stdout();
        }
        report.print_first().map_err(|failure| {
            let failure = failure.before("nothing was changed");
            failure.hint("what is found is shown before anything is changed")
        })?;
        let (repaired, failure) = check.repair(found, &context).await;
        // The findings are printed, whatever happened to the repair.
        let printed = report.print(&repaired);
        if let Some(failure) = failure {
            return Err(failure);
        }
        printed.map_err(|failure| failure.after("the plan was carried out"))?;
        if self.plan.changes_nothing() {
            return Ok(Outcome::Done);
        }
        if repaired.left() > 0 {
            let left = plural(repaired.left(), "conversation", "conversations");
            let message = format!("{left} could not be repaired; the warnings say why");
            return Err(Failure::new(Exit::Partly, message));
        }
        Ok(check.end(&report, &repaired))
    }
}

impl Args {
    /// Shows the requests of the check. For a repair, its plan shows what it would do.
    async fn explain(&self, context: &Context) -> Result<Outcome, Failure> {
        if self.repair {
            return Err(
                Failure::refused("--explain shows what is read, and a repair writes")
                    .hint("--dry-run shows what a repair would change"),
            );
        }
        let store = self.table.open(context, None).await?.store;
        let mut explanation = Explanation::new(&context.ui);
        explanation.scan(&store, &self.scan(), None).await?;
        let again = "each conversation that does not look right is read again, consistently";
        explanation.note("then", again);
        explanation.print(&context.ui)
    }

    /// Describes the scan of the whole table, at the allowed rate.
    fn scan(&self) -> Scan {
        Scan {
            rate: self.read.rate(),
            ..Scan::default()
        }
    }

    /// Opens the users, if there are any. Without them, names are not checked.
    async fn open_users(&self, context: &Context) -> Result<Option<Users>, Failure> {
        let plan: UsersPlan = match self.users.choose(context, self.table.is_production()) {
            Ok(plan) => plan,
            Err(UsersError::LocalUsers) => {
                context
                    .ui
                    .note("no users of production are named; names are not checked");
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        say_users(&plan, self.table.is_production(), &context.ui);
        Ok(Some(plan.open().await?))
    }

    /// Checks whether a rule is wanted.
    fn wants(&self, rule: Rule) -> bool {
        self.rules.is_empty() || self.rules.contains(&rule)
    }

    /// Returns the zone of times without an offset, if older times are to be rewritten.
    fn zone(&self) -> Option<Zone> {
        let wanted = self.times && self.wants(Rule::TimeForm);
        wanted.then(|| self.assume_zone.unwrap_or(Zone::UTC))
    }

    /// Returns the command with the options that decide what it changes.
    fn words(&self) -> Vec<String> {
        let mut words = vec!["check-conversations".to_owned(), "--repair".to_owned()];
        if self.names {
            words.push("--names".to_owned());
        }
        if let Some(zone) = self.zone() {
            words.extend([
                "--times".to_owned(),
                "--assume-zone".to_owned(),
                zone.to_string(),
            ]);
        }
        for rule in &self.rules {
            words.extend(["--rule".to_owned(), rule.as_str().to_owned()]);
        }
        words
    }
}

struct Check<'a> {
    options: &'a Args,
    target: &'a TableTarget,
    users: Option<&'a Users>,
    ui: &'a Ui,
}

/// The results of a check.
struct Found {
    /// The findings, the worst first.
    findings: Vec<Finding>,
    /// Conversations whose rows can be repaired, with their people.
    rows: Vec<(ConversationId, Box<[Person; 2]>)>,
    /// Conversations with times of older forms, and the people who have rows for them.
    times: Vec<(ConversationId, Vec<UserId>)>,
    /// People whose names in items differ from those of the users.
    names: HashMap<UserId, Person>,
}

impl Check<'_> {
    async fn find(&self) -> Result<Found, Failure> {
        let store = &self.target.store;
        let mut pass = Pass::default();
        let pages = store.scan(self.options.scan(), |pass: &mut Pass, item| pass.take(item));
        let mut pages = std::pin::pin!(pages);
        let mut progress = self.ui.progress("items", None);
        let mut scanned = 0;
        while let Some(page) = pages.try_next().await? {
            scanned += page.scanned;
            progress.set(scanned);
            pass.merge(page.value);
        }
        drop(progress);
        let mut found = Found {
            findings: pass.findings().cloned().collect(),
            rows: Vec::new(),
            times: pass
                .with_older_times()
                .map(|id| (id, pass.owners(id)))
                .collect(),
            names: HashMap::new(),
        };
        for conversation in pass.suspects() {
            let owners = pass.owners(conversation);
            let Inspection { findings, people } =
                inspect(store, conversation, &owners, &self.users).await?;
            let wanted = findings.iter().any(|finding| self.is_wanted(finding));
            match people {
                Ok(people) if wanted => found.rows.push((conversation, people)),
                Err(why) if wanted && self.options.repair => {
                    self.ui
                        .warn(&format!("{conversation} is left as it is: {why}"));
                }
                _ => {}
            }
            found.findings.extend(findings);
        }
        if self.options.wants(Rule::NameStale) {
            self.find_names(&pass, &mut found).await?;
        }
        found.findings.retain(|finding| self.is_wanted(finding));
        found.findings.sort_by_cached_key(Finding::order);
        Ok(found)
    }

    fn is_wanted(&self, finding: &Finding) -> bool {
        match finding.rule {
            Some(rule) => self.options.wants(rule),
            None => self.options.rules.is_empty(),
        }
    }

    /// Compares the names in items with those of the users.
    async fn find_names(&self, pass: &Pass, found: &mut Found) -> Result<(), Failure> {
        let Some(users) = self.users else {
            return Ok(());
        };
        let mut strangers = 0;
        for (id, (name, handle), at) in pass.copied() {
            let user = match users.by_id(id).await {
                Ok(user) => user.person(),
                Err(UsersError::NotFound { .. }) => {
                    strangers += 1;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            if user.display_name != *name || user.handle != *handle {
                found.findings.push(Finding {
                    rule: Some(Rule::NameStale),
                    conversation: None,
                    items: at.items,
                    pk: at.pk.clone(),
                    sk: at.sk.clone(),
                    reason: format!(
                        "`{name}` ({handle}) is `{}` ({}) among the users",
                        user.display_name, user.handle,
                    ),
                    can_be_repaired: true,
                });
                found.names.insert(id, user);
            }
        }
        if strangers > 0 {
            let not_checked = plural(
                strangers,
                "name was not checked: its person is not among the users",
                "names were not checked: their people are not among the users",
            );
            self.ui.note(&not_checked);
        }
        Ok(())
    }

    /// Prints the result, and what repairs the rest.
    fn end(&self, report: &Report<'_>, repaired: &Repaired) -> Outcome {
        let broken = report.findings().filter(|finding| finding.rule.is_some());
        let (fixed, left): (Vec<_>, Vec<_>) = broken.partition(|finding| repaired.has(finding));
        let found = plural((fixed.len() + left.len()) as u64, "finding", "findings");
        let unknown = report.findings().filter(|finding| finding.rule.is_none());
        let unknown: u64 = unknown.map(|finding| finding.items).sum();
        let unknown = plural(unknown, "item of unknown shape", "items of unknown shape");
        self.ui
            .note(&format!("{found}, {} repaired; {unknown}", fixed.len()));
        if left.is_empty() {
            return Outcome::Done;
        }
        self.say_options(&left);
        Outcome::Difference
    }

    /// Names exactly the options that repair what is left.
    fn say_options(&self, left: &[&Finding]) {
        let any = |rule: Rule| {
            let mut left = left.iter();
            left.any(|finding| finding.rule == Some(rule) && finding.can_be_repaired)
        };
        let rows = Rule::ALL
            .into_iter()
            .filter(|rule| rule.is_about_rows())
            .any(any);
        let mut options = Vec::new();
        for (option, wanted) in [
            ("--times", any(Rule::TimeForm)),
            ("--names", any(Rule::NameStale)),
        ] {
            options.extend(wanted.then_some(option));
        }
        if rows || !options.is_empty() {
            options.insert(0, "--repair");
            let typed = self.options.users.typed();
            self.ui.hint(format!(
                "`ddb check-conversations {}{typed}` repairs what can be repaired",
                options.join(" ")
            ));
        }
        let stray = left
            .iter()
            .find(|finding| finding.rule == Some(Rule::RowStray));
        if let Some(conversation) = stray.and_then(|finding| finding.conversation) {
            self.ui.hint(format!(
                "`ddb delete-conversation {conversation}` deletes rows without messages"
            ));
        }
    }
}
