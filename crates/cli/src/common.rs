//! Options of every command.

use std::time::Duration;

use clap::Args;
use ddb_core::environment::Environment;
use ddb_core::timezone::{Zone, ZoneName};

use crate::failure::Failure;
use crate::output::Format;

const OUTPUT: &str = "Output and time";

/// When to use colors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ColorChoice {
    /// On a terminal; NO_COLOR and CLICOLOR_FORCE are heeded.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
pub struct CommonArgs {
    /// Output format
    #[arg(short, long, value_enum, default_value_t = Format::Table, value_name = "FORMAT", help_heading = OUTPUT, hide_possible_values = true)]
    output: Format,
    /// The same as --output json, as many tools have it
    #[arg(long, hide = true, conflicts_with_all = ["output", "jsonl", "csv"])]
    json: bool,
    /// The same as --output jsonl
    #[arg(long, hide = true, conflicts_with_all = ["output", "csv"])]
    jsonl: bool,
    /// The same as --output csv
    #[arg(long, hide = true, conflicts_with = "output")]
    csv: bool,
    /// Print only errors
    #[arg(short, long, help_heading = OUTPUT)]
    pub quiet: bool,
    /// Print more details
    #[arg(short, long, action = clap::ArgAction::Count, help_heading = OUTPUT)]
    pub verbose: u8,
    /// When to use colors: auto, always, never
    #[arg(long, value_enum, default_value_t = ColorChoice::Auto, value_name = "WHEN", help_heading = OUTPUT, hide_possible_values = true)]
    pub color: ColorChoice,
    /// Do not send long output to a pager (DDB_PAGER, PAGER or less)
    #[arg(long, help_heading = OUTPUT)]
    pub no_pager: bool,
    /// Do not show progress bars
    #[arg(long, help_heading = OUTPUT)]
    pub no_progress: bool,
    /// Give up after this time, such as 90s or 1m30s
    #[arg(long, value_parser = duration, value_name = "DURATION", help_heading = OUTPUT)]
    pub timeout: Option<Duration>,
    /// Time zone for input and output: utc, local, or a name such as Europe/Berlin [env: DDB_TZ] [default: local]
    #[arg(long, value_name = "ZONE", help_heading = OUTPUT)]
    tz: Option<ZoneName>,
}

/// The time zones that a command works in.
#[derive(Debug, Clone, Copy)]
pub struct Zones {
    /// The zone of times that are typed without an offset, and of times that are shown.
    pub times: Zone,
    /// The zone of anything that is the same for everybody unless a zone is given: a calendar year, the end of a seed.
    pub dates: Zone,
}

impl Zones {
    /// UTC for everything.
    pub const UTC: Self = Self {
        times: Zone::UTC,
        dates: Zone::UTC,
    };
}

impl CommonArgs {
    /// The names of the options that have no meaning for a command that only prints a text.
    pub const OF_ANSWERS: &'static [&'static str] =
        &["output", "quiet", "verbose", "no_progress", "timeout", "tz"];

    /// Returns the output format.
    pub fn format(&self) -> Format {
        match self {
            Self { json: true, .. } => Format::Json,
            Self { jsonl: true, .. } => Format::Jsonl,
            Self { csv: true, .. } => Format::Csv,
            _ => self.output,
        }
    }

    /// Returns the time zones, from the option, `DDB_TZ` or this machine, in this order.
    ///
    /// # Errors
    ///
    /// The variable does not contain a zone.
    pub fn zones(&self, environment: &Environment) -> Result<Zones, Failure> {
        const VARIABLE: &str = "DDB_TZ";
        let name = match (self.tz, environment.get(VARIABLE)?) {
            (Some(name), _) => name,
            (None, Some(name)) => name
                .parse()
                .map_err(|error| Failure::refused(format!("{VARIABLE}: {error}")))?,
            (None, None) => ZoneName::Local,
        };
        let times = name.resolve(environment)?;
        let dates = self.tz.map_or(Zone::UTC, |_| times);
        Ok(Zones { times, dates })
    }
}

/// Parses a duration: `90s`, `1m30s`.
///
/// # Errors
///
/// A message that shows what to type instead.
pub fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| "not a duration; use 90s, 1m30s or 1d".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        assert_eq!(duration("1m30s"), Ok(Duration::from_secs(90)));
        assert!(duration("90").is_err());
        assert!(duration("").is_err());
    }
}
