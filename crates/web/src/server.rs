//! The server: it listens on both loopback addresses, and limits what a client may use.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use ddb_loopback::ListenError;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

/// The most connections at a time.
const MOST_CONNECTIONS: usize = 256;
/// How long the head of a request may take, and how long a connection may be idle.
const HEAD: Duration = Duration::from_secs(10);
/// The most bytes of the head of a request.
const HEAD_SIZE: usize = 16 * 1024;
/// How long requests in progress may still take at the end. Pages that wait for news never end by themselves.
const GRACE: Duration = Duration::from_secs(1);
/// The answer to a connection above the limit.
const BUSY: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/// Sockets that listen, but do not answer yet.
#[derive(Debug)]
pub struct Server {
    listeners: Vec<TcpListener>,
    addresses: Vec<SocketAddr>,
}

impl Server {
    /// Listens on 127.0.0.1 and `[::1]`; port 0 means any that is free on both.
    pub fn bind(port: u16) -> Result<Self, ListenError> {
        let listeners = ddb_loopback::listen(port)?;
        let addresses = listeners
            .iter()
            .filter_map(|listener| listener.local_addr().ok())
            .collect();
        Ok(Self {
            listeners,
            addresses,
        })
    }

    /// Returns the port, the same on both addresses.
    pub fn port(&self) -> u16 {
        self.addresses.first().map_or(0, SocketAddr::port)
    }

    /// Returns the addresses it listens on.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Answers until `stop` is ready.
    ///
    /// # Errors
    ///
    /// If the sockets cannot be used.
    pub async fn run(self, router: Router, stop: impl Future<Output = ()>) -> std::io::Result<()> {
        let slots = Arc::new(Semaphore::new(MOST_CONNECTIONS));
        let (ending, ended) = watch::channel(());
        let mut accepting = JoinSet::new();
        for listener in self.listeners {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            accepting.spawn(accept(
                listener,
                router.clone(),
                Arc::clone(&slots),
                ended.clone(),
            ));
        }
        drop(ended);
        stop.await;
        drop(ending);
        let _ = tokio::time::timeout(GRACE, accepting.join_all()).await;
        Ok(())
    }
}

async fn accept(
    listener: tokio::net::TcpListener,
    router: Router,
    slots: Arc<Semaphore>,
    mut ended: watch::Receiver<()>,
) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            _ = ended.changed() => break,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            // Too many files are open, or the client has already gone.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        match Arc::clone(&slots).try_acquire_owned() {
            Ok(slot) => {
                connections.spawn(talk(stream, router.clone(), slot, ended.clone()));
            }
            Err(_) => {
                let _ = stream.try_write(BUSY);
            }
        }
    }
    drop(listener);
    connections.join_all().await;
}

/// Answers the requests of one connection.
async fn talk(
    stream: TcpStream,
    router: Router,
    slot: OwnedSemaphorePermit,
    mut ended: watch::Receiver<()>,
) {
    let _ = stream.set_nodelay(true);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEAD_SIZE)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        // A client that disconnects is not an error here.
        _ = connection.as_mut() => {}
        _ = ended.changed() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
    drop(slot);
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use axum::extract::Request;
    use axum::response::{IntoResponse, Response};
    use axum::routing::any;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::front::collected;

    async fn answer(request: Request) -> Response {
        match collected(request).await {
            Ok(_) => "whole".into_response(),
            Err(refusal) => refusal.status().into_response(),
        }
    }

    /// Sends the beginning of a request, and then one byte a second, until the server ends the connection. Returns the
    /// number of those bytes, and the answer. The test has its own time, which passes if nothing else is left to do.
    async fn dripped(beginning: &str) -> (u64, String) {
        let server = Server::bind(0).unwrap();
        let port = server.port();
        let router = Router::new().fallback(any(answer));
        let serving = tokio::spawn(server.run(router, std::future::pending()));
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        stream.write_all(beginning.as_bytes()).await.unwrap();
        let (mut reader, mut writer) = stream.into_split();
        let (sent, mut answer) = (Cell::new(0), Vec::new());
        let dripping = async {
            // A day is as good as forever.
            for _ in 0..86_400 {
                tokio::time::sleep(Duration::from_secs(1)).await;
                if writer.write_all(b"a").await.is_err() {
                    break;
                }
                sent.set(sent.get() + 1);
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            // A reset is also an end.
            _ = reader.read_to_end(&mut answer) => {}
            () = dripping => {}
        }
        serving.abort();
        (sent.get(), String::from_utf8_lossy(&answer).into_owned())
    }

    /// The bytes that a client can send within a time limit, and one that was on the way.
    fn within(bound: Duration) -> u64 {
        bound.as_secs() + 1
    }

    #[tokio::test(start_paused = true)]
    async fn p41_a_head_that_drips_is_cut_off() {
        for beginning in ["", "GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: "] {
            let (sent, answer) = dripped(beginning).await;
            assert!(sent <= within(HEAD), "{beginning:?}: {sent}");
            assert!(!answer.contains("200 OK"), "{answer}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn p41_a_body_that_drips_is_cut_off() {
        let beginning = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 16000\r\n\r\n";
        let (sent, answer) = dripped(beginning).await;
        assert!(sent <= within(crate::front::PATIENCE), "{sent}");
        assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    }

    #[tokio::test(start_paused = true)]
    async fn p41_a_connection_that_is_idle_after_an_answer_is_closed() {
        let beginning = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\nGET";
        let (sent, answer) = dripped(beginning).await;
        assert!(sent <= within(HEAD), "{sent}");
        assert!(answer.contains("whole"), "{answer}");
    }
}
