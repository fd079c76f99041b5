//! The lines of plans and receipts. The first line is the head. Steps follow, each with its outcome in a receipt, and
//! then the end.
//!
//! ```json
//! {"format":1,"tool":"ddb 0.1.0","command":["check-conversations","--repair"],"target":"local http://localhost:8000","table":{"name":"cruddur-messages","id":null,"created_at":"2026-03-22T08:35:09.123000+00:00"},"at":"2026-03-22T08:40:00.000000+00:00","crc32":"…"}
//! {"step":1,"group_uuid":"5ae290ed-55d1-47a0-bc6d-fe2bc2700399","why":"row-behind","changes":[{"key":{},"before":{},"after":null}],"crc32":"…"}
//! {"step":1,"done_at":"2026-03-22T08:40:00.100000+00:00","crc32":"…"}
//! {"step":2,"left":[{"key":{},"why":"it was changed meanwhile"}],"crc32":"…"}
//! {"end":"done","crc32":"…"}
//! ```
//!
//! Items are in DynamoDB JSON. A receipt ends with `done` or `partly`; a plan ends with `planned` and the number of its
//! steps. `crc32` is the checksum of the file up to that point. Every line of a receipt has one, since a receipt may be
//! cut off after any line. In a plan, only the end has one.

use std::collections::BTreeSet;
use std::io::{BufRead, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::ChangesError;
use super::step::Step;
use super::table::{TableId, TableIdentity};
use crate::item::{ItemView, RawItem, Typed};
use crate::store::ItemChange;
use crate::timestamp::Timestamp;

/// The format of plans and receipts.
const FORMAT: u64 = 1;
/// The longest line that is read. Two images each of ten items of 400 KB are shorter, even with every byte escaped.
const MAX_LINE: u64 = 64 * 1024 * 1024;
/// The most changes in a step: the limit of a DynamoDB transaction.
pub(super) const MAX_ACTIONS: usize = 100;

/// The first line of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    format: u64,
    /// The program that wrote it.
    pub tool: String,
    /// The command, with the options that affect what it does.
    pub command: Vec<String>,
    target: String,
    table: TableId,
    /// When the file was begun.
    pub at: String,
}

impl Head {
    /// Makes the head of a plan or a receipt.
    pub fn new(tool: &str, command: Vec<String>, of: TableIdentity, now: Timestamp) -> Self {
        Self {
            format: FORMAT,
            tool: tool.to_owned(),
            command,
            target: of.target,
            table: of.table,
            at: now.to_string(),
        }
    }

    /// Returns the table.
    pub fn table(&self) -> TableIdentity {
        TableIdentity {
            target: self.target.clone(),
            table: self.table.clone(),
        }
    }

    /// Checks that the file at `path` belongs to a table.
    ///
    /// # Errors
    ///
    /// [`ChangesError::OtherTable`].
    pub fn hold(&self, ours: &TableIdentity, path: &Path) -> Result<(), ChangesError> {
        let theirs = self.table();
        if theirs.is(ours) {
            return Ok(());
        }
        Err(ChangesError::OtherTable {
            path: path.to_owned(),
            theirs: theirs.to_string(),
            ours: ours.to_string(),
        })
    }
}

/// An item that a step did not change, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Left {
    /// Its key.
    pub key: RawItem,
    /// Why it was left.
    pub why: String,
}

/// The outcome of a step.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It was carried out.
    Done,
    /// Its items already had the wanted contents.
    FoundDone,
    /// None of it was done.
    Left(Vec<Left>),
}

/// How a file ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "end", rename_all = "lowercase")]
pub(super) enum End {
    /// A receipt: everything was done.
    Done,
    /// A receipt: something was left.
    Partly,
    /// A complete plan.
    Planned {
        /// How many steps it has.
        steps: u64,
    },
}

/// The result of checking the checksum of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seal {
    /// All lines up to and including this one are unchanged.
    Whole,
    /// This line, or one before it, was changed.
    Broken,
    /// The line has no checksum.
    Missing,
}

/// Returns the end of a line that has a checksum.
fn seal(crc32: &crc32fast::Hasher) -> String {
    format!(",\"crc32\":\"{:08x}\"}}\n", crc32.clone().finalize())
}

/// Adds the checksum to a line, and the line to the running checksum.
pub(super) fn sealed(mut line: Vec<u8>, crc32: &mut crc32fast::Hasher) -> Vec<u8> {
    line.truncate(line.len().saturating_sub(b"}\n".len()));
    crc32.update(&line);
    let seal = seal(crc32);
    crc32.update(seal.as_bytes());
    line.extend_from_slice(seal.as_bytes());
    line
}

