//! Files for a package.

use std::path::Path;

use crate::failure::{Exit, Failure};

/// Writes a file, and creates its folder if necessary.
pub fn write(folder: &Path, name: &str, content: &[u8]) -> Result<(), Failure> {
    let file = folder.join(name);
    let written = std::fs::create_dir_all(folder)
        .map_err(|error| (folder, error))
        .and_then(|()| std::fs::write(&file, content).map_err(|error| (&*file, error)));
    written
        .map_err(|(path, error)| Failure::new(Exit::Failed, format!("{}: {error}", path.display())))
}
