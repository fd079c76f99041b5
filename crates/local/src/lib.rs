//! A DynamoDB endpoint in this process: no Docker, no JVM.
//!
//! The engine is dynoxide, with SQLite behind it. Its handlers block on one mutex, so the endpoint
//! runs on a thread and a runtime of its own. It listens on the loopback interface only: nothing
//! asks for a password there.

use std::fs::{File, TryLockError};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use dynoxide::Database;
use rusqlite::Connection;
use tokio::sync::oneshot;

/// Says why there is no endpoint.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// Something listens on the port already.
    #[error("port {0} of 127.0.0.1 is taken")]
    PortTaken(u16),
    /// The port cannot be had for another reason.
    #[error("cannot listen on port {port} of 127.0.0.1: {error}")]
    Listen {
        /// The port.
        port: u16,
        /// The system's reason.
        error: std::io::Error,
    },
    /// The folder for the data cannot be made or written.
    #[error("{}: {error}", path.display())]
    Folder {
        /// The folder or the file.
        path: PathBuf,
        /// The system's reason.
        error: std::io::Error,
    },
    /// Another endpoint holds the data.
    #[error("{}: another endpoint uses this folder", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// The engine cannot open its database, or ended on its own.
    #[error("the engine: {0}")]
    Engine(String),
}

/// Tells where the data lives.
#[derive(Debug, Clone, Copy)]
pub enum Storage<'a> {
    /// In memory: gone at the end.
    Memory,
    /// In a folder, which is made where it is missing.
    Folder(&'a Path),
}

/// The name of the database inside the folder.
const DATABASE: &str = "dynamodb.sqlite";
/// Locked as long as an endpoint uses the folder.
const LOCK: &str = "lock";

/// A running endpoint. It ends when this value is dropped.
#[derive(Debug)]
pub struct Endpoint {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<(), LocalError>>>,
    _lock: Option<File>,
}

impl Endpoint {
    /// Starts an endpoint on 127.0.0.1; port 0 means any free one. It answers when this returns.
    ///
    /// # Errors
    ///
    /// [`LocalError`]; nothing is left running.
    pub fn start(port: u16, storage: Storage<'_>) -> Result<Self, LocalError> {
        let listen = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::AddrInUse => LocalError::PortTaken(port),
            _ => LocalError::Listen { port, error },
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(listen)?;
        listener.set_nonblocking(true).map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let (database, lock) = open(storage)?;
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("dynamodb".to_owned())
            .spawn(move || serve(listener, database, stopped))
            .map_err(listen)?;
        Ok(Self {
            address,
            stop: Some(stop),
            thread: Some(thread),
            _lock: lock,
        })
    }

    /// Returns the URL: `http://127.0.0.1:8000`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends the endpoint: requests under way are finished, data on disk is whole.
    ///
    /// # Errors
    ///
    /// Where the engine had ended on its own.
    pub fn stop(mut self) -> Result<(), LocalError> {
        self.end()
    }

    fn end(&mut self) -> Result<(), LocalError> {
        if let Some(stop) = self.stop.take() {
            // Nobody listens where the engine ended on its own; the thread says why.
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

fn open(storage: Storage<'_>) -> Result<(Database, Option<File>), LocalError> {
    let Storage::Folder(folder) = storage else {
        return Ok((open_database(&in_memory())?, None));
    };
    let at = |path: &Path| {
        let path = path.to_owned();
        move |error| LocalError::Folder { path, error }
    };
    std::fs::create_dir_all(folder).map_err(at(folder))?;
    let lock_path = folder.join(LOCK);
    let lock = File::create(&lock_path).map_err(at(&lock_path))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(LocalError::InUse {
                path: folder.to_owned(),
            });
        }
        Err(TryLockError::Error(error)) => return Err(at(&lock_path)(error)),
    }
    let path = folder.join(DATABASE);
    let path = path
        .to_str()
        .ok_or_else(|| LocalError::Engine("the path is not Unicode".to_owned()))?;
    Ok((open_database(path)?, Some(lock)))
}

/// Names a database in memory that a second connection of this process can open, too: see "In-Memory
/// Databases" in the SQLite documentation.
fn in_memory() -> String {
    static OPENED: AtomicUsize = AtomicUsize::new(0);
    let number = OPENED.fetch_add(1, Ordering::Relaxed);
    format!("file:ddb-local-{number}?mode=memory&cache=shared")
}

/// The engine looks for the last record of a stream at each write, and has no index for that: it would read
/// the whole stream each time.
const STREAM_INDEX: &str = "CREATE INDEX IF NOT EXISTS ddb_local_stream
    ON _stream_records (table_name, CAST(sequence_number AS INTEGER))";

fn open_database(name: &str) -> Result<Database, LocalError> {
    let database = Database::new(name).map_err(|error| LocalError::Engine(error.to_string()))?;
    let indexed =
        Connection::open(name).and_then(|connection| connection.execute_batch(STREAM_INDEX));
    indexed.map_err(|error| LocalError::Engine(error.to_string()))?;
    Ok(database)
}

fn serve(
    listener: TcpListener,
    database: Database,
    stopped: oneshot::Receiver<()>,
) -> Result<(), LocalError> {
    let broken = |error: std::io::Error| LocalError::Engine(error.to_string());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(broken)?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener).map_err(broken)?;
        let (stop, stopping) = oneshot::channel::<()>();
        let serving = dynoxide::server::serve_with_shutdown(listener, database, async {
            let _ = stopping.await;
        });
        let mut serving = std::pin::pin!(serving);
        tokio::select! {
            ended = &mut serving => return ended.map_err(LocalError::Engine),
            _ = stopped => {}
        }
        drop(stop);
        // A client that keeps half a request open must not keep the endpoint.
        match tokio::time::timeout(GRACE, serving).await {
            Ok(ended) => ended.map_err(LocalError::Engine),
            Err(_) => Ok(()),
        }
    })
}

