//! `seed`: loads a conversation between two users.

mod generate;
mod replace;
mod row;
mod script;

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use ddb_core::conversation::SyncedRows;
use ddb_core::handle::PersonName;
use ddb_core::item::ConversationRow;
use ddb_core::key::ConversationId;
use ddb_core::seed::{Seed, Synthetic, prepare};
use ddb_core::timestamp::Timestamp;
use ddb_core::timezone::Zone;
use ddb_people::users::Users;

use crate::args::{TableArgs, UsersArgs, When, WriteArgs, duration, id, me, no_instant};
use crate::changes::PlanArgs;
use crate::failure::{Failure, Outcome};
use crate::help::examples;
use crate::output::Format;
use crate::runner::{Command, Context};
use crate::ui::Ui;
use crate::wording::plural;
use generate::GenerateArgs;
use row::{Row, text};

/// Loads a conversation between two users.
///
/// A file is UTF-8 text with one message a line, `Speaker: text`. `Person 1` is --me, `Person 2` is
/// --with; a handle of the two means that user. Blank lines and lines that start with # are skipped.
///
/// Seeding again changes nothing: messages that are already there are left, and only missing ones are written, in
/// their places. After you edit a file, --replace makes the table match it: messages that the file no longer has
/// are removed, and what people wrote stays. `ddb undo` takes that back.
///
/// Each file is its own conversation. Its id is derived from the two people and the name of the file.
#[derive(Debug, Parser)]
#[command(name = "seed", version, after_help = examples(&[
    ("Load another conversation, between two other people", "printf 'londo: Tea?\\nPerson 2: Always.\\n' > tea.txt\n    \
        ddb seed --me londo --with altbrown --conversation tea.txt"),
    ("After an edit, make the table match the file", "ddb seed --me londo --with altbrown --conversation tea.txt --replace"),
    ("A table to try things out, with invented people", "ddb seed --generate 1000 --ends-at 2026-03-22"),
]))]
pub struct Args {
    /// Conversation to load, instead of the built-in one
    #[arg(long, value_name = "FILE")]
    conversation: Option<PathBuf>,
    /// Handle of `Person 1` [env: DDB_ME] [default: andrewbrown]
    #[arg(long, value_name = "HANDLE")]
    me: Option<PersonName>,
    /// Handle of `Person 2`
    #[arg(long, alias = "other", value_name = "HANDLE", default_value = "bayko")]
    with: PersonName,
    /// Handle of somebody who speaks under another name; may be repeated
    #[arg(long = "speaker", value_name = "NAME=HANDLE")]
    speakers: Vec<String>,
    /// Id of the conversation [default: a fixed one; for a file, derived from its people and its name]
    #[arg(long, value_name = "UUID", value_parser = id::<ConversationId>)]
    group_uuid: Option<ConversationId>,
    /// Remove messages that the file no longer has; what people wrote stays
    #[arg(long)]
    replace: bool,
    /// Time of the last message: 2026-03-22, '2026-03-22 10:30', now, -1d; in UTC unless --tz is given
    #[arg(
        long,
        value_name = "TIME",
        default_value = "now",
        allow_hyphen_values = true
    )]
    ends_at: When,
    /// Time between two messages
    #[arg(long, value_name = "DURATION", default_value = "1m", value_parser = duration)]
    interval: Duration,
    #[command(flatten)]
    plan: PlanArgs,
    #[command(flatten)]
    generate: GenerateArgs,
    #[command(flatten)]
    users: UsersArgs,
    #[command(flatten)]
    write: WriteArgs,
    #[command(flatten)]
    table: TableArgs,
}

impl Command for Args {
    const FORMATS: &'static [Format] = Format::BASIC;

    async fn run(self, context: Context) -> Result<Outcome, Failure> {
        let ui = &context.ui;
        let Some(row) = self.load(&context).await? else {
            return Ok(Outcome::Done);
        };
        let done = match self.plan.is_dry_run() {
            true => "nothing was written".to_owned(),
            false => format!(
                "{} written, {} unchanged, the newest in the conversation {}",
                plural(row.written, "message was", "messages were"),
                row.unchanged,
                row.group_uuid
            ),
        };
        ui.report(&row, &done)?;
        Ok(Outcome::Done)
    }
}

fn say_dry_run(ui: &Ui) {
    ui.note(match ui.format() {
        Format::Table => "dry run: nothing is written",
        _ => "dry run: nothing is written; `written` is what would be",
    });
}

impl Args {
    /// Loads the messages, and returns the result, or `None` if --replace only saved or showed its plan.
    pub(super) async fn load(&self, context: &Context) -> Result<Option<Row>, Failure> {
        let now = Timestamp::now();
        if self.interval < Duration::from_micros(1) {
            return Err(Failure::refused(
                "--interval must be at least 1us: two messages cannot have the same time",
            ));
        }
        if !self.replace {
            self.plan_is_for_replace()?;
        }
        match self
            .generate
            .load(&self.ends_at, context.zones.dates, self.interval, now)?
        {
            Some(load) => self.generate(load, context).await.map(Some),
            None => self.converse(now, context).await,
        }
    }

    /// Makes a synthetic load.
    async fn generate(&self, load: Synthetic, context: &Context) -> Result<Row, Failure> {
        let site = self.table.open(context, None).await?;
        let ui = &context.ui;
        if self.plan.is_dry_run() {
            say_dry_run(ui);
        }
        let generated = self
            .generate
            .run(load, &site, &self.write, &self.plan, ui)
            .await?;
        let newest = generated.load.conversation(0);
        let [one, _] = &newest.people;
        ui.hint(format!(
            "`ddb get-conversation {}` shows the newest one, `ddb list-conversations --user-uuid {}` those of one person",
            newest.id, one.id
        ));
        Ok(Row {
            group_uuid: newest.id.to_string(),
            messages: generated.load.messages(),
            written: generated.loaded.written,
            unchanged: generated.loaded.unchanged,
            first_at: generated.load.first_at().to_string(),
            last_at: newest.ends_at.to_string(),
            users_source: "generated".to_owned(),
            people: None,
            dry_run: self.plan.is_dry_run(),
        })
    }

