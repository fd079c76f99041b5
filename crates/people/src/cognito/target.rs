//! Where requests to a Cognito user pool go.

use std::fmt;
use std::str::FromStr;

use ddb_core::aws_client;
use ddb_core::connect::{Connection, Local, Prod, Service, TargetError, TargetOptions};
use ddb_core::environment::{Environment, Given, NotUnicode};

use super::UserPool;

/// The service that has the user pools.
const COGNITO: Service = Service::new(
    "Cognito Identity Provider",
    &[ENDPOINT],
    "http://localhost:9229",
);
/// The variable that names its local endpoint.
const ENDPOINT: &str = "AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER";

/// The word that sends a local command to the real service.
const AWS: &str = "aws";

/// The error for a text that is not the id of a user pool.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not the id of a user pool, such as eu-central-1_AbCdEfGhI: `{0}`")]
pub struct PoolIdError(String);

/// The id of a user pool: its region, an underscore, and letters and digits. See UserPoolId of
/// ListUsers in the Cognito API reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolId(String);

impl PoolId {
    /// Returns the region that the pool is in.
    pub fn region(&self) -> &str {
        self.0.split('_').next().unwrap_or_default()
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PoolId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for PoolId {
    type Err = PoolIdError;

    fn from_str(text: &str) -> Result<Self, PoolIdError> {
        let word = |text: &str, more: &[u8]| {
            !text.is_empty()
                && text
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || more.contains(&b))
        };
        match text.split_once('_') {
            Some((region, name)) if word(region, b"-") && word(name, b"") => {
                Ok(Self(text.to_owned()))
            }
            _ => Err(PoolIdError(text.to_owned())),
        }
    }
}

/// Where requests to a user pool go.
#[derive(Debug, Clone)]
pub enum CognitoTarget {
    /// An endpoint that is not AWS.
    Local(Local),
    /// The real service, called by a local command: the word `aws` instead of an endpoint.
    Aws(Box<Prod>),
    /// The real service, in production.
    Prod(Box<Prod>),
}

impl fmt::Display for CognitoTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(local) => local.fmt(f),
            Self::Aws(aws) | Self::Prod(aws) => aws.fmt(f),
        }
    }
}

impl CognitoTarget {
    /// Checks whether this is the real service in production.
    pub fn is_production(&self) -> bool {
        matches!(self, Self::Prod(_))
    }

    /// Finds the endpoint of a pool. If no region is named, uses the pool's.
    ///
    /// # Errors
    ///
    /// [`TargetError`], which names where a bad value came from.
    pub async fn resolve(
        options: &TargetOptions<'_>,
        pool: &PoolId,
        environment: &Environment,
    ) -> Result<Self, TargetError> {
        let mut options = TargetOptions {
            service: COGNITO,
            region: options.region.or(Some(Given {
                origin: "the id of the pool",
                value: pool.region(),
            })),
            ..options.clone()
        };
        if options.prod {
            let prod = Prod::resolve(&options, environment).await?;
            return Ok(Self::Prod(Box::new(prod)));
        }
        if Self::is_aws(options.endpoint_url.map(|given| given.value), environment)? {
            options.endpoint_url = None;
            let aws = Prod::resolve(&options, environment).await?;
            return Ok(Self::Aws(Box::new(aws)));
        }
        options.refuse_production_only()?;
        Local::resolve(&options, environment).map(Self::Local)
    }

    /// Checks whether the given endpoint, or else the variable's, is the word that means the real service.
    pub fn is_aws(
        endpoint_url: Option<&str>,
        environment: &Environment,
    ) -> Result<bool, NotUnicode> {
        let named = match endpoint_url {
            Some(url) => Some(url),
            None => environment.get(ENDPOINT)?,
        };
        Ok(named == Some(AWS))
    }

    /// Returns a client of one pool. Nothing is contacted.
    pub fn cognito(&self, pool: PoolId) -> UserPool {
        let client = aws_client!(aws_sdk_cognitoidentityprovider, &self.connection());
        UserPool::new(client, pool, &self.to_string())
    }

    /// Returns the connection to the service.
    pub(super) fn connection(&self) -> Connection {
        match self {
            Self::Local(local) => local.connection(),
            Self::Aws(aws) | Self::Prod(aws) => aws.connection(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_id_names_its_region() {
        let pool: PoolId = "eu-central-1_AbCd09".parse().unwrap();
        assert_eq!(pool.region(), "eu-central-1");
        for text in [
            "",
            "_",
            "eu-central-1",
            "eu_",
            "_x",
            "a b_c",
            "eu-1_x/y",
            "eu-1_x_y",
        ] {
            assert_eq!(text.parse::<PoolId>(), Err(PoolIdError(text.to_owned())));
        }
    }
}
