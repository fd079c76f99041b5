//! The errors of requests to a service.

mod cause;

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

pub use cause::{Cause, ConnectFault, root_cause};
pub(crate) use cause::{TooLarge, is_connect};

use crate::key::ConversationId;
use crate::schema::TableName;

/// Any failure of a store operation.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// One request failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// An item is over the limit of 400 KB. Nothing was sent.
    #[error("the item {pk} {sk} has {bytes} bytes; DynamoDB takes at most 409600 an item")]
    ItemTooLarge {
        /// Its partition key.
        pk: String,
        /// Its sort key.
        sk: String,
        /// Its size.
        bytes: usize,
    },
    /// A batch was not written completely.
    #[error("{written} of {} items written to {destination}, {unwritten} not{}", written + unwritten, because(cause))]
    PartlyWritten {
        /// The table, and the target that it is on.
        destination: Destination,
        /// The items that the service accepted.
        written: u64,
        /// The items that it did not accept, or may not have accepted.
        unwritten: u64,
        /// The error that ended it, or `None` if the service kept leaving items unprocessed.
        cause: Option<Box<CallError>>,
    },
    /// A wait ended at its deadline.
    #[error("gave up after {}, waiting for {what}", humantime::format_duration(*after))]
    WaitedTooLong {
        /// What was waited for.
        what: String,
        /// The deadline.
        after: Duration,
    },
    /// There is no such table.
    #[error("{destination}: there is no such table")]
    NoSuchTable {
        /// The table, and the target that it is not on.
        destination: Destination,
    },
    /// The table is in a state that does not end by waiting.
    #[error("{destination}: the table is {status}")]
    TableStatus {
        /// The table, and the target that it is on.
        destination: Destination,
        /// The service's name for the state.
        status: String,
    },
    /// The table is protected against deletion.
    #[error("DeleteTable on {destination}: the table has deletion protection")]
    DeletionProtected {
        /// The table, and the target that it is on.
        destination: Destination,
    },
    /// Other writers kept changing the rows of a conversation.
    #[error(
        "conversation {conversation} on {destination}: its rows kept changing during {attempts} attempts to sync them"
    )]
    Contended {
        /// The table, and the target that it is on.
        destination: Destination,
        /// The conversation.
        conversation: ConversationId,
        /// The number of attempts.
        attempts: u32,
    },
    /// Every key that a new item may have is taken by another one.
    #[error("{destination}: no free sort key from {first} to {last} in {partition}")]
    NoFreeKey {
        /// The table, and the target that it is on.
        destination: Destination,
        /// The partition key.
        partition: String,
        /// The first sort key that was wanted.
        first: String,
        /// The last sort key that would have been accepted.
        last: String,
    },
    /// Other transactions were using the same items at every attempt.
    #[error(
        "TransactWriteItems on {destination}: other transactions held its items, {attempts} times"
    )]
    Conflicts {
        /// The table, and the target that it is on.
        destination: Destination,
        /// The number of attempts.
        attempts: u32,
    },
    /// A transaction was cancelled for a reason that a retry does not solve.
    #[error("TransactWriteItems on {destination}: cancelled: {reasons}")]
    Cancelled {
        /// The table, and the target that it is on.
        destination: Destination,
        /// The service's reasons, one for each action.
        reasons: String,
    },
}

impl Error {
    /// Checks whether a failure to write the rows of a conversation would happen again on every retry,
    /// for example because an item is too large or no key is free.
    pub fn is_lasting(&self) -> bool {
        match self {
            Self::ItemTooLarge { .. } | Self::NoFreeKey { .. } | Self::Cancelled { .. } => true,
            Self::Call(error) => error.code() == Some("ValidationException"),
            _ => false,
        }
    }

    /// Checks whether a failure to write the rows of a conversation says nothing about other conversations.
    pub fn is_of_one_conversation(&self) -> bool {
        matches!(self, Self::Contended { .. } | Self::Conflicts { .. }) || self.is_lasting()
    }

    /// Returns the request that failed, if one did.
    pub(crate) fn into_cause(self) -> Option<Box<CallError>> {
        match self {
            Self::Call(cause) => Some(Box::new(cause)),
            Self::PartlyWritten { cause, .. } => cause,
            _ => None,
        }
    }
}

fn because(cause: &Option<Box<CallError>>) -> String {
    match cause {
        Some(cause) => format!(": {cause}"),
        None => ": the service left them unprocessed".to_owned(),
    }
}

