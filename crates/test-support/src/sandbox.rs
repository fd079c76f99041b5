//! A separate table for each test.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, WriteRequest};
use ddb_core::Error;
use ddb_core::connect::{Local, Target, TargetOptions};
use ddb_core::environment::{Environment, Given};
use ddb_core::guard::{self, Changeable, Deletable, Operator};
use ddb_core::item::RawItem;
use ddb_core::schema::{Changes, TableName, TableSpec};
use ddb_core::store::{DynamoDb, Store, Writer};
use ddb_core::stream::Streams;
use ddb_local::{Endpoint, Storage};

/// The variable that names endpoints to run the tests on instead of the embedded engine, separated by spaces. Each
/// sandbox is on one of them. Amazon's DynamoDB Local takes longer for each write than for the one before it, since it
/// goes through the stream records of all of them; several endpoints share the load.
pub const REAL_ENGINE: &str = "DDB_TEST_DYNAMODB";

/// How long a table may take to become ACTIVE.
const PATIENCE: Duration = Duration::from_secs(30);

/// The engine under a sandbox.
#[derive(Debug)]
pub enum Engine {
    /// In this process, in memory, for this sandbox only.
    Embedded(Endpoint),
    /// Elsewhere, shared with other tests.
    Real(String),
}

/// An engine, and the name of a table that no other test uses. The table is not created yet.
#[derive(Debug)]
pub struct Sandbox {
    engine: Engine,
    table: TableName,
}

impl Default for Sandbox {
    fn default() -> Self {
        Self::new()
    }
}

impl Sandbox {
    /// Opens a sandbox on the engine that the tests run on.
    ///
    /// # Panics
    ///
    /// If there is no engine.
    pub fn new() -> Self {
        let engines = std::env::var(REAL_ENGINE).unwrap_or_default();
        match fastrand::choice(engines.split_whitespace().collect::<Vec<_>>()) {
            Some(url) => Self::on(Engine::Real(url.to_owned())),
            None => Self::embedded(),
        }
    }

    /// Opens a sandbox on the embedded engine, for what the others do not support.
    ///
    /// # Panics
    ///
    /// If the engine does not start.
    pub fn embedded() -> Self {
        let endpoint =
            Endpoint::start(0, Storage::Memory, Vec::new()).expect("the embedded engine starts");
        Self::on(Engine::Embedded(endpoint))
    }

    fn on(engine: Engine) -> Self {
        let table = format!("test-{:016x}", fastrand::u64(..));
        Self {
            engine,
            table: table.parse().expect("the name is one of a table"),
        }
    }

    /// Opens a sandbox with the table in it.
    ///
    /// # Panics
    ///
    /// If the table cannot be created.
    pub async fn with_table() -> Self {
        let sandbox = Self::new();
        sandbox.create_table().await;
        sandbox
    }

    /// Creates the table with the default schema.
    ///
    /// # Panics
    ///
    /// If that fails.
    pub async fn create_table(&self) {
        let (writer, spec) = (self.writer(), TableSpec::default());
        let mut tries = 0;
        loop {
            tries += 1;
            match writer.create_table(&spec, PATIENCE).await {
                // Amazon's DynamoDB Local sometimes fails like this if tables are created at the same time.
                Err(Error::Call(error)) if error.code() == Some("InternalFailure") && tries < 5 => {
                }
                made => {
                    made.expect("the table is created");
                    return;
                }
            }
        }
    }

    /// Checks whether the engine is the embedded one.
    pub fn is_embedded(&self) -> bool {
        matches!(self.engine, Engine::Embedded(_))
    }

    /// Returns the URL of the engine.
    pub fn url(&self) -> String {
        match &self.engine {
            Engine::Embedded(endpoint) => endpoint.url(),
            Engine::Real(url) => url.clone(),
        }
    }

    /// Returns the name of the table. The names of further tables of a test start with it.
    pub fn table(&self) -> &TableName {
        &self.table
    }

    fn target(&self) -> Target {
        target_at(&self.url())
    }

    /// Returns a client of the table.
    pub fn store(&self) -> Store {
        self.store_at(&self.url())
    }

    /// Returns a client of the table that goes through something in front of the engine.
    pub fn store_at(&self, url: &str) -> Store {
        target_at(url).store(self.table.clone())
    }

    /// Returns a client of the service.
    pub fn dynamodb(&self) -> DynamoDb {
        self.target().dynamodb()
    }

    /// Returns a client that may write to the table.
    ///
    /// # Panics
    ///
    /// Never: a local endpoint needs no confirmation.
    pub fn writer(&self) -> Writer {
        self.writer_at(&self.url())
    }

    /// Returns a client that may write to the table, and goes through something in front of the engine.
    ///
    /// # Panics
    ///
    /// Never: a local endpoint needs no confirmation.
    pub fn writer_at(&self, url: &str) -> Writer {
        writer_of(self.store_at(url))
    }

    /// Returns the same client with a very long timeout: what is in front of the engine may do a lot at each
    /// request, on a machine where every core is busy.
    ///
    /// # Panics
    ///
    /// Never: a local endpoint needs no confirmation.
    pub fn patient_writer_at(&self, url: &str) -> Writer {
        let local = local_at(url).with_attempt_timeout(Duration::from_secs(3600));
        writer_of(Target::Local(local).store(self.table.clone()))
    }

    /// Returns the table with the permission to change it.
    ///
    /// # Panics
    ///
    /// Never: a local endpoint needs no confirmation.
    pub fn changeable(&self, changes: Changes) -> Changeable<Store> {
        guard::allow_changing(self.store(), "here", changes, (false, None), &mut Nobody)
            .expect("a local endpoint asks nobody")
    }

