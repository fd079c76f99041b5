//! Handles: the names by which people know each other.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::key::UserId;

/// The error for a text that is not a handle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a handle: `{0}`; use one such as bayko or @bayko")]
pub struct HandleError(String);

/// A person's handle as it is typed: `bayko` and `@Bayko` are the same one.
///
/// It is shown without the `@`, with the case as typed.
#[derive(Debug, Clone)]
pub struct Handle(String);

impl Handle {
    /// Returns the handle without the `@`, with the case as typed.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Checks whether a stored handle is this one, ignoring case and a leading `@`.
    pub fn is(&self, stored: &str) -> bool {
        let stored = stored.strip_prefix('@').unwrap_or(stored);
        self.0 == stored || self.0.to_lowercase() == stored.to_lowercase()
    }
}

impl PartialEq for Handle {
    fn eq(&self, other: &Self) -> bool {
        self.is(&other.0)
    }
}

impl Eq for Handle {}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for Handle {
    type Err = HandleError;

    fn from_str(text: &str) -> Result<Self, HandleError> {
        let handle = text.strip_prefix('@').unwrap_or(text);
        if handle.trim().is_empty() || handle.contains(char::is_control) {
            return Err(HandleError(text.to_owned()));
        }
        Ok(Self(handle.to_owned()))
    }
}

/// A person, by id or by handle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PersonName {
    /// The id, in any text form of a uuid.
    Id(UserId),
    /// The handle.
    Handle(Handle),
}

impl fmt::Display for PersonName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Handle(handle) => handle.fmt(f),
        }
    }
}

impl FromStr for PersonName {
    type Err = HandleError;

    fn from_str(text: &str) -> Result<Self, HandleError> {
        match Uuid::try_parse(text) {
            Ok(id) => Ok(Self::Id(UserId::new(id))),
            Err(_) => text.parse().map(Self::Handle),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_is_the_same_in_any_case_and_with_an_at_sign() {
        let handle = |text: &str| text.parse::<Handle>().unwrap();
        assert_eq!(handle("bayko"), handle("@Bayko"));
        assert!(handle("@bayko").is("BAYKO"));
        assert!(handle("bayko").is("@bayko"));
        assert!(handle("ÉMILE").is("émile"));
        assert!(!handle("bayko").is("bayko2"));
        assert_eq!(handle("@Bayko").to_string(), "Bayko");
        for text in ["", "@", " ", "@ ", "\u{1b}[31mred"] {
            assert!(text.parse::<Handle>().is_err(), "{text:?}");
        }
    }
}
