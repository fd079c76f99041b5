//! `ddb local`: a DynamoDB endpoint in this process.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;
use ddb_local::{Endpoint, Storage};
use ddb_loopback::Origin;
use serde::Serialize;

use crate::failure::{Failure, Outcome};
use crate::help::examples;
use crate::output::{Cell, Column, Format, Record, Totals};
use crate::runner::{Command, Context};

/// The port of the default endpoint of all commands.
const DEFAULT_PORT: u16 = 8000;

/// Runs a DynamoDB endpoint on this machine.
///
/// It needs no Docker and no JVM, listens on 127.0.0.1 and [::1] only, and stops on Ctrl-C or SIGTERM. Data is
/// kept in memory and lost when it stops, unless --data names a folder. Web pages can use it only if
/// --allow-origin names their origin.
#[derive(Debug, Parser)]
#[command(name = "local", version, after_help = examples(&[
    ("Keep the data in a folder, on another port", "ddb local --data ddb-data --port 8001"),
]))]
pub struct Args {
    /// Port to listen on; 0 picks a free one
    #[arg(long, value_name = "PORT", default_value_t = DEFAULT_PORT)]
    port: u16,
    /// Folder to keep the data in; created if missing
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Allow web pages of this origin, such as http://localhost:5173; may be repeated
    #[arg(long, value_name = "URL")]
    allow_origin: Vec<Origin>,
}

#[derive(Debug, Serialize)]
struct Row {
    endpoint: String,
    data: Option<String>,
}

impl Record for Row {
    type Of<'a> = Self;
    const COLUMNS: &'static [Column<Self>] = &[
        Column::kept("endpoint", |row| Cell::text(&row.endpoint)),
        Column::kept("data", |row| {
            Cell::text(row.data.as_deref().unwrap_or("in memory"))
        }),
    ];
}

/// Describes where a server listens.
pub fn listening(addresses: &[SocketAddr]) -> String {
    let places: Vec<String> = addresses.iter().map(SocketAddr::to_string).collect();
    let missing = match addresses {
        [_] => ", and not on [::1], which this machine does not have",
        _ => "",
    };
    format!(
        "listening on {}{missing}; press Ctrl-C to stop",
        places.join(" and ")
    )
}

impl Command for Args {
    const FORMATS: &'static [Format] = Format::BASIC;
    const WITHOUT: &'static [&'static str] = &["no_progress", "timeout", "tz"];

    fn ends_on_signal(&self) -> bool {
        true
    }

    async fn run(self, context: Context) -> Result<Outcome, Failure> {
        let ui = &context.ui;
        let storage = self
            .data
            .as_deref()
            .map_or(Storage::Memory, Storage::Folder);
        let endpoint = Endpoint::start(self.port, storage, self.allow_origin)?;
        let mut printer = ui.printer::<Row>();
        printer.print(&Row {
            endpoint: endpoint.url(),
            data: self.data.as_ref().map(|path| path.display().to_string()),
        })?;
        printer.finish(Totals::default())?;
        ui.hint(format!(
            "`export DDB_ENDPOINT_URL={}` points the other commands of this shell here",
            endpoint.url()
        ));
        ui.note(&listening(endpoint.addresses()));
        context.stopped().await;
        endpoint.stop()?;
        ui.note("ended");
        Ok(Outcome::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_where_it_listens() {
        let v4 = "127.0.0.1:8000".parse().unwrap();
        let v6 = "[::1]:8000".parse().unwrap();
        assert_eq!(
            listening(&[v4, v6]),
            "listening on 127.0.0.1:8000 and [::1]:8000; press Ctrl-C to stop"
        );
        assert_eq!(
            listening(&[v4]),
            "listening on 127.0.0.1:8000, and not on [::1], which this machine does not have; press Ctrl-C to stop"
        );
    }
}
