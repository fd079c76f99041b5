//! The conversation that is loaded: a file or the built-in one, its speakers, and its id.

use std::path::Path;

use ddb_core::handle::PersonName;
use ddb_core::key::{ConversationId, UserId};
use ddb_core::seed::{Script, Side, Speakers};

use super::Args;
use crate::args::SEEDED_GROUP;
use crate::failure::{Failure, exit_of_file};

const BUILT_IN: &str = include_str!("../../../seed-data/conversations/late-train.txt");
const BUILT_IN_NAME: &str = "the built-in conversation";

impl Args {
    /// Reads the conversation, and decides which of the two people each name refers to.
    pub(super) fn script(&self, me: &PersonName) -> Result<Script, Failure> {
        let mut speakers = Speakers::new(&me.to_string(), &self.with.to_string());
        for speaker in &self.speakers {
            let (name, handle) = speaker.split_once('=').ok_or_else(|| {
                Failure::refused(format!("--speaker {speaker}: write it as NAME=HANDLE"))
            })?;
            let is = |person: &PersonName| {
                handle
                    .parse()
                    .is_ok_and(|named: PersonName| named == *person)
            };
            let side = if is(me) {
                Side::Me
            } else if is(&self.with) {
                Side::Other
            } else {
                return Err(Failure::refused(format!(
                    "--speaker {speaker}: `{handle}` is neither --me `{me}` nor --with `{}`",
                    self.with
                )));
            };
            speakers.map(name, side);
        }
        let Some(path) = &self.conversation else {
            return Ok(Script::parse(
                BUILT_IN_NAME,
                BUILT_IN.as_bytes(),
                &speakers,
            )?);
        };
        let bytes = read(path)?;
        Ok(Script::parse(
            &path.display().to_string(),
            &bytes,
            &speakers,
        )?)
    }

    /// Returns the id of the conversation.
    pub(super) fn id(&self, people: [UserId; 2]) -> Result<ConversationId, Failure> {
        match (self.group_uuid, &self.conversation) {
            (Some(id), _) => Ok(id),
            (None, None) => Ok(SEEDED_GROUP),
            (None, Some(path)) => id_of_file(path, people),
        }
    }
}

/// Returns the id of the conversation in a file, between two people.
fn id_of_file(path: &Path, people: [UserId; 2]) -> Result<ConversationId, Failure> {
    let name = path.file_name().and_then(|name| name.to_str());
    // The file behind /dev/stdin may be a regular file, but `stdin` is not its name.
    let is_stream = ["/dev", "/proc"]
        .iter()
        .any(|folder| path.starts_with(folder));
    match name {
        Some(name) if path.is_file() && !is_stream => {
            Ok(ConversationId::derive(&SEEDED_GROUP, people, name))
        }
        _ => Err(Failure::refused(format!(
            "{}: not a regular file, so its name gives no id; nothing was written",
            path.display()
        ))
        .hint("--group-uuid names the conversation")),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| {
        Failure::new(
            exit_of_file(&error),
            format!("{}: {error}; nothing was written", path.display()),
        )
        .hint("--conversation names a text file; without it, the built-in conversation is loaded")
    })
}
