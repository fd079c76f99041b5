//! What the contenders need: processes that end when their value is dropped, and a folder that is removed then.

use std::io::{self, BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};

/// A process that ends when this value is dropped.
pub struct Process(Child);

impl Process {
    /// Starts a command, and discards its output.
    pub fn start(command: &mut Command) -> io::Result<Self> {
        let command = command.stdin(Stdio::null()).stdout(Stdio::null());
        Ok(Self(command.stderr(Stdio::null()).spawn()?))
    }

    /// Returns its id.
    pub fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server that ends when this value is dropped.
pub struct Server {
    process: Process,
    /// Its URL.
    pub url: String,
    _stdin: Option<ChildStdin>,
}

impl Server {
    /// Starts a command whose output contains its URL.
    pub fn start(command: &mut Command) -> io::Result<Self> {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = Process(command.stderr(Stdio::null()).spawn()?);
        let stdin = process.0.stdin.take();
        let stdout = process.0.stdout.take().map(BufReader::new);
        let lines = stdout.into_iter().flat_map(BufRead::lines);
        let url = lines.map_while(Result::ok).find_map(|line| {
            let words = line.split(|c: char| c == '"' || c.is_whitespace());
            words
                .filter(|word| word.starts_with("http://"))
                .map(str::to_owned)
                .next()
        });
        let url = url.ok_or_else(|| io::Error::other("a server that does not say where it is"))?;
        Ok(Self {
            process,
            url,
            _stdin: stdin,
        })
    }

    /// Returns its process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }
}

/// An empty folder, which is removed at the end. (The crate for that needs more of `rustix` than the tools do, and
/// they would be built again for the bench.)
pub struct Home(pub PathBuf);

impl Home {
    /// Creates it in the system's temporary folder.
    pub fn new() -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("ddb-bench-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // If it cannot be removed, it stays where the system cleans up.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
