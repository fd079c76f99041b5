//! Users from a CSV file.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use csv::{ReaderBuilder, StringRecord, Trim};

use ddb_core::key::UserId;

use super::User;
use super::error::{FileProblem, UsersError};

const HEADER: [&str; 5] = ["uuid", "display_name", "handle", "email", "cognito_user_id"];

/// Parses the whole file.
pub(super) fn parse(file: &str, bytes: &[u8]) -> Result<Vec<User>, UsersError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let malformed = |line: u64, problem: FileProblem| UsersError::Malformed {
        file: file.to_owned(),
        line,
        problem,
    };
    let broken = |error: &csv::Error| {
        let line = error.position().map_or(1, csv::Position::line);
        malformed(line, problem(error))
    };
    let mut reader = ReaderBuilder::new().trim(Trim::All).from_reader(bytes);
    if reader.headers().map_err(|error| broken(&error))? != HEADER.as_slice() {
        return Err(malformed(1, FileProblem::Header));
    }
    let mut users = Vec::new();
    let mut lines: HashMap<UserId, u64> = HashMap::new();
    for record in reader.records() {
        let record = record.map_err(|error| broken(&error))?;
        let line = record.position().map_or(1, csv::Position::line);
        let user = user(&record).map_err(|problem| malformed(line, problem))?;
        if let Some(first) = lines.insert(user.uuid, line) {
            return Err(malformed(line, FileProblem::DoubledUuid(first)));
        }
        users.push(user);
    }
    Ok(users)
}

/// A users file to write to. Users that are already in it stay.
#[derive(Debug)]
pub struct UsersFile {
    path: PathBuf,
    users: Vec<User>,
}

impl UsersFile {
    /// Opens a users file, which may be absent.
    ///
    /// # Errors
    ///
    /// [`UsersError::Unreadable`], and [`UsersError::Malformed`] if it is not a users file.
    pub fn open(path: &Path) -> Result<Self, UsersError> {
        let path = path.to_owned();
        let users = match std::fs::read(&path) {
            Ok(bytes) if bytes.is_empty() => Vec::new(),
            Ok(bytes) => parse(&path.display().to_string(), &bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(UsersError::Unreadable { path, error }),
        };
        Ok(Self { path, users })
    }

    /// Returns its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds a user, or replaces the name and the handle of one that is already in it. A blank name becomes the
    /// handle, a blank handle the id: a users file has no blank ones.
    pub fn put(&mut self, user: User) {
        let first = |texts: [&str; 3]| {
            let found = texts.into_iter().find(|text| !text.trim().is_empty());
            found.unwrap_or_default().to_owned()
        };
        let id = user.uuid.to_string();
        let display_name = first([&user.display_name, &user.handle, &id]);
        let handle = first([&user.handle, &id, ""]);
        match self.users.iter_mut().find(|known| known.uuid == user.uuid) {
            Some(known) => {
                known.display_name = display_name;
                known.handle = handle;
            }
            None => self.users.push(User {
                display_name,
                handle,
                ..user
            }),
        }
    }

    /// Writes the whole file: a new file replaces it, so it is never partly written.
    ///
    /// # Errors
    ///
    /// [`UsersError::Unwritable`].
    pub fn write(&self) -> Result<(), UsersError> {
        let unwritable = |error: io::Error| UsersError::Unwritable {
            path: self.path.clone(),
            error,
        };
        self.replace().map_err(unwritable)
    }

    /// Checks whether the file can be written, without changing it.
    ///
    /// # Errors
    ///
    /// [`UsersError::Unwritable`].
    pub fn try_out(&self) -> Result<(), UsersError> {
        let new = self.beside();
        let tried = std::fs::write(&new, []).and_then(|()| std::fs::remove_file(&new));
        tried.map_err(|error| UsersError::Unwritable {
            path: self.path.clone(),
            error,
        })
    }

    /// Returns the path of the new file, before it replaces the old one.
    fn beside(&self) -> PathBuf {
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.ddb-new", std::process::id()));
        self.path.with_file_name(name)
    }

    fn replace(&self) -> io::Result<()> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(HEADER)?;
        for user in &self.users {
            let id = user.uuid.to_string();
            writer.write_record([
                &id,
                &user.display_name,
                &user.handle,
                &user.email,
                &user.cognito_user_id,
            ])?;
        }
        let bytes = writer.into_inner().map_err(|error| error.into_error())?;
        let new = self.beside();
        let written = std::fs::write(&new, bytes).and_then(|()| std::fs::rename(&new, &self.path));
        if written.is_err() {
            // The new file is of no use.
            let _ = std::fs::remove_file(&new);
        }
        written
    }
}

