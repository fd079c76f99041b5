//! `list-users`: the users of the Cognito pool, every page.

use clap::Parser;
use ddb_people::cognito::{CognitoUser, Filter};
use futures::TryStreamExt;
use serde::Serialize;

use crate::args::{AwsArgs, PoolArgs, show};
use crate::failure::{Failure, Outcome};
use crate::help::examples;
use crate::output::{Cell, Column, Format, Record, Tone, Totals};
use crate::runner::{Command, Context};
use crate::wording::plural;

/// Lists all users of the Cognito pool.
#[derive(Debug, Parser)]
#[command(name = "list-users", version, after_help = examples(&[
    ("Those whose address begins with ann", "ddb list-users --filter 'email^=ann'"),
    ("The pool's handles and ids, for a spreadsheet", "ddb list-users -o csv > users.csv"),
]))]
pub struct Args {
    /// Only users whose attribute is VALUE, or begins with it: ATTRIBUTE=VALUE or ATTRIBUTE^=VALUE
    #[arg(long, value_name = "FILTER")]
    filter: Option<Filter>,
    #[command(flatten)]
    pool: PoolArgs,
    #[command(flatten)]
    aws: AwsArgs,
}

#[derive(Debug, Serialize)]
struct Row {
    handle: Option<String>,
    sub: Option<String>,
    username: String,
    email: Option<String>,
    status: String,
    enabled: bool,
}

impl From<CognitoUser> for Row {
    fn from(user: CognitoUser) -> Self {
        Self {
            handle: user.handle,
            sub: user.sub,
            username: user.username,
            email: user.email,
            status: user.status,
            enabled: user.enabled,
        }
    }
}

impl Record for Row {
    type Of<'a> = Self;
    const TABLE: &'static [Column<Self>] = &[
        Column::kept("handle", |row| match &row.handle {
            Some(handle) => Cell::text(handle),
            None => Cell::text("(none)").tone(Tone::Odd),
        }),
        Column::kept("sub", |row| Cell::text_or_blank(row.sub.as_deref())),
        Column::new("email", |row| Cell::text_or_blank(row.email.as_deref())),
        Column::new("status", |row| {
            let tone = match row.status.as_str() {
                "CONFIRMED" if row.enabled => Tone::Plain,
                _ => Tone::Odd,
            };
            let disabled = if row.enabled { "" } else { "DISABLED " };
            Cell::text(format!("{disabled}{}", row.status)).tone(tone)
        }),
    ];
    const COLUMNS: &'static [Column<Self>] = &[
        Column::kept("handle", |row| Cell::text_or_blank(row.handle.as_deref())),
        Column::kept("sub", |row| Cell::text_or_blank(row.sub.as_deref())),
        Column::new("username", |row| Cell::text(&row.username)),
        Column::new("email", |row| Cell::text_or_blank(row.email.as_deref())),
        Column::new("status", |row| Cell::text(&row.status)),
        Column::new("enabled", |row| Cell::text(row.enabled.to_string())),
    ];
}

impl Command for Args {
    const FORMATS: &'static [Format] = Format::ROWS;
    const WITHOUT: &'static [&'static str] = &["tz"];

    fn is_paged(&self) -> bool {
        true
    }

    async fn run(self, context: Context) -> Result<Outcome, Failure> {
        let ui = &context.ui;
        let pool = self.pool.open(&self.aws, &context).await?;
        show(
            pool.target.is_production(),
            &pool.cognito.destination().to_string(),
            ui,
        );
        let mut pages = std::pin::pin!(pool.cognito.users(self.filter));
        let mut printer = ui.printer::<Row>();
        let mut without_handle = 0;
        while let Some(users) = pages.try_next().await? {
            for user in users {
                without_handle += u64::from(user.handle.is_none());
                printer.print(&Row::from(user))?;
            }
            printer.flush()?;
        }
        let users = printer.printed();
        printer.finish(Totals::default())?;
        match users {
            0 => ui.note("no users"),
            users => ui.note(&plural(users, "user", "users")),
        }
        if without_handle > 0 {
            let who = plural(without_handle, "user has", "users have");
            ui.warn(&format!("{who} no handle (preferred_username)"));
        }
        Ok(Outcome::Done)
    }
}
