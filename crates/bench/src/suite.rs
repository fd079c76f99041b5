//! What is measured: each case with its contenders, in turn, several times.

use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use crate::measure::{self, Cost};
use crate::report::Report;
use crate::served;

const TABLE: &str = "cruddur-messages";
/// The conversation that `seed` loads.
const SEEDED: &str = "5ae290ed-55d1-47a0-bc6d-fe2bc2700399";

/// A server that ends with this value.
struct Server {
    child: Child,
    url: String,
    _stdin: Option<ChildStdin>,
}

impl Server {
    /// Starts a command whose output holds its URL.
    fn start(command: &mut Command) -> io::Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().map(BufReader::new);
        let lines = stdout.into_iter().flat_map(BufRead::lines);
        let url = lines.map_while(Result::ok).find_map(|line| {
            let words = line.split(|c: char| c == '"' || c.is_whitespace());
            words
                .filter(|word| word.starts_with("http://"))
                .map(str::to_owned)
                .next()
        });
        let url = url.ok_or_else(|| io::Error::other("a server that does not say where it is"))?;
        Ok(Self {
            child,
            url,
            _stdin: stdin,
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Makes the command of one run.
type Make<'a> = Box<dyn Fn() -> Command + 'a>;

struct Contender<'a> {
    who: &'static str,
    make: Make<'a>,
}

struct Case<'a> {
    what: String,
    /// How many items one run handles.
    items: Option<u64>,
    /// The first one is what the others are compared with.
    contenders: Vec<Contender<'a>>,
}

/// An empty folder, gone at the end. (The crate for that wants more of `rustix` than the tools do, and they would
/// be built anew for the bench.)
struct Home(PathBuf);

impl Home {
    fn new() -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("ddb-bench-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // What cannot be removed stays where the system clears up.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The programs, and where they run.
pub struct Suite {
    binaries: PathBuf,
    peers: PathBuf,
    conversation: PathBuf,
    home: Home,
    rounds: usize,
    has_boto3: bool,
    has_flask: bool,
    has_aws: bool,
}

impl Suite {
    /// Looks for the peers.
    pub fn new(binaries: &Path, project: &Path, rounds: usize) -> io::Result<Self> {
        let mut suite = Self {
            binaries: binaries.to_owned(),
            peers: project.join("crates/bench/peers"),
            conversation: project.join("seed-data/conversations/late-train.txt"),
            home: Home::new()?,
            rounds: rounds.max(1),
            has_boto3: false,
            has_flask: false,
            has_aws: false,
        };
        let works = |mut command: Command| measure::run(&mut command).is_ok();
        let imports = |modules: &str| {
            let mut python = suite.command("python3", "");
            python.args(["-c", &format!("import {modules}")]);
            works(python)
        };
        let (has_boto3, has_flask) = (imports("boto3"), imports("boto3, flask"));
        suite.has_boto3 = has_boto3;
        suite.has_flask = has_flask;
        let mut aws = suite.command("aws", "");
        aws.arg("--version");
        suite.has_aws = works(aws);
        for (there, what) in [
            (suite.has_boto3, "python3 with boto3"),
            (suite.has_flask, "python3 with Flask"),
            (suite.has_aws, "the AWS CLI"),
        ] {
            if !there {
                say(&format!("{what} is not here: measured without it"));
            }
        }
        Ok(suite)
    }

    /// A command in an environment of its own: dummy credentials, an empty home.
    fn command(&self, program: impl AsRef<std::ffi::OsStr>, url: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .envs([
                ("AWS_ACCESS_KEY_ID", "local"),
                ("AWS_SECRET_ACCESS_KEY", "local"),
                ("AWS_REGION", "us-east-1"),
                // What boto3 reads.
                ("AWS_DEFAULT_REGION", "us-east-1"),
                ("AWS_ENDPOINT_URL_DYNAMODB", url),
                ("AWS_PAGER", ""),
            ])
            .env("HOME", &self.home.0)
            .current_dir(&self.home.0);
        command
    }

    fn own<'a>(&'a self, url: &'a str, utility: &'static str, options: &'a [&'a str]) -> Make<'a> {
        Box::new(move || {
            let mut command = self.command(self.binaries.join(utility), url);
            command.args(options);
            command
        })
    }

