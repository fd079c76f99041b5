//! The folder of an export to S3. See "DynamoDB table export output format" in the AWS developer guide.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

const SUMMARY: &str = "manifest-summary.json";
const FILES: &str = "manifest-files.json";
const DATA: &str = "data";

/// The reason why a folder cannot be read as an export.
#[derive(Debug, thiserror::Error)]
pub enum ExportFault {
    /// It has no folder with data files.
    #[error(
        "it has no folder `data` with .json.gz files: an export is the folder that manifest-summary.json is in"
    )]
    NoData,
    /// It is an incremental export.
    #[error("an incremental export says what changed, and cannot be imported; a full one can")]
    Incremental,
    /// It is in another format.
    #[error("the export is in the format {0}; DYNAMODB_JSON can be imported")]
    Format(String),
    /// A manifest cannot be read.
    #[error("{file}: {error}")]
    Manifest {
        /// Its name.
        file: &'static str,
        /// The cause.
        error: io::Error,
    },
    /// A file that the manifest names does not exist.
    #[error("{FILES} names `{0}`, which is not there")]
    Missing(String),
    /// A file exists that the manifest does not name.
    #[error("`{0}` is there, and {FILES} does not name it")]
    Surplus(String),
    /// The folder cannot be listed.
    #[error(transparent)]
    Folder(#[from] io::Error),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    output_format: Option<String>,
    export_type: Option<String>,
}

/// A line of the manifest of files.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    md5_checksum: Option<String>,
    #[serde(rename = "dataFileS3Key")]
    data_file: Option<String>,
}

/// A file with the items of an export.
#[derive(Debug)]
pub(super) struct DataFile {
    pub path: PathBuf,
    /// Its MD5 according to the manifest.
    pub md5: Option<[u8; 16]>,
}

/// Finds the data files of an export: in the order of the manifest, or by name if there is none.
pub(super) fn files_of(folder: &Path) -> Result<Vec<DataFile>, ExportFault> {
    if let Some(summary) = read(folder, SUMMARY)? {
        let summary: Summary = parse(SUMMARY, &summary)?;
        if summary
            .export_type
            .is_some_and(|kind| kind != "FULL_EXPORT")
        {
            return Err(ExportFault::Incremental);
        }
        match summary.output_format {
            Some(format) if format != "DYNAMODB_JSON" => return Err(ExportFault::Format(format)),
            _ => {}
        }
    }
    let data = folder.join(DATA);
    let there = files_in(&data)?;
    if there
        .iter()
        .any(|name| name.to_string_lossy().ends_with(".ion.gz"))
    {
        return Err(ExportFault::Format("ION".to_owned()));
    }
    if there.is_empty() {
        return Err(ExportFault::NoData);
    }
    let Some(listed) = read(folder, FILES)? else {
        let files = there.iter().map(|name| DataFile {
            path: data.join(name),
            md5: None,
        });
        return Ok(files.collect());
    };
    let mut files = Vec::new();
    let mut named = BTreeSet::new();
    for line in listed.lines().filter(|line| !line.trim().is_empty()) {
        let file: Listed = parse(FILES, line)?;
        let name = file.name()?;
        let name_of_file = OsString::from(name);
        if !there.contains(&name_of_file) {
            return Err(ExportFault::Missing(name.to_owned()));
        }
        files.push(DataFile {
            path: data.join(name),
            md5: file.md5()?,
        });
        named.insert(name_of_file);
    }
    match there.difference(&named).next() {
        Some(name) => Err(ExportFault::Surplus(name.to_string_lossy().into_owned())),
        None => Ok(files),
    }
}

impl Listed {
    /// Returns the name in the folder `data`: the part of its S3 key after the last slash.
    fn name(&self) -> Result<&str, ExportFault> {
        let key = self.data_file.as_deref().unwrap_or_default();
        let name = key.rsplit('/').next().unwrap_or_default();
        match name {
            "" | "." | ".." => Err(invalid(FILES, "a line without `dataFileS3Key`")),
            name => Ok(name),
        }
    }

    fn md5(&self) -> Result<Option<[u8; 16]>, ExportFault> {
        let Some(text) = &self.md5_checksum else {
            return Ok(None);
        };
        let bytes = STANDARD.decode(text).ok();
        let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
        match bytes {
            Some(bytes) => Ok(Some(bytes)),
            None => Err(invalid(FILES, "an invalid `md5Checksum`")),
        }
    }
}

fn invalid(file: &'static str, what: &str) -> ExportFault {
    ExportFault::Manifest {
        file,
        error: io::Error::new(io::ErrorKind::InvalidData, what.to_owned()),
    }
}

fn parse<'a, T: Deserialize<'a>>(file: &'static str, text: &'a str) -> Result<T, ExportFault> {
    serde_json::from_str(text).map_err(|error| ExportFault::Manifest {
        file,
        error: error.into(),
    })
}

fn read(folder: &Path, file: &'static str) -> Result<Option<String>, ExportFault> {
    match std::fs::read_to_string(folder.join(file)) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(ExportFault::Manifest { file, error }),
    }
}

fn files_in(data: &Path) -> Result<BTreeSet<OsString>, ExportFault> {
    let entries = match std::fs::read_dir(data) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(ExportFault::NoData),
        entries => entries?,
    };
    let mut names = BTreeSet::new();
    for entry in entries {
        let path: PathBuf = entry?.path();
        if let (true, Some(name)) = (path.is_file(), path.file_name()) {
            names.insert(name.to_owned());
        }
    }
    Ok(names)
}
