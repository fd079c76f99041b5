//! `ddb serve`: the application's own API, for its React pages.

mod posted;

use std::fmt;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, Request, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_MAX_AGE, AUTHORIZATION, CONTENT_TYPE, HeaderValue, ORIGIN, VARY,
};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use ddb_core::conversation::{
    Membership, create_conversation, create_message, find_conversations, membership,
};
use ddb_core::handle::Handle;
use ddb_core::item::Message;
use ddb_core::key::{ConversationId, SortKey};
use ddb_core::store::Writer;
use ddb_core::timestamp::Timestamp;
use ddb_core::{CallError, Error};
use ddb_loopback::Origin;
use ddb_people::users::{User, Users, UsersError};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::front::{Names, collected, dressed};
use crate::read::{self, Entry, Stretch};
use crate::tokens::{TokenError, Tokens};
use posted::{To, Wanted, wanted};

/// The most messages in an answer, as the application's pages expect.
const MESSAGES: usize = 20;

/// Who sends the requests.
#[derive(Debug)]
pub enum Asker {
    /// Anyone who has a token of the pool.
    Token(Box<Tokens>),
    /// Always the same person, whoever sends them: for development.
    Always(Box<User>),
}

/// Reports the errors of this side to the operator.
type Say = Box<dyn Fn(&str) + Send + Sync>;

struct Inner {
    writer: Writer,
    users: Users,
    asker: Asker,
    allowed: Vec<Origin>,
    names: Names,
    say: Say,
}

/// The application's API over one table.
#[derive(Clone)]
pub struct Api(Arc<Inner>);

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Api").field(&self.0.asker).finish()
    }
}

/// Why a request fails.
#[derive(Debug)]
enum Fault {
    Unauthorized,
    Forbidden,
    NotFound,
    NoJson,
    /// Rules of the application that are broken, in its own words.
    Rules(Vec<&'static str>),
    /// An error on this side.
    Ours(String),
}

impl From<CallError> for Fault {
    fn from(error: CallError) -> Self {
        Self::Ours(error.to_string())
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Ours(error.to_string())
    }
}

impl From<UsersError> for Fault {
    fn from(error: UsersError) -> Self {
        match error {
            UsersError::NotFound { .. } => Self::NotFound,
            error => Self::Ours(error.to_string()),
        }
    }
}

/// A conversation with the other person and the newest message, or a message with its sender.
#[derive(Debug, Serialize)]
struct Line {
    uuid: String,
    display_name: String,
    handle: String,
    message: String,
    created_at: String,
}

#[derive(Debug, Serialize)]
struct Written {
    message_group_uuid: String,
    #[serde(flatten)]
    line: Line,
}

impl From<Message> for Line {
    fn from(message: Message) -> Self {
        Self {
            uuid: message.id.to_string(),
            display_name: message.sender.display_name,
            handle: message.sender.handle,
            message: message.text,
            created_at: message.created_at.to_string(),
        }
    }
}

#[derive(Debug, Deserialize)]
struct Before {
    before: Option<String>,
}

type AtPath = Result<Path<String>, PathRejection>;
type AskedFor = Result<Query<Before>, QueryRejection>;

fn before(query: AskedFor) -> Result<Option<SortKey>, Fault> {
    let Query(Before { before }) = query.map_err(|_| Fault::NotFound)?;
    match before {
        Some(text) if text.is_empty() || text.len() > 1024 => Err(Fault::NotFound),
        before => Ok(before.map(SortKey::verbatim)),
    }
}

impl Api {
    /// Creates the API for a server at `port`. Pages of the origins in `allowed` may use it.
    pub fn new(
        writer: Writer,
        users: Users,
        asker: Asker,
        allowed: Vec<Origin>,
        port: u16,
        say: impl Fn(&str) + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Inner {
            writer,
            users,
            asker,
            allowed,
            names: Names::of(port),
            say: Box::new(say),
        }))
    }

    /// Returns the service.
    pub fn router(&self) -> Router {
        let known = Router::new()
            .route("/api/message_groups", get(message_groups))
            .route("/api/messages/{conversation}", get(messages))
            .route("/api/messages", post(write))
            .route("/api/users/{handle}/short", get(short))
            .route_layer(from_fn_with_state(self.clone(), identified));
        let everything = known
            .route("/api/health-check", get(health_check))
            .fallback(nothing)
            .method_not_allowed_fallback(not_so);
        everything
            .layer(from_fn_with_state(self.clone(), front))
            .with_state(self.clone())
    }

    fn answer(&self, answer: Result<Response, Fault>) -> Response {
        let (status, body) = match answer {
            Ok(response) => return response,
            Err(Fault::Unauthorized) => (StatusCode::UNAUTHORIZED, json!({})),
            Err(Fault::Forbidden) => (StatusCode::FORBIDDEN, json!({})),
            Err(Fault::NotFound) => (StatusCode::NOT_FOUND, json!({})),
            Err(Fault::NoJson) => (StatusCode::BAD_REQUEST, json!({})),
            Err(Fault::Rules(words)) => (StatusCode::UNPROCESSABLE_ENTITY, json!(words)),
            Err(Fault::Ours(why)) => {
                (self.0.say)(&why);
                (StatusCode::SERVICE_UNAVAILABLE, json!({}))
            }
        };
        with_json(status, &body)
    }

    /// Identifies the user who sent a request.
    async fn who(&self, headers: &HeaderMap) -> Result<User, Fault> {
        let tokens = match &self.0.asker {
            Asker::Always(user) => return Ok(User::clone(user)),
            Asker::Token(tokens) => tokens,
        };
        let mut given = headers.get_all(AUTHORIZATION).iter();
        let (Some(given), None) = (given.next(), given.next()) else {
            return Err(Fault::Unauthorized);
        };
        let token = given.to_str().ok().and_then(|text| text.split_once(' '));
        let (scheme, token) = token.ok_or(Fault::Unauthorized)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Fault::Unauthorized);
        }
        let sub = tokens
            .sub(token.trim())
            .await
            .map_err(|error| match error {
                TokenError::NotBelieved => Fault::Unauthorized,
                TokenError::NoKeys(error) => Fault::Ours(error.to_string()),
            })?;
        match self.0.users.by_cognito_user_id(&sub).await {
            Ok(user) => Ok(user),
            // A pool may have users that the application does not know.
            Err(UsersError::NotFound { .. }) => Err(Fault::Unauthorized),
            Err(error) => Err(Fault::Ours(error.to_string())),
        }
    }

    /// Refuses everyone except the two people of a conversation.
    async fn only_participants(&self, id: ConversationId, user: &User) -> Result<(), Fault> {
        match membership(&self.0.writer, id, user.uuid).await? {
            Membership::Member => Ok(()),
            Membership::Stranger => Err(Fault::Forbidden),
            Membership::NoConversation => Err(Fault::NotFound),
        }
    }
}

