//! The table as a place to read from and write to.

mod batch;
mod body;
mod change;
mod open;
mod read;
mod table;
mod transact;
mod write;

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

pub(crate) use batch::check_size;
pub use batch::{Batch, Encoded};
pub use change::ChangeError;
pub use read::{Direction, Folded, Page, Partition, Query, Scan, Segment};
pub use table::{TableState, TableSummary};
pub use transact::{Action, Transacted};
pub(crate) use write::MAX_BUMP_MICROS;
pub use write::{Put, PutMany};

use crate::error::CallError;
use crate::guard::{Guarded, Writable};
use crate::schema::TableName;

/// A client of the DynamoDB service of one target.
#[derive(Debug, Clone)]
pub struct DynamoDb {
    client: Client,
    place: Arc<str>,
    poll: Duration,
    production: bool,
}

impl DynamoDb {
    /// Wraps a client of a local endpoint. `place` names the target to people; `poll` is the longest interval
    /// between two looks at a table that is changing.
    fn local(client: Client, place: String, poll: Duration) -> Self {
        Self {
            client,
            place: place.into(),
            poll,
            production: false,
        }
    }

    /// Wraps a client of AWS.
    fn production(client: Client, place: String, poll: Duration) -> Self {
        Self {
            production: true,
            ..Self::local(client, place, poll)
        }
    }

    /// Returns the name of the target for people: `local http://localhost:8000`.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Narrows the client down to one table.
    pub fn store(&self, table: TableName) -> Store {
        Store {
            client: self.client.clone(),
            place: format!("{} {table}", self.place).into(),
            table,
            poll: self.poll,
            production: self.production,
        }
    }
}

/// A client of one table.
#[derive(Debug, Clone)]
pub struct Store {
    client: Client,
    table: TableName,
    place: Arc<str>,
    poll: Duration,
    production: bool,
}

/// A client of one table that may write to it. It reads as a [`Store`] does.
pub type Writer = Writable<Store>;

impl Guarded for Store {
    fn is_production(&self) -> bool {
        self.production
    }

    fn name(&self) -> &str {
        self.table.as_str()
    }
}

impl Store {
    /// Returns the name of the table.
    pub fn table(&self) -> &TableName {
        &self.table
    }

    /// Returns the name of target and table for people: `local http://localhost:8000 cruddur-messages`.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Turns the SDK's error into ours.
    fn failed<E>(
        &self,
        operation: &'static str,
    ) -> impl FnOnce(SdkError<E, HttpResponse>) -> CallError
    where
        E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
    {
        let place = Arc::clone(&self.place);
        move |error| CallError::new(operation, &place, error)
    }
}
