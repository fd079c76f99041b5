//! What can go wrong between this crate and a service.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_dynamodb::error::{ErrorMetadata, ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use crate::key::ConversationId;
use crate::schema::TableName;

/// Any failure of a store operation.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// One request failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// An item is over the limit of 400 KB; nothing was sent.
    #[error("the item {pk} {sk} has {bytes} bytes; DynamoDB takes at most 409600 an item")]
    ItemTooLarge {
        /// Its partition key.
        pk: String,
        /// Its sort key.
        sk: String,
        /// Its size.
        bytes: usize,
    },
    /// A batch could not be written to its end.
    #[error("{written} of {} items written to {destination}, {unwritten} not{}", written + unwritten, because(cause))]
    PartlyWritten {
        /// The table, and the target that it is on.
        destination: Destination,
        /// Items that the service took.
        written: u64,
        /// Items that it did not take, or of which that is not known.
        unwritten: u64,
        /// What ended it; `None` where the service kept leaving items unprocessed.
        cause: Option<Box<CallError>>,
    },
    /// A wait ended at its deadline.
    #[error("waited {} for {what}, in vain", humantime::format_duration(*after))]
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
    /// The table is in a state that no waiting ends.
    #[error("{destination}: the table is {status}")]
    TableStatus {
        /// The table, and the target that it is on.
        destination: Destination,
        /// The service's word for the state.
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
        "conversation {conversation} on {destination}: its rows kept changing under {attempts} attempts to sync them"
    )]
    Contended {
        /// The table, and the target that it is on.
        destination: Destination,
        /// The conversation.
        conversation: ConversationId,
        /// How often it was tried.
        attempts: u32,
    },
    /// Every key that a new item may have is held by another one.
    #[error("{destination}: no free sort key from {first} to {last} in {partition}")]
    NoFreeKey {
        /// The table, and the target that it is on.
        destination: Destination,
        /// The partition key.
        partition: String,
        /// The first sort key that was wanted.
        first: String,
        /// The last that would have done.
        last: String,
    },
    /// Other transactions held the same items at every attempt.
    #[error(
        "TransactWriteItems on {destination}: other transactions held its items, {attempts} times"
    )]
    Conflicts {
        /// The table, and the target that it is on.
        destination: Destination,
        /// How often it was tried.
        attempts: u32,
    },
    /// A transaction was cancelled for a reason that trying again does not mend.
    #[error("TransactWriteItems on {destination}: cancelled: {reasons}")]
    Cancelled {
        /// The table, and the target that it is on.
        destination: Destination,
        /// The service's reasons, one for each action.
        reasons: String,
    },
}

impl Error {
    /// Tells whether a failure to write the rows of a conversation would come again, whenever it is tried:
    /// an item is too large, or no key is free.
    pub fn is_lasting(&self) -> bool {
        match self {
            Self::ItemTooLarge { .. } | Self::NoFreeKey { .. } | Self::Cancelled { .. } => true,
            Self::Call(error) => error.code() == Some("ValidationException"),
            _ => false,
        }
    }

    /// Tells whether a failure to write the rows of a conversation says nothing about other conversations.
    pub fn is_of_one_conversation(&self) -> bool {
        matches!(self, Self::Contended { .. } | Self::Conflicts { .. }) || self.is_lasting()
    }

    /// Returns the request that failed, where one did.
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

/// What a request is about, which also tells the service that it goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resource {
    /// DynamoDB as a whole: the list of its tables.
    Tables,
    /// One DynamoDB table.
    Table(TableName),
    /// The streams of tables, a service of its own.
    Streams,
    /// One user pool of Cognito, by its id: `eu-central-1_AbCd09`.
    UserPool(Arc<str>),
    /// The account that credentials are for, which STS knows.
    Account,
}

/// Where a request goes: the target, and what the request is about there.
///
/// It is shown to people as `local http://localhost:8000 cruddur-messages`: the target, then the name of the table
/// or of the user pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// The target: `local http://localhost:8000`.
    pub target: Arc<str>,
    /// What the request is about.
    pub resource: Resource,
}

impl Destination {
    /// Names a resource on a target.
    pub fn new(target: impl Into<Arc<str>>, resource: Resource) -> Self {
        Self {
            target: target.into(),
            resource,
        }
    }

