//! `ddb web`: conversations of one person as pages.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, Request, State};
use axum::http::header::{LOCATION, SET_COOKIE};
use axum::http::{Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use ddb_core::Error;
use ddb_core::conversation::{Membership, Needle, Text, create_message, membership};
use ddb_core::item::{ItemView, Message, Person, Typed};
use ddb_core::key::{ConversationId, PartitionKey, SortKey};
use ddb_core::store::{Store, Writer};
use ddb_core::timestamp::Timestamp;
use futures::Stream;
use maud::Markup;
use serde::Deserialize;
use tokio::sync::broadcast::error::RecvError;

use crate::asked::{Asked, Fault, Key, Named};
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

/// The permission to write, and the person who writes.
#[derive(Debug)]
pub struct Pen {
    /// The table.
    pub writer: Writer,
    /// The person who writes.
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

/// The pages of one person's conversations, on a store to read from, or on a [`Pen`].
#[derive(Debug)]
pub struct Pages<S>(Arc<Inner<S>>);

impl<S> Clone for Pages<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// The reason why a message was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The person who writes is not in the conversation.
    #[error("{0} is not in this conversation; nothing was written")]
    Stranger(String),
    /// There is no such conversation.
    #[error("there is no such conversation; nothing was written")]
    NoConversation,
    /// A request failed.
    #[error(transparent)]
    Store(#[from] Error),
}

#[derive(Debug, Deserialize)]
struct Posted {
    text: String,
}

type Shown = Result<Html<String>, Fault>;

impl Pages<Store> {
    /// Returns the service, which only reads.
    pub fn router(&self) -> Router {
        self.routes(get(show::<Store>))
    }
}

impl Pages<Pen> {
    /// Returns the service, which reads and writes.
    pub fn router(&self) -> Router {
        self.routes(get(show::<Pen>).post(post))
    }

    /// Writes a message to a conversation of the pen's sender.
    ///
    /// # Errors
    ///
    /// `WriteError`. Nothing was written then, unless an answer was lost.
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
    /// Creates the pages for a server at `port`.
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

    /// Makes a link that can be used once; the previous one is no longer valid.
    ///
    /// # Errors
    ///
    /// If the system provides no random bits.
    pub fn link(&self) -> std::io::Result<String> {
        let secret = self.0.links.renew().map_err(std::io::Error::from)?;
        Ok(format!("http://127.0.0.1:{}/enter/{secret}", self.0.port))
    }

    /// Looks for what is new for as long as this is polled.
    pub async fn follow(&self) {
        self.0.live.run().await;
    }

    fn routes(&self, of_conversation: axum::routing::MethodRouter<Self>) -> Router {
        Router::new()
            .route("/", get(home::<S>))
            .route("/c/{id}", of_conversation)
            .route("/c/{id}/search", get(search::<S>))
            .route("/c/{id}/raw", get(raw::<S>))
            .route("/c/{id}/events", get(events::<S>))
            .fallback(|| async { Fault::NotFound })
            .method_not_allowed_fallback(|| async { Fault::Method })
            .layer(from_fn_with_state(self.clone(), front::<S>))
            .with_state(self.clone())
    }

    fn store(&self) -> &Store {
        self.0.access.store()
    }

    /// Uses up the link, and continues with a page: after a redirect from another site, a strict cookie would not be
    /// sent.
    fn enter(&self, method: &Method, secret: &str) -> Response {
        if method != Method::GET {
            // A request that only checks the link does not use it up.
            let text = "This link can only be opened.";
            return refused(StatusCode::FORBIDDEN, "Not allowed", text);
        }
        match self.0.links.enter(secret) {
            Ok(Some(cookie)) => {
                let setting = &self.0.setting;
                let open = setting.open;
                let next = open.map_or_else(|| "/".to_owned(), |id| format!("/c/{id}#end"));
                let text = "This browser is signed in. The link cannot be used again.";
                let page = view::notice(Some(setting), "Welcome", text, Some(&next));
                ([(SET_COOKIE, cookie)], html(page)).into_response()
            }
            Ok(None) => refused(
                StatusCode::GONE,
                "This link was used already",
                "A link works once. Press Enter at the terminal of `ddb web` for a new one.",
            ),
            Err(error) => refused(
                StatusCode::SERVICE_UNAVAILABLE,
                "Cannot sign in",
                &error.to_string(),
            ),
        }
    }

    async fn framed(
        &self,
        open: Option<ConversationId>,
        before: Option<&SortKey>,
        page: impl FnOnce(&Frame<'_>) -> Markup,
    ) -> Shown {
        let (rows, next) = read::rows(self.store(), self.0.setting.me, before).await?;
        Ok(html(page(&Frame {
            setting: &self.0.setting,
            rows: &rows,
            next_rows: next.as_ref(),
            open,
        })))
    }

    async fn conversation(
        &self,
        id: ConversationId,
        stretch: &Stretch,
        writing: Option<Writing>,
    ) -> Shown {
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
        Ok(html(frame.conversation(id, &transcript, writing.as_ref())))
    }
}

fn html(page: Markup) -> Html<String> {
    Html(page.into_string())
}

/// Returns a page that only says why a request was refused, without the target and the person.
fn refused(status: StatusCode, title: &str, text: &str) -> Response {
    (status, html(view::notice(None, title, text, None))).into_response()
}

async fn front<S: Readable>(
    State(pages): State<Pages<S>>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = admitted(&pages, request, next).await;
    if let Some(fault) = response.extensions_mut().remove::<Fault>() {
        let page = fault.page(&pages.0.setting);
        response = (response.status(), html(page)).into_response();
    }
    dressed(response)
}

async fn admitted<S: Readable>(pages: &Pages<S>, request: Request, next: Next) -> Response {
    let away = |refusal: Refusal| refused(refusal.status(), "Turned away", refusal.sentence());
    if let Err(refusal) = pages.0.names.check_page(&request) {
        return away(refusal);
    }
    let path = request.uri().path();
    if let Some(asset) = assets::answer(path) {
        return asset;
    }
    if let Some(secret) = path.strip_prefix("/enter/") {
        return pages.enter(request.method(), secret);
    }
    if !pages.0.links.know(request.headers()) {
        return refused(
            StatusCode::UNAUTHORIZED,
            "Open the link from the terminal",
            "This browser may not see this page, or `ddb web` was restarted. Press Enter at its terminal for a new link.",
        );
    }
    match collected(request).await {
        Ok(request) => next.run(request).await,
        Err(refusal) => away(refusal),
    }
}

async fn home<S: Readable>(State(pages): State<Pages<S>>, asked: Asked) -> Shown {
    let before = asked.rows.map(|Key(key)| key);
    pages
        .framed(None, before.as_ref(), |frame| frame.home())
        .await
}

async fn show<S: Readable>(State(pages): State<Pages<S>>, Named(id): Named, asked: Asked) -> Shown {
    let stretch = match (asked.before, asked.from, asked.around) {
        (Some(Key(key)), _, _) => Stretch::Before(key),
        (None, Some(Key(key)), _) => Stretch::From(key),
        (None, None, Some(Key(key))) => Stretch::Around(key),
        (None, None, None) => Stretch::Newest,
    };
    pages.conversation(id, &stretch, None).await
}

async fn search<S: Readable>(
    State(pages): State<Pages<S>>,
    Named(id): Named,
    asked: Asked,
) -> Shown {
    let (text, before) = (asked.q, asked.before.map(|Key(key)| key));
    if text.chars().count() > 200 {
        return Err(Fault::Malformed);
    }
    let needle: Option<Needle> = text.trim().parse().ok();
    let found = match &needle {
        Some(needle) => read::search(pages.store(), id, needle.clone(), before.as_ref()).await?,
        None => Search::default(),
    };
    let page = |frame: &Frame<'_>| frame.search(id, &text, needle.as_ref(), &found);
    pages.framed(Some(id), None, page).await
}

async fn raw<S: Readable>(State(pages): State<Pages<S>>, Named(id): Named, asked: Asked) -> Shown {
    let Key(sk) = asked.sk.ok_or(Fault::Malformed)?;
    let partition = PartitionKey::Messages(id);
    let item = pages.store().get(&partition, &sk).await?;
    let item = item.ok_or(Fault::NotFound)?;
    let json = serde_json::to_string_pretty(&Typed(&ItemView::from(&item)));
    let json = json.map_err(|error| Fault::Store(error.to_string()))?;
    let page = |frame: &Frame<'_>| frame.raw(id, &sk, &json);
    pages.framed(Some(id), None, page).await
}

async fn post(
    State(pages): State<Pages<Pen>>,
    Named(id): Named,
    form: Result<Form<Posted>, FormRejection>,
) -> Result<Response, Fault> {
    let Form(Posted { text }) = form.map_err(|_| Fault::Malformed)?;
    // A form sends line breaks as CRLF: HTML, "constructing the entry list".
    let text = text.replace("\r\n", "\n");
    let (status, why) = match text.parse::<Text>() {
        Err(error) => (StatusCode::UNPROCESSABLE_ENTITY, error.to_string()),
        Ok(sound) => match pages.write(id, &sound).await {
            Ok(_) => {
                let place = format!("/c/{id}#end");
                return Ok((StatusCode::SEE_OTHER, [(LOCATION, place)]).into_response());
            }
            Err(WriteError::Store(error)) => (StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
            Err(WriteError::NoConversation) => return Err(Fault::NotFound),
            Err(error) => (StatusCode::FORBIDDEN, error.to_string()),
        },
    };
    let why = Some(why);
    let page = pages
        .conversation(id, &Stretch::Newest, Some(Writing { text, why }))
        .await?;
    Ok((status, page).into_response())
}

/// Streams what is new: only where to look, without the text of messages.
async fn events<S: Readable>(State(pages): State<Pages<S>>, Named(id): Named) -> Response {
    Sse::new(told(pages.0.live.watch(id)))
        .keep_alive(KeepAlive::default())
        .into_response()
}

fn told(watch: Watch) -> impl Stream<Item = Result<Event, Infallible>> {
    futures::stream::unfold(watch, async |mut watch| {
        let event = match watch.told.recv().await {
            Ok(Told::Message(id, key)) if id == watch.conversation => said("news", key.as_str()),
            Ok(Told::Message(id, _)) => said("touched", &id.to_string()),
            Ok(Told::Lost(why)) => said("lost", &why),
            // A page that was too slow looks for everything it missed.
            Ok(Told::Back) | Err(RecvError::Lagged(_)) => said("back", ""),
            Err(RecvError::Closed) => return None,
        };
        Some((Ok(event), watch))
    })
}

/// Creates an event. Its text is JSON, which has no line breaks.
fn said(event: &str, text: &str) -> Event {
    let text = serde_json::Value::from(text).to_string();
    Event::default().event(event).data(text)
}