fn with_json(status: StatusCode, body: &impl Serialize) -> Response {
    let json = HeaderValue::from_static("application/json");
    match serde_json::to_vec(body) {
        Ok(bytes) => (status, [(CONTENT_TYPE, json)], bytes).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn front(State(api): State<Api>, request: Request, next: Next) -> Response {
    let origin = match api.0.names.check_api(&request, &api.0.allowed) {
        Ok(origin) => origin,
        Err(refusal) => {
            let said = json!({ "error": refusal.sentence() });
            return dressed(with_json(refusal.status(), &said));
        }
    };
    let mut response = if request.method() == Method::OPTIONS && origin.is_some() {
        let mut granted = StatusCode::NO_CONTENT.into_response();
        for (name, value) in [
            (ACCESS_CONTROL_ALLOW_METHODS, "GET, POST"),
            (ACCESS_CONTROL_ALLOW_HEADERS, "authorization, content-type"),
            (ACCESS_CONTROL_MAX_AGE, "7200"),
        ] {
            granted
                .headers_mut()
                .insert(name, HeaderValue::from_static(value));
        }
        granted
    } else {
        match collected(request).await {
            Ok(request) => next.run(request).await,
            Err(refusal) => with_json(refusal.status(), &json!({ "error": refusal.sentence() })),
        }
    };
    if let Some(origin) = origin {
        let headers = response.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(
            axum::http::HeaderName::from_static("cross-origin-resource-policy"),
            HeaderValue::from_static("cross-origin"),
        );
    }
    response
        .headers_mut()
        .insert(VARY, HeaderValue::from_name(ORIGIN));
    dressed(response)
}

/// Refuses requests without a known user.
async fn identified(State(api): State<Api>, mut request: Request, next: Next) -> Response {
    match api.who(request.headers()).await {
        Ok(user) => {
            request.extensions_mut().insert(Arc::new(user));
            next.run(request).await
        }
        Err(fault) => api.answer(Err(fault)),
    }
}

async fn nothing(State(api): State<Api>) -> Response {
    api.answer(Err(Fault::NotFound))
}

async fn not_so() -> Response {
    with_json(StatusCode::METHOD_NOT_ALLOWED, &json!({}))
}

async fn health_check() -> Response {
    with_json(StatusCode::OK, &json!({ "success": true, "ver": 1 }))
}

async fn message_groups(
    State(api): State<Api>,
    Extension(user): Extension<Arc<User>>,
    query: AskedFor,
) -> Response {
    let answered = async {
        let before = before(query)?;
        let (rows, _) = read::rows(&api.0.writer, user.uuid, before.as_ref()).await?;
        let lines = rows.into_iter().map(|row| Line {
            uuid: row.conversation.to_string(),
            display_name: row.other.display_name,
            handle: row.other.handle,
            message: row.text,
            created_at: row.last_message_at.to_string(),
        });
        let lines: Vec<Line> = lines.collect();
        Ok(with_json(StatusCode::OK, &lines))
    };
    api.answer(answered.await)
}

async fn messages(
    State(api): State<Api>,
    Extension(user): Extension<Arc<User>>,
    path: AtPath,
    query: AskedFor,
) -> Response {
    let answered = async {
        let Path(id) = path.map_err(|_| Fault::NotFound)?;
        let id: ConversationId = id.parse().map_err(|_| Fault::NotFound)?;
        let stretch = before(query)?.map_or(Stretch::Newest, Stretch::Before);
        api.only_participants(id, &user).await?;
        let read = read::transcript(&api.0.writer, id, &stretch, MESSAGES, true).await?;
        let messages = read.entries.into_iter().filter_map(|entry| match entry {
            Entry::Message(message) => Some(Line::from(message)),
            Entry::Unknown { .. } => None,
        });
        let messages: Vec<Line> = messages.collect();
        Ok(with_json(StatusCode::OK, &messages))
    };
    api.answer(answered.await)
}

async fn short(State(api): State<Api>, path: AtPath) -> Response {
    let answered = async {
        let Path(handle) = path.map_err(|_| Fault::NotFound)?;
        let handle = handle.strip_prefix('@').ok_or(Fault::NotFound)?;
        let handle: Handle = handle.parse().map_err(|_| Fault::NotFound)?;
        let user = api.0.users.by_handle(&handle).await?;
        let said = json!({
            "uuid": user.uuid.to_string(),
            "handle": user.handle,
            "display_name": user.display_name,
        });
        Ok(with_json(StatusCode::OK, &said))
    };
    api.answer(answered.await)
}

async fn write(
    State(api): State<Api>,
    Extension(user): Extension<Arc<User>>,
    body: Bytes,
) -> Response {
    let answered = async {
        let Wanted { text, to } = wanted(&body)?;
        let (writer, now) = (&api.0.writer, Timestamp::now());
        let handle = match to {
            To::Conversation(id) => {
                api.only_participants(id, &user).await?;
                let message = create_message(writer, id, user.person(), &text, now).await?;
                return Ok(with_json(
                    StatusCode::OK,
                    &Written {
                        message_group_uuid: id.to_string(),
                        line: message.into(),
                    },
                ));
            }
            To::Person(handle) => handle,
        };
        let other = api.0.users.by_handle(&handle).await?;
        if other.uuid == user.uuid {
            // A conversation has two people.
            return Err(Fault::Rules(vec!["user_reciever_handle_blank"]));
        }
        let theirs = find_conversations(writer, user.uuid, |row| row.other.id == other.uuid);
        let id = match theirs.await?.first() {
            Some(row) => {
                let id = row.conversation;
                create_message(writer, id, user.person(), &text, now).await?;
                id
            }
            None => {
                let two = [user.person(), other.person()];
                create_conversation(writer, two, &text, now)
                    .await?
                    .conversation
            }
        };
        let said = json!({ "message_group_uuid": id.to_string() });
        Ok(with_json(StatusCode::OK, &said))
    };
    api.answer(answered.await)
}
