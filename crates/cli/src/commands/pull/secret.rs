//! The file with the key of a mask.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use ddb_core::mask::{Mask, MaskError};

use crate::failure::{Exit, Failure, exit_of_file};

/// The maximum size of a key file.
const MOST: u64 = 64 * 1024;

const MADE_BY: &str = "`openssl rand -hex 32 > mask.key` makes one";

/// Reads a key.
pub(super) fn read(path: &Path) -> Result<Mask, Failure> {
    let shown = path.display();
    let mut secret = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MOST + 1).read_to_end(&mut secret));
    if let Err(error) = read {
        let failure = Failure::new(exit_of_file(&error), format!("--mask-key {shown}: {error}"));
        return Err(failure.hint(MADE_BY));
    }
    if secret.len() as u64 > MOST {
        let message = format!("--mask-key {shown}: it has more than {MOST} bytes");
        return Err(Failure::refused(message).hint(MADE_BY));
    }
    Mask::from_secret(&secret).map_err(|error| {
        let message = format!("--mask-key {shown}: {error}");
        match error {
            MaskError::Short(_) => Failure::refused(message).hint(MADE_BY),
            MaskError::NoRandom(_) => Failure::new(Exit::Failed, message),
        }
    })
}
