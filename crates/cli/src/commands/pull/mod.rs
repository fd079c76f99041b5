//! `pull`: copies conversations into a local table, with the real people in them or without.

mod into;
mod secret;
mod source;

use std::path::PathBuf;

use clap::Parser;
use ddb_core::conversation::ConversationName;
use ddb_core::handle::PersonName;
use ddb_core::key::ConversationId;
use ddb_core::mask::{Mask, without_ids};
use ddb_core::pull::{People, Pull, PullError, Pulled};
use ddb_people::users::{User, UsersFile};
use serde::Serialize;

use crate::args::{ReadArgs, TableArgs, UsersArgs};
use crate::failure::{Exit, Failure, Hint, Outcome};
use crate::help::examples;
use crate::output::{Cell, Column, Format, Printer, Record, Totals};
use crate::runner::{Command, Context};
use crate::ui::Ui;
use crate::wording::plural;
use into::{Copy, IntoArgs};

/// Copies conversations into a local table.
///
/// It reads from the target of --prod or --endpoint-url, and writes to a local endpoint only: --into, else
/// DDB_ENDPOINT_URL, else http://localhost:8000. The table is created if it is missing. A second pull brings what
/// is new.
///
/// With --mask, ids, handles and names are replaced by invented ones, and texts by words of the same lengths.
/// Times stay, so the copy is pseudonymous, not anonymous. Without --mask-key, each pull uses a new key and forgets
/// it, so no two copies match. Items of unknown shape are left out of a masked copy.
#[derive(Debug, Parser)]
#[command(name = "pull", version, after_help = examples(&[
    ("A conversation from production, without the people in it", "ddb pull 5ae290ed-55d1-47a0-bc6d-fe2bc2700399 --prod \\\n      \
        --mask --users-out people.csv --into-table cruddur-messages-copy"),
    ("Your conversation with bayko, as it is", "ddb pull bayko --into-table cruddur-messages-bayko"),
    ("All of bayko's, slowly, into a copy that later pulls update", "ddb pull --all-of bayko --max-rcu 50 --mask --mask-key mask.key \\\n      \
        --into-table cruddur-messages-all"),
]))]
pub struct Args {
    /// Conversations: an id, the first 4 or more digits of it, or the other person's handle
    #[arg(value_name = "CONVERSATION", required_unless_present_any = ["group", "with", "all_of"],
        conflicts_with_all = ["group", "with", "all_of"])]
    conversations: Vec<ConversationName>,
    /// Conversation, as an option
    #[arg(long, value_name = "CONVERSATION", conflicts_with_all = ["with", "all_of"])]
    group: Option<ConversationName>,
    /// The conversation with this person
    #[arg(long, value_name = "HANDLE", conflicts_with = "all_of")]
    with: Option<PersonName>,
    /// All conversations of this person
    #[arg(long, value_name = "HANDLE")]
    all_of: Option<PersonName>,
    /// Person whose conversations short names refer to [env: DDB_ME] [default: andrewbrown]
    #[arg(long, value_name = "HANDLE")]
    me: Option<PersonName>,
    /// Replace ids, handles, names and texts by invented ones
    #[arg(long)]
    mask: bool,
    /// File with a secret of 32 bytes or more; with the same one, pulls invent the same
    #[arg(long, value_name = "FILE", requires = "mask")]
    mask_key: Option<PathBuf>,
    /// Write the people of the copy to a CSV file, for --users of other commands
    #[arg(long, value_name = "FILE")]
    users_out: Option<PathBuf>,
    #[command(flatten)]
    into: IntoArgs,
    #[command(flatten)]
    read: ReadArgs,
    #[command(flatten)]
    users: UsersArgs,
    #[command(flatten)]
    table: TableArgs,
}

/// The result for one conversation.
#[derive(Debug, Serialize)]
struct Row {
    /// The id of the copy.
    group_uuid: String,
    messages: u64,
    rows: u64,
    unchanged: u64,
    masked: bool,
}

impl Record for Row {
    type Of<'a> = Self;
    const COLUMNS: &'static [Column<Self>] = &[
        Column::kept("group_uuid", |row| Cell::text(&row.group_uuid)),
        Column::kept("messages", |row| Cell::number(row.messages)),
        Column::kept("rows", |row| Cell::number(row.rows)),
        Column::kept("unchanged", |row| Cell::number(row.unchanged)),
        Column::new("masked", |row| {
            Cell::text(if row.masked { "yes" } else { "no" })
        }),
    ];
    const CSV: &'static [Column<Self>] = &[
        Column::kept("group_uuid", |row| Cell::text(&row.group_uuid)),
        Column::kept("messages", |row| Cell::number(row.messages)),
        Column::kept("rows", |row| Cell::number(row.rows)),
        Column::kept("unchanged", |row| Cell::number(row.unchanged)),
        Column::new("masked", |row| {
            Cell::text(if row.masked { "true" } else { "false" })
        }),
    ];
}

