//! The sources of lines: files, plain or compressed with gzip, and standard input.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::MultiGzDecoder;
use md5::{Digest, Md5};

use super::export::{ExportFault, files_of};
use super::fault::Fault;

/// The longest line. No item is longer: an item of 400 KB that consists of control characters, or of the shortest
/// values, has 3 MB.
const MAX_LINE: usize = 8 * 1024 * 1024;
const BUFFER: usize = 64 * 1024;
/// The first bytes of a gzip file (RFC 1952, section 2.3.1).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// The reason why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// It cannot be opened.
    #[error("{file}: {error}")]
    Unopened {
        /// The file.
        file: String,
        /// The error of the system.
        error: io::Error,
    },
    /// It cannot be read to its end, or its gzip data is damaged or truncated.
    #[error("{file}: line {line} cannot be read: {error}")]
    Unreadable {
        /// The file.
        file: String,
        /// The line at which reading failed, from 1.
        line: u64,
        /// The error of the system or of gzip.
        error: io::Error,
    },
    /// Standard input cannot be saved for a second pass.
    #[error("a temporary file for standard input: {0}")]
    Spool(io::Error),
    /// A folder is not an export that can be read.
    #[error("{folder}: {fault}")]
    Export {
        /// The folder.
        folder: String,
        /// The fault.
        fault: ExportFault,
    },
    /// The checksum differs from the manifest.
    #[error(
        "{0}: its checksum does not match manifest-files.json: it is damaged, or belongs to another export"
    )]
    Checksum(String),
    /// A file has other lines than when it was checked.
    #[error("{0}: it was changed while it was read")]
    Changed(String),
}

/// The number of bytes read from all files. It can be read at any time.
#[derive(Debug, Default)]
pub struct LinesRead(AtomicU64);

impl LinesRead {
    /// Returns the number of bytes.
    pub fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// One file.
#[derive(Debug)]
struct Part {
    name: String,
    content: Content,
    /// The expected MD5.
    md5: Option<[u8; 16]>,
}

#[derive(Debug)]
enum Content {
    Path(PathBuf),
    Spooled(File),
}

impl Part {
    fn new(path: PathBuf, md5: Option<[u8; 16]>) -> Self {
        Self {
            name: path.display().to_string(),
            content: Content::Path(path),
            md5,
        }
    }

    fn open(&self) -> io::Result<File> {
        match &self.content {
            Content::Path(path) => File::open(path),
            Content::Spooled(file) => {
                let mut file = file.try_clone()?;
                file.rewind()?;
                Ok(file)
            }
        }
    }
}

/// The files of an import, in order.
#[derive(Debug)]
pub struct Source {
    parts: Vec<Part>,
    bytes: u64,
}

/// The position of a line in the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    part: usize,
    line: u64,
}

impl Source {
    /// Opens files, the files of folders with an export to S3, and standard input. Standard input is `-` and is saved
    /// in a temporary file.
    ///
    /// # Errors
    ///
    /// If one of them cannot be opened, or is not a file that can be read.
    pub fn open(files: &[PathBuf], stdin: impl Read) -> Result<Self, SourceError> {
        let mut parts = Vec::new();
        let mut stdin = Some(stdin);
        for file in files {
            if file == Path::new("-") {
                if let Some(stdin) = stdin.take() {
                    parts.push(spool(stdin).map_err(SourceError::Spool)?);
                }
            } else if file.is_dir() {
                let found = files_of(file).map_err(|fault| SourceError::Export {
                    folder: file.display().to_string(),
                    fault,
                })?;
                let found = found.into_iter();
                parts.extend(found.map(|file| Part::new(file.path, file.md5)));
            } else {
                parts.push(Part::new(file.clone(), None));
            }
        }
        let mut bytes = 0;
        for part in &parts {
            let length = part.open().and_then(|file| file.metadata());
            bytes += length.map_err(|error| unopened(part, error))?.len();
        }
        Ok(Self { parts, bytes })
    }

    /// Returns the size of all files in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Names a line, as in `backup.jsonl:12`.
    pub(super) fn name(&self, place: Place) -> String {
        let part = self.parts.get(place.part);
        let name = part.map_or("?", |part| &part.name);
        format!("{name}:{}", place.line)
    }

    /// Makes the error for a file that was changed.
    pub(super) fn changed(&self, place: Place) -> SourceError {
        let part = self.parts.get(place.part);
        SourceError::Changed(part.map(|part| part.name.clone()).unwrap_or_default())
    }

