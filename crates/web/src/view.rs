//! The pages as HTML. maud escapes everything that is not written here.

use ddb_core::conversation::Needle;
use ddb_core::item::{ConversationRow, Message, Person};
use ddb_core::key::{ConversationId, SortKey, UserId};
use ddb_core::timezone::Zone;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::assets::{ICON, SCRIPT, STYLE};
use crate::read::{Entry, Search, Transcript};
use crate::text::{Body, encoded, initial, line, preview};

/// The target and the person of the pages, and how they are shown.
#[derive(Debug, Clone)]
pub struct Setting {
    /// The target and the table, as commands show them.
    pub target: String,
    /// Whether the table has real data.
    pub production: bool,
    /// The person whose conversations these are.
    pub me: UserId,
    /// Their name.
    pub name: String,
    /// The time zone that times are shown in.
    pub zone: Zone,
    /// The conversation that is open at first.
    pub open: Option<ConversationId>,
    /// Whether pages can write. Pages that were opened for reading cannot, whatever this says.
    pub writes: bool,
}

/// What every page shows.
pub(crate) struct Frame<'a> {
    pub setting: &'a Setting,
    pub rows: &'a [ConversationRow],
    pub next_rows: Option<&'a SortKey>,
    /// The conversation that is open.
    pub open: Option<ConversationId>,
}

fn clock(zone: Zone, key: &SortKey, form: &str) -> Option<String> {
    let time = key.time().ok()?;
    Some(zone.shown(time).format(form).to_string())
}

fn day(zone: Zone, key: &SortKey) -> String {
    clock(zone, key, "%A, %-d %B %Y").unwrap_or_else(|| "Unknown time".to_owned())
}

/// Returns one of eight colors, always the same for a person.
fn color(id: UserId) -> String {
    let last = id
        .uuid()
        .as_bytes()
        .iter()
        .fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    format!("p{}", last % 8)
}

fn avatar(person: &Person) -> Markup {
    let class = format!("avatar {}", color(person.id));
    html! { span class=(class) aria-hidden="true" { (initial(&person.display_name)) } }
}

fn head(setting: Option<&Setting>, title: &str, script: bool, extra: Markup) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            title { (line(title)) @if let Some(setting) = setting { " · " (line(&setting.target)) } }
            link rel="icon" href=(ICON.path());
            link rel="stylesheet" href=(STYLE.path());
            @if script { script src=(SCRIPT.path()) defer {} }
            (extra)
        }
    }
}

fn bar(setting: Option<&Setting>) -> Markup {
    html! {
        header.bar {
            a.brand href="/" { "Cruddur messages" }
            @if let Some(setting) = setting {
                span.target title=(line(&setting.target)) {
                    @if setting.production { strong { "production" } " " }
                    (line(&setting.target))
                }
                span.me { "as " b { (line(&setting.name)) } @if setting.writes { ", writing" } @else { ", reading" } }
            }
        }
    }
}

fn class(setting: Option<&Setting>, of: &str) -> String {
    match setting.is_some_and(|setting| setting.production) {
        true => format!("{of} production"),
        false => of.to_owned(),
    }
}

/// Returns a page without conversations: an error, or one that leads to the next page. A browser that has no access is
/// not shown the target and the person: there is no setting then.
pub(crate) fn notice(
    setting: Option<&Setting>,
    title: &str,
    text: &str,
    next: Option<&str>,
) -> Markup {
    let refresh = html! {
        @if let Some(next) = next { meta http-equiv="refresh" content=(format!("0;url={next}")); }
    };
    html! {
        (DOCTYPE)
        html lang="en" {
            (head(setting, title, false, refresh))
            body class=(class(setting, "notice")) {
                (bar(setting))
                main {
                    h1 { (line(title)) }
                    p { (line(text)) }
                    @if let Some(next) = next { p { a.button href=(next) { "Go on" } } }
                }
            }
        }
    }
}

