//! `ddb serve`: the application's own API.

use clap::Parser;
use ddb_core::conversation::has_items;
use ddb_core::handle::PersonName;
use ddb_core::key::PartitionKey;
use ddb_core::key::UserId;
use ddb_loopback::Origin;
use ddb_people::cognito::PoolId;
use ddb_people::users::Users;
use ddb_web::{Api, Asker, Server, Tokens};
use serde::Serialize;

use super::web::served_badly;
use crate::args::{PoolArgs, TableArgs, UsersArgs, WriteArgs};
use crate::commands::local::listening;
use crate::failure::{Failure, Outcome};
use crate::help::examples;
use crate::output::{Cell, Column, Format, Record, Totals};
use crate::runner::{Command, Context};

/// The port of the application's backend.
const DEFAULT_PORT: u16 = 4567;

/// Serves the application's API to its pages.
///
/// Users are identified by access tokens of the user pool; with --me, every request is from that person. Pages of
/// another origin need --allow-origin.
#[derive(Debug, Parser)]
#[command(name = "serve", version, after_help = examples(&[
    ("For React pages at port 3000, always as andrewbrown", "ddb serve --me andrewbrown --allow-origin http://localhost:3000"),
]))]
pub struct Args {
    /// Treat every request as one from this person, without tokens
    #[arg(long, value_name = "HANDLE")]
    me: Option<PersonName>,
    /// Port to listen on; 0 picks a free one
    #[arg(long, value_name = "PORT", default_value_t = DEFAULT_PORT)]
    port: u16,
    /// Allow web pages of this origin, such as http://localhost:3000; may be repeated
    #[arg(long, value_name = "URL")]
    allow_origin: Vec<Origin>,
    /// Accept only tokens of this client of the user pool
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    #[command(flatten)]
    pool: PoolArgs,
    #[command(flatten)]
    users: UsersArgs,
    #[command(flatten)]
    write: WriteArgs,
    #[command(flatten)]
    table: TableArgs,
}

#[derive(Debug, Serialize)]
struct Row {
    url: String,
    who: String,
}

impl Record for Row {
    type Of<'a> = Self;
    const COLUMNS: &'static [Column<Self>] = &[
        Column::kept("url", |row| Cell::text(&row.url)),
        Column::kept("who asks", |row| Cell::text(&row.who)),
    ];
}

impl Command for Args {
    const FORMATS: &'static [Format] = Format::BASIC;
    const WITHOUT: &'static [&'static str] = &["no_progress", "timeout", "tz"];

    fn ends_on_signal(&self) -> bool {
        true
    }

    async fn run(self, context: Context) -> Result<Outcome, Failure> {
        let ui = &context.ui;
        let production = self.table.is_production();
        let asks = self.who_asks(&context, production)?;
        let users = self.users.open(&context, production).await?;
        let (asker, who) = self.asker(asks, &users, &context).await?;
        let site = self.table.open(&context, Some(users.source())).await?;
        // If the table does not exist or cannot be read, that is reported here and not in the browser.
        has_items(
            &site.store,
            PartitionKey::Rows(UserId::new(uuid::Uuid::nil())),
        )
        .await?;
        let writer = site.allow_writing(&self.write)?;
        let server = Server::bind(self.port)?;
        let mut printer = ui.printer::<Row>();
        printer.print(&Row {
            url: format!("http://localhost:{}", server.port()),
            who,
        })?;
        printer.finish(Totals::default())?;
        ui.note(&listening(server.addresses()));
        let warned = ui.clone();
        let say = move |text: &str| warned.warn(text);
        let api = Api::new(writer, users, asker, self.allow_origin, server.port(), say);
        let served = server.run(api.router(), context.stopped()).await;
        served.map_err(served_badly)?;
        ui.note("ended");
        Ok(Outcome::Done)
    }
}

/// How users are identified.
enum Asks<'a> {
    /// The access tokens of a user pool.
    Pool(PoolId),
    /// It is always this person.
    Always(&'a PersonName),
}

impl Args {
    /// Reads from the options how users are identified: there are two ways, and exactly one must be given.
    fn who_asks(&self, context: &Context, production: bool) -> Result<Asks<'_>, Failure> {
        match (self.pool.pool(&context.environment)?, &self.me) {
            (_, Some(_)) if production => Err(Failure::refused(
                "--me would let anybody in as that person, with --prod",
            )
            .hint("--user-pool-id names the pool whose tokens identify users")),
            (Some(_), Some(_)) => Err(Failure::refused(
                "a user pool and --me are both given; only one of them can identify users",
            )
            .hint("leave --me out, or --user-pool-id and the variable AWS_COGNITO_USER_POOL_ID")),
            (None, None) => Err(Failure::refused(
                "nothing identifies users: no user pool, and no --me",
            )
            .hint("name the pool with --user-pool-id, or type `ddb serve --me andrewbrown`")),
            (Some(pool), None) => Ok(Asks::Pool(pool)),
            (None, Some(me)) => Ok(Asks::Always(me)),
        }
    }

    /// Makes the part that identifies users, and describes it.
    async fn asker(
        &self,
        asks: Asks<'_>,
        users: &Users,
        context: &Context,
    ) -> Result<(Asker, String), Failure> {
        match asks {
            Asks::Pool(id) => {
                let pool = self.pool.open(self.table.aws(), context).await?;
                let keys = pool.target.keys(&id);
                let who = format!("whoever has an access token of {id}");
                let tokens = Tokens::new(keys, self.client_id.clone());
                Ok((Asker::Token(Box::new(tokens)), who))
            }
            Asks::Always(me) => {
                let user = users.named(me).await?;
                let who = format!("always {}", user.handle);
                Ok((Asker::Always(Box::new(user)), who))
            }
        }
    }
}