fn user(record: &StringRecord) -> Result<User, FileProblem> {
    let field = |index: usize| record.get(index).unwrap_or_default().to_owned();
    let needed = |index: usize| match field(index) {
        text if text.is_empty() => Err(FileProblem::Blank(HEADER[index])),
        text => Ok(text),
    };
    Ok(User {
        uuid: needed(0)?.parse().map_err(FileProblem::Uuid)?,
        display_name: needed(1)?,
        handle: needed(2)?,
        email: field(3),
        cognito_user_id: field(4),
    })
}

/// Describes what is wrong, without the position, which the message already has.
fn problem(error: &csv::Error) -> FileProblem {
    match error.kind() {
        csv::ErrorKind::UnequalLengths {
            expected_len, len, ..
        } => FileProblem::Csv(format!("{len} fields instead of {expected_len}")),
        csv::ErrorKind::Utf8 { .. } => FileProblem::NotUtf8,
        _ => FileProblem::Csv("not CSV".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0a0a0a0a-0a0a-4a0a-8a0a-0a0a0a0a0a0a";

    fn error(body: &str) -> String {
        let text = format!("uuid,display_name,handle,email,cognito_user_id\n{body}");
        parse("u.csv", text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn fields_may_be_quoted_and_a_byte_order_mark_is_skipped() {
        let text = format!(
            "\u{feff}uuid,display_name,handle,email,cognito_user_id\r\n{ID},\"Brown, Andrew\",ab,,\r\n"
        );
        let users = parse("u.csv", text.as_bytes()).unwrap();
        assert_eq!(users[0].display_name, "Brown, Andrew");
        assert_eq!(users[0].cognito_user_id, "");
    }

    #[test]
    fn a_file_that_is_written_is_read_and_loses_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("people.csv");
        let somebody = |id: &str, name: &str| User {
            uuid: id.parse().unwrap(),
            display_name: name.to_owned(),
            handle: format!("{name}, \"x\""),
            email: String::new(),
            cognito_user_id: "MOCK".to_owned(),
        };
        let other = "0b0b0b0b-0b0b-4b0b-8b0b-0b0b0b0b0b0b";
        let mut file = UsersFile::open(&path).unwrap();
        file.put(somebody(ID, "one"));
        file.write().unwrap();
        let mut file = UsersFile::open(&path).unwrap();
        file.put(somebody(other, "two"));
        file.put(somebody(ID, "three"));
        file.put(User {
            display_name: " ".to_owned(),
            handle: String::new(),
            ..somebody("0c0c0c0c-0c0c-4c0c-8c0c-0c0c0c0c0c0c", "")
        });
        file.write().unwrap();
        let users = parse("people.csv", &std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(users[..2], [somebody(ID, "three"), somebody(other, "two")]);
        assert_eq!(users[2].display_name, users[2].uuid.to_string());
        // No other file is left, and a file that is not a users file is not changed.
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        std::fs::write(&path, "no users\n").unwrap();
        assert!(UsersFile::open(&path).is_err());
        let nowhere = folder.path().join("absent/people.csv");
        let nowhere = UsersFile::open(&nowhere).unwrap();
        assert!(matches!(
            nowhere.write(),
            Err(UsersError::Unwritable { .. })
        ));
        assert!(matches!(
            nowhere.try_out(),
            Err(UsersError::Unwritable { .. })
        ));
    }

    #[test]
    fn what_is_wrong_is_said_with_the_line() {
        assert_eq!(
            parse("u.csv", b"handle,uuid\n").unwrap_err().to_string(),
            "u.csv, line 1: the header must be uuid,display_name,handle,email,cognito_user_id"
        );
        assert_eq!(error(&format!("{ID},A,,e,c")), "u.csv, line 2: no handle");
        assert_eq!(error("1,A,a,e,c"), "u.csv, line 2: not a uuid: `1`");
        assert_eq!(
            error(&format!("{ID},A,a,e,c\n{ID},B,b,e,c")),
            "u.csv, line 3: the uuid is already on line 2"
        );
        assert_eq!(error("a,b"), "u.csv, line 2: 2 fields instead of 5");
        let bytes = [
            b"uuid,display_name,handle,email,cognito_user_id\n\xff,".as_slice(),
            b",,,",
        ]
        .concat();
        assert!(
            parse("u.csv", &bytes)
                .unwrap_err()
                .to_string()
                .ends_with("line 2: not UTF-8")
        );
    }
}
