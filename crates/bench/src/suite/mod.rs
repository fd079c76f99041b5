//! Measures each case with its contenders, in turn, several times.

mod cases;
mod processes;

use std::ffi::OsStr;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::measure;
use crate::report::{Measured, Report};
pub use processes::Home;
use processes::{Process, Server};

const TABLE: &str = "cruddur-messages";

/// A part of what is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    /// Starting, asking once and ending.
    StartUp,
    /// A conversation that is seeded.
    Seed,
    /// The application's pages.
    Serve,
    /// What waits for news.
    Idle,
    /// A scan of the embedded engine, beside other tools.
    Peers,
    /// Reading a whole table of pages that are replayed.
    Scan,
    /// `seed --generate`, to a server that takes everything.
    Load,
    /// `import`, to the same server.
    Import,
    /// How `ddb local` grows. It takes half an hour.
    Engine,
}

/// A function that returns the command of one run.
type Make<'a> = Box<dyn Fn() -> Command + 'a>;

struct Contender<'a> {
    who: &'static str,
    make: Make<'a>,
}

struct Case<'a> {
    what: String,
    /// How many items one run handles.
    items: Option<u64>,
    /// Whether system calls are counted, too.
    traced: bool,
    /// The others are compared with the first one.
    contenders: Vec<Contender<'a>>,
}

/// Which peers are installed.
#[derive(Debug, Default)]
struct Peers {
    boto3: bool,
    flask: bool,
    aws: bool,
    curl: bool,
    dynein: bool,
    strace: bool,
}

/// The programs, and where they run.
pub struct Suite {
    binaries: PathBuf,
    scripts: PathBuf,
    conversation: PathBuf,
    home: Home,
    rounds: usize,
    peers: Peers,
}

impl Suite {
    /// Looks for the peers.
    pub fn new(binaries: &Path, project: &Path, rounds: usize) -> io::Result<Self> {
        let mut suite = Self {
            binaries: binaries.to_owned(),
            scripts: project.join("crates/bench/peers"),
            conversation: project.join("seed-data/conversations/late-train.txt"),
            home: Home::new()?,
            rounds: rounds.max(1),
            peers: Peers::default(),
        };
        let works = |program: &str, options: &[&str], what: &str| {
            let there = measure::run(suite.command(program, "").args(options)).is_ok();
            if !there {
                say(&format!("{what} is not here: measured without it"));
            }
            there
        };
        suite.peers = Peers {
            boto3: works("python3", &["-c", "import boto3"], "python3 with boto3"),
            flask: works(
                "python3",
                &["-c", "import boto3, flask"],
                "python3 with Flask",
            ),
            aws: works("aws", &["--version"], "the AWS CLI"),
            curl: works("curl", &["--version"], "curl"),
            dynein: works("dy", &["--version"], "dynein"),
            strace: works("strace", &["--version"], "strace"),
        };
        Ok(suite)
    }

    /// Returns a command with its own environment: dummy credentials, an empty home.
    fn command(&self, program: impl AsRef<OsStr>, url: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .envs([
                ("AWS_ACCESS_KEY_ID", "local"),
                ("AWS_SECRET_ACCESS_KEY", "local"),
                ("AWS_REGION", "us-east-1"),
                // The variable that boto3 reads.
                ("AWS_DEFAULT_REGION", "us-east-1"),
                ("AWS_ENDPOINT_URL_DYNAMODB", url),
                ("AWS_PAGER", ""),
            ])
            .env("HOME", &self.home.0)
            .current_dir(&self.home.0);
        command
    }

    /// Returns a program that was built together with this one.
    fn program(&self, name: &str, url: &str) -> Command {
        self.command(self.binaries.join(name), url)
    }

    /// Returns a command of `ddb`.
    fn ddb(&self, command: &str, url: &str) -> Command {
        let mut ddb = self.program("ddb", url);
        ddb.arg(command);
        ddb
    }