impl Command for Args {
    const FORMATS: &'static [Format] = Format::ROWS;

    async fn run(self, context: Context) -> Result<Outcome, Failure> {
        let is_masked = self.mask;
        let pulled = self.pull(&context).await;
        match is_masked {
            // A service may quote a key in its error message.
            true => pulled.map_err(hide_ids),
            false => pulled,
        }
    }
}

/// Removes ids from the message of a failure. Its hint only contains ids of the copy.
fn hide_ids(failure: Failure) -> Failure {
    match failure {
        Failure::Error {
            exit,
            message,
            hint,
        } => Failure::Error {
            exit,
            message: without_ids(&message).into_owned(),
            hint,
        },
        Failure::ClosedPipe => Failure::ClosedPipe,
    }
}

impl Args {
    async fn pull(self, context: &Context) -> Result<Outcome, Failure> {
        let into = self.into.endpoint(context)?;
        let mask = self.mask()?;
        let mut users_out = self.users_out(mask.is_some())?;
        let users = self.open_users(context).await?;
        let table = self.table.table(&context.environment)?;
        let target = self.table.target(context).await?;
        let copy = Copy::new(
            into,
            self.into.table(&table),
            mask.is_some() && self.mask_key.is_none(),
        );
        copy.refuse_same_place(&target, &table)?;
        let source = self.table.show(&target, table, context);
        let source = source.keeping_to(self.read.rate());
        copy.show(&context.ui);
        let conversations = self.conversations(&source, users.as_ref(), context).await?;
        if !target.is_production() {
            copy.refuse_same_table(&source).await?;
        }
        copy.make(context).await?;
        let writer = copy.writer(context);
        let pull = Pull {
            source: &source,
            copy: &writer,
            mask: mask.as_ref(),
        };
        let work = Work {
            pull,
            copy: &copy,
            context,
        };
        work.all(&conversations, users_out.as_mut()).await
    }

    fn mask(&self) -> Result<Option<Mask>, Failure> {
        Ok(match (&self.mask_key, self.mask) {
            (Some(file), _) => Some(secret::read(file)?),
            (None, true) => Some(
                Mask::random().map_err(|error| Failure::new(Exit::Failed, error.to_string()))?,
            ),
            (None, false) => None,
        })
    }

    /// Opens the file for the copy's people, before anything is read.
    fn users_out(&self, masked: bool) -> Result<Option<Out>, Failure> {
        let Some(path) = &self.users_out else {
            return Ok(None);
        };
        if self.users.is_file(path) {
            let message = format!(
                "--users and --users-out are both {}: the people of the source and those of the copy",
                path.display()
            );
            return Err(Failure::refused(message).hint("name another file with --users-out"));
        }
        let file = UsersFile::open(path)?;
        // If it cannot be written, that is reported before anything is copied.
        file.try_out()?;
        Ok(Some(Out { file, masked }))
    }
}

/// The file for the copy's people.
struct Out {
    file: UsersFile,
    masked: bool,
}

impl Out {
    fn write(&mut self, people: &People) -> Result<(), Failure> {
        for person in people.iter() {
            let email = match self.masked {
                true => format!("{}@example.com", person.handle),
                false => String::new(),
            };
            self.file.put(User {
                uuid: person.id,
                display_name: person.display_name.clone(),
                handle: person.handle.clone(),
                email,
                cognito_user_id: "MOCK".to_owned(),
            });
        }
        Ok(self.file.write()?)
    }
}

/// The source and the destination of the work.
struct Work<'a> {
    pull: Pull<'a>,
    copy: &'a Copy,
    context: &'a Context,
}

