//! Determines which commit is built, for `ddb --version`.
//!
//! Packagers set `DDB_COMMIT`. A package from crates.io has the commit in `.cargo_vcs_info.json`, and a checkout asks
//! git. If none of these is available, the version has no commit. The date is `SOURCE_DATE_EPOCH`, in seconds, or else
//! that of the commit. A debug build has neither, because it would otherwise be rebuilt with every commit.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

fn main() {
    let number = variable("CARGO_PKG_VERSION").unwrap_or_default();
    println!("cargo::rerun-if-changed=build.rs");
    let version = if variable("PROFILE").as_deref() == Some("release") {
        let folder = PathBuf::from(variable("CARGO_MANIFEST_DIR").unwrap_or_default());
        match stamp(&folder) {
            Some(stamp) => format!("{number} ({stamp})"),
            None => number,
        }
    } else {
        format!("{number} (development)")
    };
    println!("cargo::rustc-env=DDB_VERSION={version}");
}

/// Returns the commit and the date, as far as they are known.
fn stamp(folder: &Path) -> Option<String> {
    for name in ["DDB_COMMIT", "SOURCE_DATE_EPOCH"] {
        println!("cargo::rerun-if-env-changed={name}");
    }
    let git = Git::of(folder);
    let commit = variable("DDB_COMMIT")
        .or_else(|| packed_commit(folder))
        .or_else(|| git.as_ref()?.commit());
    let date = variable("SOURCE_DATE_EPOCH")
        .and_then(|seconds| date(&seconds))
        .or_else(|| git.as_ref()?.date());
    let known: Vec<String> = [commit, date].into_iter().flatten().collect();
    (!known.is_empty()).then(|| known.join(" "))
}

/// Returns an environment variable that is not empty.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Returns the day of a time in seconds since 1970: `2026-03-22`.
fn date(seconds: &str) -> Option<String> {
    let seconds = Duration::from_secs(seconds.parse().ok()?);
    let time = SystemTime::UNIX_EPOCH.checked_add(seconds)?;
    let text = humantime::format_rfc3339_seconds(time).to_string();
    text.split('T').next().map(str::to_owned)
}

/// Returns the commit that `cargo package` wrote down.
fn packed_commit(folder: &Path) -> Option<String> {
    let file = folder.join(".cargo_vcs_info.json");
    let text = std::fs::read_to_string(&file).ok()?;
    let (_, rest) = text.split_once("\"sha1\": \"")?;
    rest.get(..9).map(str::to_owned)
}

/// The checkout of this project.
struct Git<'a> {
    folder: &'a Path,
}

impl<'a> Git<'a> {
    /// Finds it. A checkout that only contains a copy of this package among other files is not one.
    fn of(folder: &'a Path) -> Option<Self> {
        let git = Self { folder };
        let top = PathBuf::from(git.ask(&["rev-parse", "--show-toplevel"])?);
        let own = folder.canonicalize().ok()?;
        (top.join("crates/cli") == own).then_some(git)
    }

    fn commit(&self) -> Option<String> {
        for file in ["HEAD", "logs/HEAD", "index"] {
            let path = self
                .folder
                .join(self.ask(&["rev-parse", "--git-path", file])?);
            println!("cargo::rerun-if-changed={}", path.display());
        }
        let commit = self.ask(&["rev-parse", "--short=9", "HEAD"])?;
        let clean = self.ask(&["diff", "--quiet", "HEAD"]).is_some();
        Some(match clean {
            true => commit,
            false => format!("{commit}-modified"),
        })
    }

    fn date(&self) -> Option<String> {
        self.ask(&["log", "-1", "--format=%cd", "--date=format-local:%F"])
    }

    /// Returns git's answer, or `None` if git is missing or fails.
    fn ask(&self, question: &[&str]) -> Option<String> {
        let mut git = Command::new("git");
        git.arg("--no-optional-locks").args(question);
        let output = git
            .current_dir(self.folder)
            .env("TZ", "UTC")
            .output()
            .ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| text.trim().to_owned())
    }
}