    fn ours<'a>(
        &'a self,
        url: &'a str,
        utility: &'static str,
        options: &'a [&'a str],
    ) -> Contender<'a> {
        Contender {
            who: "ours",
            make: self.own(url, utility, options),
        }
    }

    fn boto3<'a>(
        &'a self,
        url: &'a str,
        script: &'a str,
        more: &'a [&'a str],
    ) -> Option<Contender<'a>> {
        self.has_boto3.then(|| Contender {
            who: "boto3",
            make: Box::new(move || {
                let mut command = self.command("python3", url);
                command.arg(self.peers.join(script)).arg(url).args(more);
                command
            }),
        })
    }

    fn aws<'a>(&'a self, url: &'a str, arguments: &'a [&'a str]) -> Option<Contender<'a>> {
        self.has_aws.then(|| Contender {
            who: "AWS CLI",
            make: Box::new(move || {
                let mut command = self.command("aws", url);
                command.arg("dynamodb").args(arguments);
                command
            }),
        })
    }

    fn floor<'a>(&'a self, url: &'a str, items: &'a str) -> Contender<'a> {
        Contender {
            who: "floor",
            make: Box::new(move || {
                let mut command = self.command(self.binaries.join("ddb-bench"), url);
                command.args(["floor", url, items]);
                command
            }),
        }
    }

    fn replay(&self, items: &str) -> io::Result<Server> {
        let mut command = self.command(self.binaries.join("ddb-bench"), "");
        Server::start(command.args(["replay", "--items", items]))
    }

    fn engine(&self) -> io::Result<Server> {
        let mut command = self.command(self.binaries.join("ddb"), "");
        Server::start(command.args(["local", "--port", "0", "-ojsonl"]))
    }

    fn prepare(&self, url: &str, utility: &str, options: &[&str]) -> io::Result<Cost> {
        let mut command = self.command(self.binaries.join(utility), url);
        measure::run(command.args(options))
    }

    /// Runs everything, and returns the lines of the result.
    ///
    /// # Errors
    ///
    /// Where a run fails.
    pub fn run(&self, quick: bool) -> io::Result<Report> {
        let mut report = Report::default();
        self.start_up(&mut report)?;
        self.conversation(&mut report)?;
        self.served(&mut report)?;
        self.on_the_engine(&mut report)?;
        for items in ["2000", "10000", "100000", "1000000"] {
            if !(quick && items == "1000000") {
                self.on_replay(&mut report, items)?;
            }
        }
        Ok(report)
    }

    fn start_up(&self, report: &mut Report) -> io::Result<()> {
        let engine = self.engine()?;
        let url = engine.url.as_str();
        let listing = Contender {
            who: "ours, as ddb",
            make: self.own(url, "ddb", &["list-tables"]),
        };
        let mut contenders = vec![self.ours(url, "list-tables", &[]), listing];
        contenders.extend(self.boto3(url, "list_tables.py", &[]));
        contenders.extend(self.aws(url, &["list-tables"]));
        let case = Case {
            what: "list-tables".to_owned(),
            items: None,
            contenders,
        };
        // The shortest one: a few more rounds cost nothing.
        self.measure(report, case, self.rounds * 4)
    }

    fn conversation(&self, report: &mut Report) -> io::Result<()> {
        let engine = self.engine()?;
        let url = engine.url.as_str();
        self.prepare(url, "schema-load", &[])?;
        let seed = Contender {
            who: "ours",
            make: Box::new(move || {
                let mut command = self.command(self.binaries.join("seed"), url);
                // A conversation of its own each time: there is something to write.
                command.args(["--group-uuid", &uuid::Uuid::new_v4().to_string()]);
                command
            }),
        };
        let path = self.conversation.to_string_lossy();
        let more = [TABLE, path.as_ref()];
        let mut contenders = vec![seed];
        contenders.extend(self.boto3(url, "seed.py", &more));
        let case = Case {
            what: "seed, 103 messages".to_owned(),
            items: Some(103),
            contenders,
        };
        self.measure(report, case, self.rounds)
    }

    /// The newest messages of a conversation, as the application's pages ask for them.
    fn served(&self, report: &mut Report) -> io::Result<()> {
        const REQUESTS: u64 = 600;
        const WHAT: &str = "GET /api/messages/ID, 200 a second";
        let engine = self.engine()?;
        let url = engine.url.as_str();
        self.prepare(url, "schema-load", &[])?;
        self.prepare(url, "seed", &[])?;
        let mut own = self.command(self.binaries.join("ddb"), url);
        own.args(["serve", "--me", "andrewbrown", "--port", "0", "-ojsonl"]);
        let mut servers = vec![("ours", Server::start(&mut own)?)];
        if self.has_flask {
            let mut flask = self.command("python3", url);
            flask.arg(self.peers.join("serve.py")).args([url, TABLE]);
            servers.push(("Flask, boto3", Server::start(&mut flask)?));
        }
        say(WHAT);
        let mut costs = vec![Vec::new(); servers.len()];
        for _ in 0..self.rounds.min(3) {
            for ((_, server), costs) in servers.iter().zip(&mut costs) {
                let page = format!("{}/api/messages/{SEEDED}", server.url);
                costs.push(served::ask(server.child.id(), &page, REQUESTS)?);
            }
        }
        for ((who, _), own) in servers.iter().zip(&costs) {
            report.add(WHAT, who, Some(REQUESTS), own, &costs[0]);
        }
        Ok(())
    }

    fn on_the_engine(&self, report: &mut Report) -> io::Result<()> {
        const LOAD: [&str; 5] = ["--generate", "60000", "--ends-at", "2026-01-01", "-q"];
        let engine = self.engine()?;
        let url = engine.url.as_str();
        self.prepare(url, "schema-load", &[])?;
        say("loading 60,000 messages into the embedded engine");
        let cost = self.prepare(url, "seed", &LOAD)?;
        report.add(
            "seed --generate 60000, embedded engine",
            "ours",
            Some(60_000),
            &[cost],
            &[cost],
        );
        let mut contenders = vec![self.ours(url, "scan", &["-ojsonl"])];
        contenders.extend(self.boto3(url, "scan.py", &[TABLE]));
        contenders.extend(self.aws(url, &["scan", "--table-name", TABLE, "--output", "json"]));
        let case = Case {
            what: "scan 60000, embedded engine".to_owned(),
            items: Some(60_000),
            contenders,
        };
        self.measure(report, case, self.rounds)
    }

    fn on_replay(&self, report: &mut Report, items: &str) -> io::Result<()> {
        let server = self.replay(items)?;
        let url = server.url.as_str();
        let count = items.parse().ok();
        let segments = |who, options: &'static [&'static str]| Contender {
            who,
            make: self.own(url, "scan", options),
        };
        let case = Case {
            what: format!("scan {items}, replay"),
            items: count,
            contenders: vec![
                self.ours(url, "scan", &["-ojsonl"]),
                segments("ours, 2 segments", &["-ojsonl", "--segments", "2"]),
                segments("ours, 4 segments", &["-ojsonl", "--segments", "4"]),
                segments("ours, ddb-json", &["-oddb-json"]),
                segments("ours, --count", &["--count"]),
                Contender {
                    who: "ours, stats",
                    make: self.own(url, "stats", &[]),
                },
                self.floor(url, items),
            ],
        };
        self.measure(report, case, self.rounds)?;
        let load = ["--generate", items, "--ends-at", "2026-01-01"];
        let case = Case {
            what: format!("seed --generate {items}, replay"),
            items: count,
            contenders: vec![self.ours(url, "seed", &load)],
        };
        self.measure(report, case, self.rounds.min(3))?;
        let file = self.home.0.join("items.jsonl");
        ddb_bench::replay::write_lines(&file, items.parse().unwrap_or_default())?;
        let file = file.to_string_lossy();
        let (put, look) = ([&*file], [&*file, "--dry-run"]);
        let looking = Contender {
            who: "ours, --dry-run",
            make: self.own(url, "import", &look),
        };
        let case = Case {
            what: format!("import {items}, replay"),
            items: count,
            contenders: vec![self.ours(url, "import", &put), looking],
        };
        self.measure(report, case, self.rounds.min(3))
    }

    fn measure(&self, report: &mut Report, case: Case<'_>, rounds: usize) -> io::Result<()> {
        say(&case.what);
        let mut costs: Vec<Vec<Cost>> = vec![Vec::new(); case.contenders.len()];
        for round in 0..=rounds {
            for (contender, costs) in case.contenders.iter().zip(&mut costs) {
                let cost = measure::run(&mut (contender.make)())?;
                // The first round warms up.
                if round > 0 {
                    costs.push(cost);
                }
            }
        }
        for (contender, own) in case.contenders.iter().zip(&costs) {
            report.add(&case.what, contender.who, case.items, own, &costs[0]);
        }
        Ok(())
    }
}

fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}
