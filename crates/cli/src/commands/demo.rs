//! `ddb demo`: the main job in one command, on its own endpoint.

use clap::Parser;
use ddb_local::{Endpoint, Storage};

use super::conversation::get_conversation;
use super::{schema_load, seed};
use crate::failure::{Failure, Outcome};
use crate::help::examples;
use crate::output::Format;
use crate::runner::{Command, Context, wrong_usage};

/// The number of messages to show: with all other output they fit on a screen of 24 lines.
const MESSAGES: &str = "8";

/// Shows a conversation, and what to type next.
///
/// It starts an endpoint in memory, creates the table, loads the built-in conversation and shows the end of it. It
/// reads no variables, and reads and writes no files. It runs until Ctrl-C or SIGTERM, and leaves nothing behind.
#[derive(Debug, Parser)]
#[command(name = "demo", version, after_help = examples(&[
    ("Look at it from other programs, at a port of your choice", "ddb demo --port 8001"),
]))]
pub struct Args {
    /// Port to listen on; 0 picks a free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    port: u16,
}

impl Command for Args {
    const FORMATS: &'static [Format] = Format::MESSAGES;
    const WITHOUT: &'static [&'static str] = &["no_pager", "no_progress", "timeout"];

    fn ends_on_signal(&self) -> bool {
        true
    }

    async fn run(self, context: Context) -> Result<Outcome, Failure> {
        let ui = &context.ui;
        let endpoint = Endpoint::start(self.port, Storage::Memory, Vec::new())?;
        let url = endpoint.url();
        ui.target(&format!("an endpoint in memory, {url}"));

        let part = context.part();
        ui.note("$ ddb schema-load");
        parsed::<schema_load::Args>(&["schema-load", "--endpoint-url", &url])?
            .create(&part)
            .await?;
        ui.note("$ ddb seed");
        parsed::<seed::Args>(&["seed", "--endpoint-url", &url])?
            .load(&part)
            .await?;
        ui.note(&format!("$ ddb get-conversation --limit {MESSAGES}"));
        let show = [
            "get-conversation",
            "--endpoint-url",
            &url,
            "--limit",
            MESSAGES,
        ];
        parsed::<get_conversation::Args>(&show)?.run(part).await?;

        ui.note("Type in another terminal:");
        for line in next(&url) {
            ui.note(&format!("  {line}"));
        }
        ui.note("Nothing is kept; press Ctrl-C to stop");
        context.stopped().await;
        endpoint.stop()?;
        ui.note("ended");
        Ok(Outcome::Done)
    }
}

/// Returns what to type next, in a shell with any settings.
fn next(url: &str) -> [String; 3] {
    [
        format!("export DDB_ENDPOINT_URL={url}"),
        "ddb create-message bayko 'Cake tomorrow?'".to_owned(),
        "ddb get-conversation".to_owned(),
    ]
}

/// Parses the options of another command from fixed words.
fn parsed<C: Parser>(words: &[&str]) -> Result<C, Failure> {
    C::try_parse_from(words).map_err(|error| wrong_usage(&error))
}
