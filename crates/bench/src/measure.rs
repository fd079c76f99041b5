//! Measures whole processes, by the operating system's own accounting.

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use wait4::Wait4;

/// What one run cost.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    /// From the start of the process to its end.
    pub wall: Duration,
    /// User and system time.
    pub cpu: Duration,
    /// The largest resident set, in bytes.
    pub peak: u64,
}

/// Runs a command to its end, and discards its output.
pub fn run(command: &mut Command) -> io::Result<Cost> {
    let begun = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let ended = child.wait4()?;
    let wall = begun.elapsed();
    if !ended.status.success() {
        return Err(io::Error::other(format!("{command:?}: {}", ended.status)));
    }
    Ok(Cost {
        wall,
        cpu: ended.rusage.utime + ended.rusage.stime,
        peak: ended.rusage.maxrss,
    })
}

/// Counts the system calls of a run in all its threads, with strace(1), which writes a file to the folder.
pub fn system_calls(command: &Command, folder: &Path) -> io::Result<u64> {
    let summary = folder.join("strace.txt");
    let mut traced = Command::new("strace");
    traced.args(["-f", "-c", "-o"]).arg(&summary);
    traced.arg(command.get_program()).args(command.get_args());
    // A command of the bench inherits nothing from its environment.
    traced.env_clear();
    traced.envs(
        command
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    traced.current_dir(folder);
    run(&mut traced)?;
    let summary = std::fs::read_to_string(summary)?;
    of_summary(&summary).ok_or_else(|| io::Error::other("a summary of strace without a total"))
}

/// Reads the number of calls from the last line of a summary: `100.00  0.000301  3  84  2 total`.
fn of_summary(summary: &str) -> Option<u64> {
    let total = summary.lines().rfind(|line| line.ends_with(" total"))?;
    total.split_whitespace().nth(3)?.parse().ok()
}

/// The median of several runs, and their spread.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Spread {
    /// The lowest.
    pub min: f64,
    /// The median.
    pub median: f64,
    /// The highest.
    pub max: f64,
}

impl Spread {
    /// Returns the spread of some figures, of which there is at least one.
    pub fn of(figures: impl Iterator<Item = f64>) -> Self {
        let mut figures: Vec<f64> = figures.collect();
        figures.sort_by(f64::total_cmp);
        let at = |index: usize| figures.get(index).copied().unwrap_or(f64::NAN);
        Self {
            min: at(0),
            median: at(figures.len() / 2),
            max: at(figures.len().saturating_sub(1)),
        }
    }

    /// Formats the lowest and the highest.
    pub fn range(&self) -> String {
        format!("{:.0}–{:.0}", self.min, self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_several_runs() {
        let spread = Spread::of([3.0, 1.0, 9.0].into_iter());
        assert_eq!((spread.min, spread.median, spread.max), (1.0, 3.0, 9.0));
    }

    #[test]
    fn system_calls_are_read_from_the_last_line() {
        let summary = "% time     seconds  usecs/call     calls    errors syscall\n\
            ------ ----------- ----------- --------- --------- ------------------\n \
            60.12    0.000181           5        34         2 openat\n\
            ------ ----------- ----------- --------- --------- ------------------\n\
            100.00    0.000301           3        84         2 total\n";
        assert_eq!(of_summary(summary), Some(84));
        assert_eq!(of_summary("sh: not found\n"), None);
    }

    #[test]
    fn a_process_is_accounted_for() {
        let cost = run(Command::new("sh").args(["-c", "sleep 0.05"])).unwrap();
        assert!(cost.wall >= Duration::from_millis(50));
        assert!(cost.peak > 0);
        assert!(run(Command::new("sh").args(["-c", "exit 3"])).is_err());
    }
}