    /// Returns another resource of the same target.
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

/// A request that failed: what was asked, of whom, and why not.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{operation} on {destination}: {cause}")]
pub struct CallError {
    /// The API's name of the operation: `Scan`, `PutItem`.
    pub operation: &'static str,
    /// Where it went.
    pub destination: Destination,
    /// Why.
    pub cause: Cause,
}

/// The codes that ask for less load: those of `THROTTLING_ERRORS` in the SDK. It retries none of them here, so
/// all of them have to be known.
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

/// Why a request failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// The service answered with an error.
    #[error("{code}: {message}")]
    Service {
        /// The service's error code: `ResourceNotFoundException`.
        code: String,
        /// The service's message.
        message: String,
    },
    /// Nothing that could hold credentials has any.
    #[error("no credentials: none are configured")]
    NoCredentials,
    /// What should give credentials to sign with failed.
    #[error("no credentials: {0}")]
    Credentials(String),
    /// No connection came about.
    #[error("no connection: {fault}{reason}")]
    Unreachable {
        /// What kept it from coming about.
        fault: ConnectFault,
        /// What the system says.
        reason: String,
    },
    /// A connection was there, and broke.
    #[error("the connection broke: {0}")]
    Broken(String),
    /// No answer, or not all of it, in time.
    #[error("no answer in time: {0}")]
    TimedOut(String),
    /// The answer was not one of this service.
    #[error("the answer makes no sense: {0}")]
    Garbled(String),
    /// The request was never sent.
    #[error("not sent: {0}")]
    NotSent(String),
}

/// What keeps a connection from coming about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectFault {
    /// No address is known for the name of the host.
    UnknownHost,
    /// The network has no way to the host.
    NoRoute,
    /// The server answers without TLS, where the URL says https.
    NotTls,
    /// Anything else: nobody listens, a certificate does not fit.
    Other,
}

impl fmt::Display for ConnectFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownHost => "DNS does not know the host: ",
            Self::NoRoute => "there is no route to the host: ",
            Self::NotTls => "the server does not seem to speak TLS: ",
            Self::Other => "",
        })
    }
}

impl ConnectFault {
    fn of(error: &(dyn StdError + 'static)) -> Self {
        use std::io::ErrorKind;
        for error in chain(error) {
            if let Some(rustls::Error::InvalidMessage(_)) = error.downcast_ref() {
                return Self::NotTls;
            }
            match error.downcast_ref().map(std::io::Error::kind) {
                Some(ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable) => {
                    return Self::NoRoute;
                }
                // Before a connection stands only the handshake of TLS can be cut.
                Some(ErrorKind::UnexpectedEof) => return Self::NotTls,
                _ => {}
            }
            // The type is private to hyper-util; its text is all there is.
            if error.to_string() == "dns error" {
                return Self::UnknownHost;
            }
        }
        Self::Other
    }
}

/// An answer is larger than any that these services give.
#[derive(Debug, thiserror::Error)]
#[error("it has more than {} MiB", most >> 20)]
pub(crate) struct TooLarge {
    /// The most bytes that are taken.
    pub most: usize,
}

impl CallError {
    /// Returns the service's error code, where the service answered.
    pub fn code(&self) -> Option<&str> {
        match &self.cause {
            Cause::Service { code, .. } => Some(code),
            _ => None,
        }
    }

    /// Tells whether what was named, a table or a user pool, is not there.
    pub fn is_missing(&self) -> bool {
        self.code() == Some("ResourceNotFoundException")
    }

    /// Tells whether a table cannot be changed just now, because another change is under way.
    pub(crate) fn is_passing_for_tables(&self) -> bool {
        matches!(
            self.code(),
            Some("ResourceInUseException" | "LimitExceededException")
        )
    }

    /// Tells whether the role lacks the permission.
    pub fn is_denied(&self) -> bool {
        matches!(
            self.code(),
            Some("AccessDeniedException" | "AccessDenied" | "UnauthorizedOperation")
        )
    }

    /// Tells whether the credentials are out of date.
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
            // What a transaction does is what is allowed or denied.
            "TransactWriteItems" => "dynamodb:PutItem or dynamodb:DeleteItem".to_owned(),
            operation => format!("{service}:{operation}"),
        }
    }

    /// Tells whether the service asked for less load. The codes are those that the AWS SDKs retry as
    /// throttling ("Retry behavior", AWS SDKs and Tools Reference Guide).
    pub fn is_throttling(&self) -> bool {
        self.code().is_some_and(|code| THROTTLING.contains(&code))
    }

    /// Turns an error of the SDK into ours.
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

    /// Says that an answer makes no sense.
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

