//! A DynamoDB endpoint in this process: no Docker, no JVM.
//!
//! The engine is dynoxide, with SQLite behind it. Its handlers block on one mutex, so the endpoint
//! runs on its own thread and runtime. It listens on the loopback interface only, because it asks for
//! no password. The front of the engine keeps web pages out.

mod engine;
mod exchange;
mod front;
mod pages;
mod storage;
mod tokens;

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::Duration;

use axum::serve::ListenerExt;
use ddb_loopback::{ListenError, Origin};
use dynoxide::Database;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

use crate::engine::Engine;
pub use crate::storage::Storage;

/// The reason why there is no endpoint.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// The port is not available.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The data folder cannot be created or written to.
    #[error("{}: {error}", path.display())]
    Folder {
        /// The folder or the file.
        path: PathBuf,
        /// The system's reason.
        error: std::io::Error,
    },
    /// Another endpoint is using the data folder.
    #[error("{}: another endpoint is using this folder", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// The engine cannot open its database, or ended on its own.
    #[error("the engine: {0}")]
    Engine(String),
}

/// A running endpoint. It ends when this value is dropped.
#[derive(Debug)]
pub struct Endpoint {
    addresses: Vec<SocketAddr>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<(), LocalError>>>,
    _lock: Option<File>,
}

impl Endpoint {
    /// Starts an endpoint on 127.0.0.1 and `[::1]`; port 0 means any free one. It is ready when this returns.
    ///
    /// Web pages of the origins in `allowed` may use it, and no others.
    ///
    /// # Errors
    ///
    /// [`LocalError`]; nothing is left running.
    pub fn start(
        port: u16,
        storage: Storage<'_>,
        allowed: Vec<Origin>,
    ) -> Result<Self, LocalError> {
        let listeners = ddb_loopback::listen(port)?;
        let addresses = listeners
            .iter()
            .map(TcpListener::local_addr)
            .collect::<Result<Vec<_>, _>>()
            .map_err(broken)?;
        let (database, lock) = storage::open(storage)?;
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("dynamodb".to_owned())
            .spawn(move || serve(listeners, database, allowed, stopped))
            .map_err(broken)?;
        Ok(Self {
            addresses,
            stop: Some(stop),
            thread: Some(thread),
            _lock: lock,
        })
    }

    /// Returns the URL: `http://127.0.0.1:8000`.
    pub fn url(&self) -> String {
        format!("http://{}", self.addresses[0])
    }

    /// Returns the addresses it listens on: 127.0.0.1, and `[::1]` if this machine has it.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Stops the endpoint. Requests in progress are finished, and the data on disk is complete.
    ///
    /// # Errors
    ///
    /// If the engine had ended on its own.
    pub fn stop(mut self) -> Result<(), LocalError> {
        self.end()
    }

    fn end(&mut self) -> Result<(), LocalError> {
        if let Some(stop) = self.stop.take() {
            // If the engine ended on its own, nothing receives this; the thread returns the reason.
            let _ = stop.send(());
        }
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(_)) => Err(LocalError::Engine("it panicked".to_owned())),
            None => Ok(()),
        }
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

fn broken(error: std::io::Error) -> LocalError {
    LocalError::Engine(error.to_string())
}

fn serve(
    listeners: Vec<TcpListener>,
    database: Database,
    allowed: Vec<Origin>,
    stopped: oneshot::Receiver<()>,
) -> Result<(), LocalError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(broken)?;
    runtime.block_on(async {
        let (ending_engine, engine_ended) = watch::channel(());
        let (ending, ended) = watch::channel(());
        let router = front::router(Engine::new(database, engine_ended), allowed);
        let mut serving = JoinSet::new();
        for listener in listeners {
            let listener = tokio::net::TcpListener::from_std(listener).map_err(broken)?;
            // An answer is sent in parts, and none of them should wait for the next.
            let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
            let mut ended = ended.clone();
            let serve = axum::serve(listener, router.clone()).with_graceful_shutdown(async move {
                let _ = ended.changed().await;
            });
            serving.spawn(serve.into_future());
        }
        // If the endpoint's value is dropped, nothing is left to stop it: that ends it as well.
        let _ = stopped.await;
        drop(ending);
        // A client that keeps half a request open must not keep the endpoint running.
        let _ = tokio::time::timeout(GRACE, serving.join_all()).await;
        // Requests in progress need the engine until they are finished.
        drop(ending_engine);
        Ok(())
    })
}

/// How long requests in progress may still take at the end.
const GRACE: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpStream;

    /// Sends a request unchanged, and returns the whole answer.
    fn ask(address: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    const GET: &str = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

    #[test]
    fn it_answers_at_once_on_every_address_and_is_gone_after_the_end() {
        let endpoint = Endpoint::start(0, Storage::Memory, Vec::new()).unwrap();
        let addresses = endpoint.addresses().to_owned();
        for address in &addresses {
            assert!(address.ip().is_loopback());
            let answer = ask(*address, GET);
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        }
        endpoint.stop().unwrap();
        for address in addresses {
            assert!(TcpStream::connect(address).is_err());
        }
    }

    #[test]
    fn a_taken_port_is_named() {
        let first = Endpoint::start(0, Storage::Memory, Vec::new()).unwrap();
        let port = first.addresses()[0].port();
        let error = Endpoint::start(port, Storage::Memory, Vec::new()).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("port {port} of 127.0.0.1 is taken: a DynamoDB endpoint answers there")
        );
    }

    #[test]
    fn half_a_request_does_not_keep_it_from_ending() {
        let endpoint = Endpoint::start(0, Storage::Memory, Vec::new()).unwrap();
        let mut stream = TcpStream::connect(endpoint.addresses()[0]).unwrap();
        stream
            .write_all(b"POST / HTTP/1.1\r\nHost: localhost\r\n")
            .unwrap();
        endpoint.stop().unwrap();
    }

    /// A request is answered even if its body is still being sent when the endpoint is told to stop.
    #[test]
    fn a_request_under_way_is_finished() {
        let endpoint = Endpoint::start(0, Storage::Memory, Vec::new()).unwrap();
        let mut stream = TcpStream::connect(endpoint.addresses()[0]).unwrap();
        let head = "POST / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
        stream.write_all(head.as_bytes()).unwrap();
        // The endpoint asks for the body, so the request has arrived.
        let mut goes_on = [0; 25];
        stream.read_exact(&mut goes_on).unwrap();
        assert_eq!(&goes_on, b"HTTP/1.1 100 Continue\r\n\r\n");
        let ending = std::thread::spawn(move || endpoint.stop());
        stream.write_all(b"{}").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
        ending.join().unwrap().unwrap();
    }
}