    /// Returns a command of `ddb` with its options, under a name in the result.
    fn named<'a>(
        &'a self,
        who: &'static str,
        url: &'a str,
        command: &'static str,
        options: &[&'a str],
    ) -> Contender<'a> {
        self.built(who, url, "ddb", &[&[command], options].concat())
    }

    fn ours<'a>(
        &'a self,
        url: &'a str,
        command: &'static str,
        options: &[&'a str],
    ) -> Contender<'a> {
        self.named("ours", url, command, options)
    }

    /// Returns another program of this project with its arguments, under a name in the result.
    fn built<'a>(
        &'a self,
        who: &'static str,
        url: &'a str,
        program: &'static str,
        arguments: &[&'a str],
    ) -> Contender<'a> {
        let arguments = arguments.to_vec();
        Contender {
            who,
            make: Box::new(move || {
                let mut command = self.program(program, url);
                command.args(&arguments);
                command
            }),
        }
    }

    fn boto3<'a>(
        &'a self,
        url: &'a str,
        script: &'a str,
        more: &'a [&'a str],
    ) -> Option<Contender<'a>> {
        self.peers.boto3.then(|| Contender {
            who: "boto3",
            make: Box::new(move || {
                let mut command = self.command("python3", url);
                command.arg(self.scripts.join(script)).arg(url).args(more);
                command
            }),
        })
    }

    fn aws<'a>(&'a self, url: &'a str, arguments: &'a [&'a str]) -> Option<Contender<'a>> {
        self.peers.aws.then(|| Contender {
            who: "AWS CLI",
            make: Box::new(move || {
                let mut command = self.command("aws", url);
                command.arg("dynamodb").args(arguments);
                command
            }),
        })
    }

    /// Sends one request with a canned signature, and ignores the answer.
    fn curl<'a>(&'a self, url: &'a str, operation: &'a str) -> Option<Contender<'a>> {
        self.peers.curl.then(|| Contender {
            who: "curl",
            make: Box::new(move || {
                let mut command = self.command("curl", url);
                command.args(["--silent", "--fail", "--data", "{}", url]);
                for header in [
                    "Content-Type: application/x-amz-json-1.0",
                    &format!("X-Amz-Target: DynamoDB_20120810.{operation}"),
                    "X-Amz-Date: 20260101T000000Z",
                    "Authorization: AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/dynamodb/aws4_request, \
                     SignedHeaders=host, Signature=0",
                ] {
                    command.args(["--header", header]);
                }
                command
            }),
        })
    }

    /// Runs dynein, which takes a port of this machine instead of a URL.
    fn dynein<'a>(&'a self, url: &'a str, arguments: &'a [&'a str]) -> Option<Contender<'a>> {
        let port = url.rsplit(':').next()?;
        self.peers.dynein.then(|| Contender {
            who: "dynein",
            make: Box::new(move || {
                let mut command = self.command("dy", url);
                command.args(["--region", "local", "--port", port]);
                command.args(arguments);
                command
            }),
        })
    }

    fn measure(&self, report: &mut Report, case: Case<'_>, rounds: usize) -> io::Result<()> {
        say(&case.what);
        let mut measured = Vec::new();
        for contender in &case.contenders {
            let calls = if case.traced && self.peers.strace {
                Some(measure::system_calls(&(contender.make)(), &self.home.0)?)
            } else {
                None
            };
            measured.push(Measured {
                who: contender.who.into(),
                costs: Vec::new(),
                calls,
            });
        }
        for round in 0..=rounds {
            for (contender, measured) in case.contenders.iter().zip(&mut measured) {
                let cost = measure::run(&mut (contender.make)())?;
                // The first round warms up.
                if round > 0 {
                    measured.costs.push(cost);
                }
            }
        }
        report.add(&case.what, case.items, &measured);
        Ok(())
    }

    /// Runs a command of ours once, as a separate case.
    fn once(
        &self,
        report: &mut Report,
        what: &str,
        items: u64,
        command: &mut Command,
    ) -> io::Result<()> {
        say(what);
        let measured = Measured {
            who: "ours".into(),
            costs: vec![measure::run(command)?],
            calls: None,
        };
        report.add(what, Some(items), &[measured]);
        Ok(())
    }
}

fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}
