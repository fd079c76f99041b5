//! The next step after a failure.

use ddb_core::error::ConnectFault;

/// What to do next.
///
/// A command line in backticks, `` `ddb schema-load` ``, is written without its target: [`Guide`](super::Guide) adds
/// the target of the command that ran, so that the suggested command acts on the same target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hint {
    /// Fixed text, which contains no secret.
    Fixed(&'static str),
    /// Text that quotes something.
    Made(String),
    /// Text whose command lines already have their targets, because they act on another target than the command that
    /// ran.
    Whole(String),
    /// The same command line with one more option.
    Again {
        /// The option.
        with: &'static str,
        /// What the command does with it.
        does: &'static str,
    },
    /// The role lacks the permission for this action.
    Denied {
        /// The action, as IAM calls it.
        action: String,
    },
    /// There are no credentials.
    NoCredentials,
    /// AWS refuses the credentials, or they cannot be obtained.
    BadCredentials,
    /// No connection could be made.
    Unreachable(ConnectFault),
    /// There was no answer, or none that makes sense.
    NoService,
    /// The service throttled the requests.
    Throttled,
    /// A hint, preceded by the name of its subject.
    About(&'static str, Box<Self>),
}

impl From<&'static str> for Hint {
    fn from(text: &'static str) -> Self {
        Self::Fixed(text)
    }
}

impl From<String> for Hint {
    fn from(text: String) -> Self {
        Self::Made(text)
    }
}

impl From<&String> for Hint {
    fn from(text: &String) -> Self {
        Self::Made(text.clone())
    }
}

impl Hint {
    /// Checks whether it may quote a secret that somebody typed.
    pub fn quotes(&self) -> bool {
        match self {
            Self::Made(_) | Self::Whole(_) | Self::Again { .. } => true,
            Self::About(_, hint) => hint.quotes(),
            _ => false,
        }
    }
}
