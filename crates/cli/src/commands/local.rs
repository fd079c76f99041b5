//! `ddb local`: a DynamoDB endpoint in this process.

use std::path::PathBuf;

use clap::Parser;
use ddb_local::{Endpoint, Storage};
use serde::Serialize;

use crate::args::CommonArgs;
use crate::failure::{Failure, Outcome};
use crate::help::examples;
use crate::launch::{Command, Context};
use crate::output::{Cell, Column, Format, Record, Totals};

/// The port that all commands look at where no endpoint is named.
const DEFAULT_PORT: u16 = 8000;

/// Runs a DynamoDB endpoint on this machine.
///
/// It needs no Docker and no JVM, listens on the loopback interface only, and ends on Ctrl-C or SIGTERM.
/// Data is in memory and gone at the end, unless --data names a folder.
#[derive(Debug, Parser)]
#[command(name = "local", version, after_help = examples(&[
    ("Keep the data in a folder, on another port", "ddb local --data ddb-data --port 8001"),
]))]
pub struct Args {
    /// Port to listen on; 0 takes any free one
    #[arg(long, value_name = "PORT", default_value_t = DEFAULT_PORT)]
    port: u16,
    /// Folder to keep the data in; made where it is missing
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    #[command(flatten)]
    common: CommonArgs,
}

#[derive(Debug, Serialize)]
struct Row {
    endpoint: String,
    data: Option<String>,
}

impl Record for Row {
    const COLUMNS: &'static [Column] = &[Column::kept("endpoint"), Column::kept("data")];

    fn rows(&self) -> Vec<Vec<Cell>> {
        let data = self.data.as_deref().unwrap_or("in memory");
        vec![vec![Cell::text(&self.endpoint), Cell::text(data)]]
    }
}

impl Command for Args {
    const FORMATS: &'static [Format] = Format::BASIC;

    fn common(&self) -> &CommonArgs {
        &self.common
    }

    fn ends_on_signal(&self) -> bool {
        true
    }

    async fn run(self, context: Context) -> Result<Outcome, Failure> {
        let ui = &context.ui;
        let storage = self
            .data
            .as_deref()
            .map_or(Storage::Memory, Storage::Folder);
        let endpoint = Endpoint::start(self.port, storage)?;
        let mut printer = ui.printer::<Row>();
        printer.print(&Row {
            endpoint: endpoint.url(),
            data: self.data.as_ref().map(|path| path.display().to_string()),
        })?;
        printer.finish(Totals::default())?;
        if self.port != DEFAULT_PORT {
            ui.hint(&format!(
                "export AWS_ENDPOINT_URL_DYNAMODB={} leads the other commands here",
                endpoint.url()
            ));
        }
        ui.note("listening; Ctrl-C ends it");
        context.stopped().await;
        endpoint.stop()?;
        ui.note("ended");
        Ok(Outcome::Done)
    }
}
