//! `check-conversations`: what does not hold between messages and rows, and mending it.

use std::collections::HashMap;
use std::sync::Arc;

use clap::Parser;
use ddb_core::conversation::{Finding, Inspection, Invariant, Pass, SyncedRows, inspect, repair};
use ddb_core::item::{ConversationRow, Known, Person};
use ddb_core::key::{ConversationId, UserId};
use ddb_core::rate_limit::Rate;
use ddb_core::store::{Scan, Writer};
use ddb_people::users::{Users, UsersError, UsersPlan};
use futures::TryStreamExt;
use serde::Serialize;

use crate::args::{ReadArgs, TableArgs, TableTarget, UsersArgs, WriteArgs, say_users};
use crate::failure::{Exit, Failure, Hint, Outcome};
use crate::help::examples;
use crate::output::{Cell, Column, Format, Printer, Record, Totals};
use crate::runner::{Command, Context};
use crate::ui::Ui;
use crate::wording::plural;

/// Checks that messages and rows agree, and repairs rows
///
/// The exit code is 3 if anything is found. It checks that:
///
/// 1: every row has its conversation's newest message, and a time within 1 ms after it.
/// 2: each participant has one row per conversation.
/// 3: every conversation with messages has two rows, which name each other.
/// 4: every sort key is a time in the written form.
/// 5: names and handles in items match the users.
#[derive(Debug, Parser)]
#[command(name = "check-conversations", version, verbatim_doc_comment, after_help = examples(&[
    ("Check the table", "ddb check-conversations"),
    ("Repair rows, and update names and handles", "ddb check-conversations --repair --names"),
]))]
pub struct Args {
    /// Repair 1, 2 and 3, each conversation in one transaction
    #[arg(long)]
    repair: bool,
    /// With --repair, also update names and handles
    #[arg(long, requires = "repair")]
    names: bool,
    #[command(flatten)]
    read: ReadArgs,
    #[command(flatten)]
    users: UsersArgs,
    #[command(flatten)]
    write: WriteArgs,
    #[command(flatten)]
    table: TableArgs,
}

#[derive(Debug, Serialize)]
struct Row {
    invariant: Option<u8>,
    pk: String,
    sk: String,
    group_uuid: Option<String>,
    reason: String,
    repaired: bool,
}

impl Row {
    fn new(finding: Finding, repaired: bool) -> Self {
        Self {
            invariant: finding.invariant.map(Invariant::number),
            pk: finding.pk,
            sk: finding.sk,
            group_uuid: finding
                .conversation
                .map(|conversation| conversation.to_string()),
            reason: finding.reason,
            repaired,
        }
    }
}

impl Record for Row {
    type Of<'a> = Self;
    const COLUMNS: &'static [Column<Self>] = &[
        Column::kept("invariant", |row| Cell::number_or_blank(row.invariant)),
        Column::id("pk", |row| Cell::text(&row.pk)),
        Column::id("sk", |row| Cell::text(&row.sk)),
        Column::new("reason", |row| Cell::text(&row.reason)),
        Column::kept("repaired", |row| {
            Cell::text(if row.repaired { "yes" } else { "no" })
        }),
    ];
}

impl Command for Args {
    const FORMATS: &'static [Format] = Format::BASIC;

    async fn run(self, context: Context) -> Result<Outcome, Failure> {
        let ui = &context.ui;
        let users = self.open_users(&context).await?;
        let source = users.as_ref().map(Users::source);
        let target = self.table.open(&context, source).await?;
        let mut check = Check {
            target: &target,
            write: self.repair.then_some(&self.write),
            writer: None,
            users: users.as_ref(),
            rate: self.read.rate(),
            ui,
            broken: 0,
            repaired: 0,
            unknown: 0,
            failed: 0,
            mended: 0,
        };
        let mut printer = ui.printer::<Row>();
        let checked = check.run(self.names, &mut printer).await;
        let shown = checked.and_then(|()| printer.finish(Totals::default()));
        shown.map_err(|failure| check.after_repairs(failure))?;
        check.end(self.repair)
    }
}

