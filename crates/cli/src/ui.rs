//! Output for people, on stderr: never data, and never raw text.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use anstream::AutoStream;
use anstream::stream::RawStream;
use ddb_core::guard::Operator;
use ddb_core::retry::ThrottleListener;
use ddb_core::timezone::Zone;

use crate::common::{ColorChoice, CommonArgs};
use crate::failure::{Failure, Guide, Hint};
use crate::output::json::WriteJson;
use crate::output::pager::PagerCommand;
use crate::output::{Format, Out, Printer, Record, Screen, Totals, escape, width};
use crate::progress::{LastLine, Progress};

/// Prints messages for people on stderr, and opens the printer for data on stdout.
#[derive(Debug, Clone)]
pub struct Ui {
    format: Format,
    quiet: bool,
    verbose: bool,
    choice: ColorChoice,
    /// Whether stderr shows colors.
    color: bool,
    progress: bool,
    line: LastLine,
    out: Out,
    zone: Zone,
    guide: Guide,
}

const RED: &str = "\u{1b}[1;31m";
const ORANGE: &str = "\u{1b}[1;38;5;130m";
/// Dim, but with a contrast of 4.5 on black and on white: see [`crate::output::Tone`].
const GRAY: &str = "\u{1b}[38;5;243m";
const RESET: &str = "\u{1b}[0m";

impl Ui {
    /// Takes the common options, and the guide that turns hints into text.
    pub fn new(common: &CommonArgs, guide: Guide) -> Self {
        Self {
            format: match common.format() {
                // A table that is cut to the terminal's width is of no use elsewhere.
                Format::Table if !io::stdout().is_terminal() => Format::Wide,
                format => format,
            },
            quiet: common.quiet,
            verbose: common.verbose > 0,
            choice: common.color,
            color: shows_colors(common.color, &io::stderr()),
            progress: !common.quiet && !common.no_progress && io::stderr().is_terminal(),
            line: LastLine::default(),
            out: Out::default(),
            zone: Zone::UTC,
            guide,
        }
    }

    /// Makes one that prints only errors, for use before the options were parsed.
    pub fn errors_only() -> Self {
        Self {
            format: Format::Table,
            quiet: true,
            verbose: false,
            choice: ColorChoice::Auto,
            color: shows_colors(ColorChoice::Auto, &io::stderr()),
            progress: false,
            line: LastLine::default(),
            out: Out::default(),
            zone: Zone::UTC,
            guide: Guide::nowhere(),
        }
    }

    /// Prints only errors.
    #[must_use]
    pub fn quiet(self) -> Self {
        Self {
            quiet: true,
            progress: false,
            ..self
        }
    }

    /// Shows times in a zone.
    #[must_use]
    pub fn in_zone(self, zone: Zone) -> Self {
        Self { zone, ..self }
    }

    /// Returns the output format.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Returns the width of the terminal if stdout is one.
    pub fn columns(&self) -> Option<usize> {
        Some(self.size()?.0)
    }

    /// Returns the columns and rows of the terminal if stdout is one.
    fn size(&self) -> Option<(usize, usize)> {
        let stdout = io::stdout();
        let size = stdout
            .is_terminal()
            .then(|| terminal_size::terminal_size_of(&stdout));
        let (width, height) = size.flatten()?;
        Some((usize::from(width.0), usize::from(height.0)))
    }

    fn screen(&self) -> Option<Screen> {
        Some(Screen {
            columns: self.columns()?,
            colored: shows_colors(self.choice, &io::stdout()),
        })
    }

    /// Sends output that is longer than the terminal through a pager.
    pub fn page(&self, command: PagerCommand) {
        if let Some((columns, rows)) = self.size() {
            self.out.page(command, columns, rows);
        }
    }

    /// Returns the destination of data.
    pub fn out(&self) -> Out {
        self.out.clone()
    }

    /// Ends the output, and prints the messages that were held back until then. If `patient`, waits for the pager to
    /// end.
    ///
    /// # Errors
    ///
    /// The rest of the output cannot be written.
    pub fn end_output(&self, patient: bool) -> Result<(), Failure> {
        let said = self.out.end(patient)?;
        // If stderr is closed, there is nobody to tell.
        let _ = io::stderr().write_all(&said);
        Ok(())
    }

