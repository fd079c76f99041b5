//! `ddb web`: conversations of one person as pages.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::{FormRejection, PathRejection, QueryRejection};
use axum::extract::{Form, Path, Query, Request, State};
use axum::http::header::{LOCATION, SET_COOKIE};
use axum::http::{Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use ddb_core::conversation::{Membership, Needle, Text, create_message, membership};
use ddb_core::item::{ItemView, Message, Person, Typed};
use ddb_core::key::{ConversationId, PartitionKey, SortKey};
use ddb_core::store::{Store, Writer};
use ddb_core::timestamp::Timestamp;
use ddb_core::{CallError, Error};
use futures::Stream;
use maud::Markup;
use serde::Deserialize;
use tokio::sync::broadcast::error::RecvError;

use crate::assets;
use crate::front::{Names, Refusal, collected, dressed};
use crate::link::Links;
use crate::live::{Live, LiveSource, Told, Watch};
use crate::read::{self, Search, Stretch};
use crate::view::{self, Frame, Setting, Writing};

/// Something that pages read from.
pub trait Readable: Send + Sync + 'static {
    /// Returns the table.
    fn store(&self) -> &Store;
}

impl Readable for Store {
    fn store(&self) -> &Store {
        self
    }
}

/// The permission to write, and who does.
#[derive(Debug)]
pub struct Pen {
    /// The table.
    pub writer: Writer,
    /// Who writes.
    pub sender: Person,
}

impl Readable for Pen {
    fn store(&self) -> &Store {
        &self.writer
    }
}

#[derive(Debug)]
struct Inner<S> {
    access: S,
    setting: Setting,
    names: Names,
    links: Links,
    live: Arc<Live>,
    port: u16,
}

/// The pages of one person's conversations, over a store that is read, or over a [`Pen`].
#[derive(Debug)]
pub struct Pages<S>(Arc<Inner<S>>);

impl<S> Clone for Pages<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// Why a page is not shown.
#[derive(Debug)]
enum Fault {
    NotFound,
    Malformed,
    Forbidden,
    Store(String),
}

impl From<CallError> for Fault {
    fn from(error: CallError) -> Self {
        Self::Store(error.to_string())
    }
}

/// Says why a message was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Who writes takes no part in the conversation.
    #[error("{0} takes no part in this conversation; nothing was written")]
    Stranger(String),
    /// There is no such conversation.
    #[error("there is no such conversation; nothing was written")]
    NoConversation,
    /// A request failed.
    #[error(transparent)]
    Store(#[from] Error),
}

#[derive(Debug, Default, Deserialize)]
struct Asked {
    before: Option<String>,
    from: Option<String>,
    around: Option<String>,
    rows: Option<String>,
    q: Option<String>,
    sk: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Posted {
    text: String,
}

/// Takes a sort key of a URL: DynamoDB's are 1 to 1024 bytes.
fn key(text: Option<String>) -> Result<Option<SortKey>, Fault> {
    match text {
        Some(text) if text.is_empty() || text.len() > 1024 => Err(Fault::Malformed),
        text => Ok(text.map(SortKey::verbatim)),
    }
}

fn conversation(path: Result<Path<String>, PathRejection>) -> Result<ConversationId, Fault> {
    let Path(id) = path.map_err(|_| Fault::NotFound)?;
    id.parse().map_err(|_| Fault::NotFound)
}

type Answer = Result<Response, Fault>;
type AskedFor = Result<Query<Asked>, QueryRejection>;
type AtPath = Result<Path<String>, PathRejection>;

fn asked(query: AskedFor) -> Result<Asked, Fault> {
    query
        .map(|Query(asked)| asked)
        .map_err(|_| Fault::Malformed)
}

impl Pages<Store> {
    /// Returns the service: it reads.
    pub fn router(&self) -> Router {
        self.routes(get(show::<Store>))
    }
}

impl Pages<Pen> {
    /// Returns the service: it reads and writes.
    pub fn router(&self) -> Router {
        self.routes(get(show::<Pen>).post(post))
    }

