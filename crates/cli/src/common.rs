//! Options of every command.

use std::time::Duration;

use clap::{Args, Command, CommandFactory};

use crate::output::Format;

const OUTPUT: &str = "Output and time";

/// When to use colours.
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
    /// Form of the output: table, json, jsonl; csv where rows are read, ddb-json where items are; txt, md, html for a conversation
    #[arg(short, long, value_enum, default_value_t = Format::Table, value_name = "FORM", help_heading = OUTPUT, hide_possible_values = true)]
    pub output: Format,
    /// Say nothing but errors
    #[arg(short, long, help_heading = OUTPUT)]
    pub quiet: bool,
    /// Say more about what is done
    #[arg(short, long, action = clap::ArgAction::Count, help_heading = OUTPUT)]
    pub verbose: u8,
    /// When to use colours: auto, always, never
    #[arg(long, value_enum, default_value_t = ColorChoice::Auto, value_name = "WHEN", help_heading = OUTPUT, hide_possible_values = true)]
    pub color: ColorChoice,
    /// Show no progress bars
    #[arg(long, help_heading = OUTPUT)]
    pub no_progress: bool,
    /// Give up after this time, such as 90s or 1m30s
    #[arg(long, value_parser = duration, value_name = "DURATION", help_heading = OUTPUT)]
    pub timeout: Option<Duration>,
}

/// Makes the command line of a command: its own options, and those that all commands have.
pub fn command_line<C: CommandFactory>() -> Command {
    let common = CommonArgs::augment_args(Command::new("common"));
    C::command().args(common.get_arguments().cloned())
}

/// Parses a duration: `90s`, `1m30s`.
///
/// # Errors
///
/// What to type in its place.
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
