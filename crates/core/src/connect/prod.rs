//! Production targets: AWS itself, with the normal credential chain.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use aws_config::sts::AssumeRoleProvider;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_types::os_shim_internal::Env;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};

use super::chain::Chain;
use super::configured::{Service, Surroundings, is_ours};
use super::connection::Connection;
use super::endpoint::Endpoint;
use super::guarded::GuardedClient;
use super::pinned::{Pinned, Registry};
use super::proxy::Proxy;
use super::retries::DeadIsDead;
use super::{TargetError, TargetOptions, check_region};
use crate::environment::{Environment, Given};
use crate::error::{Destination, Resource};

const CONNECT: Duration = Duration::from_secs(2);
const ATTEMPT: Duration = Duration::from_secs(30);
const OPERATION: Duration = Duration::from_secs(120);

/// AWS itself: a region, and an account whose number STS returned.
#[derive(Clone)]
pub struct Prod {
    word: &'static str,
    config: SdkConfig,
    account: String,
    region: String,
    endpoint: Option<Endpoint>,
}

impl fmt::Debug for Prod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Prod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} account {} {}", self.word, self.account, self.region)?;
        match &self.endpoint {
            Some(endpoint) => write!(f, " at {endpoint}"),
            None => Ok(()),
        }
    }
}

impl Prod {
    /// Finds region and credentials as the AWS tools do, and asks STS which account they are for.
    ///
    /// For production, endpoints that are configured and not given as an option are refused before anything is
    /// contacted. So are settings that the AWS tools support and this project does not.
    ///
    /// # Errors
    ///
    /// [`TargetError`], for example for a wrong account.
    pub async fn resolve(
        options: &TargetOptions<'_>,
        environment: &Environment,
    ) -> Result<Self, TargetError> {
        let endpoint = named(options.endpoint_url)?;
        let sts_endpoint = named(options.sts_endpoint_url)?;
        let surroundings =
            Surroundings::read(environment, options.profile.map(|given| given.value)).await?;
        // A configured endpoint contradicts production. The word `aws` is as explicit as an option.
        if options.prod {
            if endpoint.is_none() {
                surroundings.refuse_endpoint(options.service)?;
                if options.with_streams {
                    surroundings.refuse_endpoint(Service::DYNAMODB_STREAMS)?;
                }
            }
            if sts_endpoint.is_none() {
                surroundings.refuse_endpoint(Service::STS)?;
            }
        }

        let named = [&endpoint, &sts_endpoint];
        let named = named.into_iter().flatten().cloned().collect();
        let proxy = Proxy::find(environment)?;
        let http = GuardedClient::new(named, environment, proxy.clone(), surroundings.roots()?)?;
        let chain = surroundings.chain(options.profile.is_some(), environment)?;
        let config = load(options, surroundings.profile(), environment, http).await?;
        let region = config.region().ok_or(TargetError::NoRegion)?.to_string();
        check_region("the region", &region)?;
        let registry = Registry {
            destination: Destination::new(
                sts_at(&region, sts_endpoint.as_ref(), proxy.as_ref()),
                Resource::Account,
            ),
            config: config.clone(),
            endpoint: sts_endpoint,
        };
        let credentials =
            Pinned::new(provider(&config, chain, environment).await?, registry).await?;
        let account = credentials.account().to_owned();
        let config = config
            .into_builder()
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .build();
        if let Some(expected) = options.expect_account
            && expected.value != account
        {
            return Err(TargetError::OtherAccount {
                expected: expected.value.to_owned(),
                found: account,
            });
        }
        Ok(Self {
            word: if options.prod { "production" } else { "aws" },
            config,
            account,
            region,
            endpoint,
        })
    }

    /// Returns the endpoint that was given, if any.
    pub(super) fn endpoint(&self) -> Option<&Endpoint> {
        self.endpoint.as_ref()
    }

    /// Returns the connection for clients of its services.
    pub fn connection(&self) -> Connection {
        let endpoint = self.endpoint.clone();
        Connection::new(self.config.clone(), endpoint, DeadIsDead::PRODUCTION)
    }
}

