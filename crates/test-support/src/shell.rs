//! Runs lines as people type them, in a shell that finds the utilities.

use std::process::Command;

use crate::Tool;

impl Tool {
    /// Returns a shell, ready to run a script in the folder of the utilities, with their environment and
    /// with the utilities on its PATH. It ends at the first command that fails.
    ///
    /// # Panics
    ///
    /// If there is no PATH.
    pub fn shell(&self, script: &str) -> Command {
        let plain = self.command(&[]);
        let binaries = std::path::Path::new(plain.get_program())
            .parent()
            .expect("a binary is in a folder");
        let path = std::env::var("PATH").expect("there is a PATH");
        let mut command = Command::new("bash");
        command
            .args(["-euo", "pipefail", "-c", script])
            .env_clear()
            .envs(
                plain
                    .get_envs()
                    .filter_map(|(name, value)| Some((name, value?))),
            )
            .env("PATH", format!("{}:{path}", binaries.display()))
            .current_dir(self.home())
            .stdin(std::process::Stdio::null());
        command
    }
}
