//! Stdout, through a pager if the output is longer than the screen.
//!
//! The first screen is held back until it is known whether there is more. Then the pager starts and gets everything
//! through a pipe with a small buffer, so that the command does not read from the table what nobody looks at.

use std::io::{self, BufWriter, ErrorKind, Stdout, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use ddb_core::environment::{Environment, NotUnicode};
use tokio::sync::Notify;

use super::{escape, width};

/// The variables that name a pager. The first one that is set wins.
const VARIABLES: [&str; 2] = ["DDB_PAGER", "PAGER"];
/// The default pager: it ends by itself if everything fits on the screen, shows colors, and does not clear the screen.
const DEFAULT: &str = "less -FRX";
/// The longest time that output is held back while more of it is slow to come.
const PATIENCE: Duration = Duration::from_secs(1);
/// The number of bytes buffered between a command and its pager.
const BUFFER: usize = 4 * 1024;

/// A program that shows text a screen at a time, with its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PagerCommand(Vec<String>);

impl PagerCommand {
    /// Returns the pager that the environment names, or the default one, or `None` if it is `cat` or empty.
    ///
    /// # Errors
    ///
    /// A variable is not UTF-8.
    pub fn of(environment: &Environment) -> Result<Option<Self>, NotUnicode> {
        let named = environment.first(&VARIABLES)?;
        let line = named.map_or(DEFAULT, |(_, line)| line);
        // A line with an unclosed quote is taken as the name of a program, which will not start.
        let words = shlex::split(line).unwrap_or_else(|| vec![line.to_owned()]);
        Ok(match words.as_slice() {
            [] => None,
            [program] if program == "cat" => None,
            _ => Some(Self(words)),
        })
    }

    fn start(&self) -> io::Result<(Child, ChildStdin)> {
        let (program, arguments) = self.0.split_first().ok_or(ErrorKind::NotFound)?;
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::piped());
        // As git does, for people whose PAGER is only `less`.
        for (name, value) in [("LESS", "FRX"), ("LESSCHARSET", "utf-8")] {
            if std::env::var_os(name).is_none() {
                command.env(name, value);
            }
        }
        let mut child = command.spawn()?;
        let stdin = child.stdin.take().ok_or(ErrorKind::BrokenPipe)?;
        // On systems without smaller pipes, more is read ahead.
        #[cfg(target_os = "linux")]
        let _ = rustix::pipe::fcntl_setpipe_size(&stdin, BUFFER);
        Ok((child, stdin))
    }
}

/// Where data goes: to stdout, or to a pager that shows it there. Clones share their state.
#[derive(Debug, Clone, Default)]
pub struct Out(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    way: Mutex<Way>,
    /// Whether something is held back or in a pager, so that messages have to wait.
    waits: AtomicBool,
    /// The messages that had to wait.
    said: Mutex<Vec<u8>>,
    pager: Mutex<Pager>,
    ended: Condvar,
    quit: Notify,
}

/// The state of the pager.
#[derive(Debug, Default)]
struct Pager {
    runs: bool,
    /// Whether it got the whole output.
    has_all: bool,
    /// Whether it ended before that.
    quit: bool,
}

#[derive(Debug)]
enum Way {
    Direct(BufWriter<Stdout>),
    Held(Held),
    Paged(BufWriter<ChildStdin>),
}

impl Default for Way {
    fn default() -> Self {
        const BUFFER: usize = 64 * 1024;
        Self::Direct(BufWriter::with_capacity(BUFFER, io::stdout()))
    }
}

/// The first screen of the output.
#[derive(Debug)]
struct Held {
    command: PagerCommand,
    columns: usize,
    rows: usize,
    text: Vec<u8>,
    /// Where the last line starts.
    line: usize,
    used: usize,
    since: Option<Instant>,
}

impl Held {
    fn take(&mut self, bytes: &[u8]) {
        self.since.get_or_insert_with(Instant::now);
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.text.extend_from_slice(part);
            if part.ends_with(b"\n") {
                let line = String::from_utf8_lossy(&self.text[self.line..]);
                let shown = anstream::adapter::strip_str(line.trim_end()).to_string();
                self.used += width::of(&shown).div_ceil(self.columns.max(1)).max(1);
                self.line = self.text.len();
            }
        }
    }

    /// Checks whether there is more than the screen shows above the next prompt.
    fn is_full(&self) -> bool {
        self.used >= self.rows
    }

    fn is_late(&self) -> bool {
        self.since.is_some_and(|since| since.elapsed() > PATIENCE)
    }
}

impl Out {
    /// Sends output that is longer than a screen through a pager.
    pub fn page(&self, command: PagerCommand, columns: usize, rows: usize) {
        *lock(&self.0.way) = Way::Held(Held {
            command,
            columns,
            rows,
            text: Vec::new(),
            line: 0,
            used: 0,
            since: None,
        });
    }

    /// Keeps a line for stderr until the output was shown. Returns whether it was kept; if not, it can be written now.
    pub fn keeps(&self, line: &[u8]) -> bool {
        let waits = self.0.waits.load(Ordering::SeqCst);
        if waits {
            lock(&self.0.said).extend_from_slice(line);
        }
        waits
    }

    /// Checks whether a pager runs, because then Ctrl-C is meant for it.
    pub fn is_paged(&self) -> bool {
        lock(&self.0.pager).runs
    }

    /// Waits until somebody quits the pager before it has the whole output.
    pub async fn quit(&self) {
        self.0.quit.notified().await;
    }