impl Work<'_> {
    async fn all(
        &self,
        conversations: &[ConversationId],
        mut users_out: Option<&mut Out>,
    ) -> Result<Outcome, Failure> {
        let ui = &self.context.ui;
        let mut people = People::new(self.pull.mask.is_some());
        let mut printer: Printer<Row> = ui.printer();
        let mut total = Pulled::default();
        for conversation in conversations {
            let pulled = self.one(*conversation, &mut people, &total).await?;
            // If nobody keeps the key, the invented people can only be written during this run.
            if let Some(out) = &mut users_out {
                out.write(&people)?;
            }
            total = sum(total, pulled);
            printer.print(&Row {
                group_uuid: self.pull.id_of_copy(*conversation).to_string(),
                messages: pulled.messages,
                rows: pulled.rows,
                unchanged: pulled.unchanged,
                masked: self.pull.mask.is_some(),
            })?;
            printer.flush()?;
        }
        printer.finish(Totals::default())?;
        self.say(conversations, &total, users_out.map(|out| &out.file), ui)
    }

    async fn one(
        &self,
        conversation: ConversationId,
        people: &mut People,
        before: &Pulled,
    ) -> Result<Pulled, Failure> {
        let ui = &self.context.ui;
        let id = self.pull.id_of_copy(conversation);
        if self.copy.is_for_once() {
            let line = self
                .copy
                .line("delete-conversation", &id.to_string(), self.context);
            ui.note(&format!(
                "copying into {id}; the key is not kept: if this is interrupted, `{line}` deletes the partial copy"
            ));
        }
        let mut progress = ui.progress_beside_output("items", None);
        let mut seen = Pulled::default();
        let pulled = self.pull.conversation(conversation, people, |pulled| {
            seen = *pulled;
            progress.set(pulled.messages + pulled.unchanged);
        });
        let pulled = pulled.await;
        drop(progress);
        pulled.map_err(|error| self.cut(error, id, &sum(*before, seen), seen.messages > 0))
    }

    /// Adds to a failure what was copied before it, and how to continue.
    fn cut(&self, error: PullError, id: ConversationId, done: &Pulled, is_half: bool) -> Failure {
        let failure = match error {
            PullError::Source(error) => error.into(),
            PullError::Copy(error) => self.copy.failure(error),
            PullError::SameHandle(error) => Failure::new(Exit::Failed, error.to_string())
                .hint("use another key: this happens once in a million"),
        };
        let Failure::Error {
            exit,
            message,
            hint,
        } = failure
        else {
            return failure;
        };
        // The first page of an interrupted conversation may have been written even if the failure does not show it.
        let is_half = is_half || self.copy.is_for_once();
        if done.messages == 0 && !is_half {
            return Failure::Error {
                exit,
                message,
                hint,
            };
        }
        let message = format!(
            "{message}; {} copied",
            plural(done.messages, "message was", "messages were")
        );
        let exit = if done.messages > 0 {
            Exit::Partly
        } else {
            exit
        };
        let hint = match self.copy.is_for_once() {
            true => {
                let line = self
                    .copy
                    .line("delete-conversation", &id.to_string(), self.context);
                Hint::Whole(format!(
                    "`{line}` deletes the partial copy; with --mask-key FILE, an interrupted pull can continue"
                ))
            }
            false => hint.unwrap_or_else(|| "run the same command again to continue".into()),
        };
        Failure::Error {
            exit,
            message,
            hint: Some(hint),
        }
    }

    /// Prints a summary after everything was copied.
    fn say(
        &self,
        conversations: &[ConversationId],
        total: &Pulled,
        users: Option<&UsersFile>,
        ui: &Ui,
    ) -> Result<Outcome, Failure> {
        let masked = if self.pull.mask.is_some() {
            ", masked"
        } else {
            ""
        };
        ui.note(&format!(
            "copied {} and {}{masked}; {} there already",
            plural(total.messages, "message", "messages"),
            plural(total.rows, "row", "rows"),
            plural(total.unchanged, "item was", "items were"),
        ));
        if total.left_out > 0 {
            ui.warn(&format!(
                "{} left out: the shape is unknown",
                plural(total.left_out, "item was", "items were")
            ));
        }
        if total.missing_rows > 0 {
            ui.warn(&format!(
                "{} missing at the source, and in the copy",
                plural(total.missing_rows, "row is", "rows are")
            ));
        }
        if total.different > 0 {
            let message = format!(
                "{}: {} left, not as in the source",
                self.copy.destination(),
                plural(total.different, "item was", "items were")
            );
            let hint = "delete the conversation from the copy, then run the same command again";
            return Err(Failure::new(Exit::Partly, message).hint(hint));
        }
        if let [conversation] = conversations {
            let id = self.pull.id_of_copy(*conversation).to_string();
            let line = self.copy.line("get-conversation", &id, self.context);
            let follow = format!("`{line}` shows the copy");
            ui.hint(Hint::Whole(match users {
                Some(users) => format!("{follow}, {} has its people", users.path().display()),
                None => follow,
            }));
        }
        Ok(Outcome::Done)
    }
}

fn sum(one: Pulled, other: Pulled) -> Pulled {
    Pulled {
        messages: one.messages + other.messages,
        rows: one.rows + other.rows,
        unchanged: one.unchanged + other.unchanged,
        different: one.different + other.different,
        left_out: one.left_out + other.left_out,
        missing_rows: one.missing_rows + other.missing_rows,
    }
}