    /// Returns the number of lines of the terminal if stdout is one.
    pub fn lines(&self) -> Option<usize> {
        let stdout = io::stdout();
        let size = stdout
            .is_terminal()
            .then(|| terminal_size::terminal_size_of(&stdout));
        size.flatten().map(|(_, height)| usize::from(height.0))
    }

    /// Writes an empty line to stdout, between two tables.
    ///
    /// # Errors
    ///
    /// [`Failure::ClosedPipe`] if nobody reads stdout any more.
    pub fn blank_line(&self) -> Result<(), Failure> {
        Ok(io::stdout().write_all(b"\n")?)
    }

    /// Opens the printer of one command.
    pub fn printer<R: Record>(&self) -> Printer<R> {
        Printer::new(self.format, self.screen(), self.out()).in_zone(self.zone)
    }

    /// Prints the only record of a command whose work is done. If that fails, the error includes what was `done`.
    ///
    /// # Errors
    ///
    /// [`Failure::ClosedPipe`] if nobody reads stdout any more, or another failure of the output.
    pub fn report<R>(&self, record: &R, done: &str) -> Result<(), Failure>
    where
        R: for<'a> Record<Of<'a> = R>,
    {
        self.report_by(done, |printer: &mut Printer<R>| printer.print_only(record))
    }

