//! Measures the tools beside others. `bin-scripts/bench` calls it.

mod floor;
mod replay;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "ddb-bench")]
struct Bench {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Serve canned pages on 127.0.0.1 until the process is ended
    Replay {
        /// Port to listen on; 0 takes any free one
        #[arg(long, default_value_t = 0)]
        port: u16,
        /// Items in the table
        #[arg(long)]
        items: u64,
    },
    /// Fetch the pages of a replay server and throw them away
    Floor {
        /// The server
        url: String,
        /// Items in its table
        items: u64,
    },
}

fn main() -> ExitCode {
    match work(Bench::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

type Fault = Box<dyn std::error::Error + Send + Sync>;

fn work(task: Task) -> Result<(), Fault> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    match task {
        Task::Replay { port, items } => {
            let listening = |url: &str| {
                let _ = writeln!(io::stdout(), "{url}");
            };
            Ok(runtime.block_on(replay::serve(port, items, listening))?)
        }
        Task::Floor { url, items } => {
            let bytes = runtime.block_on(floor::fetch(&url, items))?;
            Ok(writeln!(io::stdout(), "{bytes}")?)
        }
    }
}
