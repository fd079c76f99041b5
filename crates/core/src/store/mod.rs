//! Reading from and writing to the table.

mod batch;
mod body;
mod change;
mod item_change;
mod local;
mod many;
mod open;
mod read;
mod table;
mod transact;
mod write;

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

pub use batch::{Batch, Encoded};
pub(crate) use batch::{check_size, write_units};
pub use change::ChangeError;
pub use item_change::{BadChange, Found, ItemChange};
pub use local::LocalWriter;
pub use many::PutMany;
use read::ReadRate;
pub use read::{Direction, Folded, Page, Partition, Query, QueryWords, Scan, Segment, Segments};
pub use table::{TableState, TableSummary};
pub use transact::{Action, Transacted};
pub(crate) use write::MAX_BUMP_MICROS;
pub use write::Put;

use crate::error::{CallError, Destination, Resource};
use crate::guard::{Guarded, Writable};
use crate::rate_limit::Rate;
use crate::retry::{ThrottleListener, ask_telling};
use crate::schema::TableName;

/// A client for the DynamoDB service of one target.
#[derive(Debug, Clone)]
pub struct DynamoDb {
    client: Client,
    destination: Destination,
    poll: Duration,
    production: bool,
}

impl DynamoDb {
    /// Wraps a client for a local endpoint. `target` is the name to show. `poll` is the longest interval
    /// between two requests for the state of a table that is changing.
    pub(crate) fn local(client: Client, target: String, poll: Duration) -> Self {
        Self {
            client,
            destination: Destination::new(target, Resource::Tables),
            poll,
            production: false,
        }
    }

    /// Wraps a client for AWS.
    fn production(client: Client, destination: String, poll: Duration) -> Self {
        Self {
            production: true,
            ..Self::local(client, destination, poll)
        }
    }

    /// Returns where requests go. It is shown as `local http://localhost:8000`.
    pub fn destination(&self) -> &Destination {
        &self.destination
    }

    /// Returns a client for one table.
    pub fn store(&self, table: TableName) -> Store {
        Store {
            client: self.client.clone(),
            destination: self.destination.with(Resource::Table(table.clone())),
            table,
            poll: self.poll,
            production: self.production,
            listener: ThrottleListener::default(),
            rate: None,
        }
    }
}

/// A client for one table.
#[derive(Debug, Clone)]
pub struct Store {
    client: Client,
    table: TableName,
    destination: Destination,
    poll: Duration,
    production: bool,
    listener: ThrottleListener,
    rate: Option<ReadRate>,
}

/// A client for one table that may write to it. It reads like a [`Store`].
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
    /// Sets a listener that is called each time the service throttles a request, before the retry.
    #[must_use]
    pub fn telling(self, listener: ThrottleListener) -> Self {
        Self { listener, ..self }
    }

    /// Limits queries and reads of single items to a rate of read capacity units, which all clones share. A
    /// scan has its own rate.
    #[must_use]
    pub fn keeping_to(self, rate: Option<Rate>) -> Self {
        let rate = rate.map(|rate| ReadRate::new(rate, true));
        Self { rate, ..self }
    }

    /// Returns the name of the table.
    pub fn table(&self) -> &TableName {
        &self.table
    }

    /// Returns where requests go. It is shown as `local http://localhost:8000 cruddur-messages`.
    pub fn destination(&self) -> &Destination {
        &self.destination
    }

    /// Converts an error of the SDK.
    fn failed<E>(
        &self,
        operation: &'static str,
    ) -> impl FnOnce(SdkError<E, HttpResponse>) -> CallError
    where
        E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
    {
        let destination = self.destination.clone();
        move |error| CallError::new(operation, &destination, error)
    }

    /// Sends a request, and retries it while the service throttles it.
    async fn ask<T, E, F>(
        &self,
        operation: &'static str,
        request: impl FnMut() -> F,
    ) -> Result<T, CallError>
    where
        E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    {
        ask_telling(&self.listener, operation, &self.destination, request).await
    }

    fn garbled(&self, operation: &'static str, fault: &dyn std::error::Error) -> CallError {
        CallError::garbled(operation, &self.destination, fault)
    }
}
