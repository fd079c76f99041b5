//! `ddb web` over plain HTTP: what a browser gets, and what nobody else gets.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Child;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ddb_test_support::http::{Server, forward};
use ddb_test_support::{Door, Sandbox, Tool};
use serde_json::Value;

use crate::faults::kill;
use crate::kills::seeded;
use crate::setup::{ANDREW, GROUP, message, strings};

/// A server that a command runs, until this is dropped.
pub struct Served {
    child: Child,
    /// What the command printed first.
    pub said: Value,
    pub port: u16,
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect(&self.body)
    }
}

impl Served {
    /// Runs a command that serves, and waits until it prints its address.
    pub fn start(tool: &Tool, arguments: &[&str], field: &str) -> Self {
        let mut child = tool.spawn(&[arguments, &["--port", "0", "-o", "jsonl"]].concat());
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        let said: Value = serde_json::from_str(&line).unwrap_or_else(|_| {
            let mut error = String::new();
            let _ = child.stderr.as_mut().unwrap().read_to_string(&mut error);
            panic!("{arguments:?}: {line} {error}")
        });
        let url = said[field].as_str().unwrap();
        let authority = url.split('/').nth(2).unwrap();
        let port = authority.rsplit(':').next().unwrap().parse().unwrap();
        Self { child, said, port }
    }

    /// Stops the command as Ctrl-C does. Returns what it wrote to stderr.
    pub fn end(mut self) -> String {
        kill(&self.child, "INT");
        let mut said = String::new();
        let mut stderr = self.child.stderr.take().unwrap();
        stderr.read_to_string(&mut said).unwrap();
        said
    }

    /// Returns the command's peak memory so far, in KiB, if the system provides it.
    pub fn peak(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak?.trim().trim_end_matches(" kB").parse().ok()
    }

    /// Opens the pages as a browser does, and returns the cookie.
    pub fn enter(&self) -> String {
        let link = self.said["link"].as_str().unwrap();
        let path = link.splitn(4, '/').nth(3).unwrap();
        let answer = self.get(&format!("/{path}"), &[]);
        assert_eq!(answer.status, 200, "{}", answer.body);
        let cookie = answer.header("set-cookie").unwrap();
        format!("Cookie: {}", cookie.split(';').next().unwrap())
    }

    pub fn host(&self) -> String {
        format!("Host: 127.0.0.1:{}", self.port)
    }

    pub fn own_origin(&self) -> String {
        format!("Origin: http://127.0.0.1:{}", self.port)
    }

    pub fn get(&self, path: &str, headers: &[&str]) -> Answer {
        let host = self.host();
        self.ask(
            &format!("GET {path} HTTP/1.1"),
            &[&[host.as_str()], headers].concat(),
            "",
        )
    }

    pub fn post(&self, path: &str, headers: &[&str], body: &str) -> Answer {
        let host = self.host();
        self.ask(
            &format!("POST {path} HTTP/1.1"),
            &[&[host.as_str()], headers].concat(),
            body,
        )
    }