impl Frame<'_> {
    fn page(&self, title: &str, kind: &str, main: Markup) -> Markup {
        let conversation = self.open.map(|open| open.to_string());
        html! {
            (DOCTYPE)
            html lang="en" {
                (head(Some(self.setting), title, true, html! {}))
                body class=(class(Some(self.setting), kind)) data-conversation=[conversation] {
                    (bar(Some(self.setting)))
                    (self.people())
                    main { (main) }
                }
            }
        }
    }

    fn people(&self) -> Markup {
        let zone = self.setting.zone;
        let (days, clocks) = ("%Y-%m-%d", "%H:%M");
        let today = zone
            .shown(ddb_core::timestamp::Timestamp::now())
            .format(days)
            .to_string();
        html! {
            nav.people aria-label="Conversations" {
                @if self.rows.is_empty() {
                    p.empty { "No conversations of " (line(&self.setting.name)) " here." }
                }
                ul {
                    @for row in self.rows {
                        @let is_open = self.open == Some(row.conversation);
                        @let date = clock(zone, &row.last_message_at, days).unwrap_or_default();
                        @let shown = if date == today { clocks } else { days };
                        li {
                            a href=(format!("/c/{}#end", row.conversation)) data-id=(row.conversation)
                                aria-current=[is_open.then_some("page")] {
                                (avatar(&row.other))
                                span.who dir="auto" { (line(&row.other.display_name)) }
                                time datetime=(line(row.last_message_at.as_str())) {
                                    (clock(zone, &row.last_message_at, shown).unwrap_or_default())
                                }
                                span.last dir="auto" { (preview(&row.text)) }
                            }
                        }
                    }
                }
                @if let Some(next) = self.next_rows {
                    a.more href=(format!("/?rows={}", encoded(next.as_str()))) { "More conversations" }
                }
            }
        }
    }

    /// Returns the page without an open conversation.
    pub fn home(&self) -> Markup {
        self.page(
            "Conversations",
            "home",
            html! {
                div.blank {
                    h1 { "Conversations" }
                    p { "Choose one. " span.keys { kbd { "↓" } " and " kbd { "↑" } " move through the list, " kbd { "/" } " searches in a conversation." } }
                }
            },
        )
    }

    fn title(&self, entries: &[Entry]) -> (String, Option<Person>) {
        let of_row = self
            .rows
            .iter()
            .find(|row| Some(row.conversation) == self.open);
        let other = of_row.map(|row| row.other.clone()).or_else(|| {
            entries.iter().find_map(|entry| match entry {
                Entry::Message(message) if message.sender.id != self.setting.me => {
                    Some(message.sender.clone())
                }
                _ => None,
            })
        });
        let name = other.as_ref().map(|other| other.display_name.clone());
        (name.unwrap_or_else(|| "Conversation".to_owned()), other)
    }

    fn heading(
        &self,
        id: ConversationId,
        title: &str,
        other: Option<&Person>,
        query: &str,
    ) -> Markup {
        html! {
            header.talk {
                a.back href="/" aria-label="All conversations" { "‹" }
                @if let Some(other) = other { (avatar(other)) }
                div.names {
                    h1 dir="auto" { a href=(format!("/c/{id}#end")) { (line(title)) } }
                    p { @if let Some(other) = other { "@" (line(&other.handle)) " · " } code title=(id) { (&id.to_string()[..8]) } }
                }
                form.search role="search" action=(format!("/c/{id}/search")) {
                    input #q type="search" name="q" value=(line(query)) placeholder="Search" aria-label="Search in this conversation"
                        maxlength="200" required autocomplete="off";
                }
            }
        }
    }

    /// Returns the page of a conversation.
    pub fn conversation(
        &self,
        id: ConversationId,
        transcript: &Transcript,
        writing: Option<&Writing>,
    ) -> Markup {
        let entries = &transcript.entries;
        let (title, other) = self.title(entries);
        let link = |name: &str, entry: Option<&Entry>| {
            let key = entry.map(|entry| encoded(entry.sk().as_str()));
            key.map(|key| format!("/c/{id}?{name}={key}"))
        };
        let older = link("before", entries.first()).filter(|_| transcript.older);
        let newer = link("from", entries.last()).filter(|_| transcript.newer);
        self.page(
            &title,
            "open",
            html! {
                (self.heading(id, &title, other.as_ref(), ""))
                p #note role="status" hidden {}
                div #transcript role="log" aria-label="Messages" tabindex="0" {
                    @if let Some(older) = &older { a.more #older href=(older) { "Older messages" } }
                    @if entries.is_empty() { p.empty { "No messages here." } }
                    ol #messages { (self.entries(id, entries)) }
                    @if let Some(newer) = &newer { a.more #newer href=(newer) { "Newer messages" } }
                    p #end.zone { "Times in " (self.setting.zone.to_string()) }
                }
                @if let Some(writing) = writing { (self.form(id, writing)) }
            },
        )
    }

    fn form(&self, id: ConversationId, writing: &Writing) -> Markup {
        html! {
            @if let Some(why) = &writing.why { p.wrong role="alert" { (line(why)) } }
            form.write method="post" action=(format!("/c/{id}")) {
                textarea #text name="text" rows="2" required dir="auto" placeholder=(format!("Write as {}", line(&self.setting.name)))
                    aria-label=(format!("Message, as {}", line(&self.setting.name))) { (PreEscaped("\n")) (writing.text) }
                button type="submit" { "Send" }
            }
        }
    }

    fn entries(&self, id: ConversationId, entries: &[Entry]) -> Markup {
        let mut last_day = String::new();
        let mut last_sender = None;
        html! {
            @for entry in entries {
                @let day = day(self.setting.zone, entry.sk());
                @let is_new_day = std::mem::replace(&mut last_day, day.clone()) != day;
                @if is_new_day { li.day { h2 { (day) } } }
                @match entry {
                    Entry::Message(message) => {
                        @let sender = Some(message.sender.id);
                        @let run = std::mem::replace(&mut last_sender, sender) == sender && !is_new_day;
                        (self.message(id, message, &day, run, None))
                    }
                    Entry::Unknown { sk, why } => {
                        @let _ = last_sender.take();
                        li.m.unknown id=(format!("u-{}", encoded(sk.as_str()))) data-sk=(encoded(sk.as_str())) data-day=(day) {
                            p.body { "Not a message: " (line(why)) }
                            (raw_link(id, sk))
                        }
                    }
                }
            }
        }
    }

    fn message(
        &self,
        id: ConversationId,
        message: &Message,
        day: &str,
        run: bool,
        needle: Option<&Needle>,
    ) -> Markup {
        let (key, zone) = (&message.created_at, self.setting.zone);
        let mine = message.sender.id == self.setting.me;
        let classes = format!(
            "m{}{} {}",
            if mine { " mine" } else { "" },
            if run { " run" } else { "" },
            color(message.sender.id)
        );
        let stored = line(key.as_str());
        html! {
            li class=(classes) id=(format!("m-{}", message.id)) data-sk=(encoded(key.as_str())) data-day=(day) data-by=(message.sender.id) {
                (avatar(&message.sender))
                p.head {
                    b dir="auto" { (line(&message.sender.display_name)) }
                    " " time datetime=(stored) title=(stored) { (clock(zone, key, "%H:%M").unwrap_or_else(|| stored.clone())) }
                    (raw_link(id, key))
                }
                p.body dir="auto" { (Body { text: &message.text, needle }) }
            }
        }
    }

    /// Returns the page of a search's results.
    pub fn search(
        &self,
        id: ConversationId,
        query: &str,
        needle: Option<&Needle>,
        search: &Search,
    ) -> Markup {
        let (title, other) = self.title(&[]);
        let zone = self.setting.zone;
        self.page(
            &format!("Search: {query}"),
            "open found",
            html! {
                (self.heading(id, &title, other.as_ref(), query))
                div #transcript role="region" aria-label="Search results" tabindex="0" {
                    p.count role="status" { (search.found.len()) " found in " (search.read) " messages, newest first" }
                    ol {
                        @for message in &search.found {
                            @let day = day(zone, &message.created_at);
                            li.hit {
                                a.when href=(format!("/c/{id}?around={}#m-{}", encoded(message.created_at.as_str()), message.id)) { (day) }
                                ol { (self.message(id, message, &day, false, needle)) }
                            }
                        }
                    }
                    @if let Some(key) = &search.stopped_at {
                        a.more href=(format!("/c/{id}/search?q={}&before={}", encoded(query), encoded(key.as_str()))) { "Search further back" }
                    }
                    p #end.zone { "Times in " (zone.to_string()) }
                }
            },
        )
    }

    /// Returns the page of an item as it is stored.
    pub fn raw(&self, id: ConversationId, key: &SortKey, json: &str) -> Markup {
        let (title, other) = self.title(&[]);
        let escaped: Vec<String> = json.lines().map(line).collect();
        self.page(
            "Item",
            "open",
            html! {
                (self.heading(id, &title, other.as_ref(), ""))
                div #transcript role="region" aria-label="The stored item" tabindex="0" {
                    p.count { "The item as it is stored, in DynamoDB JSON. "
                        a href=(format!("/c/{id}?around={}", encoded(key.as_str()))) { "Back to the conversation" } }
                    pre { (escaped.join("\n")) }
                }
            },
        )
    }
}

/// The content of the form.
#[derive(Debug, Default)]
pub(crate) struct Writing {
    pub text: String,
    /// Why the text was not written.
    pub why: Option<String>,
}

fn raw_link(id: ConversationId, key: &SortKey) -> Markup {
    html! {
        a.raw href=(format!("/c/{id}/raw?sk={}", encoded(key.as_str()))) aria-label="The stored item" title="The stored item" { "{ }" }
    }
}
