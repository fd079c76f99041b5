//! The cases, one by one.

use std::io;
use std::time::Duration;

use super::{Case, Contender, Part, Process, Server, Suite, TABLE, say};
use crate::measure;
use crate::report::{Measured, Report};
use crate::served;

/// The conversation that `seed` loads.
const SEEDED: &str = "5ae290ed-55d1-47a0-bc6d-fe2bc2700399";

impl Suite {
    /// Measures the parts, and adds the results to a report. `quick` leaves out what takes minutes.
    ///
    /// # Errors
    ///
    /// If a run fails. The report then has what was measured before it.
    pub fn run(&self, parts: &[Part], quick: bool, report: &mut Report) -> io::Result<()> {
        const SIZES: [&str; 4] = ["2000", "10000", "100000", "1000000"];
        const LARGER: [&str; 4] = ["10000", "100000", "300000", "1000000"];
        let sizes = &SIZES[..if quick { 3 } else { 4 }];
        for part in parts {
            match part {
                Part::StartUp => self.start_up(report)?,
                Part::Seed => self.conversation(report)?,
                Part::Serve => self.served(report)?,
                Part::Idle => self.idle(report)?,
                Part::Peers => self.beside_peers(report)?,
                Part::Scan => sizes
                    .iter()
                    .try_for_each(|items| self.scan(report, items))?,
                Part::Load => sizes
                    .iter()
                    .try_for_each(|items| self.load(report, items))?,
                Part::Import => sizes
                    .iter()
                    .try_for_each(|items| self.import(report, items))?,
                Part::Engine if quick => {}
                Part::Engine => LARGER
                    .iter()
                    .try_for_each(|items| self.on_the_engine(report, items))?,
            }
        }
        Ok(())
    }

    fn replay(&self, items: &str) -> io::Result<Server> {
        Server::start(
            self.program("ddb-bench", "")
                .args(["replay", "--items", items]),
        )
    }

    fn engine(&self) -> io::Result<Server> {
        Server::start(self.ddb("local", "").args(["--port", "0", "-ojsonl"]))
    }

    /// Starts an engine with the store's table in it.
    fn store(&self) -> io::Result<Server> {
        let engine = self.engine()?;
        measure::run(&mut self.ddb("schema-load", &engine.url))?;
        Ok(engine)
    }

    /// Starts an engine with the built-in conversation in it.
    fn seeded(&self) -> io::Result<Server> {
        let engine = self.store()?;
        measure::run(&mut self.ddb("seed", &engine.url))?;
        Ok(engine)
    }

    fn start_up(&self, report: &mut Report) -> io::Result<()> {
        let engine = self.engine()?;
        let url = engine.url.as_str();
        let mut contenders = vec![self.ours(url, "list-tables", &[])];
        contenders.extend(self.curl(url, "ListTables"));
        contenders.extend(self.dynein(url, &["list"]));
        contenders.extend(self.boto3(url, "list_tables.py", &[]));
        contenders.extend(self.aws(url, &["list-tables"]));
        let case = Case {
            what: "list-tables".to_owned(),
            items: None,
            traced: false,
            contenders,
        };
        // This is the shortest case: a few more rounds cost nothing.
        self.measure(report, case, self.rounds * 4)
    }