    /// Makes the error for files that have fewer lines than before.
    pub(super) fn shorter(&self) -> SourceError {
        let names: Vec<_> = self.parts.iter().map(|part| part.name.as_str()).collect();
        SourceError::Changed(names.join(", "))
    }

    /// Verifies the checksum of every file that has one.
    ///
    /// # Errors
    ///
    /// [`SourceError::Checksum`], or if a file cannot be read.
    pub(super) fn verify(&self) -> Result<(), SourceError> {
        for part in &self.parts {
            let Some(wanted) = part.md5 else { continue };
            let mut file = part.open().map_err(|error| unopened(part, error))?;
            let mut hash = Md5Writer(Md5::new());
            io::copy(&mut file, &mut hash).map_err(|error| unopened(part, error))?;
            if hash.0.finalize()[..] != wanted {
                return Err(SourceError::Checksum(part.name.clone()));
            }
        }
        Ok(())
    }

    /// Calls `each` with every line that is not blank and its place. For a line that is too long or is not UTF-8,
    /// passes the fault.
    ///
    /// # Errors
    ///
    /// If a file cannot be read to its end, or the first error of `each`.
    pub(super) fn each_line<E: From<SourceError>>(
        &self,
        read: &LinesRead,
        mut each: impl FnMut(Place, Result<&str, Fault>) -> Result<(), E>,
    ) -> Result<(), E> {
        for (number, part) in self.parts.iter().enumerate() {
            let mut place = Place {
                part: number,
                line: 0,
            };
            let mut lines = part.lines(read).map_err(|error| unopened(part, error))?;
            let mut line = Vec::new();
            loop {
                place.line += 1;
                let length = next_line(&mut lines, &mut line);
                let length = length.map_err(|error| SourceError::Unreadable {
                    file: part.name.clone(),
                    line: place.line,
                    error,
                })?;
                match length {
                    Length::End => break,
                    Length::TooLong => each(place, Err(Fault::TooLong(MAX_LINE)))?,
                    Length::Whole if line.iter().all(u8::is_ascii_whitespace) => {}
                    Length::Whole => {
                        each(
                            place,
                            std::str::from_utf8(&line).map_err(|_| Fault::NotUtf8),
                        )?;
                    }
                }
            }
        }
        Ok(())
    }
}

fn unopened(part: &Part, error: io::Error) -> SourceError {
    SourceError::Unopened {
        file: part.name.clone(),
        error,
    }
}

fn spool(mut stdin: impl Read) -> io::Result<Part> {
    let mut file = tempfile::tempfile()?;
    io::copy(&mut stdin, &mut file)?;
    file.flush()?;
    Ok(Part {
        name: "-".to_owned(),
        content: Content::Spooled(file),
        md5: None,
    })
}

impl Part {
    fn lines<'r>(&self, read: &'r LinesRead) -> io::Result<Box<dyn BufRead + 'r>> {
        let counted = Counted {
            file: self.open()?,
            read,
        };
        let mut plain = BufReader::with_capacity(BUFFER, counted);
        if plain.fill_buf()?.starts_with(&GZIP) {
            // A gzip file may consist of several members, one after the other.
            let unpacked = MultiGzDecoder::new(plain);
            return Ok(Box::new(BufReader::with_capacity(BUFFER, unpacked)));
        }
        Ok(Box::new(plain))
    }
}

/// A file whose bytes are counted as they are read.
struct Counted<'r> {
    file: File,
    read: &'r LinesRead,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.file.read(buffer)?;
        self.read.0.fetch_add(bytes as u64, Ordering::Relaxed);
        Ok(bytes)
    }
}

struct Md5Writer(Md5);

impl Write for Md5Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Length {
    End,
    Whole,
    TooLong,
}

/// Reads a line without its line end. If it is too long, keeps no more than the limit.
fn next_line(lines: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Length> {
    line.clear();
    let mut length = 0;
    loop {
        let buffer = match lines.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            buffer => buffer?,
        };
        let end = memchr::memchr(b'\n', buffer);
        let piece = &buffer[..end.unwrap_or(buffer.len())];
        let is_last = end.is_some() || buffer.is_empty();
        let is_nothing = buffer.is_empty() && length == 0;
        length += piece.len();
        if length <= MAX_LINE {
            line.extend_from_slice(piece);
        }
        let used = piece.len() + usize::from(end.is_some());
        lines.consume(used);
        match is_last {
            true if is_nothing => return Ok(Length::End),
            true if length > MAX_LINE => return Ok(Length::TooLong),
            true => return Ok(Length::Whole),
            false => {}
        }
    }
}