/// Checks the checksum of a line, and adds the line to the running checksum.
fn look_at_seal(line: &[u8], crc32: &mut crc32fast::Hasher) -> Seal {
    const LENGTH: usize = ",\"crc32\":\"01234567\"}\n".len();
    let (text, end) = line.split_at(line.len().saturating_sub(LENGTH));
    crc32.update(text);
    let seal = seal(crc32);
    crc32.update(end);
    match end.starts_with(b",\"crc32\":\"") {
        true if end == seal.as_bytes() => Seal::Whole,
        true => Seal::Broken,
        false => Seal::Missing,
    }
}

/// One line after the head.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Line {
    /// A step that is about to be carried out.
    Step(u64, Step),
    /// The outcome of a step: `true` if it was done.
    Outcome(u64, bool),
    /// The end.
    End(End),
}

#[derive(Serialize)]
struct ChangeOut<'a> {
    key: Typed<'a, 'a>,
    before: Option<Typed<'a, 'a>>,
    after: Option<Typed<'a, 'a>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangeIn<'a> {
    #[serde(borrow)]
    key: ItemView<'a>,
    #[serde(borrow)]
    before: Option<ItemView<'a>>,
    #[serde(borrow)]
    after: Option<ItemView<'a>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LineIn<'a> {
    step: Option<u64>,
    group_uuid: Option<String>,
    why: Option<String>,
    #[serde(borrow)]
    changes: Option<Vec<ChangeIn<'a>>>,
    done_at: Option<String>,
    left: Option<serde::de::IgnoredAny>,
    /// Checked before, by [`look_at_seal`].
    #[serde(rename = "crc32")]
    _crc32: Option<serde::de::IgnoredAny>,
}

fn json(value: &impl Serialize) -> Vec<u8> {
    // All keys here are strings, and writing to a Vec cannot fail.
    let mut line = serde_json::to_vec(value).unwrap_or_default();
    line.push(b'\n');
    line
}

/// Writes the first line.
pub(super) fn head_line(head: &Head) -> Vec<u8> {
    json(head)
}

/// Writes a step.
pub(super) fn step_line(number: u64, step: &Step) -> Vec<u8> {
    #[derive(Serialize)]
    struct Out<'a> {
        step: u64,
        group_uuid: Option<String>,
        why: &'a str,
        changes: Vec<ChangeOut<'a>>,
    }
    type Images<'v> = (ItemView<'v>, Option<ItemView<'v>>, Option<ItemView<'v>>);
    let views: Vec<Images<'_>> = step
        .changes
        .iter()
        .map(|change| {
            let (before, after) = (change.before(), change.after());
            (
                change.key().into(),
                before.map(ItemView::from),
                after.map(ItemView::from),
            )
        })
        .collect();
    let changes = views.iter().map(|(key, before, after)| ChangeOut {
        key: Typed(key),
        before: before.as_ref().map(Typed),
        after: after.as_ref().map(Typed),
    });
    json(&Out {
        step: number,
        group_uuid: step.conversation.map(|id| id.to_string()),
        why: &step.why,
        changes: changes.collect(),
    })
}

/// Writes the outcome of a step.
pub(super) fn outcome_line(number: u64, outcome: &Outcome) -> Vec<u8> {
    #[derive(Serialize)]
    struct LeftOut<'a> {
        key: Typed<'a, 'a>,
        why: &'a str,
    }
    #[derive(Serialize)]
    struct Out<'a> {
        step: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        done_at: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        left: Option<Vec<LeftOut<'a>>>,
    }
    let mut out = Out {
        step: number,
        done_at: None,
        left: None,
    };
    let items = match outcome {
        Outcome::Done | Outcome::FoundDone => {
            out.done_at = Some(Timestamp::now().to_string());
            return json(&out);
        }
        Outcome::Left(items) => items,
    };
    let keys: Vec<ItemView<'_>> = items.iter().map(|item| (&item.key).into()).collect();
    let left = items.iter().zip(&keys).map(|(item, key)| LeftOut {
        key: Typed(key),
        why: &item.why,
    });
    out.left = Some(left.collect());
    json(&out)
}

/// Writes the end.
pub(super) fn end_line(end: &End) -> Vec<u8> {
    json(end)
}

/// Reads the first line of a file.
pub(super) fn read_head(path: &Path, line: &[u8]) -> Result<Head, ChangesError> {
    #[derive(Deserialize)]
    struct Format {
        format: u64,
    }
    let foreign = || ChangesError::Foreign {
        path: path.to_owned(),
    };
    let Format { format } = serde_json::from_slice(line).map_err(|_| foreign())?;
    if format != FORMAT {
        return Err(ChangesError::Format {
            path: path.to_owned(),
            format,
        });
    }
    serde_json::from_slice(line).map_err(|error| ChangesError::Malformed {
        path: path.to_owned(),
        line: 1,
        why: error.to_string(),
    })
}

