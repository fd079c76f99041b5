//! Why a request failed, as far as the errors of the SDK show.

use std::error::Error as StdError;
use std::fmt;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_dynamodb::error::{ErrorMetadata, ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

/// The reason why a request failed.
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
    /// No source of credentials has any.
    #[error("no credentials: none are configured")]
    NoCredentials,
    /// The source of the credentials to sign with failed.
    #[error("no credentials: {0}")]
    Credentials(String),
    /// There was no connection.
    #[error("no connection: {fault}{reason}")]
    Unreachable {
        /// What prevented it.
        fault: ConnectFault,
        /// The error message of the system.
        reason: String,
    },
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(String),
    /// The answer did not come in time, or not all of it.
    #[error("no answer in time: {0}")]
    TimedOut(String),
    /// The answer is not one that this service gives.
    #[error("unexpected answer: {0}")]
    Garbled(String),
    /// The request was never sent.
    #[error("not sent: {0}")]
    NotSent(String),
}

/// The reason why there is no connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectFault {
    /// The name of the host has no known address.
    UnknownHost,
    /// The network has no route to the host.
    NoRoute,
    /// The server answers without TLS, but the URL says https.
    NotTls,
    /// Anything else: nothing listens on the port, a certificate is not valid.
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
                // Before there is a connection, only the TLS handshake can be cut short.
                Some(ErrorKind::UnexpectedEof) => return Self::NotTls,
                _ => {}
            }
            // The type is private to hyper-util, so only its text can be compared.
            if error.to_string() == "dns error" {
                return Self::UnknownHost;
            }
        }
        Self::Other
    }
}

/// The error for an answer that is larger than any that these services return.
#[derive(Debug, thiserror::Error)]
#[error("it has more than {} MiB", most >> 20)]
pub(crate) struct TooLarge {
    /// The maximum number of bytes.
    pub most: usize,
}

impl Cause {
    /// Converts an error of the SDK.
    pub(super) fn new<E>(error: &SdkError<E, HttpResponse>) -> Self
    where
        E: StdError + ProvideErrorMetadata + Send + Sync + 'static,
    {
        // Credentials are looked up right before a request is sent, so their errors look like connection errors.
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
                    // The SDK reports an answer that it cannot read as a service error, whatever its status.
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

/// The maximum length of a service's message in characters: some messages repeat the whole request.
const MAX_MESSAGE: usize = 500;

fn cut_short(message: &str) -> String {
    match message.char_indices().nth(MAX_MESSAGE) {
        Some((end, _)) => format!("{}…", &message[..end]),
        None => message.to_owned(),
    }
}

impl Cause {
    /// Finds the reason why there are no credentials: the answer of a service, or the innermost error.
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

/// Checks whether an error happened before there was a connection: refused, no route, no such host, no TLS.
pub(crate) fn is_connect(error: &(dyn StdError + 'static)) -> bool {
    chain(error).any(|error| {
        error
            .downcast_ref::<hyper_util::client::legacy::Error>()
            .is_some_and(hyper_util::client::legacy::Error::is_connect)
    })
}

/// Checks whether an answer was cut short.
fn is_cut(error: &(dyn StdError + 'static)) -> bool {
    chain(error).any(|error| error.is::<hyper::Error>() || error.is::<std::io::Error>())
}

/// Returns the root cause. If it is an error of the system, the text of what was being done comes before it.
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

/// Returns the text of the innermost error of a chain that has a text.
pub fn root_cause(error: &(dyn StdError + 'static)) -> String {
    let said: Vec<String> = chain(error)
        .map(ToString::to_string)
        .filter(|text| !text.is_empty())
        .collect();
    // A timeout's innermost error is only "timed out". The one around it has the duration.
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
        // `source` of an I/O error skips the error that it wraps and returns the source of that one.
        match error
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref)
        {
            Some(held) => Some(held),
            None => error.source(),
        }
    })
}
