//! The table: its names, the shape it should have, and how a live table differs from it.

mod change;
mod request;
mod shape;

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

pub use change::{Change, Changes, Plan};
pub use shape::{Difference, Field, IndexField, IndexShape, Shape};

/// The name of the table if none is given.
pub const DEFAULT_TABLE: &str = "cruddur-messages";

/// The name of the only global secondary index: rows by conversation.
pub const GROUP_INDEX: &str = "message-group-sk-index";

/// The names of the attributes.
pub mod attribute {
    /// Partition key of the table.
    pub const PK: &str = "pk";
    /// Sort key of the table and of the index.
    pub const SK: &str = "sk";
    /// The conversation of a row; partition key of the index.
    pub const MESSAGE_GROUP_UUID: &str = "message_group_uuid";
    /// The id of a message.
    pub const MESSAGE_UUID: &str = "message_uuid";
    /// The text of a message.
    pub const MESSAGE: &str = "message";
    /// The sender of a message; the other participant of a row.
    pub const USER_UUID: &str = "user_uuid";
    /// That person's display name.
    pub const USER_DISPLAY_NAME: &str = "user_display_name";
    /// That person's handle.
    pub const USER_HANDLE: &str = "user_handle";
}

/// The error for a text that cannot be the name of a table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a table name has 3 to 255 letters, digits, `_`, `-` or `.`: `{0}`")]
pub struct TableNameError(String);

/// The name of a table.
///
/// The rule is the one for CreateTable in the DynamoDB API reference: 3 to 255 characters out of
/// `a-zA-Z0-9_.-`. An ARN is refused, so that a name always means a table in the account shown.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableName(String);

impl TableName {
    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for TableName {
    type Err = TableNameError;

    fn from_str(text: &str) -> Result<Self, TableNameError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        if (3..=255).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(TableNameError(text.to_owned()))
        }
    }
}

/// Capacity units a second, for reading and for writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// Read capacity units a second.
    pub read: NonZeroU32,
    /// Write capacity units a second.
    pub write: NonZeroU32,
}

impl Capacity {
    /// 5 read and 5 write: what the application was built with.
    pub const DEFAULT: Self = {
        let five = NonZeroU32::new(5).expect("five is not zero");
        Self {
            read: five,
            write: five,
        }
    };
}

/// How the table is paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Billing {
    /// By capacity, on the table and on the index alike.
    Provisioned(Capacity),
    /// By request.
    OnDemand,
}

/// The options of the wanted table. Keys and index are fixed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableSpec {
    /// How it is paid for.
    pub billing: Billing,
    /// Whether it has a stream that carries new images.
    pub stream: bool,
}

impl Default for TableSpec {
    fn default() -> Self {
        Self {
            billing: Billing::Provisioned(Capacity::DEFAULT),
            stream: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_names_follow_the_rule_of_the_service() {
        for good in ["abc", "cruddur-messages", "A.b_c-9", &"x".repeat(255)] {
            assert!(good.parse::<TableName>().is_ok(), "{good}");
        }
        let arn = "arn:aws:dynamodb:us-east-1:123456789012:table/x";
        for bad in ["", "ab", "a b c", "tést", arn, &"x".repeat(256), "abc\n"] {
            assert!(bad.parse::<TableName>().is_err(), "{bad}");
        }
    }
}
