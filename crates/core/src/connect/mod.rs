//! Where requests go: the one place that reads endpoints, regions and credentials.

mod answers;
mod chain;
mod configured;
mod connection;
mod endpoint;
#[cfg(test)]
pub(crate) mod fake;
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

pub use configured::Service;
pub use connection::Connection;
pub use endpoint::{Endpoint, EndpointError};
pub use function::Function;
pub use local::{DEFAULT_REGION, Local, REGION_VARIABLES};
pub use prod::Prod;
pub use proxy::ProxyError;

use crate::environment::{Environment, Given, NotUnicode};
use crate::error::CallError;

/// What was said about the target.
#[derive(Debug, Clone, Default)]
pub struct TargetOptions<'a> {
    /// Whether it is production: the one switch to AWS.
    pub prod: bool,
    /// The service that requests are for.
    pub service: Service,
    /// Whether the streams of tables are used, too.
    pub with_streams: bool,
    /// The endpoint of the service.
    pub endpoint_url: Option<Given<'a>>,
    /// The region.
    pub region: Option<Given<'a>>,
    /// The AWS profile; for production only.
    pub profile: Option<Given<'a>>,
    /// The account that it has to be; for production only.
    pub expect_account: Option<Given<'a>>,
    /// The endpoint of STS; for production only.
    pub sts_endpoint_url: Option<Given<'a>>,
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
    /// Refuses what only production knows.
    ///
    /// # Errors
    ///
    /// [`TargetError::ProductionOnly`], which names where the value came from.
    pub fn refuse_production_only(&self) -> Result<(), TargetError> {
        let given = [self.profile, self.expect_account, self.sts_endpoint_url];
        match given.into_iter().flatten().next() {
            Some(given) => Err(TargetError::ProductionOnly(given.origin)),
            None => Ok(()),
        }
    }
}

/// Says why there is no target.
#[derive(Debug, thiserror::Error)]
#[cfg_attr(test, derive(PartialEq))]
pub enum TargetError {
    /// What was given is not an endpoint.
    #[error("{origin}: {error}")]
    Endpoint {
        /// Where it came from.
        origin: &'static str,
        /// What is wrong with it.
        error: EndpointError,
    },
    /// The endpoint is AWS, and production was not asked for.
    #[error("{origin}: {endpoint} is AWS; a local command never goes there")]
    AwsEndpoint {
        /// Where it came from.
        origin: &'static str,
        /// The URL.
        endpoint: String,
    },
    /// The endpoint is AWS, and the connection would not be encrypted.
    #[error("{origin}: {endpoint} is AWS without TLS; AWS is reached over https only")]
    Plaintext {
        /// Where it came from.
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
        /// Where it came from.
        origin: &'static str,
        /// What was given.
        region: String,
    },
    /// A value that only production knows was given for a local target.
    #[error("{0} is for production only; a local command reads no profile and knows no account")]
    ProductionOnly(&'static str),
    /// An endpoint is configured for a service that a production command uses.
    #[error("{origin} leads {service} to {endpoint}; nothing was contacted")]
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
    #[error("no region")]
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
        /// The account that it had to be.
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

    /// Returns what clients of its services are made of.
    pub fn connection(&self) -> Connection {
        match self {
            Self::Local(local) => local.connection(),
            Self::Prod(prod) => prod.connection(),
        }
    }
}
