//! Failures between this program and an AWS service.

use ddb_core::{CallError, Cause, Error, Resource};

use super::{Exit, Failure, Hint};

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        let exit = if error.is_missing() {
            Exit::NotFound
        } else {
            Exit::Failed
        };
        Self::new(exit, error.to_string()).hint(next_step(&error))
    }
}

const NO_TABLE: &str =
    "`ddb schema-load` creates the table, `ddb list-tables` shows those that are there";

const TABLE_STATES: &str = "`ddb list-tables --details` shows the state of the tables";

/// Returns the next step after a request that failed.
pub(super) fn next_step(error: &CallError) -> Hint {
    if let Resource::UserPool(_) = error.destination.resource
        && let Some(hint) = next_step_with_pool(error)
    {
        return hint;
    }
    match &error.cause {
        Cause::NoCredentials => Hint::NoCredentials,
        Cause::Credentials(_) => Hint::BadCredentials,
        Cause::Unreachable { fault, .. } => Hint::Unreachable(*fault),
        Cause::TimedOut(_) | Cause::Garbled(_) => Hint::NoService,
        Cause::Broken(_) => "run the command again".into(),
        Cause::NotSent(_) => "-v shows where it was to be sent".into(),
        Cause::Service { .. } if error.is_missing() => NO_TABLE.into(),
        Cause::Service { .. } if error.is_throttling() => Hint::Throttled,
        Cause::Service { .. } if error.is_denied() => Hint::Denied {
            action: error.action(),
        },
        Cause::Service { .. } if error.is_expired() => Hint::BadCredentials,
        Cause::Service { code, .. } => match code.as_str() {
            "UnrecognizedClientException"
            | "InvalidSignatureException"
            | "InvalidClientTokenId"
            | "SignatureDoesNotMatch" => Hint::BadCredentials,
            _ => "-v shows where the service was asked".into(),
        },
    }
}

fn next_step_with_pool(error: &CallError) -> Option<Hint> {
    let hint = match &error.cause {
        Cause::Unreachable { .. } => {
            "`docker compose up -d` starts a Cognito; --cognito-endpoint-url names another, and the word `aws` the real one"
        }
        Cause::Service { .. } if error.is_missing() => {
            "is the id of the pool right, and is the pool in that region?"
        }
        Cause::Service { .. } if error.is_throttling() => {
            "wait a little, then run the command again"
        }
        Cause::TimedOut(_) | Cause::Garbled(_) => "is that a Cognito endpoint, and is it healthy?",
        _ => return None,
    };
    Some(hint.into())
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::Call(error) => error.into(),
            Error::ItemTooLarge { .. } => Self::refused(message).hint("shorten the message"),
            Error::PartlyWritten { .. } => Self::new(Exit::Partly, message)
                .hint("run the same command again: it writes only what is missing"),
            Error::WaitedTooLong { .. } | Error::TableStatus { .. } => {
                Self::new(Exit::Failed, message).hint(TABLE_STATES)
            }
            Error::DeletionProtected { .. } => Self::refused(message).hint(
                "this tool never turns it off: `aws dynamodb update-table --no-deletion-protection-enabled` does",
            ),
            Error::NoSuchTable { .. } => Self::new(Exit::NotFound, message).hint(NO_TABLE),
            Error::Contended { .. }
            | Error::NoFreeKey { .. }
            | Error::Cancelled { .. }
            | Error::Conflicts { .. } => {
                Self::new(Exit::Failed, message).hint("run the command again")
            }
        }
    }
}
