//! Targets of requests. Only this module reads endpoints, regions and credentials.

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

/// The options for the target.
#[derive(Debug, Clone, Default)]
pub struct TargetOptions<'a> {
    /// Whether the target is production: the only switch to AWS.
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
    /// The account that the target has to be in; for production only.
    pub expect_account: Option<Given<'a>>,
    /// The endpoint of STS; for production only.
    pub sts_endpoint_url: Option<Given<'a>>,
}

/// Refuses a text that cannot be a region, because a region becomes part of a host name.
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
    /// Refuses options that are for production only.
    ///
    /// # Errors
    ///
    /// [`TargetError::ProductionOnly`], which names the origin of the value.
    pub fn refuse_production_only(&self) -> Result<(), TargetError> {
        let given = [self.profile, self.expect_account, self.sts_endpoint_url];
        match given.into_iter().flatten().next() {
            Some(given) => Err(TargetError::ProductionOnly(given.origin)),
            None => Ok(()),
        }
    }
}

/// The reason why there is no target.
#[derive(Debug, thiserror::Error)]
#[cfg_attr(test, derive(PartialEq))]
pub enum TargetError {
    /// The given text is not an endpoint.
    #[error("{origin}: {error}")]
    Endpoint {
        /// The origin of the value.
        origin: &'static str,
        /// The error.
        error: EndpointError,
    },
    /// The endpoint is AWS, and production was not asked for.
    #[error("{origin}: {endpoint} is AWS; a local command never goes there")]
    AwsEndpoint {
        /// The origin of the value.
        origin: &'static str,
        /// The URL.
        endpoint: String,
    },
    /// The endpoint is AWS, and the connection would not be encrypted.
    #[error("{origin}: {endpoint} is AWS without TLS; AWS is reached over https only")]
    Plaintext {
        /// The origin of the value.
        origin: &'static str,
        /// The URL.
        endpoint: String,
    },
    /// The value of a variable is not UTF-8.
    #[error(transparent)]
    NotUnicode(#[from] NotUnicode),
    /// The value of a variable is not a usable proxy.
    #[error("{variable}: {error}")]
    Proxy {
        /// The variable.
        variable: &'static str,
        /// The error.
        error: ProxyError,
    },
    /// A bundle of root certificates cannot be used.
    #[error("{origin}: {}: {reason}", path.display())]
    Bundle {
        /// The variable, or the key in a profile.
        origin: String,
        /// The file.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// A region is not a word of letters, digits and hyphens.
    #[error("{origin}: not a region: `{region}`")]
    Region {
        /// The origin of the value.
        origin: &'static str,
        /// The given text.
        region: String,
    },
    /// An option that is for production only was given for a local target.
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
        /// The value of `AWS_PROFILE`.
        one: String,
        /// The value of `AWS_DEFAULT_PROFILE`.
        other: String,
    },
    /// A profile has a key that the AWS CLI supports and this project does not.
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
    /// The renewed credentials are for another account.
    #[error("those that were renewed are for account {found}, not for {expected}")]
    Changed {
        /// The account that the command began with.
        expected: String,
        /// The account that STS returned now.
        found: String,
    },
    /// No region is configured anywhere.
    #[error("no region")]
    NoRegion,
    /// STS did not answer, or there are no credentials.
    #[error(transparent)]
    Identity(CallError),
    /// STS returned no account.
    #[error("GetCallerIdentity named no account")]
    NoAccount,
    /// The credentials are for another account.
    #[error("the credentials are for account {found}, not for {expected}")]
    OtherAccount {
        /// The account that was expected.
        expected: String,
        /// The account that STS returned.
        found: String,
    },
}

/// The target of requests. A local and a production target are different types, so that a permission
/// for one cannot be used for the other by accident.
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
    /// Checks whether this is AWS itself.
    pub fn is_production(&self) -> bool {
        matches!(self, Self::Prod(_))
    }

    /// Finds the target. For a local target, this reads the environment and contacts nothing. For
    /// production, it works like the AWS tools and asks STS for the account.
    ///
    /// # Errors
    ///
    /// [`TargetError`], which names the origin of a bad value.
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

    /// Returns the connection for clients of its services.
    pub fn connection(&self) -> Connection {
        match self {
            Self::Local(local) => local.connection(),
            Self::Prod(prod) => prod.connection(),
        }
    }
}
