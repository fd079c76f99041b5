//! The life of a command: parse, run, supervise, and turn the result into an exit code.
//!
//! The work runs on its own thread. The main thread waits for it, for signals and for the timeout, so none of them can
//! be delayed by work that blocks, such as writing to a full pipe.

use std::io;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgMatches, Args, FromArgMatches, Parser};
use ddb_core::environment::Environment;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, oneshot};

use crate::common::{CommonArgs, Zones};
use crate::failure::{Exit, Failure, Guide, Hint, Outcome};
use crate::help;
use crate::misuse;
use crate::output::Format;
use crate::output::pager::PagerCommand;
use crate::typed::Typed;
use crate::ui::Ui;
use crate::version;

/// One utility.
pub trait Command: Parser + Send + 'static {
    /// Its output formats.
    const FORMATS: &'static [Format];
    /// The ids of the common options that have no meaning for this command. Its help does not show them.
    const WITHOUT: &'static [&'static str] = &[];

    /// Checks whether the command normally ends on a signal.
    fn ends_on_signal(&self) -> bool {
        false
    }

    /// Checks whether the output may be longer than a screen, and then goes through a pager.
    fn is_paged(&self) -> bool {
        false
    }

    /// Does the work.
    fn run(self, context: Context) -> impl Future<Output = Result<Outcome, Failure>> + Send;
}

/// What a command gets in addition to its options.
#[derive(Debug, Clone)]
pub struct Context {
    /// The user interface, which prints messages for people and opens the printer.
    pub ui: Ui,
    /// The environment variables.
    pub environment: Environment,
    /// The program that was started.
    pub program: Program,
    /// The command line as it was typed.
    pub typed: Typed,
    /// The time zones that it works in.
    pub zones: Zones,
    stop: Arc<Notify>,
}

/// A program: `ddb` with all its commands, or one command as a separate binary.
#[derive(Debug, Clone, Copy)]
pub struct Program {
    /// Makes its command line.
    pub command: fn() -> clap::Command,
    /// The commands that also exist as separate binaries.
    pub binaries: fn() -> Vec<String>,
    /// Makes the command line of `ddb` with all its commands, which hints and completions name.
    pub catalog: fn() -> clap::Command,
}

impl Context {
    /// Returns the context of another command that runs as part of this one, on a target that this one made: it reads
    /// no environment variable, and shows only its output and errors.
    #[must_use]
    pub fn part(&self) -> Self {
        Self {
            ui: self.ui.clone().quiet(),
            environment: Environment::default(),
            ..self.clone()
        }
    }

    /// Waits for the signal that ends the command.
    pub async fn stopped(&self) {
        self.stop.notified().await;
    }
}

/// The time that a command may take to end after a signal.
const GRACE: Duration = Duration::from_secs(10);

/// Parses the arguments of this process. On help, version and wrong usage, returns how to exit. `anew` makes the same
/// command line again, for help.
///
/// # Errors
///
/// The exit code, after the messages were printed.
pub fn parse(
    command: &mut clap::Command,
    anew: impl FnOnce() -> clap::Command,
) -> Result<ArgMatches, ExitCode> {
    let parsed = command.try_get_matches_from_mut(std::env::args_os());
    parsed.map_err(|error| {
        if is_help(&error) {
            // Help is laid out only when it is requested.
            let mut helping = help::two_lengths(anew());
            if let Err(help) = helping.try_get_matches_from_mut(std::env::args_os()) {
                return wrong(&help, None);
            }
        }
        let line = right_line(&error, command);
        wrong(&error.format(command), line.as_deref())
    })
}

/// Makes the command line of a command: its own options and the common ones, without those that have no meaning for it.
/// It names the command's output formats.
pub fn command_line<C: Command>() -> clap::Command {
    let forms = format!("Output format: {}", names(C::FORMATS));
    let common = common_options().map(|option| match option.get_id().as_str() {
        id if C::WITHOUT.contains(&id) => option.hide(true),
        "output" => option.help(forms.clone()).hide(C::FORMATS.len() < 2),
        _ => option,
    });
    C::command().long_version(version::WHOLE).args(common)
}

/// Returns the common options.
pub fn common_options() -> impl Iterator<Item = clap::Arg> {
    let common = CommonArgs::augment_args(clap::Command::new("common"));
    let common: Vec<clap::Arg> = common.get_arguments().cloned().collect();
    common.into_iter()
}

