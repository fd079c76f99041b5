//! What the URL of a page asks for, and why the page is not shown.

use axum::extract::{FromRequestParts, Path, Query};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use ddb_core::CallError;
use ddb_core::key::{ConversationId, SortKey};
use maud::Markup;
use serde::Deserialize;

use crate::view::{self, Setting};

/// Why a page is not shown.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    NotFound,
    Malformed,
    /// The page does not support the method.
    Method,
    Store(String),
}

impl From<CallError> for Fault {
    fn from(error: CallError) -> Self {
        Self::Store(error.to_string())
    }
}

/// The error page is made in `pages::front`, which all answers pass through.
impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        let mut response = status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl Fault {
    /// Returns the error page.
    pub fn page(&self, setting: &Setting) -> Markup {
        let (title, text) = match self {
            Self::NotFound => ("Not found", "There is no page at this address."),
            Self::Malformed => (
                "Not understood",
                "The address is not complete, or has a typing error in it.",
            ),
            Self::Method => ("Not allowed", "This page cannot do that."),
            Self::Store(why) => ("The table does not answer", why.as_str()),
        };
        view::notice(Some(setting), title, text, None)
    }
}

/// A sort key in a URL: DynamoDB's have 1 to 1024 bytes.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Key(pub SortKey);

impl TryFrom<String> for Key {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.len() {
            1..=1024 => Ok(Self(SortKey::verbatim(text))),
            _ => Err("a sort key has 1 to 1024 bytes"),
        }
    }
}

/// What the query of a URL asks for.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Asked {
    pub before: Option<Key>,
    pub from: Option<Key>,
    pub around: Option<Key>,
    pub rows: Option<Key>,
    pub sk: Option<Key>,
    #[serde(default)]
    pub q: String,
}

impl<S: Send + Sync> FromRequestParts<S> for Asked {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Fault> {
        let query = Query::from_request_parts(parts, state).await;
        query
            .map(|Query(asked)| asked)
            .map_err(|_| Fault::Malformed)
    }
}

/// The conversation that a path names.
pub(crate) struct Named(pub ConversationId);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Fault> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        let Path(id) = path.map_err(|_| Fault::NotFound)?;
        id.parse().map(Self).map_err(|_| Fault::NotFound)
    }
}