    /// Writes a message into a conversation of whoever holds the pen.
    ///
    /// # Errors
    ///
    /// [`WriteError`]; nothing was written then, unless an answer was lost.
    pub async fn write(
        &self,
        conversation: ConversationId,
        text: &Text,
    ) -> Result<Message, WriteError> {
        let Pen { writer, sender } = &self.0.access;
        let stands = membership(writer, conversation, sender.id).await;
        match stands.map_err(Error::from)? {
            Membership::Member => {}
            Membership::Stranger => return Err(WriteError::Stranger(sender.handle.clone())),
            Membership::NoConversation => return Err(WriteError::NoConversation),
        }
        let now = Timestamp::now();
        Ok(create_message(writer, conversation, sender.clone(), text, now).await?)
    }
}

impl<S: Readable> Pages<S> {
    /// Makes the pages that a server at `port` shows.
    pub fn new(access: S, setting: Setting, source: LiveSource, port: u16) -> Self {
        let live = Live::new(access.store().clone(), source);
        Self(Arc::new(Inner {
            access,
            setting,
            names: Names::of(port),
            links: Links::new(port),
            live,
            port,
        }))
    }

    /// Makes a link that is good once; the one before is good no more.
    ///
    /// # Errors
    ///
    /// Where the system gives no random bits.
    pub fn link(&self) -> std::io::Result<String> {
        let secret = self.0.links.renew().map_err(std::io::Error::from)?;
        Ok(format!("http://127.0.0.1:{}/enter/{secret}", self.0.port))
    }

    /// Looks for what is new, for as long as this is polled.
    pub async fn follow(&self) {
        self.0.live.run().await;
    }

    fn routes(&self, of_conversation: axum::routing::MethodRouter<Self>) -> Router {
        Router::new()
            .route("/", get(home::<S>))
            .route("/enter/{secret}", get(enter::<S>))
            .route("/c/{id}", of_conversation)
            .route("/c/{id}/search", get(search::<S>))
            .route("/c/{id}/raw", get(raw::<S>))
            .route("/c/{id}/events", get(events::<S>))
            .fallback(nothing::<S>)
            .method_not_allowed_fallback(not_so::<S>)
            .layer(from_fn_with_state(self.clone(), front::<S>))
            .with_state(self.clone())
    }

    fn store(&self) -> &Store {
        self.0.access.store()
    }

    fn notice(&self, status: StatusCode, title: &str, text: &str) -> Response {
        let page = view::notice(&self.0.setting, title, text, None);
        (status, html(page)).into_response()
    }

    fn answer(&self, answer: Answer) -> Response {
        match answer {
            Ok(response) => response,
            Err(Fault::NotFound) => {
                self.notice(StatusCode::NOT_FOUND, "Not found", "There is no such page.")
            }
            Err(Fault::Forbidden) => self.notice(
                StatusCode::FORBIDDEN,
                "Not allowed",
                "This page cannot do that.",
            ),
            Err(Fault::Malformed) => self.notice(
                StatusCode::BAD_REQUEST,
                "Not understood",
                "The address has something in it that is not understood.",
            ),
            Err(Fault::Store(why)) => self.notice(
                StatusCode::SERVICE_UNAVAILABLE,
                "The table does not answer",
                &why,
            ),
        }
    }

