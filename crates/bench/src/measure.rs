//! Whole processes, by the operating system's own accounting.

use std::io;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde::Serialize;
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

/// Runs a command to its end; what it prints is thrown away.
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

/// The middle of several runs, and how far they spread.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Spread {
    /// The lowest.
    pub min: f64,
    /// The middle.
    pub median: f64,
    /// The highest.
    pub max: f64,
}

impl Spread {
    /// Orders some figures; there is at least one.
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
    fn a_process_is_accounted_for() {
        let cost = run(Command::new("sh").args(["-c", "sleep 0.05"])).unwrap();
        assert!(cost.wall >= Duration::from_millis(50));
        assert!(cost.peak > 0);
        assert!(run(Command::new("sh").args(["-c", "exit 3"])).is_err());
    }
}
