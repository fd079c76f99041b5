//! The engine behind the front: dynoxide's own server, on connections that no other program can make.
//!
//! That server accepts requests from anyone on a TCP listener: it requires no `Host` and answers every `Origin`. So
//! each connection gets its own listener, which is closed as soon as that connection is accepted.

use std::future::Future;
use std::io;
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::extract::Request;
use axum::http::Uri;
use axum::response::Response;
use dynoxide::Database;
use dynoxide::server::serve_with_shutdown;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tower::Service;

/// A client of the engine in this process.
#[derive(Debug, Clone)]
pub(crate) struct Engine {
    client: Client<Connect, Body>,
}

impl Engine {
    /// Creates a client. The engine releases the database when the sender of `ended` is dropped.
    pub(crate) fn new(database: Database, ended: watch::Receiver<()>) -> Self {
        let client = Client::builder(TokioExecutor::new()).build(Connect { database, ended });
        Self { client }
    }

    /// Sends a request to the engine. Only the path of its URI is used.
    pub(crate) async fn answer(&self, request: Request) -> Result<Response, Error> {
        Ok(self.client.request(request).await?.map(Body::new))
    }
}

/// Makes connections to the engine.
#[derive(Clone)]
struct Connect {
    database: Database,
    ended: watch::Receiver<()>,
}

impl Service<Uri> for Connect {
    type Response = TokioIo<TcpStream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let (database, ended) = (self.database.clone(), self.ended.clone());
        Box::pin(async move { connect(database, ended).await.map(TokioIo::new) })
    }
}

async fn connect(database: Database, mut ended: watch::Receiver<()>) -> io::Result<TcpStream> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    stream.set_nodelay(true)?;
    let serving = serve_with_shutdown(listener, database, async move {
        // The value never changes: this waits until the sender is dropped.
        let _ = ended.changed().await;
    });
    // The server accepts while its future is polled, and serves each connection on its own task. Its first
    // answer shows that it has accepted this connection; dropping the future then closes the listener.
    tokio::select! {
        greeted = greet(&mut stream) => greeted?,
        served = serving => {
            return Err(io::Error::other(served.err().unwrap_or_default()));
        }
    }
    Ok(stream)
}

/// Sends a request whose answer has no body, and reads the answer.
async fn greet(stream: &mut TcpStream) -> io::Result<()> {
    stream
        .write_all(b"HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod testing {
    //! An engine with a table, and requests to it.

    use super::*;
    use crate::exchange::OPERATION;
    use axum::body::to_bytes;
    use axum::http::StatusCode;
    use axum::http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE};
    use serde_json::{Value, json};

    pub(crate) fn request(operation: &str, body: &str) -> Request {
        Request::post("http://engine/")
            .header(OPERATION, format!("DynamoDB_20120810.{operation}"))
            .header(CONTENT_TYPE, "application/x-amz-json-1.0")
            .header("x-amz-date", "20260101T000000Z")
            .header(
                AUTHORIZATION,
                "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0",
            )
            .header(CONTENT_LENGTH, body.len())
            .body(Body::from(body.to_owned()))
            .unwrap()
    }

    /// Reads an answer that is not an error.
    pub(crate) async fn json(response: Response) -> Value {
        let status = response.status();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        assert_eq!(status, StatusCode::OK, "{}", String::from_utf8_lossy(&body));
        serde_json::from_slice(&body).unwrap()
    }

    /// Creates an engine in memory with an empty table. It ends when the sender is dropped.
    pub(crate) async fn engine() -> (Engine, watch::Sender<()>) {
        let (ending, ended) = watch::channel(());
        let engine = Engine::new(Database::memory().unwrap(), ended);
        let create = json!({
            "TableName": "the-table", "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        });
        let create = request("CreateTable", &create.to_string());
        json(engine.answer(create).await.unwrap()).await;
        (engine, ending)
    }

    /// Puts a number of items of a size.
    pub(crate) async fn put_items(engine: &Engine, items: usize, bytes: usize) {
        let numbers: Vec<usize> = (0..items).collect();
        for chunk in numbers.chunks(25) {
            let put = |n: &usize| {
                let item = json!({"pk": {"S": n.to_string()}, "text": {"S": "x".repeat(bytes)}});
                json!({"PutRequest": {"Item": item}})
            };
            let puts: Vec<Value> = chunk.iter().map(put).collect();
            let batch = json!({"RequestItems": {"the-table": puts}});
            let batch = request("BatchWriteItem", &batch.to_string());
            json(engine.answer(batch).await.unwrap()).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn nobody_else_gets_to_the_engine() {
        let (_ending, ended) = watch::channel(());
        let database = Database::memory().unwrap();
        let mut stream = connect(database.clone(), ended.clone()).await.unwrap();
        let address = stream.peer_addr().unwrap();
        let error = TcpStream::connect(address).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        // The first connection still works.
        greet(&mut stream).await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn connections_end_with_the_endpoint() {
        let (ending, ended) = watch::channel(());
        let mut stream = connect(Database::memory().unwrap(), ended).await.unwrap();
        drop(ending);
        assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0);
    }
}
