//! Measures the tools and others for comparison. `bin-scripts/bench` calls it.

mod floor;
mod measure;
mod report;
mod served;
mod suite;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use ddb_bench::replay;
use report::Report;
use suite::{Part, Suite};

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
    /// Measure everything, several times in turn, and print one table
    Run {
        /// The project's folder
        project: PathBuf,
        /// Runs of each, after one that warms up
        #[arg(long, default_value_t = 5)]
        rounds: usize,
        /// Leave out what takes minutes
        #[arg(long)]
        quick: bool,
        /// Measure only this; once for each part
        #[arg(long, value_enum, value_name = "PART")]
        only: Vec<Part>,
        /// Show what changed since an earlier result, kept with `-o json`
        #[arg(long, value_name = "FILE")]
        compare: Option<PathBuf>,
        /// Form of the result
        #[arg(short, long, value_enum, default_value_t = Form::Table)]
        output: Form,
    },
    /// Fetch the pages of a replay server and throw them away
    Floor {
        /// The server
        url: String,
        /// Items in its table
        items: u64,
    },
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Form {
    Table,
    Json,
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
        Task::Run {
            project,
            rounds,
            quick,
            only,
            compare,
            output,
        } => {
            // This is read first, because a run takes minutes.
            let earlier = compare.as_deref().map(Report::read).transpose()?;
            let own = std::env::current_exe()?;
            let binaries = own.parent().ok_or("no folder")?;
            let parts = match only.as_slice() {
                [] => Part::value_variants(),
                only => only,
            };
            let mut report = Report::default();
            let suite = Suite::new(binaries, &project.canonicalize()?, rounds)?;
            // If a run fails, what was measured before it is still printed: it took minutes, too.
            let ran = suite.run(parts, quick, &mut report);
            let text = match output {
                Form::Table => report.table(),
                Form::Json => serde_json::to_string_pretty(&report)?,
            };
            writeln!(io::stdout(), "{text}")?;
            if let Some(earlier) = earlier {
                writeln!(io::stderr(), "\n{}", report.beside(&earlier))?;
            }
            Ok(ran?)
        }
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