    /// Ends the output: shows what was held back, closes the pager's input, and waits for the pager if `patient`.
    /// Returns the messages that had to wait, unless the pager was quit before it had the whole output.
    ///
    /// # Errors
    ///
    /// The rest cannot be written.
    pub fn end(&self, patient: bool) -> io::Result<Vec<u8>> {
        let mut written = Ok(());
        // A command that is interrupted while it writes has the lock, and what it writes is lost.
        let way = match self.0.way.try_lock() {
            Ok(mut way) => Some(std::mem::take(&mut *way)),
            Err(TryLockError::Poisoned(poisoned)) => {
                Some(std::mem::take(&mut *poisoned.into_inner()))
            }
            Err(TryLockError::WouldBlock) => None,
        };
        match way {
            Some(Way::Held(held)) => {
                let mut stdout = io::stdout();
                written = stdout.write_all(&held.text).and_then(|()| stdout.flush());
            }
            Some(Way::Direct(mut out)) => written = out.flush(),
            Some(Way::Paged(mut out)) => {
                let flushed = out.flush();
                let mut pager = lock(&self.0.pager);
                pager.quit |= flushed.is_err();
                pager.has_all = !pager.quit;
            }
            None => {}
        }
        let mut pager = lock(&self.0.pager);
        while patient && pager.runs {
            pager = self
                .0
                .ended
                .wait(pager)
                .unwrap_or_else(PoisonError::into_inner);
        }
        self.0.waits.store(false, Ordering::SeqCst);
        let said = std::mem::take(&mut *lock(&self.0.said));
        written?;
        Ok(if pager.quit { Vec::new() } else { said })
    }

    /// Starts the pager, and sends it what was held back. If it does not start, that goes to stdout.
    fn start(&self, held: Held) -> io::Result<Way> {
        let mut way = match held.command.start() {
            Ok((mut child, stdin)) => {
                lock(&self.0.pager).runs = true;
                let shared = Arc::clone(&self.0);
                std::thread::spawn(move || {
                    // It has ended, no matter how.
                    let _ = child.wait();
                    shared.pager_ended();
                });
                Way::Paged(BufWriter::with_capacity(BUFFER, stdin))
            }
            Err(error) => {
                let note = format!(
                    "cannot start the pager `{}` ({error}); the answer is shown without it\n",
                    held.command.0.join(" ")
                );
                let note = escape::line(note.trim_end()).into_owned() + "\n";
                lock(&self.0.said).extend_from_slice(note.as_bytes());
                Way::default()
            }
        };
        self.heed(way.take(&held.text))?;
        Ok(way)
    }

    /// Records that a running pager was quit, if writing to it failed.
    fn heed<T>(&self, written: io::Result<T>) -> io::Result<T> {
        let mut pager = lock(&self.0.pager);
        pager.quit |= pager.runs && written.is_err();
        written
    }
}

impl Shared {
    fn pager_ended(&self) {
        let mut pager = lock(&self.pager);
        pager.runs = false;
        if !pager.has_all {
            pager.quit = true;
            self.quit.notify_one();
        }
        self.ended.notify_all();
    }
}

impl Way {
    fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Direct(out) => out.write_all(bytes),
            Self::Paged(out) => out.write_all(bytes),
            Self::Held(held) => {
                held.take(bytes);
                Ok(())
            }
        }
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut way = lock(&self.0.way);
        self.heed(way.take(bytes))?;
        if let Way::Held(held) = &*way {
            self.0.waits.store(true, Ordering::SeqCst);
            if held.is_full()
                && let Way::Held(held) = std::mem::take(&mut *way)
            {
                *way = self.start(held)?;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut way = lock(&self.0.way);
        match &mut *way {
            Way::Direct(out) => out.flush(),
            Way::Paged(out) => self.heed(out.flush()),
            Way::Held(held) if held.is_late() => {
                if let Way::Held(held) = std::mem::take(&mut *way) {
                    *way = self.start(held)?;
                }
                Ok(())
            }
            Way::Held(_) => Ok(()),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(variables: &[(&str, &str)]) -> Option<Vec<String>> {
        let environment: Environment = variables.iter().copied().collect();
        PagerCommand::of(&environment)
            .unwrap()
            .map(|command| command.0)
    }

    #[test]
    fn our_own_variable_is_heeded_first() {
        assert_eq!(named(&[]).unwrap(), ["less", "-FRX"]);
        assert_eq!(named(&[("PAGER", "more")]).unwrap(), ["more"]);
        let both = [("PAGER", "more"), ("DDB_PAGER", "less '-p a b'")];
        assert_eq!(named(&both).unwrap(), ["less", "-p a b"]);
        assert_eq!(named(&[("DDB_PAGER", "cat")]), None);
        assert_eq!(named(&[("DDB_PAGER", "a 'b")]).unwrap(), ["a 'b"]);
        let empty = [("DDB_PAGER", ""), ("PAGER", "most")];
        assert_eq!(named(&empty).unwrap(), ["most"]);
    }

    #[test]
    fn a_screen_is_full_by_what_is_seen() {
        let held = |columns, rows, text: &str| {
            let mut held = Held {
                command: PagerCommand(vec!["less".to_owned()]),
                columns,
                rows,
                text: Vec::new(),
                line: 0,
                used: 0,
                since: None,
            };
            for piece in text.as_bytes().chunks(3) {
                held.take(piece);
            }
            assert_eq!(held.text, text.as_bytes());
            held.is_full()
        };
        assert!(!held(10, 3, "one\ntwo\nthree"));
        assert!(held(10, 3, "one\n\ntwo\n"));
        assert!(held(10, 3, "a line of 20 columns\nand\n"));
        assert!(!held(10, 3, "\u{1b}[1m漢字漢字漢\u{1b}[0m\nand\n"));
    }
}