    /// Prints the only object of a command whose work is done, which people see as several lines.
    ///
    /// # Errors
    ///
    /// As [`Ui::report`].
    pub fn report_lines<R: Record>(
        &self,
        object: &impl WriteJson,
        lines: &[R::Of<'_>],
        done: &str,
    ) -> Result<(), Failure> {
        self.report_by(done, |printer: &mut Printer<R>| {
            printer.print_object(object, lines)
        })
    }

    fn report_by<R: Record>(
        &self,
        done: &str,
        print: impl FnOnce(&mut Printer<R>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut printer = self.printer::<R>();
        let printed = print(&mut printer);
        let printed = printed.and_then(|()| printer.finish(Totals::default()));
        printed.map_err(|failure| failure.after(done))
    }

    /// Opens a printer that shows messages as a chat, if stdout is a terminal and no other format is wanted.
    pub fn transcript<R: Record>(&self) -> Option<Printer<R>> {
        let screen = self.screen().filter(|_| self.format == Format::Table)?;
        Some(Printer::transcript(screen, self.out()).in_zone(self.zone))
    }

    /// Starts to show progress on a terminal. `total` is the final count, if it is known.
    pub fn progress(&self, what: &'static str, total: Option<u64>) -> Progress {
        Progress::new(self.last_line(self.progress), what, total)
    }

    /// Starts to show progress of a command whose result goes to stdout. If stdout is a terminal, too, the result
    /// itself shows the progress.
    pub fn progress_beside_output(&self, what: &'static str, total: Option<u64>) -> Progress {
        let visible = self.progress && self.columns().is_none();
        Progress::new(self.last_line(visible), what, total)
    }

    /// Waits for some work, and shows that on a terminal.
    pub async fn wait<T>(&self, what: &'static str, work: impl Future<Output = T>) -> T {
        Progress::waiting(self.last_line(self.progress), what)
            .during(work)
            .await
    }

    /// Prints the target that the command is about to act on.
    pub fn target(&self, text: &str) {
        self.say(!self.quiet, GRAY, "", text);
    }

    /// Prints that the command is about to act on production. No option hides it.
    pub fn banner(&self, text: &str) {
        self.say(true, RED, "", text);
    }

    /// Prints the subject of a question. No option hides it: nobody should answer a question without it.
    pub fn announce(&self, text: &str) {
        self.say(true, ORANGE, "", text);
    }

    /// Prints what was done or found.
    pub fn note(&self, text: &str) {
        self.say(!self.quiet, "", "", text);
    }

    /// Prints a warning about something that stops nothing.
    pub fn warn(&self, text: &str) {
        self.say(!self.quiet, ORANGE, "warning: ", text);
    }

    /// Prints a detail for `-v`.
    pub fn detail(&self, text: &str) {
        self.say(self.verbose && !self.quiet, GRAY, "", text);
    }

    /// Prints one of several possible meanings, before the failure that asks to choose.
    pub fn choice(&self, text: &str) {
        self.say(true, "", "", text);
    }

    /// Prints what to do next, unless only errors are wanted.
    pub fn hint(&self, hint: impl Into<Hint>) {
        self.say_hint(!self.quiet, &hint.into());
    }

    /// Returns a hint as people see it.
    pub fn words(&self, hint: &Hint) -> String {
        self.guide.words(hint)
    }

    /// Returns the guide, which knows the command and its target.
    pub fn guide(&self) -> &Guide {
        &self.guide
    }

    /// Makes a listener that warns, once, that the service throttles a command that waits.
    pub fn throttle_listener(&self) -> ThrottleListener {
        let (ui, said) = (self.clone(), AtomicBool::new(false));
        ThrottleListener::new(move || {
            if !said.swap(true, Ordering::Relaxed) {
                ui.warn("the service is throttling requests; waiting before trying again");
                ui.hint(Hint::Throttled);
            }
        })
    }

    /// Prints a failure; a closed pipe is not one.
    pub fn failure(&self, failure: &Failure) {
        if let Failure::Error { message, hint, .. } = failure {
            self.say(true, RED, "error: ", message);
            if let Some(hint) = hint {
                self.say_hint(true, hint);
            }
        }
    }

    /// Fixed text is shown unchanged; text that quotes somebody may quote a password.
    fn say_hint(&self, wanted: bool, hint: &Hint) {
        if !wanted {
            return;
        }
        let words = self.guide.words(hint);
        if hint.quotes() {
            self.say(true, GRAY, "hint: ", &words);
        } else {
            self.write(GRAY, "hint: ", &escape::line(&words));
        }
    }

    fn say(&self, wanted: bool, color: &str, prefix: &str, text: &str) {
        if wanted {
            self.write(color, prefix, &for_people(text));
        }
    }

    fn write(&self, color: &str, prefix: &str, text: &str) {
        let stderr = io::stderr();
        let size = stderr
            .is_terminal()
            .then(|| terminal_size::terminal_size_of(&stderr));
        let wrapped = size
            .flatten()
            .map(|(columns, _)| width::wrap_words(text, prefix.len(), columns.0.into()));
        let text = wrapped.as_deref().unwrap_or(text);
        let line = match prefix {
            _ if !self.color || color.is_empty() => format!("{prefix}{text}\n"),
            "" => format!("{color}{text}{RESET}\n"),
            _ => format!("{color}{prefix}{RESET}{text}\n"),
        };
        // A message about paged output comes after it.
        if self.out.keeps(line.as_bytes()) {
            return;
        }
        // If stderr is closed, there is nobody to tell.
        let _ = self.line.around(|| io::stderr().write_all(line.as_bytes()));
    }

    fn last_line(&self, visible: bool) -> Option<LastLine> {
        visible.then(|| self.line.clone())
    }

    /// Writes to stdout, which may be the terminal that shows the progress.
    pub fn around_progress<T>(&self, write: impl FnOnce() -> T) -> T {
        self.line.around(write)
    }

    /// Erases the progress line, because the command ends before its work.
    pub fn end_progress(&self) {
        self.line.erase();
    }
}

/// Prepares a text for stderr. It may quote what users wrote, so it becomes one line without control characters and
/// passwords.
fn for_people(text: &str) -> String {
    escape::line(&escape::without_passwords(text)).into_owned()
}

/// Checks whether a stream shows colors. With `auto`, a terminal does, unless NO_COLOR, CLICOLOR_FORCE, CLICOLOR or
/// TERM say otherwise: see <https://no-color.org> and <https://bixense.com/clicolors>.
fn shows_colors(choice: ColorChoice, stream: &impl RawStream) -> bool {
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => AutoStream::choice(stream) != anstream::ColorChoice::Never,
    }
}

/// The person at the terminal.
#[derive(Debug)]
pub struct Terminal;

impl Operator for Terminal {
    fn ask(&mut self, question: &str) -> Option<String> {
        let stdin = io::stdin();
        if !stdin.is_terminal() {
            return None;
        }
        let question = for_people(question);
        io::stderr().write_all(question.as_bytes()).ok()?;
        let mut answer = String::new();
        match stdin.read_line(&mut answer) {
            Ok(read) if read > 0 => Some(answer),
            _ => None,
        }
    }
}
