//! `list-users`: the users of the Cognito pool, every page.

use clap::Parser;
use ddb_core::directory::{CognitoUser, Filter};
use futures::TryStreamExt;
use serde::Serialize;

use super::counted;
use crate::args::{AwsArgs, CommonArgs, PoolArgs, show};
use crate::failure::{Failure, Outcome};
use crate::help::examples;
use crate::launch::{Command, Context};
use crate::output::{Cell, Column, Format, Record, Totals};

/// Lists the users of the Cognito pool, every page.
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
    #[command(flatten)]
    common: CommonArgs,
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
    const COLUMNS: &'static [Column] = &[
        Column::kept("handle"),
        Column::kept("sub"),
        Column::new("username"),
        Column::new("email"),
        Column::new("status"),
        Column::new("enabled"),
    ];

    fn rows(&self) -> Vec<Vec<Cell>> {
        let text = |field: &Option<String>| Cell::text(field.as_deref().unwrap_or_default());
        vec![vec![
            text(&self.handle),
            text(&self.sub),
            Cell::text(&self.username),
            text(&self.email),
            Cell::text(&self.status),
            Cell::text(self.enabled.to_string()),
        ]]
    }
}

impl Command for Args {
    const FORMATS: &'static [Format] = Format::ROWS;

    fn common(&self) -> &CommonArgs {
        &self.common
    }

    async fn run(self, context: Context) -> Result<Outcome, Failure> {
        let ui = &context.ui;
        let pool = self.pool.open(&self.aws, &context).await?;
        show(&pool.target, &pool.directory.place().to_string(), ui);
        let mut pages = std::pin::pin!(pool.directory.users(self.filter));
        let mut printer = ui.printer::<Row>();
        let mut without_handle = 0;
        loop {
            let users = match pages.try_next().await {
                Ok(Some(users)) => users,
                Ok(None) => break,
                Err(error) => {
                    printer.abandon();
                    return Err(error.into());
                }
            };
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
            users => ui.note(&counted(users, "user", "users")),
        }
        if without_handle > 0 {
            let who = counted(without_handle, "user has", "users have");
            ui.warn(&format!("{who} no handle (preferred_username)"));
        }
        Ok(Outcome::Done)
    }
}