/// How long requests under way may take at the end.
const GRACE: std::time::Duration = std::time::Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpStream;

    fn answers(endpoint: &Endpoint) -> bool {
        let Ok(mut stream) = TcpStream::connect(endpoint.address) else {
            return false;
        };
        let request = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.starts_with("HTTP/1.1 200")
    }

    #[test]
    fn it_answers_at_once_and_is_gone_after_the_end() {
        let endpoint = Endpoint::start(0, Storage::Memory).unwrap();
        assert!(answers(&endpoint));
        let address = endpoint.address;
        assert!(address.ip().is_loopback());
        endpoint.stop().unwrap();
        assert!(TcpStream::connect(address).is_err());
    }

    /// The engine's schema may change under it: then writes to a table with a stream would slow down again.
    #[test]
    fn the_end_of_a_stream_is_found_by_its_index() {
        let name = in_memory();
        let _database = open_database(&name).unwrap();
        let connection = Connection::open(&name).unwrap();
        let last =
            "EXPLAIN QUERY PLAN SELECT COALESCE(MAX(CAST(sequence_number AS INTEGER)), 0) + 1
            FROM _stream_records WHERE table_name = 'a'";
        let plan: String = connection
            .query_row(last, [], |row| row.get("detail"))
            .unwrap();
        assert!(plan.contains("INDEX ddb_local_stream"), "{plan}");
    }

    #[test]
    fn two_endpoints_in_memory_are_two_databases() {
        let first = in_memory();
        let _first = open_database(&first).unwrap();
        let second = in_memory();
        let _second = open_database(&second).unwrap();
        let connection = Connection::open(&first).unwrap();
        connection.execute_batch("CREATE TABLE mine (x)").unwrap();
        let connection = Connection::open(&second).unwrap();
        assert!(
            connection
                .execute_batch("INSERT INTO mine VALUES (1)")
                .is_err()
        );
    }

    #[test]
    fn a_taken_port_is_named() {
        let first = Endpoint::start(0, Storage::Memory).unwrap();
        let port = first.address.port();
        let error = Endpoint::start(port, Storage::Memory).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("port {port} of 127.0.0.1 is taken")
        );
    }

    #[test]
    fn a_folder_serves_one_endpoint_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("a/b");
        let first = Endpoint::start(0, Storage::Folder(&data)).unwrap();
        let error = Endpoint::start(0, Storage::Folder(&data)).unwrap_err();
        assert!(matches!(error, LocalError::InUse { .. }), "{error}");
        first.stop().unwrap();
        let second = Endpoint::start(0, Storage::Folder(&data)).unwrap();
        assert!(answers(&second));
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let error = Endpoint::start(0, Storage::Folder(&file)).unwrap_err();
        assert!(
            error.to_string().starts_with(&file.display().to_string()),
            "{error}"
        );
    }

    #[test]
    fn half_a_request_does_not_keep_it_from_ending() {
        let endpoint = Endpoint::start(0, Storage::Memory).unwrap();
        let mut stream = TcpStream::connect(endpoint.address).unwrap();
        stream.write_all(b"POST / HTTP/1.1\r\nHost: x\r\n").unwrap();
        endpoint.stop().unwrap();
    }
}