/// Returns the line to type instead, if the unknown option is one that people expect.
fn right_line(error: &clap::Error, command: &clap::Command) -> Option<String> {
    let Some(ContextValue::String(option)) = error.get(ContextKind::InvalidArg) else {
        return None;
    };
    if error.kind() != ErrorKind::UnknownArgument {
        return None;
    }
    let known = |name: &str, option: &str| {
        let found = command.find_subcommand(name);
        let found = found.or_else(|| (command.get_name() == name).then_some(command));
        let has = |argument: &clap::Arg| {
            let long = option.strip_prefix("--").unwrap_or_default();
            let short = option.strip_prefix('-').unwrap_or_default();
            let mut names = argument.get_long_and_visible_aliases().unwrap_or_default();
            names.extend(argument.get_all_aliases().unwrap_or_default());
            names.contains(&long) || argument.get_short().is_some_and(|c| short == c.to_string())
        };
        found.is_some_and(|found| option.is_empty() || found.get_arguments().any(has))
    };
    misuse::right_line(&Typed::of_process(), option, known)
}

fn is_help(error: &clap::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    )
}

/// Prints what clap found, and returns how to exit. `line` is the line to type instead, if it is known.
fn wrong(error: &clap::Error, line: Option<&str>) -> ExitCode {
    if is_help(error) || error.kind() == ErrorKind::DisplayVersion {
        // If stdout is closed, there is nobody to tell.
        let _ = error.print();
    } else {
        let failure = wrong_usage(error);
        Ui::errors_only().failure(&match line {
            Some(line) => failure.hint(format!("type `{line}`")),
            None => failure,
        });
    }
    let exit = if error.use_stderr() {
        Exit::Refused
    } else {
        Exit::Done
    };
    exit.into()
}

/// Turns clap's paragraphs into one line and a hint: the first paragraph describes the error, and a line that starts
/// with `tip:` suggests what to do.
pub(crate) fn wrong_usage(error: &clap::Error) -> Failure {
    let rendered = error.render().to_string();
    let lines = || rendered.lines().map(str::trim);
    let wrong: Vec<&str> = lines().take_while(|line| !line.is_empty()).collect();
    let tips: Vec<&str> = lines()
        .filter_map(|line| line.strip_prefix("tip: "))
        .collect();
    let wrong = wrong.join(" ");
    let wrong = wrong.strip_prefix("error: ").unwrap_or(&wrong);
    let hint = match similar(error) {
        Some(similar) => Hint::from(format!("did you mean {similar}?")),
        None if tips.is_empty() => "see --help".into(),
        None => tips.join("; ").into(),
    };
    Failure::refused(wrong).hint(hint)
}

/// Returns the names that are similar to what was typed, the most similar first. Clap has the most similar last.
fn similar(error: &clap::Error) -> Option<String> {
    const MOST: usize = 3;
    let similar = match error.get(ContextKind::SuggestedSubcommand)? {
        ContextValue::Strings(names) => names.iter().rev().take(MOST),
        _ => return None,
    };
    let similar: Vec<String> = similar.map(|name| format!("`{name}`")).collect();
    match similar.split_last()? {
        (last, []) => Some(last.clone()),
        (last, others) => Some(format!("{} or {last}", others.join(", "))),
    }
}

/// Runs a command of a program to its end, with the parsed options.
pub fn run<C: Command>(program: Program, options: &ArgMatches) -> ExitCode {
    let parsed = CommonArgs::from_arg_matches(options)
        .and_then(|common| Ok((common, C::from_arg_matches(options)?)));
    let (common, command) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => return wrong(&error, None),
    };
    let environment = Environment::of_process();
    let guide = Guide::new(program.catalog, C::command, options, &environment);
    let ui = Ui::new(&common, guide);
    silence_panics(&ui);
    let ended = supervise(command, &common, program, environment, &ui);
    ui.end_progress();
    // If the command is terminated, it must not wait for a person.
    let patient = !matches!(ended, Ok(Exit::Terminated));
    let ended = ended.and_then(|exit| {
        ui.end_output(patient)?;
        Ok(exit)
    });
    if ended.is_err() {
        // The command was terminated, or its own error says more than a failure to write the rest of the output.
        let _ = ui.end_output(patient);
    }
    ended
        .unwrap_or_else(|failure| {
            ui.failure(&failure);
            match failure {
                Failure::ClosedPipe => Exit::Done,
                Failure::Error { exit, .. } => exit,
            }
        })
        .into()
}

/// A panic is a bug in this program. It is printed in one line, without a backtrace.
fn silence_panics(ui: &Ui) {
    let ui = ui.clone();
    std::panic::set_hook(Box::new(move |panic| {
        let location = panic
            .location()
            .map_or_else(String::new, |at| format!(" at {at}"));
        let reason = panic.payload_as_str().unwrap_or("no reason given");
        ui.failure(
            &Failure::new(
                Exit::Failed,
                format!("a fault in this program{location}: {reason}"),
            )
            .hint("please report it, with the command that you ran"),
        );
    }));
}