    /// Returns the table with the permission to drop it.
    ///
    /// # Panics
    ///
    /// Never: a local endpoint needs no confirmation.
    pub fn deletable(&self) -> Deletable<Store> {
        guard::allow_deleting(self.store(), "here", None, &mut Nobody)
            .expect("a local endpoint asks nobody")
    }

    /// Returns a bare client of the SDK, for what this project never does.
    pub fn client(&self) -> Client {
        let config = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            // No engine uses TLS, and reading this machine's certificates takes long, again for each client.
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .credentials_provider(Credentials::new("local", "local", None, None, "test"))
            .region(Region::new("us-east-1"))
            .endpoint_url(self.url())
            .build();
        Client::from_conf(config)
    }

    /// Protects the table against deletion. Amazon's DynamoDB Local does not support it.
    ///
    /// # Panics
    ///
    /// If the engine refuses that.
    pub async fn protect(&self) {
        self.client()
            .update_table()
            .table_name(self.table.as_str())
            .deletion_protection_enabled(true)
            .send()
            .await
            .expect("the table is protected");
    }

    /// Posts a request as raw JSON, as any other tool would.
    ///
    /// # Panics
    ///
    /// If the engine refuses it.
    pub fn post(&self, operation: &str, body: &str) {
        let address = self.url();
        let address = address.trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).expect("the engine listens");
        write!(
            stream,
            "POST / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
             X-Amz-Target: DynamoDB_20120810.{operation}\r\n\
             Content-Type: application/x-amz-json-1.0\r\nX-Amz-Date: 20260101T000000Z\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/dynamodb/aws4_request, \
             SignedHeaders=host, Signature=0\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .expect("the engine reads");
        let mut answer = String::new();
        stream
            .read_to_string(&mut answer)
            .expect("the engine answers");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    /// Puts an item unchanged.
    ///
    /// # Panics
    ///
    /// If the engine refuses it.
    pub async fn put(&self, item: RawItem) {
        self.client()
            .put_item()
            .table_name(self.table.as_str())
            .set_item(Some(item))
            .send()
            .await
            .expect("the item is put");
    }

    /// Puts many items unchanged, 25 at a time; no two of a batch have the same key.
    ///
    /// # Panics
    ///
    /// If the engine does not take all of them.
    pub async fn fill(&self, items: &[RawItem]) {
        for batch in items.chunks(25) {
            let put = |item: &RawItem| {
                let put = PutRequest::builder().set_item(Some(item.clone()));
                let put = put.build().expect("the item is set");
                WriteRequest::builder().put_request(put).build()
            };
            let answer = self
                .client()
                .batch_write_item()
                .request_items(self.table.as_str(), batch.iter().map(put).collect())
                .send()
                .await
                .expect("the items are put");
            assert!(answer.unprocessed_items.unwrap_or_default().is_empty());
        }
    }

    /// Deletes the item with the key of this one.
    ///
    /// # Panics
    ///
    /// If the engine refuses that.
    pub async fn delete(&self, item: &RawItem) {
        self.client()
            .delete_item()
            .table_name(self.table.as_str())
            .key("pk", item["pk"].clone())
            .key("sk", item["sk"].clone())
            .send()
            .await
            .expect("the item is deleted");
    }

    /// Reads the whole table, sorted by key.
    ///
    /// # Panics
    ///
    /// If the engine does not answer.
    pub async fn items(&self) -> Vec<RawItem> {
        let mut items = Vec::new();
        let mut start: Option<HashMap<String, AttributeValue>> = None;
        loop {
            let page = self
                .client()
                .scan()
                .table_name(self.table.as_str())
                .consistent_read(true)
                .set_exclusive_start_key(start)
                .send()
                .await
                .expect("the table is scanned");
            items.extend(page.items.unwrap_or_default());
            start = page.last_evaluated_key;
            if start.is_none() {
                break;
            }
        }
        let key = |item: &RawItem| {
            ["pk", "sk"].map(|name| item[name].as_s().cloned().unwrap_or_default())
        };
        items.sort_by_key(key);
        items
    }
}

/// Returns a client of the streams behind a URL.
///
/// # Panics
///
/// If the URL is not a local endpoint.
pub fn streams_at(url: &str) -> Streams {
    let options = TargetOptions {
        endpoint_url: Some(Given {
            origin: "the test",
            value: url,
        }),
        ..TargetOptions::default()
    };
    let streams = target_at(url).streams(&options, &Environment::default());
    streams.expect("the URL is a local endpoint")
}

fn target_at(url: &str) -> Target {
    Target::Local(local_at(url))
}

fn local_at(url: &str) -> Local {
    let options = TargetOptions {
        endpoint_url: Some(Given {
            origin: "the test",
            value: url,
        }),
        ..TargetOptions::default()
    };
    let local = Local::resolve(&options, &Environment::default());
    local.expect("the URL is a local endpoint")
}

fn writer_of(store: Store) -> Writer {
    guard::allow_writing(store, "here", false, &mut Nobody).expect("a local endpoint asks nobody")
}

/// Nobody answers in a test.
struct Nobody;

impl Operator for Nobody {
    fn ask(&mut self, _question: &str) -> Option<String> {
        None
    }
}

impl Drop for Sandbox {
    /// Leaves nothing behind on an engine that keeps running.
    fn drop(&mut self) {
        let Engine::Real(_) = &self.engine else {
            return;
        };
        let (client, prefix) = (self.client(), self.table.to_string());
        let cleaning = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(drop_tables(&client, &prefix));
        });
        let _ = cleaning.join();
    }
}

async fn drop_tables(client: &Client, prefix: &str) {
    let mut pages = client.list_tables().into_paginator().items().send();
    while let Some(Ok(name)) = pages.next().await {
        if name.starts_with(prefix) {
            let _ = client.delete_table().table_name(name).send().await;
        }
    }
}
