//! Runs commands at a pseudo-terminal: what a person sees, and what a person types.

use std::io::{Read, Write};
use std::process::Child;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use pty_process::Size;
use pty_process::blocking::{Command, Pty, open};

use crate::Tool;

/// How long a test waits for something that has to come.
const PATIENCE: Duration = Duration::from_secs(20);

/// A command at a terminal.
pub struct Terminal {
    child: Child,
    pty: std::sync::Arc<Pty>,
    output: Receiver<Vec<u8>>,
    /// The output so far; the last character may not be complete yet.
    bytes: Vec<u8>,
}

impl Tool {
    /// Runs a utility at its own terminal, with a number of columns.
    ///
    /// # Panics
    ///
    /// If no terminal is available, or there is no such binary.
    pub fn at_terminal(&self, arguments: &[&str], columns: u16) -> Terminal {
        self.start(&self.command(arguments), columns)
    }

    /// Starts a shell at its own terminal, with the utilities on its PATH. Returns `None` if this machine does not
    /// have the shell. The first word names it.
    ///
    /// # Panics
    ///
    /// If no terminal is available.
    pub fn shell_at_terminal(&self, words: &[&str]) -> Option<Terminal> {
        let (shell, arguments) = words.split_first()?;
        let path = std::env::var("PATH").expect("there is a PATH");
        let folder = std::env::split_paths(&path).find(|folder| folder.join(shell).is_file())?;
        let utility = self.command(&[]);
        let binaries = std::path::Path::new(utility.get_program()).parent()?;
        let mut plain = std::process::Command::new(folder.join(shell));
        plain.args(arguments);
        plain.envs(
            utility
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        plain.env("PATH", format!("{}:{path}", binaries.display()));
        Some(self.start(&plain, 120))
    }

    fn start(&self, plain: &std::process::Command, columns: u16) -> Terminal {
        let (pty, pts) = open().expect("a pseudo-terminal");
        pty.resize(Size::new(40, columns)).expect("a size");
        let mut command = Command::new(plain.get_program())
            .args(plain.get_args())
            .current_dir(self.home())
            .env_clear()
            .env("TERM", "xterm-256color");
        for (name, value) in plain.get_envs() {
            if let Some(value) = value {
                command = command.env(name, value);
            }
        }
        let child = command.spawn(pts).expect("the program runs");
        let pty = std::sync::Arc::new(pty);
        let (sender, output) = channel();
        let reader = std::sync::Arc::clone(&pty);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            // On Linux, reading from a terminal whose other side is gone is an error.
            while let Ok(read @ 1..) = (&*reader).read(&mut buffer) {
                if sender.send(buffer[..read].to_vec()).is_err() {
                    break;
                }
            }
        });
        Terminal {
            child,
            pty,
            output,
            bytes: Vec::new(),
        }
    }
}

impl Terminal {
    /// Waits until the terminal shows a text.
    ///
    /// # Panics
    ///
    /// If it does not.
    #[track_caller]
    pub fn expect(&mut self, text: &str) {
        let end = Instant::now() + PATIENCE;
        while !self.seen().contains(text) {
            let left = end.saturating_duration_since(Instant::now());
            match self.output.recv_timeout(left) {
                Ok(bytes) => self.bytes.extend(bytes),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    panic!("{text:?} is not in {:?}", self.seen())
                }
            }
        }
    }

    fn seen(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// Types a text: `\n` ends a line, `\u{3}` is Ctrl-C, `\u{4}` the end of input.
    ///
    /// # Panics
    ///
    /// If the terminal is gone.
    pub fn enter(&mut self, text: &str) {
        (&*self.pty)
            .write_all(text.as_bytes())
            .expect("the terminal takes input");
    }

    /// Waits for the end. Returns the exit code and everything that was shown.
    ///
    /// # Panics
    ///
    /// If the end does not come.
    pub fn end(mut self) -> (Option<i32>, String) {
        while let Ok(bytes) = self.output.recv_timeout(PATIENCE) {
            self.bytes.extend(bytes);
        }
        let status = self.child.wait().expect("the process ends");
        (status.code(), self.seen())
    }
}
