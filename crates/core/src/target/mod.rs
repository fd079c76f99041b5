//! Where requests go: the one place that reads endpoints, regions and credentials.

mod answers;
mod chain;
mod cognito;
mod configured;
mod endpoint;
mod function;
mod guarded;
mod local;
mod only_to;
mod pinned;
mod prod;
mod proxy;
mod retries;
mod roots;

use std::fmt;
use std::path::PathBuf;

pub use cognito::{CognitoTarget, PoolId, PoolIdError};
pub use configured::Service;
pub use endpoint::{Endpoint, EndpointError};
pub use function::Function;
pub use local::Local;
pub use prod::Prod;
pub use proxy::ProxyError;

use crate::environment::{Environment, NotUnicode};
use crate::error::CallError;
use crate::schema::TableName;
use crate::store::{DynamoDb, Store};
use crate::stream::Streams;

/// What the command line said about the target.
#[derive(Debug, Clone, Default)]
pub struct TargetOptions<'a> {
    /// `--prod`: the one switch to AWS.
    pub prod: bool,
    /// The service that requests are for.
    pub service: Service,
    /// Whether the streams of tables are used, too.
    pub with_streams: bool,
    /// `--endpoint-url`, or that of another service.
    pub endpoint_url: Option<&'a str>,
    /// `--region`.
    pub region: Option<&'a str>,
    /// `--profile`; for production only.
    pub profile: Option<&'a str>,
    /// `--expect-account`; for production only.
    pub expect_account: Option<&'a str>,
    /// `--sts-endpoint-url`; for production only.
    pub sts_endpoint_url: Option<&'a str>,
}

/// Refuses what cannot be a region: it becomes part of a host name.
fn check_region(origin: &'static str, region: &str) -> Result<(), TargetError> {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    if region.is_empty() || !region.bytes().all(word) {
        return Err(TargetError::Region {
            origin,
            region: region.to_owned(),
        });
    }
    Ok(())
}

impl TargetOptions<'_> {
    /// Refuses the flags that only production knows.
    ///
    /// # Errors
    ///
    /// [`TargetError::ProductionOnly`], which names the flag.
    pub fn refuse_production_only(&self) -> Result<(), TargetError> {
        for (flag, given) in [
            ("--profile", self.profile),
            ("--expect-account", self.expect_account),
            ("--sts-endpoint-url", self.sts_endpoint_url),
        ] {
            if given.is_some() {
                return Err(TargetError::ProductionOnly(flag));
            }
        }
        Ok(())
    }
}