    /// Refuses options that are only for --replace.
    fn plan_is_for_replace(&self) -> Result<(), Failure> {
        let mut options: Vec<&str> = self.plan.of_plans_alone().collect();
        if self.plan.max_wcu().is_some() && !self.generate.is_asked() {
            options.push("--max-wcu");
        }
        let Some(option) = options.first() else {
            return Ok(());
        };
        let (message, hint) = match *option {
            "--max-wcu" => (
                "--max-wcu is for --replace and --generate".to_owned(),
                "add one of them",
            ),
            option => (
                format!("{option} is for --replace"),
                "add --replace: without it only what is missing is written, and there is no plan",
            ),
        };
        Err(Failure::refused(message).hint(hint))
    }

    /// Loads a conversation. Returns `None` if --replace only saved or showed its plan.
    async fn converse(&self, now: Timestamp, context: &Context) -> Result<Option<Row>, Failure> {
        let ui = &context.ui;
        let me = me(self.me.as_ref(), &context.environment)?;
        if me == self.with {
            return Err(Failure::refused(format!(
                "--me and --with are both `{me}`: a conversation has two people"
            )));
        }
        let script = self.script(&me)?;
        let users = self.users.open(context, self.table.is_production()).await?;
        let seed = self.seed(&me, &users, context.zones.dates, now).await?;
        let site = self.table.open(context, Some(users.source())).await?;
        if self.conversation.is_some() && self.group_uuid.is_none() {
            ui.note(&format!(
                "the conversation of this file is {}",
                seed.conversation
            ));
        }
        if self.replace {
            return self
                .carry_out_replacement(&seed, &script, &users, &site, now, context)
                .await;
        }
        let prepared = prepare(&site.store, &seed, &script, now).await?;
        if prepared.is_anchored() && self.ends_at != When::Now {
            ui.note("--ends-at is not used: existing messages fix the time");
        }

        if prepared.others() > 0 && !prepared.is_anchored() {
            ui.warn(&format!(
                "{} holds {} already; --group-uuid seeds another conversation",
                seed.conversation,
                plural(prepared.others(), "other message", "other messages")
            ));
        }
        let mut row = Row::new(&seed, &users, prepared.messages(), prepared.absent());
        if self.plan.is_dry_run() {
            row.dry_run = true;
            say_dry_run(ui);
            return Ok(Some(row));
        }
        if site.is_production() {
            let messages = plural(prepared.absent(), "message", "messages");
            ui.note(&format!(
                "{} of {} would be written",
                messages, row.messages
            ));
        }
        let writer = site.allow_writing(&self.write)?;
        // The answer to the question may have taken a long time.
        let prepared = if site.is_production() {
            prepare(&site.store, &seed, &script, Timestamp::now()).await?
        } else {
            prepared
        };
        let report = prepared.write(&writer).await?;
        row.written = report.written;
        row.unchanged = row.messages.saturating_sub(report.written);
        row.first_at = text(report.first_at.as_ref());
        row.last_at = text(report.last_at.as_ref());
        if report.removed > 0 {
            ui.note(&format!(
                "removed {} of messages that seeds at the same time had written twice",
                plural(report.removed, "copy", "copies")
            ));
        }
        say_rows(&report.rows, ui);
        Ok(Some(row))
    }

    async fn seed(
        &self,
        me: &PersonName,
        users: &Users,
        zone: Zone,
        now: Timestamp,
    ) -> Result<Seed, Failure> {
        let [me, other] = [
            users.named(me).await?.person(),
            users.named(&self.with).await?.person(),
        ];
        if me.id == other.id {
            return Err(Failure::refused(format!(
                "`{}` and `{}` are one user, {}: a conversation has two people",
                me.handle, other.handle, me.id
            )));
        }
        let ends_at = match self.ends_at {
            When::Now => None,
            when => {
                let at = when.at(now, zone);
                Some(at.map_err(|error| no_instant("--ends-at", &error))?)
            }
        };
        Ok(Seed {
            conversation: self.id([me.id, other.id])?,
            me,
            other,
            ends_at,
            interval: self.interval,
        })
    }
}

/// Prints warnings and details about the rows.
fn say_rows(rows: &SyncedRows, ui: &Ui) {
    let whose = |rows: &[ConversationRow]| {
        let rows: Vec<String> = rows
            .iter()
            .map(|row| format!("GRP#{} {}", row.owner, row.last_message_at))
            .collect();
        rows.join(", ")
    };
    if !rows.doubled.is_empty() {
        ui.warn(&format!(
            "a participant has more than one row for this conversation; left as they are: {}",
            whose(&rows.doubled)
        ));
    }
    if !rows.ahead.is_empty() {
        ui.warn(&format!(
            "a row is later than the newest message; left as it is: {}",
            whose(&rows.ahead)
        ));
    }
    for user in &rows.created {
        ui.detail(&format!(
            "made the row GRP#{} {}",
            user.owner, user.last_message_at
        ));
    }
    for (old, new) in &rows.updated {
        ui.detail(&format!(
            "updated the row GRP#{} from {} to {}",
            new.owner, old.last_message_at, new.last_message_at
        ));
    }
}