impl Args {
    /// Opens the users, where there are any: without them, names are not checked.
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
}

struct Check<'a> {
    target: &'a TableTarget,
    /// How writing is allowed; `None` where nothing is to be mended.
    write: Option<&'a WriteArgs>,
    writer: Option<Writer>,
    users: Option<&'a Users>,
    rate: Option<Rate>,
    ui: &'a Ui,
    broken: u64,
    repaired: u64,
    unknown: u64,
    /// Conversations whose rows could not be written.
    failed: u64,
    /// Conversations whose rows were mended.
    mended: u64,
}

impl Check<'_> {
    /// The whole table, as fast as it may be read.
    fn everything(&self) -> Scan {
        Scan {
            rate: self.rate.clone(),
            ..Scan::default()
        }
    }

    async fn run(&mut self, names: bool, printer: &mut Printer<Row>) -> Result<(), Failure> {
        let (store, ui) = (&self.target.store, self.ui);
        let mut pass = Pass::default();
        // What a page says: what it adds to the pass, and what can be said about single items.
        type Page = (Pass, Vec<Finding>);
        let pages = store.scan(self.everything(), |(pass, findings): &mut Page, item| {
            findings.extend(pass.take(item));
        });
        let mut pages = std::pin::pin!(pages);
        let mut progress = ui.progress("items", None);
        let mut scanned = 0;
        while let Some(page) = pages.try_next().await? {
            scanned += page.scanned;
            progress.set(scanned);
            let (more, findings) = page.value;
            pass.merge(more);
            // Both may be the same terminal.
            ui.around_progress(|| {
                for finding in findings {
                    self.report(finding, false, printer)?;
                }
                printer.flush()
            })?;
        }
        drop(progress);
        for conversation in pass.suspects() {
            let inspection =
                inspect(store, conversation, &pass.owners(conversation), &self.users).await?;
            self.judge(conversation, inspection, printer).await?;
        }
        self.names(&pass, names, printer).await
    }

    fn report(
        &mut self,
        finding: Finding,
        repaired: bool,
        printer: &mut Printer<Row>,
    ) -> Result<(), Failure> {
        match finding.invariant {
            None => self.unknown += 1,
            Some(_) if repaired => self.repaired += 1,
            Some(_) => self.broken += 1,
        }
        printer.print(&Row::new(finding, repaired))
    }

    /// Reports what was found in a conversation, after mending it where that is wanted and possible.
    async fn judge(
        &mut self,
        conversation: ConversationId,
        inspection: Inspection,
        printer: &mut Printer<Row>,
    ) -> Result<(), Failure> {
        if inspection.findings.is_empty() {
            return Ok(());
        }
        let mended = match (self.write, inspection.people) {
            (None, _) => false,
            (Some(_), Err(why)) => {
                self.ui
                    .warn(&format!("{conversation} is left as it is: {why}"));
                false
            }
            (Some(write), Ok(people)) => {
                let writer = allowed(&mut self.writer, self.target, write)?;
                match repair(writer, conversation, people).await {
                    Ok(synced) => {
                        say_repair(conversation, &synced, self.ui);
                        true
                    }
                    Err(error) if error.is_of_one_conversation() => {
                        self.failed += 1;
                        self.ui
                            .warn(&format!("{conversation} is left as it is: {error}"));
                        false
                    }
                    Err(error) => return Err(error.into()),
                }
            }
        };
        self.mended += u64::from(mended);
        for finding in inspection.findings {
            self.report(finding, mended, printer)?;
        }
        printer.flush()
    }

    /// Adds to a failure what was done before it.
    fn after_repairs(&self, failure: Failure) -> Failure {
        match self.mended {
            0 => failure,
            some => {
                let mended = plural(some, "conversation", "conversations");
                failure.after(&format!("rows mended in {mended}"))
            }
        }
    }

    /// Compares the names that items have with those of the users.
    async fn names(
        &mut self,
        pass: &Pass,
        repair: bool,
        printer: &mut Printer<Row>,
    ) -> Result<(), Failure> {
        let Some(users) = self.users else {
            return Ok(());
        };
        let mut stale: HashMap<UserId, Person> = HashMap::new();
        let mut strangers = 0;
        let mut findings = Vec::new();
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
                findings.push(Finding {
                    invariant: Some(Invariant::Names),
                    pk: at.pk.clone(),
                    sk: at.sk.clone(),
                    conversation: None,
                    reason: format!(
                        "`{name}` ({handle}) is `{}` ({}) among the users; so in {}",
                        user.display_name,
                        user.handle,
                        plural(at.items, "item", "items")
                    ),
                });
                stale.insert(id, user);
            }
        }
        if strangers > 0 {
            let names = plural(strangers, "name", "names");
            self.ui.note(&format!(
                "{names} of people who are not among the users were not checked"
            ));
        }
        let everything = self.everything();
        let mended = match (repair, self.write) {
            (true, Some(write)) if !stale.is_empty() => {
                let writer = allowed(&mut self.writer, self.target, write)?;
                let renamed = rename(writer, everything, stale).await?;
                self.ui.note(&format!(
                    "names brought up to date in {}",
                    plural(renamed, "item", "items")
                ));
                true
            }
            _ => false,
        };
        for finding in findings {
            self.report(finding, mended, printer)?;
        }
        Ok(())
    }

    /// Says how it ended.
    fn end(&self, repair: bool) -> Result<Outcome, Failure> {
        let found = plural(self.broken + self.repaired, "finding", "findings");
        let unknown = plural(
            self.unknown,
            "item of unknown shape",
            "items of unknown shape",
        );
        self.ui
            .note(&format!("{found}, {} repaired; {unknown}", self.repaired));
        if self.failed > 0 {
            let failed = plural(self.failed, "conversation", "conversations");
            let message = format!("{failed} could not be mended; the warnings say why");
            return Err(Failure::new(Exit::Partly, message));
        }
        if self.broken == 0 {
            return Ok(Outcome::Done);
        }
        if !repair {
            self.ui.hint(Hint::Again {
                with: "--repair",
                does: "mends what can be mended of 1, 2 and 3",
            });
        }
        Ok(Outcome::Difference)
    }
}

