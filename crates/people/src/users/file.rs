//! Users from a CSV file.

use std::collections::HashMap;

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

/// Says what is wrong without the position, which is said already.
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
    fn what_is_wrong_is_said_with_the_line() {
        assert_eq!(
            parse("u.csv", b"handle,uuid\n").unwrap_err().to_string(),
            "u.csv, line 1: the header must be uuid,display_name,handle,email,cognito_user_id"
        );
        assert_eq!(error(&format!("{ID},A,,e,c")), "u.csv, line 2: no handle");
        assert_eq!(error("1,A,a,e,c"), "u.csv, line 2: not a uuid: `1`");
        assert_eq!(
            error(&format!("{ID},A,a,e,c\n{ID},B,b,e,c")),
            "u.csv, line 3: the uuid stands on line 2 already"
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