/// The resource of a request, which also determines the service that the request goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resource {
    /// DynamoDB as a whole: the list of its tables.
    Tables,
    /// One DynamoDB table.
    Table(TableName),
    /// The streams of tables, which are a separate service.
    Streams,
    /// One user pool of Cognito, by its id: `eu-central-1_AbCd09`.
    UserPool(Arc<str>),
    /// The account that credentials are for, which STS returns.
    Account,
}

/// The destination of a request: the target, and the resource there.
///
/// It is shown as `local http://localhost:8000 cruddur-messages`: the target, then the name of the table
/// or of the user pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// The target: `local http://localhost:8000`.
    pub target: Arc<str>,
    /// The resource.
    pub resource: Resource,
}

impl Destination {
    /// Makes the destination of a resource on a target.
    pub fn new(target: impl Into<Arc<str>>, resource: Resource) -> Self {
        Self {
            target: target.into(),
            resource,
        }
    }

    /// Returns the destination of another resource on the same target.
    #[must_use]
    pub fn with(&self, resource: Resource) -> Self {
        Self::new(Arc::clone(&self.target), resource)
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.target)?;
        match &self.resource {
            Resource::Table(table) => write!(f, " {table}"),
            Resource::UserPool(pool) => write!(f, " {pool}"),
            Resource::Tables | Resource::Streams | Resource::Account => Ok(()),
        }
    }
}

/// A request that failed: the operation, the destination and the cause.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{operation} on {destination}: {cause}")]
pub struct CallError {
    /// The API's name of the operation: `Scan`, `PutItem`.
    pub operation: &'static str,
    /// The destination.
    pub destination: Destination,
    /// The cause.
    pub cause: Cause,
}

/// The error codes for throttling: those of `THROTTLING_ERRORS` in the SDK. The SDK retries none of them here, so
/// this list has to contain all of them.
const THROTTLING: [&str; 13] = [
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottledException",
    "TooManyRequestsException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "BandwidthLimitExceeded",
    "LimitExceededException",
    "RequestThrottled",
    "SlowDown",
    "PriorRequestNotComplete",
    "EC2ThrottledException",
];

impl CallError {
    /// Returns the service's error code, if the service answered.
    pub fn code(&self) -> Option<&str> {
        match &self.cause {
            Cause::Service { code, .. } => Some(code),
            _ => None,
        }
    }

    /// Checks whether the table or the user pool does not exist.
    pub fn is_missing(&self) -> bool {
        self.code() == Some("ResourceNotFoundException")
    }

    /// Checks whether a table cannot be changed now because another change is in progress.
    pub(crate) fn is_passing_for_tables(&self) -> bool {
        matches!(
            self.code(),
            Some("ResourceInUseException" | "LimitExceededException")
        )
    }

    /// Checks whether the role lacks the permission.
    pub fn is_denied(&self) -> bool {
        matches!(
            self.code(),
            Some("AccessDeniedException" | "AccessDenied" | "UnauthorizedOperation")
        )
    }

    /// Checks whether the credentials have expired.
    pub fn is_expired(&self) -> bool {
        matches!(
            self.code(),
            Some("ExpiredToken" | "ExpiredTokenException" | "RequestExpired")
        )
    }

    /// Returns the IAM action that the request needs.
    pub fn action(&self) -> String {
        let service = match self.destination.resource {
            Resource::Tables | Resource::Table(_) | Resource::Streams => "dynamodb",
            Resource::UserPool(_) => "cognito-idp",
            Resource::Account => "sts",
        };
        match self.operation {
            // IAM allows or denies the actions in a transaction, not the transaction itself.
            "TransactWriteItems" => "dynamodb:PutItem or dynamodb:DeleteItem".to_owned(),
            operation => format!("{service}:{operation}"),
        }
    }

    /// Checks whether the service throttled the request. The codes are those that the AWS SDKs retry as
    /// throttling ("Retry behavior", AWS SDKs and Tools Reference Guide).
    pub fn is_throttling(&self) -> bool {
        self.code().is_some_and(|code| THROTTLING.contains(&code))
    }

    /// Converts an error of the SDK.
    pub fn new<E>(
        operation: &'static str,
        destination: &Destination,
        error: SdkError<E, HttpResponse>,
    ) -> Self
    where
        E: StdError + ProvideErrorMetadata + Send + Sync + 'static,
    {
        Self {
            operation,
            destination: destination.clone(),
            cause: Cause::new(&error),
        }
    }

    /// Makes the error for an answer that makes no sense.
    pub(crate) fn garbled(
        operation: &'static str,
        destination: &Destination,
        fault: &dyn StdError,
    ) -> Self {
        Self {
            operation,
            destination: destination.clone(),
            cause: Cause::Garbled(fault.to_string()),
        }
    }
}