/// Parses the URL of an endpoint. Refuses AWS without TLS.
fn named(url: Option<Given<'_>>) -> Result<Option<Endpoint>, TargetError> {
    let Some(Given { origin, value }) = url else {
        return Ok(None);
    };
    let endpoint: Endpoint = value
        .parse()
        .map_err(|error| TargetError::Endpoint { origin, error })?;
    if endpoint.is_aws() && !endpoint.is_https() {
        return Err(TargetError::Plaintext {
            origin,
            endpoint: endpoint.to_string(),
        });
    }
    Ok(Some(endpoint))
}

/// Describes where STS is asked.
fn sts_at(region: &str, named: Option<&Endpoint>, proxy: Option<&Proxy>) -> String {
    let host = format!("sts.{region}.amazonaws.com");
    match (named, proxy) {
        (Some(named), _) => format!("production {region} at {named}"),
        (None, Some(proxy)) if proxy.is_for(&host, 443) => {
            format!("production {region} through the proxy {proxy}")
        }
        (None, _) => format!("production {region}"),
    }
}

/// Finds the provider of the credentials. The SDK resolves a profile. But if the profile leads to the keys in the
/// variables, the SDK would not see them, because a profile that was asked for takes precedence over them.
async fn provider(
    config: &SdkConfig,
    chain: Chain,
    environment: &Environment,
) -> Result<SharedCredentialsProvider, TargetError> {
    let roles = match (chain, config.credentials_provider()) {
        (Chain::Variables(roles), _) => roles,
        (Chain::Profile, Some(provider)) => return Ok(provider),
        (Chain::Profile, None) => Vec::new(),
    };
    let key = |name| environment.get(name)?.ok_or(TargetError::NoKey(name));
    let keys = Credentials::new(
        key("AWS_ACCESS_KEY_ID")?,
        key("AWS_SECRET_ACCESS_KEY")?,
        environment.get("AWS_SESSION_TOKEN")?.map(str::to_owned),
        None,
        "Environment",
    );
    let mut provider = SharedCredentialsProvider::new(keys);
    for role in roles {
        let mut assumed = AssumeRoleProvider::builder(role.arn).configure(config);
        if let Some(id) = role.external_id {
            assumed = assumed.external_id(id);
        }
        if let Some(name) = role.session_name {
            assumed = assumed.session_name(name);
        }
        provider = SharedCredentialsProvider::new(assumed.build_from_provider(provider).await);
    }
    Ok(provider)
}

/// The variables with credentials. A profile that was asked for takes precedence over them, as in the AWS
/// CLI, because they may be for another account.
const CREDENTIALS: [&str; 5] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_ARN",
];

/// Loads region and credentials from a filtered environment: without empty variables, and without
/// configured endpoints, which were refused or are to be ignored. The credential chain has its own clients,
/// which would use them.
async fn load(
    options: &TargetOptions<'_>,
    profile: &str,
    environment: &Environment,
    http: GuardedClient,
) -> Result<SdkConfig, TargetError> {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT)
        .operation_attempt_timeout(ATTEMPT)
        .operation_timeout(OPERATION)
        .build();
    let named = options.profile.is_some();
    let variables: HashMap<String, String> = environment
        .all(is_ours)?
        .filter(|(name, _)| !name.starts_with("AWS_ENDPOINT_URL"))
        .filter(|(name, _)| !(named && CREDENTIALS.contains(name)))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .env(Env::from(variables))
        .http_client(http)
        .timeout_config(timeouts)
        .retry_config(RetryConfig::standard().with_max_attempts(5))
        .profile_name(profile);
    if let Some(region) = options.region {
        loader = loader.region(Region::new(region.value.to_owned()));
    }
    let mut config = loader.load().await.into_builder();
    config.set_service_config(Some(NothingConfigured));
    config.set_endpoint_url(None);
    Ok(config.build())
}

/// An empty replacement for the settings of single services in variables and profiles.
#[derive(Debug)]
struct NothingConfigured;

impl LoadServiceConfig for NothingConfigured {
    fn load_config(&self, _key: ServiceConfigKey<'_>) -> Option<String> {
        None
    }
}