fn read_line(line: &[u8]) -> Result<Line, String> {
    if let Ok(end) = serde_json::from_slice::<End>(line) {
        return Ok(Line::End(end));
    }
    let read: LineIn<'_> = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    let number = read.step.ok_or("it has no step")?;
    let Some(changes) = read.changes else {
        return match (read.done_at, read.left) {
            (Some(_), None) => Ok(Line::Outcome(number, true)),
            (None, Some(_)) => Ok(Line::Outcome(number, false)),
            _ => Err("it is neither a step nor the outcome of one".to_owned()),
        };
    };
    let conversation = read.group_uuid.map(|id| id.parse()).transpose();
    let step = Step {
        conversation: conversation.map_err(|error: crate::key::KeyError| error.to_string())?,
        why: read.why.ok_or("it does not say why")?.into(),
        changes: changes
            .into_iter()
            .map(read_change)
            .collect::<Result<_, _>>()?,
    };
    let keys: BTreeSet<_> = step.changes.iter().map(|c| (c.pk(), c.sk())).collect();
    match step.changes.len() {
        0 => Err("its step changes nothing".to_owned()),
        len if len > MAX_ACTIONS => Err("its step has more changes than a transaction".to_owned()),
        len if keys.len() < len => Err("its step changes an item twice".to_owned()),
        _ => Ok(Line::Step(number, step)),
    }
}

fn read_change(read: ChangeIn<'_>) -> Result<ItemChange, String> {
    let image = |view: Option<ItemView<'_>>| view.map(|view| view.to_raw());
    let change = ItemChange::new(image(read.before), image(read.after));
    let change = change.map_err(|error| error.to_string())?;
    if *change.key() == read.key.to_raw() {
        Ok(change)
    } else {
        Err("a change has another key than its items".to_owned())
    }
}

/// Reads the lines of a file, one at a time. Stops before a last line that was cut off.
#[derive(Debug)]
pub(super) struct Lines<R> {
    path: PathBuf,
    from: R,
    number: u64,
    /// Where the next line begins.
    at: u64,
    crc32: crc32fast::Hasher,
    seal: Seal,
    text: Vec<u8>,
    is_torn: bool,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(path: &Path, from: R) -> Self {
        Self {
            path: path.to_owned(),
            from,
            number: 0,
            at: 0,
            crc32: crc32fast::Hasher::new(),
            seal: Seal::Missing,
            text: Vec::new(),
            is_torn: false,
        }
    }

    /// Returns the offset after the last line that was read.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// Checks whether the file ends in the middle of a line.
    pub(super) fn is_torn(&self) -> bool {
        self.is_torn
    }

    /// Returns the running checksum of all lines that were read.
    pub(super) fn crc32(&self) -> crc32fast::Hasher {
        self.crc32.clone()
    }

    /// Returns the result of checking the last line's checksum.
    pub(super) fn seal(&self) -> Seal {
        self.seal
    }

    /// Makes the error for a file whose last line read, or one before it, was changed.
    pub(super) fn broken(&self) -> ChangesError {
        self.malformed("it, or a line before it, was changed after it was written")
    }

    fn next_text(&mut self) -> Result<bool, ChangesError> {
        self.text.clear();
        let mut from = (&mut self.from).take(MAX_LINE);
        let read = from.read_until(b'\n', &mut self.text);
        let read = read.map_err(ChangesError::unreadable(&self.path))?;
        self.is_torn = read > 0 && self.text.last() != Some(&b'\n');
        if self.is_torn || read == 0 {
            return Ok(false);
        }
        self.number += 1;
        self.at += read as u64;
        self.seal = look_at_seal(&self.text, &mut self.crc32);
        Ok(true)
    }

    /// Reads the head.
    pub(super) fn head(&mut self) -> Result<Head, ChangesError> {
        if !self.next_text()? {
            return Err(ChangesError::Foreign {
                path: self.path.clone(),
            });
        }
        read_head(&self.path, &self.text)
    }

    /// Reads the next line; `None` at the end of the file.
    pub(super) fn next(&mut self) -> Result<Option<Line>, ChangesError> {
        if !self.next_text()? {
            return Ok(None);
        }
        let line = read_line(&self.text).map_err(|why| self.malformed(why))?;
        Ok(Some(line))
    }

    /// Makes an error for the last line.
    pub(super) fn malformed(&self, why: impl Into<String>) -> ChangesError {
        ChangesError::Malformed {
            path: self.path.clone(),
            line: self.number,
            why: why.into(),
        }
    }
}
