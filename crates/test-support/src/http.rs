//! A small HTTP server for tests: it answers as it is told, and remembers what it was asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// One request.
#[derive(Debug, Clone)]
pub struct Request {
    /// The operation of an AWS API: `Scan`, `GetCallerIdentity`; empty where it names none.
    pub operation: String,
    /// The head, with its last empty line.
    pub head: String,
    /// The body.
    pub body: Vec<u8>,
}

impl Request {
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
}

impl Answer {
    /// Answers in the JSON of DynamoDB.
    pub fn json(status: u16, body: impl Into<String>) -> Self {
        Self::Body(status, "application/x-amz-json-1.0", body.into())
    }

    fn bytes(self) -> Vec<u8> {
        match self {
            Self::Raw(bytes) => bytes,
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
    /// Where no port is free.
    pub fn start(answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
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
        let answer = Arc::new(answer);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if ended.load(Ordering::SeqCst) {
                    break;
                }
                let Ok(stream) = stream else { continue };
                connections.fetch_add(1, Ordering::SeqCst);
                let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                std::thread::spawn(move || serve(stream, &seen, answer.as_ref()));
            }
        });
        server
    }

    /// Starts a server that nobody should come to.
    pub fn trap() -> Self {
        Self::start(|_| Answer::json(500, r#"{"__type":"Trapped","message":"a trap"}"#))
    }

    /// Returns its URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the operations that it was asked for, in order.
    ///
    /// # Panics
    ///
    /// Where a thread of the server panicked.
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
    let mut stream = stream;
    let _ = stream.write_all(&answer(&request).bytes());
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let header = |name: &str| {
        head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name)
                .then(|| value.trim().to_owned())
        })
    };
    let length = header("content-length").and_then(|length| length.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    let operation = match header("x-amz-target") {
        Some(target) => target.rsplit('.').next().unwrap_or_default().to_owned(),
        // The query protocol names it in the body.
        None => String::from_utf8_lossy(&body)
            .split('&')
            .find_map(|pair| pair.strip_prefix("Action=").map(str::to_owned))
            .unwrap_or_default(),
    };
    Some(Request {
        operation,
        head,
        body,
    })
}

/// Hands a request on to another server, and returns its answer.
///
/// # Panics
///
/// Where that server does not answer.
pub fn forward(request: &Request, url: &str) -> Answer {
    let address = url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).expect("the engine listens");
    // One request a connection: the end of the answer is the end of the stream.
    let head: String = request
        .head
        .lines()
        .filter(|line| !line.to_ascii_lowercase().starts_with("connection:"))
        .take_while(|line| !line.is_empty())
        .map(|line| format!("{line}\r\n"))
        .collect();
    let head = format!("{head}Connection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).expect("the engine reads");
    stream.write_all(&request.body).expect("the engine reads");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("the engine answers");
    Answer::Raw(answer)
}