/// Says why there is no target.
#[derive(Debug, thiserror::Error)]
#[cfg_attr(test, derive(PartialEq))]
pub enum TargetError {
    /// What was given is not an endpoint.
    #[error("{origin}: {error}")]
    Endpoint {
        /// The flag or the variable.
        origin: &'static str,
        /// What is wrong with it.
        error: EndpointError,
    },
    /// The endpoint is AWS, and production was not asked for.
    #[error("{origin}: {endpoint} is AWS; a local command never goes there")]
    AwsEndpoint {
        /// The flag or the variable.
        origin: &'static str,
        /// The URL.
        endpoint: String,
    },
    /// The endpoint is AWS, and the connection would not be encrypted.
    #[error("{origin}: {endpoint} is AWS in the clear; it is reached over https alone")]
    Plaintext {
        /// The flag.
        origin: &'static str,
        /// The URL.
        endpoint: String,
    },
    /// A variable is no text.
    #[error(transparent)]
    NotUnicode(#[from] NotUnicode),
    /// A variable names no proxy.
    #[error("{variable}: {error}")]
    Proxy {
        /// The variable.
        variable: &'static str,
        /// What is wrong with it.
        error: ProxyError,
    },
    /// A bundle of root certificates cannot be used.
    #[error("{origin}: {}: {reason}", path.display())]
    Bundle {
        /// The variable, or the key of a profile.
        origin: String,
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// A region is not a word of letters, digits and hyphens.
    #[error("{origin}: not a region: `{region}`")]
    Region {
        /// The flag or the variable.
        origin: &'static str,
        /// What was given.
        region: String,
    },
    /// A flag that only production knows was given without `--prod`.
    #[error("{0} goes with --prod; a local command reads no profile and knows no account")]
    ProductionOnly(&'static str),
    /// An endpoint is configured for a service that a production command uses.
    #[error("--prod, but {origin} leads {service} to {endpoint}; nothing was contacted")]
    Configured {
        /// The service.
        service: &'static str,
        /// The URL.
        endpoint: String,
        /// The variable or the profile.
        origin: String,
    },
    /// The profile files cannot be read.
    #[error("the AWS profile files: {0}")]
    Profiles(String),
    /// The profile is in none of the files.
    #[error("there is no AWS profile `{0}`")]
    NoProfile(String),
    /// Two variables name different profiles.
    #[error("AWS_PROFILE is `{one}`, and AWS_DEFAULT_PROFILE is `{other}`")]
    TwoProfiles {
        /// What `AWS_PROFILE` says.
        one: String,
        /// What `AWS_DEFAULT_PROFILE` says.
        other: String,
    },
    /// A profile has a key that the AWS CLI honours and this cannot.
    #[error(
        "the profile `{profile}` has {key}, which is not supported here; nothing was contacted"
    )]
    Unsupported {
        /// The key.
        key: &'static str,
        /// The profile.
        profile: String,
    },
    /// A profile takes its credentials from variables that are not set.
    #[error("the profile has credential_source = Environment, but {0} is not set")]
    NoKey(&'static str),
    /// The credentials were renewed, and are for another account.
    #[error("those that were renewed are for account {found}, not for {expected}")]
    Changed {
        /// The account that the command began with.
        expected: String,
        /// What STS says now.
        found: String,
    },
    /// No region is configured anywhere.
    #[error("no region for --prod")]
    NoRegion,
    /// STS did not answer, or there are no credentials.
    #[error(transparent)]
    Identity(CallError),
    /// STS named no account.
    #[error("GetCallerIdentity named no account")]
    NoAccount,
    /// The credentials are for another account.
    #[error("the credentials are for account {found}, not for {expected}")]
    OtherAccount {
        /// What `--expect-account` said.
        expected: String,
        /// What STS said.
        found: String,
    },
}

/// Names where requests go. A local and a production target are different types, so that what is
/// allowed for one cannot be had for the other by accident.
#[derive(Debug, Clone)]
pub enum Target {
    /// An endpoint that is not AWS: DynamoDB Local, the embedded engine.
    Local(Local),
    /// AWS itself.
    Prod(Box<Prod>),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(local) => local.fmt(f),
            Self::Prod(prod) => prod.fmt(f),
        }
    }
}

impl Target {
    /// Tells whether this is AWS itself.
    pub fn is_production(&self) -> bool {
        matches!(self, Self::Prod(_))
    }

    /// Finds the target. A local one reads the environment and contacts nothing; a production one
    /// follows the AWS tools and asks STS for the account.
    ///
    /// # Errors
    ///
    /// [`TargetError`], which names where a bad value came from.
    pub async fn resolve(
        options: &TargetOptions<'_>,
        environment: &Environment,
    ) -> Result<Self, TargetError> {
        if options.prod {
            let prod = Prod::resolve(options, environment).await?;
            return Ok(Self::Prod(Box::new(prod)));
        }
        options.refuse_production_only()?;
        Local::resolve(options, environment).map(Self::Local)
    }

    /// Makes a client of the streams of tables. Locally they may have an endpoint of their own, which is
    /// found as that of the tables is. Nothing is contacted.
    ///
    /// # Errors
    ///
    /// Where that endpoint is malformed, or AWS.
    pub fn streams(
        &self,
        options: &TargetOptions<'_>,
        environment: &Environment,
    ) -> Result<Streams, TargetError> {
        match self {
            Self::Local(_) => {
                let options = TargetOptions {
                    service: Service::DynamoDbStreams,
                    ..options.clone()
                };
                let local = Local::resolve(&options, environment)?;
                Ok(Streams::new(local.streams(), &local.to_string()))
            }
            Self::Prod(prod) => Ok(Streams::new(prod.streams(), &prod.to_string())),
        }
    }

    /// Makes a client of the service. Nothing is contacted.
    pub fn dynamodb(&self) -> DynamoDb {
        match self {
            Self::Local(local) => local.dynamodb(),
            Self::Prod(prod) => prod.dynamodb(),
        }
    }

    /// Makes a client of one table. Nothing is contacted.
    pub fn store(&self, table: TableName) -> Store {
        self.dynamodb().store(table)
    }
}