    pub fn ask(&self, line: &str, headers: &[&str], body: &str) -> Answer {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let mut request = format!("{line}\r\n");
        for header in headers {
            request.push_str(&format!("{header}\r\n"));
        }
        if !body.is_empty() {
            request.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        request.push_str("Connection: close\r\n\r\n");
        request.push_str(body);
        // A client that is turned away may not be read to the end.
        let _ = stream.write_all(request.as_bytes());
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        Answer {
            status: head.split(' ').nth(1).unwrap_or("0").parse().unwrap(),
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }
}

pub fn web(sandbox: &Sandbox, options: &[&str]) -> Served {
    let tool = Tool::new(env!("CARGO_BIN_EXE_ddb"), Door::Front).on(sandbox);
    Served::start(&tool, &[&["web"], options].concat(), "link")
}

#[test]
fn it_shows_conversations_messages_and_items() {
    let sandbox = seeded();
    let served = web(&sandbox, &[]);
    let cookie = served.enter();
    let with = [cookie.as_str()];
    let home = served.get("/", &with);
    assert_eq!(home.status, 200);
    for part in ["Andrew Bayko", &format!("/c/{GROUP}#end"), &sandbox.url()] {
        assert!(home.body.contains(part), "{part}: {}", home.body);
    }
    let page = served.get(&format!("/c/{GROUP}"), &with);
    assert_eq!(page.status, 200);
    // Without the chunk headers, this is what goes over the wire.
    let size = page.head.len() + page.body.len();
    assert!(size < 50_000, "{size}");
    assert!(
        !page.body.contains("<form class=\"write\""),
        "{}",
        page.body
    );
    let raw = page.body.split("/raw?sk=").nth(1).unwrap();
    let raw = raw.split('"').next().unwrap();
    let item = served.get(&format!("/c/{GROUP}/raw?sk={raw}"), &with);
    assert_eq!(item.status, 200);
    assert!(item.body.contains(&format!("MSG#{GROUP}")), "{}", item.body);
    let found = served.get(&format!("/c/{GROUP}/search?q=LINE"), &with);
    assert!(found.body.contains("<mark>line</mark>"), "{}", found.body);
    let older = page.body.split("?before=").nth(1);
    if let Some(older) = older {
        let older = older.split('"').next().unwrap();
        let earlier = served.get(&format!("/c/{GROUP}?before={older}"), &with);
        assert_eq!(earlier.status, 200);
        assert!(earlier.body.contains("?from="), "{}", earlier.body);
    }
    for (path, status) in [
        ("/c/00000000-0000-4000-8000-000000000000", 404),
        ("/c/nonsense", 404),
        ("/nothing", 404),
        (&format!("/c/{GROUP}/raw?sk=2020"), 404),
        (&format!("/c/{GROUP}/raw"), 400),
        (&format!("/c/{GROUP}?before="), 400),
        (&format!("/c/{GROUP}?before={}", "x".repeat(1025)), 400),
        ("/c/%0d%0aSet-Cookie:%20a=b", 404),
        ("/c/%ff", 404),
    ] {
        let answer = served.get(path, &with);
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
        assert_eq!(answer.header("set-cookie"), None, "{path}");
    }
}

#[test]
fn a_page_of_a_long_conversation_is_one_query_of_its_messages() {
    let sandbox = seeded();
    let queries = Arc::new(AtomicUsize::new(0));
    let (engine, seen) = (sandbox.url(), Arc::clone(&queries));
    let server = Server::start(move |request| {
        let body = String::from_utf8_lossy(&request.body);
        seen.fetch_add(body.matches("MSG#").count(), Ordering::SeqCst);
        forward(request, &engine)
    });
    let tool = Tool::new(env!("CARGO_BIN_EXE_ddb"), Door::Front).on(&sandbox);
    let url = server.url();
    let served = Served::start(&tool, &["web", "--endpoint-url", &url], "link");
    let cookie = served.enter();
    let before = queries.load(Ordering::SeqCst);
    let page = served.get(&format!("/c/{GROUP}"), &[&cookie]);
    assert_eq!(page.status, 200);
    assert!(page.body.contains("?before="), "there are older messages");
    assert_eq!(queries.load(Ordering::SeqCst) - before, 1);
}

#[test]
fn it_ends_on_a_signal_with_0() {
    for signal in ["INT", "TERM"] {
        let sandbox = seeded();
        let mut served = web(&sandbox, &[]);
        kill(&served.child, signal);
        assert_eq!(served.child.wait().unwrap().code(), Some(0), "{signal}");
    }
}

#[test]
fn a_table_or_a_conversation_that_is_not_there_is_said_at_once() {
    let sandbox = Sandbox::new();
    let tool = Tool::new(env!("CARGO_BIN_EXE_ddb"), Door::Front).on(&sandbox);
    tool.run(&["web"])
        .fails_with_hint(4, "ResourceNotFoundException");
    let sandbox = seeded();
    let tool = Tool::new(env!("CARGO_BIN_EXE_ddb"), Door::Front).on(&sandbox);
    tool.run(&["web", "londo"])
        .fails_with_hint(4, "no conversation");
}

#[test]
fn p41_a_link_is_good_once_and_a_cookie_for_one_run() {
    let sandbox = seeded();
    let served = web(&sandbox, &[]);
    assert_eq!(served.get("/", &[]).status, 401);
    let link = served.said["link"].as_str().unwrap();
    let path = format!("/{}", link.splitn(4, '/').nth(3).unwrap());
    // A HEAD request does not use it up.
    let host = served.host();
    assert_eq!(
        served
            .ask(&format!("HEAD {path} HTTP/1.1"), &[&host], "")
            .status,
        403
    );
    let cookie = served.enter();
    assert_eq!(served.get(&path, &[]).status, 410);
    assert_eq!(served.get(&path, &[&cookie]).status, 410);
    assert!(served.get(&path, &[]).body.contains("Press Enter"));
    assert_eq!(served.get("/", &[&cookie]).status, 200);
    let other = web(&sandbox, &[]);
    assert_eq!(other.get("/", &[&cookie]).status, 401);
    let renamed = cookie.replace(&served.port.to_string(), &other.port.to_string());
    assert_eq!(other.get("/", &[&renamed]).status, 401);
}

#[test]
fn p41_a_page_from_elsewhere_gets_nothing() {
    let sandbox = seeded();
    let served = web(&sandbox, &["--write"]);
    let cookie = served.enter();
    let path = format!("/c/{GROUP}");
    let secret = "Andrew Bayko";
    let line = format!("GET {path} HTTP/1.1");
    let host = served.host();
    let rebound = format!("Host: evil.example:{}", served.port);
    let (host, rebound, bare) = (host.as_str(), rebound.as_str(), "Host: 127.0.0.1");
    for hosts in [
        &[][..],
        &[rebound],
        &[host, host],
        &[host, rebound],
        &[bare],
    ] {
        for line in [
            line.as_str(),
            "GET /assets/page.css HTTP/1.1",
            "GET /nothing HTTP/1.1",
        ] {
            let answer = served.ask(line, &[hosts, &[cookie.as_str()][..]].concat(), "");
            // Two Host headers are not valid HTTP, and hyper may say so.
            assert!(
                [421, 400].contains(&answer.status),
                "{hosts:?}: {}",
                answer.status
            );
            for secret in [secret, "Andrew", sandbox.table().as_str(), &sandbox.url()] {
                assert!(!answer.body.contains(secret), "{hosts:?}: {}", answer.body);
            }
        }
    }
    // A client without a cookie is not told the target and the user, either.
    for path in [
        "/",
        "/nothing",
        "/enter/",
        "/enter/0",
        "/enter/%ff",
        "/enter/0/0",
    ] {
        let answer = served.get(path, &[]);
        assert!(
            [401, 410].contains(&answer.status),
            "{path}: {}",
            answer.status
        );
        for secret in ["andrew", sandbox.table().as_str(), &sandbox.url()] {
            assert!(!answer.body.contains(secret), "{path}: {}", answer.body);
        }
    }
    for bad in [
        "Origin: http://evil.example",
        "Origin: http://localhost:1",
        "Origin: null",
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Site: same-site",
    ] {
        let answer = served.get(&path, &[&cookie, bad]);
        assert_eq!(answer.status, 403, "{bad}");
        assert!(!answer.body.contains(secret), "{bad}");
        assert_eq!(answer.header("access-control-allow-origin"), None);
        let form = "Content-Type: application/x-www-form-urlencoded";
        let answer = served.post(&path, &[&cookie, form, bad], "text=evil");
        assert_eq!(answer.status, 403, "{bad}");
    }
    // A write without an origin is refused, too.
    assert_eq!(served.post(&path, &[&cookie], "text=evil").status, 403);
    let page = served.get(&path, &[&cookie]);
    assert_eq!(page.status, 200);
    assert!(page.body.contains(secret) && !page.body.contains("evil"));
    for (name, value) in [
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        assert_eq!(page.header(name), Some(value), "{name}");
    }
    let policy = page.header("content-security-policy").unwrap();
    assert!(
        policy.starts_with("default-src 'none'") && !policy.contains("unsafe"),
        "{policy}"
    );
}

#[test]
fn p42_no_text_of_a_user_is_markup() {
    let sandbox = seeded();
    let hostile = "</p><script>alert(1)</script><img src=x onerror=alert(1)> javascript:alert(1) \u{202e}abc\u{0}";
    let mut item = message("2030-01-01T00:00:00.000000+00:00", hostile);
    item.extend(strings(&[
        ("user_display_name", "\"><script>alert(2)</script>"),
        ("user_handle", "'\"><b>"),
    ]));
    crate::kills::block_on(sandbox.put(item));
    let row = strings(&[
        ("pk", &format!("GRP#{ANDREW}")),
        ("sk", "2030-01-01T00:00:00.000000+00:00"),
        ("message_group_uuid", "22222222-2222-4222-8222-222222222222"),
        ("message", hostile),
        ("user_uuid", "33333333-3333-4333-8333-333333333333"),
        ("user_display_name", "<script>alert(3)</script>"),
        ("user_handle", "x"),
    ]);
    crate::kills::block_on(sandbox.put(row));
    let odd = strings(&[
        ("pk", &format!("MSG#{GROUP}")),
        ("sk", "<script>alert(4)</script>\"'\r\n"),
        ("<script>", hostile),
    ]);
    crate::kills::block_on(sandbox.put(odd));
    let served = web(&sandbox, &[]);
    let cookie = served.enter();
    let odd = "%3Cscript%3Ealert%284%29%3C%2Fscript%3E%22%27%0D%0A";
    for path in [
        "/".to_owned(),
        format!("/c/{GROUP}"),
        format!("/c/{GROUP}/search?q=%3Cscript%3E"),
        format!("/c/{GROUP}/search?q=%22%3E%3Cscript%3Ealert"),
        format!("/c/{GROUP}/raw?sk={odd}"),
        format!("/c/{GROUP}/raw?sk=2030-01-01T00%3A00%3A00.000000%2B00%3A00"),
    ] {
        let page = served.get(&path, &[&cookie]);
        assert_eq!(page.status, 200, "{path}");
        let tags = page.body.matches("<script").count();
        assert_eq!(tags, 1, "{path}: {}", page.body);
        assert!(!page.body.contains("<img"), "{path}");
        assert!(!page.body.contains("href=\"javascript"), "{path}");
        let raw = |c: char| c == '\u{202e}' || c == '\u{0}';
        assert!(!page.body.contains(raw), "{path}");
    }
    let page = served.get(&format!("/c/{GROUP}"), &[&cookie]);
    assert!(
        page.body.contains("&lt;script&gt;alert(1)"),
        "{}",
        page.body
    );
    assert!(page.body.contains("\\u{202e}"), "{}", page.body);
}

#[test]
fn with_write_the_page_writes_as_me_and_nobody_else() {
    let sandbox = seeded();
    let served = web(&sandbox, &["--write"]);
    let (cookie, own) = (served.enter(), served.own_origin());
    let form = "Content-Type: application/x-www-form-urlencoded";
    let with = [cookie.as_str(), &own, form];
    let path = format!("/c/{GROUP}");
    let done = served.post(&path, &with, "text=Cake%3F%0D%0ATwo");
    assert_eq!(done.status, 303, "{}", done.body);
    assert_eq!(done.header("location"), Some(&*format!("{path}#end")));
    let page = served.get(&path, &[&cookie]);
    assert!(page.body.contains("Cake?\nTwo"), "{}", page.body);
    for (body, status) in [
        ("text=+", 422),
        (&format!("text={}", "a".repeat(1025)), 422),
        ("other=1", 400),
    ] {
        assert_eq!(served.post(&path, &with, body).status, status, "{body}");
    }
    let nowhere = "/c/00000000-0000-4000-8000-000000000000";
    assert_eq!(served.post(nowhere, &with, "text=a").status, 404);
    let stranger = web(&sandbox, &["--write", "--me", "londo"]);
    let (cookie, own) = (stranger.enter(), stranger.own_origin());
    let refused = stranger.post(&path, &[&cookie, &own, form], "text=a");
    assert_eq!(refused.status, 403, "{}", refused.body);
    assert!(
        refused.body.contains("is not in this conversation"),
        "{}",
        refused.body
    );
}

#[test]
fn p43_without_write_nothing_is_written() {
    let sandbox = seeded();
    let before = crate::kills::block_on(sandbox.items()).len();
    let served = web(&sandbox, &[]);
    let (cookie, own) = (served.enter(), served.own_origin());
    let form = "Content-Type: application/x-www-form-urlencoded";
    for path in [
        format!("/c/{GROUP}"),
        "/".to_owned(),
        format!("/c/{GROUP}/raw"),
    ] {
        for method in ["POST", "PUT", "DELETE", "PATCH"] {
            let host = served.host();
            let headers = [host.as_str(), &cookie, &own, form];
            let answer = served.ask(&format!("{method} {path} HTTP/1.1"), &headers, "text=a");
            assert_eq!(answer.status, 405, "{method} {path}");
        }
    }
    assert_eq!(crate::kills::block_on(sandbox.items()).len(), before);
}

/// Another process writes a message. The page is told, and finds it.
#[test]
fn what_another_process_writes_is_told() {
    let sandbox = seeded();
    let served = web(&sandbox, &[]);
    let cookie = served.enter();
    let mut stream = TcpStream::connect(("127.0.0.1", served.port)).unwrap();
    write!(
        stream,
        "GET /c/{GROUP}/events HTTP/1.1\r\n{}\r\n{cookie}\r\n\r\n",
        served.host()
    )
    .unwrap();
    let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
    // The follower reads from here on.
    lines.find(|line| line == "event: back").unwrap();
    let tool = Tool::new(env!("CARGO_BIN_EXE_ddb"), Door::Front).on(&sandbox);
    let written = tool
        .run(&["create-message", GROUP, "Here I am", "-o", "jsonl"])
        .ok();
    let written: Value = serde_json::from_str(&written).unwrap();
    lines.find(|line| line == "event: news").unwrap();
    let data = lines.next().unwrap();
    let key: String = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
    assert_eq!(key, written["created_at"].as_str().unwrap());
    let from = key.replace('+', "%2B");
    let page = served.get(&format!("/c/{GROUP}?from={from}"), &[&cookie]);
    assert!(page.body.contains("Here I am"), "{}", page.body);
}
