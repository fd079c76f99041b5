//! Files for a package.

use std::path::Path;

use crate::failure::{Exit, Failure};

/// Writes a file, in a folder that is made where it is missing.
pub fn write(folder: &Path, name: &str, content: &[u8]) -> Result<(), Failure> {
    let file = folder.join(name);
    let written = std::fs::create_dir_all(folder)
        .map_err(|error| (folder, error))
        .and_then(|()| std::fs::write(&file, content).map_err(|error| (&*file, error)));
    written
        .map_err(|(path, error)| Failure::new(Exit::Failed, format!("{}: {error}", path.display())))
}