    async fn framed(
        &self,
        open: Option<ConversationId>,
        before: Option<&SortKey>,
        page: impl FnOnce(&Frame<'_>) -> Markup,
    ) -> Result<Markup, Fault> {
        let (rows, next) = read::rows(self.store(), self.0.setting.me, before).await?;
        Ok(page(&Frame {
            setting: &self.0.setting,
            rows: &rows,
            next_rows: next.as_ref(),
            open,
        }))
    }

    async fn conversation(
        &self,
        id: ConversationId,
        stretch: &Stretch,
        writing: Option<Writing>,
    ) -> Result<Markup, Fault> {
        let writes = self.0.setting.writes;
        let (transcript, (rows, next)) = futures::try_join!(
            read::transcript(self.store(), id, stretch, read::PAGE, writes),
            read::rows(self.store(), self.0.setting.me, None),
        )?;
        let frame = Frame {
            setting: &self.0.setting,
            rows: &rows,
            next_rows: next.as_ref(),
            open: Some(id),
        };
        let is_known = rows.iter().any(|row| row.conversation == id);
        if transcript.entries.is_empty() && *stretch == Stretch::Newest && !is_known {
            return Err(Fault::NotFound);
        }
        let writing = writing.or_else(|| writes.then(Writing::default));
        Ok(frame.conversation(id, &transcript, writing.as_ref()))
    }
}

fn html(page: Markup) -> axum::response::Html<String> {
    axum::response::Html(page.into_string())
}

async fn front<S: Readable>(
    State(pages): State<Pages<S>>,
    request: Request,
    next: Next,
) -> Response {
    dressed(admitted(&pages, request, next).await)
}

async fn admitted<S: Readable>(pages: &Pages<S>, request: Request, next: Next) -> Response {
    let refused = |refusal: Refusal| {
        let title = "Turned away";
        pages.notice(refusal.status(), title, refusal.sentence())
    };
    if let Err(refusal) = pages.0.names.check_page(&request) {
        return refused(refusal);
    }
    let path = request.uri().path();
    if let Some(asset) = assets::answer(path) {
        return asset;
    }
    if !path.starts_with("/enter/") && !pages.0.links.know(request.headers()) {
        return pages.notice(
            StatusCode::UNAUTHORIZED,
            "Open the link from the terminal",
            "This browser has no leave to look, or `ddb web` was started anew. Press Enter at its terminal: it prints a new link.",
        );
    }
    match collected(request).await {
        Ok(request) => next.run(request).await,
        Err(refusal) => refused(refusal),
    }
}

async fn nothing<S: Readable>(State(pages): State<Pages<S>>) -> Response {
    pages.answer(Err(Fault::NotFound))
}

async fn not_so<S: Readable>(State(pages): State<Pages<S>>) -> Response {
    let mut response = pages.answer(Err(Fault::Forbidden));
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    response
}

/// Uses the link up, and goes on by a page: after a redirect from elsewhere a strict cookie would not be sent.
async fn enter<S: Readable>(
    State(pages): State<Pages<S>>,
    method: Method,
    path: AtPath,
) -> Response {
    let Ok(Path(secret)) = path else {
        return pages.answer(Err(Fault::NotFound));
    };
    // What only looks ahead does not use it up.
    let entered = match method {
        Method::GET => pages.0.links.enter(&secret),
        _ => return pages.answer(Err(Fault::Forbidden)),
    };
    match entered {
        Ok(Some(cookie)) => {
            let open = pages.0.setting.open;
            let next = open.map_or_else(|| "/".to_owned(), |id| format!("/c/{id}#end"));
            let page = view::notice(
                &pages.0.setting,
                "Welcome",
                "This browser may look now. The link is used up.",
                Some(&next),
            );
            ([(SET_COOKIE, cookie)], html(page)).into_response()
        }
        Ok(None) => pages.notice(
            StatusCode::GONE,
            "This link is used up",
            "A link is good once. Press Enter at the terminal of `ddb web`: it prints a new one.",
        ),
        Err(error) => pages.answer(Err(Fault::Store(error.to_string()))),
    }
}

async fn home<S: Readable>(State(pages): State<Pages<S>>, query: AskedFor) -> Response {
    let shown = async {
        let before = key(asked(query)?.rows)?;
        let page = pages
            .framed(None, before.as_ref(), |frame| frame.home())
            .await?;
        Ok(html(page).into_response())
    };
    pages.answer(shown.await)
}

async fn show<S: Readable>(
    State(pages): State<Pages<S>>,
    path: AtPath,
    query: AskedFor,
) -> Response {
    let shown = async {
        let id = conversation(path)?;
        let asked = asked(query)?;
        let stretch = match (key(asked.before)?, key(asked.from)?, key(asked.around)?) {
            (Some(key), _, _) => Stretch::Before(key),
            (None, Some(key), _) => Stretch::From(key),
            (None, None, Some(key)) => Stretch::Around(key),
            (None, None, None) => Stretch::Newest,
        };
        Ok(html(pages.conversation(id, &stretch, None).await?).into_response())
    };
    pages.answer(shown.await)
}

async fn search<S: Readable>(
    State(pages): State<Pages<S>>,
    path: AtPath,
    query: AskedFor,
) -> Response {
    let shown = async {
        let id = conversation(path)?;
        let asked = asked(query)?;
        let before = key(asked.before)?;
        let text = asked.q.unwrap_or_default();
        if text.chars().count() > 200 {
            return Err(Fault::Malformed);
        }
        let needle: Option<Needle> = text.trim().parse().ok();
        let found = match &needle {
            Some(needle) => {
                read::search(pages.store(), id, needle.clone(), before.as_ref()).await?
            }
            None => Search::default(),
        };
        let page = pages
            .framed(Some(id), None, |frame| {
                frame.search(id, &text, needle.as_ref(), &found)
            })
            .await?;
        Ok(html(page).into_response())
    };
    pages.answer(shown.await)
}

async fn raw<S: Readable>(
    State(pages): State<Pages<S>>,
    path: AtPath,
    query: AskedFor,
) -> Response {
    let shown = async {
        let id = conversation(path)?;
        let sk = key(asked(query)?.sk)?.ok_or(Fault::Malformed)?;
        let partition = PartitionKey::Messages(id);
        let item = pages
            .store()
            .get(&partition, &sk)
            .await?
            .ok_or(Fault::NotFound)?;
        let view = ItemView::from(&item);
        let json = serde_json::to_string_pretty(&Typed(&view));
        let json = json.map_err(|error| Fault::Store(error.to_string()))?;
        let page = pages
            .framed(Some(id), None, |frame| frame.raw(id, &sk, &json))
            .await?;
        Ok(html(page).into_response())
    };
    pages.answer(shown.await)
}

async fn post(
    State(pages): State<Pages<Pen>>,
    path: AtPath,
    form: Result<Form<Posted>, FormRejection>,
) -> Response {
    let done = async {
        let id = conversation(path)?;
        let Form(Posted { text }) = form.map_err(|_| Fault::Malformed)?;
        // A form sends line ends as CRLF: HTML, "constructing the entry list".
        let text = text.replace("\r\n", "\n");
        let (status, why) = match text.parse::<Text>() {
            Err(error) => (StatusCode::UNPROCESSABLE_ENTITY, error.to_string()),
            Ok(sound) => match pages.write(id, &sound).await {
                Ok(_) => {
                    let place = format!("/c/{id}#end");
                    return Ok((StatusCode::SEE_OTHER, [(LOCATION, place)]).into_response());
                }
                Err(WriteError::Store(error)) => {
                    (StatusCode::SERVICE_UNAVAILABLE, error.to_string())
                }
                Err(WriteError::NoConversation) => return Err(Fault::NotFound),
                Err(error) => (StatusCode::FORBIDDEN, error.to_string()),
            },
        };
        let writing = Writing {
            text,
            why: Some(why),
        };
        let page = pages
            .conversation(id, &Stretch::Newest, Some(writing))
            .await?;
        Ok((status, html(page)).into_response())
    };
    pages.answer(done.await)
}

/// Says what is new: only where to look, no text of anybody.
async fn events<S: Readable>(State(pages): State<Pages<S>>, path: AtPath) -> Response {
    match conversation(path) {
        Ok(id) => {
            let stream = told(pages.0.live.watch(id));
            Sse::new(stream)
                .keep_alive(KeepAlive::default())
                .into_response()
        }
        Err(fault) => pages.answer(Err(fault)),
    }
}

fn told(watch: Watch) -> impl Stream<Item = Result<Event, Infallible>> {
    futures::stream::unfold(watch, async |mut watch| {
        let event = match watch.told.recv().await {
            Ok(Told::Message(id, key)) if id == watch.conversation => said("news", key.as_str()),
            Ok(Told::Message(id, _)) => said("touched", &id.to_string()),
            Ok(Told::Lost(why)) => said("lost", &why),
            // Who was too slow looks for all that was missed.
            Ok(Told::Back) | Err(RecvError::Lagged(_)) => said("back", ""),
            Err(RecvError::Closed) => return None,
        };
        Some((Ok(event), watch))
    })
}

/// Makes an event; its text is JSON, which has no line ends.
fn said(event: &str, text: &str) -> Event {
    let text = serde_json::Value::from(text).to_string();
    Event::default().event(event).data(text)
}
