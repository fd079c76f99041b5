//! The server: both loopback addresses, and bounds on what a client may take.

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
/// How long requests under way may take at the end; pages that wait for news never end by themselves.
const GRACE: Duration = Duration::from_secs(1);
/// What one connection too many is told.
const BUSY: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/// Sockets that are listened on, and answer nothing yet.
#[derive(Debug)]
pub struct Server {
    listeners: Vec<TcpListener>,
    addresses: Vec<SocketAddr>,
}

impl Server {
    /// Listens on 127.0.0.1 and [::1]; port 0 means any that is free on both.
    ///
    /// # Errors
    ///
    /// Where the port cannot be had.
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

    /// Returns where it listens.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Answers until `stop` is there.
    ///
    /// # Errors
    ///
    /// Where the sockets cannot be used.
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
            // There are too many files open, or the client is gone already.
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
        // A client that breaks off is nobody's fault here.
        _ = connection.as_mut() => {}
        _ = ended.changed() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
    drop(slot);
}
