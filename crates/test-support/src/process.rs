//! Runs commands as processes, with their own environment.

use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

use crate::Sandbox;

/// The two ways to run a utility.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// Its own binary.
    Own,
    /// A subcommand of `ddb`.
    Front,
}

impl Door {
    /// Both doors.
    pub const BOTH: [Self; 2] = [Self::Own, Self::Front];
}

/// Runs utilities on a sandbox. They inherit nothing from the environment of the tests, and their home is
/// empty.
#[derive(Debug)]
pub struct Tool {
    binaries: PathBuf,
    door: Door,
    variables: Vec<(String, String)>,
    home: TempDir,
}

/// The result of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// Its exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// What it wrote to stdout.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
}

impl Ran {
    /// Returns stdout, after checking that the process succeeded.
    ///
    /// # Panics
    ///
    /// If the exit code is not 0.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.stdout
    }

    /// Checks an error: its exit code, one line that starts with `error: ` and contains `part`, and at most one
    /// more line, which starts with `hint: `.
    ///
    /// # Panics
    ///
    /// If it is not so.
    #[track_caller]
    pub fn fails(&self, code: i32, part: &str) {
        assert_eq!(self.code, Some(code), "{self:?}");
        let lines: Vec<&str> = self.stderr.lines().collect();
        let errors: Vec<usize> = (0..lines.len())
            .filter(|at| lines[*at].starts_with("error: "))
            .collect();
        assert_eq!(errors.len(), 1, "one error line: {}", self.stderr);
        let after = &lines[errors[0]..];
        assert!(after[0].contains(part), "{part:?} in {:?}", after[0]);
        assert!(after.len() <= 2, "one hint line: {}", self.stderr);
        assert!(
            after[1..].iter().all(|line| line.starts_with("hint: ")),
            "{}",
            self.stderr
        );
    }

    /// Checks an error as [`Ran::fails`] does, and that stdout is empty and there is a hint.
    ///
    /// # Panics
    ///
    /// If it is not so.
    #[track_caller]
    pub fn fails_with_hint(&self, code: i32, part: &str) {
        self.fails(code, part);
        assert_eq!(self.stdout, "");
        assert!(self.stderr.contains("\nhint: "), "{}", self.stderr);
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("stdout is UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("stderr is UTF-8"),
        }
    }
}

impl Tool {
    /// Takes the folder of the binaries from the path of any of them.
    ///
    /// # Panics
    ///
    /// If the home folder cannot be created.
    pub fn new(any_binary: &str, door: Door) -> Self {
        let mut binaries = PathBuf::from(any_binary);
        binaries.pop();
        Self {
            binaries,
            door,
            variables: Vec::new(),
            home: tempfile::tempdir().expect("a temporary folder"),
        }
    }

    /// Points the utilities at a sandbox.
    #[must_use]
    pub fn on(self, sandbox: &Sandbox) -> Self {
        self.with("AWS_ENDPOINT_URL_DYNAMODB", &sandbox.url())
            .with("DDB_MESSAGE_TABLE", sandbox.table().as_str())
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Returns the folder that the utilities run in, which is also their home.
    pub fn home(&self) -> &std::path::Path {
        self.home.path()
    }

    /// Writes a file into the folder that the utilities run in.
    ///
    /// # Panics
    ///
    /// If it cannot be written.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.home.path().join(name), content).expect("the file is written");
    }

    /// Returns the command, ready to run: the first argument names the utility.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = match (self.door, arguments.split_first()) {
            (Door::Own, Some((utility, rest))) => {
                let mut command = Command::new(self.binaries.join(utility));
                command.args(rest);
                command
            }
            _ => {
                let mut command = Command::new(self.binaries.join("ddb"));
                command.args(arguments);
                command
            }
        };
        command
            .env_clear()
            .env("HOME", self.home.path())
            // The same time zone on every machine.
            .env("TZ", "UTC")
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(self.home.path())
            .stdin(Stdio::null());
        command
    }

    /// Runs a utility to its end.
    ///
    /// # Panics
    ///
    /// If there is no such binary.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.command(arguments)
            .output()
            .expect("the binary runs")
            .into()
    }

    /// Starts a utility with its output in pipes.
    ///
    /// # Panics
    ///
    /// If there is no such binary.
    pub fn spawn(&self, arguments: &[&str]) -> Child {
        self.command(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs")
    }
}