/// Gets the permission to write, once.
fn allowed<'w>(
    writer: &'w mut Option<Writer>,
    target: &TableTarget,
    write: &WriteArgs,
) -> Result<&'w Writer, Failure> {
    match writer {
        Some(writer) => Ok(writer),
        none => Ok(none.insert(target.allow_writing(write)?)),
    }
}

/// Brings the names of people up to date in every item that has old ones.
async fn rename(
    writer: &Writer,
    everything: Scan,
    stale: HashMap<UserId, Person>,
) -> Result<u64, Failure> {
    let mut renamed = 0;
    let stale = Arc::new(stale);
    let pages = writer.scan(everything, move |old: &mut Vec<_>, item| {
        let copied = match Known::of(item) {
            Ok(Known::Message(message)) => message.sender,
            Ok(Known::ConversationRow(row)) => row.other,
            Err(_) => return,
        };
        let person = stale.get(&copied.id).filter(|person| **person != copied);
        old.extend(person.map(|person| (item.to_raw(), person.clone())));
    });
    let mut pages = std::pin::pin!(pages);
    while let Some(page) = pages.try_next().await? {
        for (item, person) in page.value {
            renamed += u64::from(writer.rename(&item, &person).await?);
        }
    }
    Ok(renamed)
}

/// Says what was there before, and what is there now.
fn say_repair(conversation: ConversationId, synced: &SyncedRows, ui: &Ui) {
    let row =
        |row: &ConversationRow| format!("GRP#{} {} `{}`", row.owner, row.last_message_at, row.text);
    for (old, new) in &synced.updated {
        ui.note(&format!(
            "{conversation}: {} becomes {}",
            row(old),
            row(new)
        ));
    }
    for made in &synced.created {
        ui.note(&format!(
            "{conversation}: {} was missing and is made",
            row(made)
        ));
    }
    for surplus in &synced.doubled {
        ui.note(&format!(
            "{conversation}: {} was one too many and is deleted",
            row(surplus)
        ));
    }
}