fn supervise<C: Command>(
    command: C,
    common: &CommonArgs,
    program: Program,
    environment: Environment,
    ui: &Ui,
) -> Result<Exit, Failure> {
    let format = common.format();
    if !C::FORMATS.contains(&format) {
        return Err(unknown_format(format, C::FORMATS));
    }
    let zones = if C::WITHOUT.contains(&"tz") {
        Zones::UTC
    } else {
        common.zones(&environment)?
    };
    let timeout = common.timeout;
    let ends_on_signal = command.ends_on_signal();
    let stop = Arc::new(Notify::new());
    if command.is_paged()
        && !common.no_pager
        && let Some(pager) = PagerCommand::of(&environment)?
    {
        ui.page(pager);
    }
    let context = Context {
        ui: ui.clone().in_zone(zones.times),
        environment,
        program,
        typed: Typed::of_process(),
        zones,
        stop: Arc::clone(&stop),
    };
    let (done, result) = oneshot::channel();
    have_room()?;
    // Signal handling starts before the work, so that no signal is missed.
    let runtime = runtime()?;
    runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt()).map_err(system)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(system)?;
        std::thread::Builder::new()
            .name("command".to_owned())
            .stack_size(8 * 1024 * 1024)
            .spawn(move || {
                let result =
                    self::runtime().and_then(|runtime| runtime.block_on(command.run(context)));
                let _ = done.send(result);
            })
            .map_err(system)?;

        let mut result = result;
        let quit = ui.out();
        let exit = tokio::select! {
            result = &mut result => return ended(result),
            () = sleep(timeout) => return Err(timed_out(timeout)),
            () = interrupted(&mut interrupt, ui) => Exit::Interrupted,
            _ = terminate.recv() => Exit::Terminated,
            // Quitting the pager is not an error, and the output that was not shown yet is not needed.
            () = quit.quit() => return Ok(Exit::Done),
        };
        if !ends_on_signal {
            return Ok(exit);
        }
        stop.notify_one();
        tokio::select! {
            result = &mut result => ended(result),
            () = tokio::time::sleep(GRACE) => Ok(exit),
            _ = interrupt.recv() => Ok(Exit::Interrupted),
            _ = terminate.recv() => Ok(Exit::Terminated),
        }
    })
}

type Ended = Result<Result<Outcome, Failure>, oneshot::error::RecvError>;

fn ended(result: Ended) -> Result<Exit, Failure> {
    match result {
        Ok(result) => result.map(Exit::from),
        // The thread panicked, and the hook has printed that.
        Err(_) => Ok(Exit::Failed),
    }
}

/// Waits for the first Ctrl-C that is not meant for a pager.
async fn interrupted(interrupt: &mut Signal, ui: &Ui) {
    loop {
        interrupt.recv().await;
        if !ui.out().is_paged() {
            return;
        }
    }
}

async fn sleep(timeout: Option<Duration>) {
    match timeout {
        Some(timeout) => tokio::time::sleep(timeout).await,
        None => std::future::pending().await,
    }
}

fn timed_out(timeout: Option<Duration>) -> Failure {
    let after = timeout
        .map(humantime::format_duration)
        .map(|after| after.to_string());
    Failure::new(
        Exit::Failed,
        format!("not done within --timeout {}", after.unwrap_or_default()),
    )
    .hint("what was done so far is kept; allow more time, or check the endpoint")
}

/// Checks whether files and connections can be opened: tokio panics if it cannot open those that signals need.
fn have_room() -> Result<(), Failure> {
    /// The file descriptors needed by two runtimes, signals, and a few connections.
    const DESCRIPTORS: usize = 24;
    let pairs = (0..DESCRIPTORS / 2).map(|_| UnixStream::pair());
    let opened: io::Result<Vec<_>> = pairs.collect();
    opened.map(drop).map_err(|error| {
        system(error).hint("`ulimit -n` shows how many files a process may open; 256 are enough")
    })
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(system)
}

fn system(error: io::Error) -> Failure {
    Failure::new(Exit::Failed, format!("the system: {error}"))
}

fn unknown_format(format: Format, known: &[Format]) -> Failure {
    Failure::refused(format!(
        "--output {} is not a format of this command",
        names(&[format])
    ))
    .hint(format!("the formats are {}", names(known)))
}

/// Names output formats as they are typed.
fn names(formats: &[Format]) -> String {
    use clap::ValueEnum;
    let values = formats.iter().filter_map(ValueEnum::to_possible_value);
    let names: Vec<String> = values.map(|value| value.get_name().to_owned()).collect();
    names.join(", ")
}
