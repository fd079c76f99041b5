//! The next step after a failure.

use ddb_core::error::ConnectFault;

/// What to do next.
///
/// A command line in backticks, `` `ddb schema-load` ``, is written without its target: [`Guide`](super::Guide) adds
/// the target of the command that ran, so that whoever follows the hint acts at the same place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hint {
    /// Words of ours, which hold no secret.
    Fixed(&'static str),
    /// Words that quote something.
    Made(String),
    /// Words whose command lines have their targets already: they act elsewhere than the command that ran.
    Whole(String),
    /// The same command line with one more option.
    Again {
        /// The option.
        with: &'static str,
        /// What it does then.
        does: &'static str,
    },
    /// The role lacks the permission for this action.
    Denied {
        /// The action, as IAM calls it.
        action: String,
    },
    /// There are no credentials.
    NoCredentials,
    /// There are credentials that AWS does not take, or that cannot be had.
    BadCredentials,
    /// No connection came about.
    Unreachable(ConnectFault),
    /// No answer came, or none that makes sense.
    NoService,
    /// The service asked for less load.
    Throttled,
    /// A hint under the name of what it is about.
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
    /// Tells whether it may quote a secret that somebody typed.
    pub fn quotes(&self) -> bool {
        match self {
            Self::Made(_) | Self::Whole(_) | Self::Again { .. } => true,
            Self::About(_, hint) => hint.quotes(),
            _ => false,
        }
    }
}
