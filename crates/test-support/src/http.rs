//! A small HTTP server for tests: it answers as it is told, and records its requests.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use socket2::SockRef;

/// One request.
#[derive(Debug, Clone)]
pub struct Request {
    /// The operation of an AWS API: `Scan`, `GetCallerIdentity`; empty if it names none.
    pub operation: String,
    /// The head, with its last empty line.
    pub head: String,
    /// The body.
    pub body: Vec<u8>,
}

impl Request {
    /// Returns the value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// Returns the request with another body.
    #[must_use]
    pub fn with_body(&self, body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        let head: String = self
            .head
            .lines()
            .map(|line| match line.split_once(':') {
                Some((name, _)) if name.eq_ignore_ascii_case("content-length") => {
                    format!("{name}: {}\r\n", body.len())
                }
                _ => format!("{line}\r\n"),
            })
            .collect();
        Self {
            operation: self.operation.clone(),
            head,
            body,
        }
    }
}

/// One answer.
#[derive(Debug, Clone)]
pub enum Answer {
    /// A status, a content type and a body.
    Body(u16, &'static str, String),
    /// The bytes of a whole answer, as another server gave them.
    Raw(Vec<u8>),
    /// The bytes of a whole answer, which do not arrive as they should.
    Broken(Breakage, Vec<u8>),
}

/// How the bytes of an answer fail to arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breakage {
    /// None arrives, and the connection stays open.
    Hung,
    /// They arrive one by one, slowly.
    Dripped,
    /// None arrives: the connection is reset.
    Reset,
    /// None arrives: the server ends its half of the connection, and leaves the other half open.
    HalfClosed,
    /// The first half arrives, and then the connection is closed.
    Truncated,
}

/// The pause between two bytes of an answer that drips.
const DRIP: Duration = Duration::from_millis(20);

impl Answer {
    /// Returns an answer in DynamoDB's JSON.
    pub fn json(status: u16, body: impl Into<String>) -> Self {
        Self::Body(status, "application/x-amz-json-1.0", body.into())
    }

    /// Returns the same answer, which does not arrive as it should.
    #[must_use]
    pub fn broken(self, breakage: Breakage) -> Self {
        Self::Broken(breakage, self.bytes())
    }

    /// Returns the JSON of the body, or `None` if it has none.
    pub fn to_json(&self) -> Option<serde_json::Value> {
        let bytes = self.clone().bytes();
        let body = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
        serde_json::from_slice(&bytes[body + 4..]).ok()
    }

    pub(crate) fn bytes(self) -> Vec<u8> {
        match self {
            Self::Raw(bytes) | Self::Broken(_, bytes) => bytes,
            Self::Body(status, kind, body) => format!(
                "HTTP/1.1 {status} Said\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            )
            .into_bytes(),
        }
    }
}

/// A server on 127.0.0.1. It ends when this value is dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
    ended: Arc<AtomicBool>,
}

impl Server {
    /// Starts a server with one answer for each request.
    ///
    /// # Panics
    ///
    /// If no port is free.
    pub fn start(answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        Self::listen(move |stream, seen| serve(stream, seen, &answer))
    }

    pub(crate) fn listen(
        serve: impl Fn(TcpStream, &Mutex<Vec<String>>) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let server = Self {
            address: listener.local_addr().expect("an address"),
            seen: Arc::default(),
            connections: Arc::default(),
            ended: Arc::default(),
        };
        let (seen, connections, ended) = (
            Arc::clone(&server.seen),
            Arc::clone(&server.connections),
            Arc::clone(&server.ended),
        );
        let serve = Arc::new(serve);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if ended.load(Ordering::SeqCst) {
                    break;
                }
                let Ok(stream) = stream else { continue };
                connections.fetch_add(1, Ordering::SeqCst);
                let (seen, serve) = (Arc::clone(&seen), Arc::clone(&serve));
                std::thread::spawn(move || serve(stream, &seen));
            }
        });
        server
    }

    /// Starts a server that answers every connection the same way, whatever the request and the protocol.
    ///
    /// # Panics
    ///
    /// If no port is free.
    pub fn blunt(breakage: Breakage, bytes: &'static [u8]) -> Self {
        Self::listen(move |stream, _| {
            let _ = breakage.send(stream, bytes);
        })
    }

    /// Starts a server that should get no requests.
    pub fn trap() -> Self {
        Self::start(|_| Answer::json(500, r#"{"__type":"Trapped","message":"a trap"}"#))
    }

    /// Returns its URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the operations of the requests, in order.
    ///
    /// # Panics
    ///
    /// If a thread of the server panicked.
    pub fn operations(&self) -> Vec<String> {
        self.seen.lock().expect("the list is whole").clone()
    }

    /// Returns how many connections were made to it.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
    }
}

fn serve(stream: TcpStream, seen: &Mutex<Vec<String>>, answer: &dyn Fn(&Request) -> Answer) {
    let Some(request) = read(&stream) else { return };
    if let Ok(mut seen) = seen.lock() {
        seen.push(request.operation.clone());
    }
    // If the client is gone, the error is ignored.
    let _ = match answer(&request) {
        Answer::Broken(breakage, bytes) => breakage.send(stream, &bytes),
        answer => (&stream).write_all(&answer.bytes()),
    };
}

impl Breakage {
    fn send(self, mut stream: TcpStream, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Hung => await_end(&stream),
            Self::Dripped => bytes.iter().try_for_each(|byte| {
                std::thread::sleep(DRIP);
                stream.write_all(&[*byte])
            }),
            // Closing a socket with a linger time of zero resets the connection.
            Self::Reset => SockRef::from(&stream).set_linger(Some(Duration::ZERO)),
            Self::HalfClosed => {
                stream.shutdown(Shutdown::Write)?;
                await_end(&stream)
            }
            Self::Truncated => stream.write_all(&bytes[..bytes.len() / 2]),
        }
    }
}

/// Waits until the client closes the connection.
fn await_end(mut stream: &TcpStream) -> io::Result<()> {
    io::copy(&mut stream, &mut io::sink()).map(drop)
}

/// Reads one request. Returns `None` if the client is gone.
pub(crate) fn read(stream: impl Read) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let mut request = Request {
        operation: String::new(),
        head,
        body: Vec::new(),
    };
    let length = request
        .header("content-length")
        .and_then(|length| length.parse().ok());
    request.body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut request.body).ok()?;
    request.operation = match request.header("x-amz-target") {
        Some(target) => target.rsplit('.').next().unwrap_or_default().to_owned(),
        // The query protocol names it in the body.
        None => String::from_utf8_lossy(&request.body)
            .split('&')
            .find_map(|pair| pair.strip_prefix("Action=").map(str::to_owned))
            .unwrap_or_default(),
    };
    Some(request)
}

/// Forwards a request to another server, and returns its answer.
///
/// # Panics
///
/// If that server does not answer.
pub fn forward(request: &Request, url: &str) -> Answer {
    let address = url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).expect("the engine listens");
    // One request per connection: the end of the answer is the end of the stream.
    let head: String = request
        .head
        .lines()
        .filter(|line| !is_about_this_hop(line))
        .take_while(|line| !line.is_empty())
        .map(|line| format!("{line}\r\n"))
        .collect();
    let head = format!("{head}Host: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).expect("the engine reads");
    stream.write_all(&request.body).expect("the engine reads");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("the engine answers");
    Answer::Raw(answer)
}

/// Checks whether a line of a head is only for this hop. The engine answers only to its own name.
fn is_about_this_hop(line: &str) -> bool {
    let line = line.to_ascii_lowercase();
    line.starts_with("host:") || line.starts_with("connection:")
}