    fn conversation(&self, report: &mut Report) -> io::Result<()> {
        let engine = self.store()?;
        let url = engine.url.as_str();
        let seed = Contender {
            who: "ours",
            make: Box::new(move || {
                let mut command = self.ddb("seed", url);
                // A new conversation each time, so that there is something to write.
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
            traced: false,
            contenders,
        };
        self.measure(report, case, self.rounds)
    }

    /// Measures requests for the newest messages of a conversation, as the application's pages send them.
    fn served(&self, report: &mut Report) -> io::Result<()> {
        const REQUESTS: u64 = 600;
        const WHAT: &str = "GET /api/messages/ID, 200 a second";
        let engine = self.seeded()?;
        let url = engine.url.as_str();
        let mut own = self.ddb("serve", url);
        own.args(["--me", "andrewbrown", "--port", "0", "-ojsonl"]);
        let mut servers = vec![("ours", Server::start(&mut own)?)];
        if self.peers.flask {
            let mut flask = self.command("python3", url);
            flask.arg(self.scripts.join("serve.py")).args([url, TABLE]);
            servers.push(("Flask, boto3", Server::start(&mut flask)?));
        }
        say(WHAT);
        let mut measured: Vec<Measured> = servers.iter().map(|(who, _)| named(who)).collect();
        for _ in 0..self.rounds.min(3) {
            for ((_, server), measured) in servers.iter().zip(&mut measured) {
                let page = format!("{}/api/messages/{SEEDED}", server.url);
                measured
                    .costs
                    .push(served::ask(server.id(), &page, REQUESTS)?);
            }
        }
        report.add(WHAT, Some(REQUESTS), &measured);
        Ok(())
    }

    /// Measures what waits for news and gets none.
    fn idle(&self, report: &mut Report) -> io::Result<()> {
        const SPAN: Duration = Duration::from_secs(10);
        const WHAT: &str = "10 seconds without news";
        say(WHAT);
        let engine = self.seeded()?;
        let url = engine.url.as_str();
        let mut follow = self.ddb("get-conversation", url);
        let follow = Process::start(follow.args([SEEDED, "--follow", "-ojsonl"]))?;
        let web = Server::start(self.ddb("web", url).arg("-ojsonl"))?;
        let costs = served::watch(&web.url, SEEDED, &[follow.id(), web.id()], SPAN)?;
        let mut measured = vec![named("--follow"), named("a page of ddb web")];
        for (measured, cost) in measured.iter_mut().zip(costs) {
            measured.costs.push(cost);
        }
        report.add(WHAT, None, &measured);
        Ok(())
    }

    fn beside_peers(&self, report: &mut Report) -> io::Result<()> {
        let engine = self.store()?;
        let url = engine.url.as_str();
        let mut seed = self.ddb("seed", url);
        seed.args(["--generate", "60000", "--ends-at", "2026-01-01", "-q"]);
        let what = "seed --generate 60000, embedded engine";
        self.once(report, what, 60_000, &mut seed)?;
        let of_sdk = [url, TABLE];
        let mut contenders = vec![
            self.ours(url, "scan", &["-ojsonl"]),
            self.built("plain SDK", url, "ddb-bench-sdk", &of_sdk),
        ];
        contenders.extend(self.boto3(url, "scan.py", &[TABLE]));
        contenders.extend(self.aws(url, &["scan", "--table-name", TABLE, "--output", "json"]));
        let case = Case {
            what: "scan 60000, embedded engine".to_owned(),
            items: Some(60_000),
            traced: false,
            contenders,
        };
        self.measure(report, case, self.rounds)
    }

    fn scan(&self, report: &mut Report, items: &str) -> io::Result<()> {
        let server = self.replay(items)?;
        let url = server.url.as_str();
        let (of_sdk, of_floor) = ([url, TABLE], ["floor", url, items]);
        let contenders = vec![
            self.ours(url, "scan", &["-ojsonl"]),
            self.named(
                "ours, 2 segments",
                url,
                "scan",
                &["-ojsonl", "--segments", "2"],
            ),
            self.named(
                "ours, 4 segments",
                url,
                "scan",
                &["-ojsonl", "--segments", "4"],
            ),
            self.named("ours, ddb-json", url, "scan", &["-oddb-json"]),
            self.named("ours, --count", url, "scan", &["--count"]),
            self.named("stats", url, "stats", &[]),
            self.named("check-conversations", url, "check-conversations", &[]),
            self.built("plain SDK", url, "ddb-bench-sdk", &of_sdk),
            self.built("floor", url, "ddb-bench", &of_floor),
        ];
        let case = Case {
            what: format!("scan {items}, replay"),
            items: items.parse().ok(),
            traced: true,
            contenders,
        };
        self.measure(report, case, self.rounds)
    }

    fn load(&self, report: &mut Report, items: &str) -> io::Result<()> {
        let server = self.replay(items)?;
        let url = server.url.as_str();
        let load = ["--generate", items, "--ends-at", "2026-01-01"];
        let case = Case {
            what: format!("seed --generate {items}, replay"),
            items: items.parse().ok(),
            traced: true,
            contenders: vec![self.ours(url, "seed", &load)],
        };
        self.measure(report, case, self.rounds.min(3))
    }

    fn import(&self, report: &mut Report, items: &str) -> io::Result<()> {
        let server = self.replay(items)?;
        let url = server.url.as_str();
        let file = self.items(items)?;
        let (put, look) = ([&*file], [&*file, "--dry-run"]);
        let case = Case {
            what: format!("import {items}, replay"),
            items: items.parse().ok(),
            traced: true,
            contenders: vec![
                self.ours(url, "import", &put),
                self.named("ours, --dry-run", url, "import", &look),
            ],
        };
        self.measure(report, case, self.rounds.min(3))
    }

    /// Writes a file for `import`, and returns its path.
    fn items(&self, items: &str) -> io::Result<String> {
        let file = self.home.0.join("items.jsonl");
        let count = items.parse().map_err(io::Error::other)?;
        ddb_bench::replay::write_lines(&file, count)?;
        Ok(file.to_string_lossy().into_owned())
    }

    /// Measures how the embedded engine scales: each way to read, on one conversation of `items` messages.
    fn on_the_engine(&self, report: &mut Report, items: &str) -> io::Result<()> {
        let engine = self.store()?;
        let url = engine.url.as_str();
        let file = self.items(items)?;
        let count = items.parse().map_err(io::Error::other)?;
        let what = format!("ddb local, {items} items: import");
        self.once(report, &what, count, self.ddb("import", url).arg(&file))?;
        let check = [&*file, "--check"];
        let read = [ddb_bench::replay::CONVERSATION, "-ojsonl"];
        let case = Case {
            what: format!("ddb local, {items} items"),
            items: Some(count),
            traced: false,
            contenders: vec![
                self.named("scan", url, "scan", &["-ojsonl"]),
                self.named(
                    "scan, 4 segments",
                    url,
                    "scan",
                    &["-ojsonl", "--segments", "4"],
                ),
                self.named("get-conversation", url, "get-conversation", &read),
                self.named("import --check", url, "import", &check),
            ],
        };
        self.measure(report, case, self.rounds.min(3))?;
        let what = format!("ddb local, {items} items: pull");
        let mut pull = self.ddb("pull", url);
        pull.args([ddb_bench::replay::CONVERSATION, "--into-table", "copy"]);
        self.once(report, &what, count, &mut pull)
    }
}

fn named(who: &'static str) -> Measured {
    Measured {
        who: who.into(),
        ..Measured::default()
    }
}