impl Cause {
    fn new<E>(error: &SdkError<E, HttpResponse>) -> Self
    where
        E: StdError + ProvideErrorMetadata + Send + Sync + 'static,
    {
        // They are looked for when a request is about to be sent, so they seem to break a connection.
        if let Some(error) = chain(error).find_map(|error| error.downcast_ref()) {
            return Self::of_credentials(error);
        }
        match error {
            SdkError::ServiceError(context) => {
                let status = context.raw().status().as_u16();
                let error = context.err();
                match error.code() {
                    Some(code) => Self::Service {
                        code: code.to_owned(),
                        message: cut_short(error.message().unwrap_or("no message")),
                    },
                    // What cannot be read is an error of the service to the SDK, whatever its status.
                    None if context.raw().status().is_success() => Self::Garbled(root_cause(error)),
                    None => Self::Garbled(format!("HTTP status {status}")),
                }
            }
            SdkError::DispatchFailure(failure) => {
                let Some(error) = failure.as_connector_error() else {
                    return Self::Broken("for an unknown reason".to_owned());
                };
                let root = root_cause(error);
                if chain(error).any(|error| error.is::<TooLarge>()) {
                    Self::Garbled(root)
                } else if is_connect(error) {
                    Self::Unreachable {
                        fault: ConnectFault::of(error),
                        reason: root,
                    }
                } else if error.is_timeout() {
                    Self::TimedOut(root)
                } else if error.is_user() {
                    Self::NotSent(root)
                } else {
                    Self::Broken(root)
                }
            }
            SdkError::TimeoutError(_) => Self::TimedOut("the attempt took too long".to_owned()),
            SdkError::ResponseError(_) if is_cut(error) => Self::Broken(root_cause(error)),
            SdkError::ResponseError(_) => Self::Garbled(root_cause(error)),
            SdkError::ConstructionFailure(_) => Self::NotSent(root_cause(error)),
            _ => Self::Broken(root_cause(error)),
        }
    }
}

/// The most characters of a service's message that are passed on: some repeat the whole request.
const MAX_MESSAGE: usize = 500;

fn cut_short(message: &str) -> String {
    match message.char_indices().nth(MAX_MESSAGE) {
        Some((end, _)) => format!("{}…", &message[..end]),
        None => message.to_owned(),
    }
}

impl Cause {
    /// Says why there are no credentials: what a service answered, or what the innermost error says.
    pub(crate) fn of_credentials(error: &CredentialsError) -> Self {
        if matches!(error, CredentialsError::CredentialsNotLoaded(_)) {
            return Self::NoCredentials;
        }
        let answers = chain(error).filter_map(|error| error.downcast_ref::<ErrorMetadata>());
        let said = answers.last().and_then(|answer| {
            let message = answer.message().unwrap_or("no message");
            Some(format!("{}: {message}", answer.code()?))
        });
        Self::Credentials(said.unwrap_or_else(|| cause_in_context(error)))
    }
}

/// Tells whether an error arose before a connection stood: refused, no route, no such host, no TLS.
pub(crate) fn is_connect(error: &(dyn StdError + 'static)) -> bool {
    chain(error).any(|error| {
        error
            .downcast_ref::<hyper_util::client::legacy::Error>()
            .is_some_and(hyper_util::client::legacy::Error::is_connect)
    })
}

/// Tells whether an answer ended in its middle.
pub(crate) fn is_cut(error: &(dyn StdError + 'static)) -> bool {
    chain(error).any(|error| error.is::<hyper::Error>() || error.is::<std::io::Error>())
}

/// Returns the root cause; where that is an error of the system, what was done comes before it.
fn cause_in_context(error: &(dyn StdError + 'static)) -> String {
    let root = root_cause(error);
    let outer = chain(error)
        .filter(|error| !error.is::<std::io::Error>())
        .map(ToString::to_string)
        .filter(|text| !text.is_empty())
        .last();
    match outer {
        Some(outer) if !outer.contains(&root) => format!("{outer}: {root}"),
        _ => root,
    }
}

/// Returns what the innermost error of a chain says that says anything.
pub fn root_cause(error: &(dyn StdError + 'static)) -> String {
    let said: Vec<String> = chain(error)
        .map(ToString::to_string)
        .filter(|text| !text.is_empty())
        .collect();
    // A timeout's innermost error is only "timed out"; the one around it says how long was waited.
    said.iter()
        .rev()
        .find(|text| text.contains("timeout occurred"))
        .or_else(|| said.last())
        .cloned()
        .unwrap_or_else(|| "unknown".to_owned())
}

fn chain<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| {
        // The source of an error of the system is that of the error which it holds, not that error.
        match error
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref)
        {
            Some(held) => Some(held),
            None => error.source(),
        }
    })
}
