//! Credentials of one account. The account of renewed credentials is checked before they are used.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};

use super::TargetError;
use super::connection::Connection;
use super::endpoint::Endpoint;
use super::retries::DeadIsDead;
use crate::error::{CallError, Cause, Destination};
use crate::retry::ask;

const OPERATION: &str = "GetCallerIdentity";

/// The way to ask STS which account credentials are for.
#[derive(Debug, Clone)]
pub(super) struct Registry {
    pub(super) config: SdkConfig,
    pub(super) endpoint: Option<Endpoint>,
    /// The destination of these requests.
    pub(super) destination: Destination,
}

impl Registry {
    async fn account_of(&self, credentials: &Credentials) -> Result<String, TargetError> {
        let provider = SharedCredentialsProvider::new(credentials.clone());
        let config = self.config.to_builder();
        let config = config.credentials_provider(provider).build();
        let connection = Connection::new(config, self.endpoint.clone(), DeadIsDead::PRODUCTION);
        let request = crate::aws_client!(aws_sdk_sts, &connection).get_caller_identity();
        let answer = ask(OPERATION, &self.destination, || request.clone().send()).await;
        let answer = answer.map_err(TargetError::Identity)?;
        answer.account.ok_or(TargetError::NoAccount)
    }
}

/// A provider of credentials for one account, and never for another: a process, a file or a role may
/// return credentials for another account while a command runs.
#[derive(Clone)]
pub(super) struct Pinned(Arc<Inner>);

struct Inner {
    provider: SharedCredentialsProvider,
    registry: Registry,
    account: String,
    known: Mutex<Known>,
}

/// What is known from earlier requests.
struct Known {
    /// The access key that was checked last. A key belongs to the same account for as long as it exists.
    key: String,
    /// The credentials with which the account was found, until they are used.
    unused: Option<Credentials>,
}

impl fmt::Debug for Pinned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pinned({})", self.0.account)
    }
}

impl Pinned {
    /// Gets credentials, and asks which account they are for.
    pub(super) async fn new(
        provider: SharedCredentialsProvider,
        registry: Registry,
    ) -> Result<Self, TargetError> {
        let credentials = provider.provide_credentials().await.map_err(|error| {
            TargetError::Identity(CallError {
                operation: OPERATION,
                destination: registry.destination.clone(),
                cause: Cause::of_credentials(&error),
            })
        })?;
        let account = registry.account_of(&credentials).await?;
        Ok(Self(Arc::new(Inner {
            provider,
            registry,
            account,
            known: Mutex::new(Known {
                key: credentials.access_key_id().to_owned(),
                unused: Some(credentials),
            }),
        })))
    }

    /// Returns the number of the account.
    pub(super) fn account(&self) -> &str {
        &self.0.account
    }
}

impl Inner {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the first credentials once. When the SDK's cache asks for new ones, they are checked.
    async fn provide(&self) -> Result<Credentials, CredentialsError> {
        let unused = self.known().unused.take();
        let lives = |expiry: SystemTime| expiry > SystemTime::now();
        if let Some(first) = unused.filter(|first| first.expiry().is_none_or(lives)) {
            return Ok(first);
        }
        let renewed = self.provider.provide_credentials().await?;
        if self.known().key != renewed.access_key_id() {
            self.check(&renewed).await?;
            self.known().key = renewed.access_key_id().to_owned();
        }
        Ok(renewed)
    }

    async fn check(&self, credentials: &Credentials) -> Result<(), CredentialsError> {
        let found = self.registry.account_of(credentials).await;
        let found = found.map_err(CredentialsError::provider_error)?;
        if found == self.account {
            return Ok(());
        }
        Err(CredentialsError::provider_error(TargetError::Changed {
            expected: self.account.clone(),
            found,
        }))
    }
}

impl ProvideCredentials for Pinned {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.0.provide())
    }
}
