//! The production half: AWS itself, by the normal credential chain.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextRef;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use aws_types::os_shim_internal::Env;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};

use super::configured::{Service, Surroundings};
use super::endpoint::Endpoint;
use super::guarded::GuardedClient;
use super::retries::DeadIsDead;
use super::{TargetError, TargetOptions, check_region};
use crate::environment::Environment;
use crate::error::CallError;
use crate::store::DynamoDb;

const CONNECT: Duration = Duration::from_secs(2);
const ATTEMPT: Duration = Duration::from_secs(30);
const OPERATION: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_secs(2);

/// AWS itself: an account that was asked for its number, and a region.
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

/// Makes a client of a service whose requests go to AWS, or where a flag says, and nowhere else. The
/// services have types of their own, so this cannot be a function.
macro_rules! client {
    ($service:ident, $config:expr, $endpoint:expr) => {{
        let endpoint: Option<&Endpoint> = $endpoint;
        let mut config = $service::config::Builder::from($config)
            .retry_classifier(DeadIsDead::PRODUCTION)
            .interceptor(OnlyTo::new(endpoint));
        config.set_endpoint_url(endpoint.map(ToString::to_string));
        $service::Client::from_conf(config.build())
    }};
}

impl Prod {
    /// Finds region and credentials as the AWS tools do, and asks STS whose account they are for.
    ///
    /// Endpoints that are configured anywhere but by a flag are refused before anything is contacted.
    ///
    /// # Errors
    ///
    /// [`TargetError`]; a wrong account among the reasons.
    pub(super) async fn resolve(
        options: &TargetOptions<'_>,
        environment: &Environment,
    ) -> Result<Self, TargetError> {
        let flag = |service: Service, url: Option<&str>| {
            url.map(str::parse::<Endpoint>)
                .transpose()
                .map_err(|error| TargetError::Endpoint {
                    origin: service.flag(),
                    error,
                })
        };
        let endpoint = flag(options.service, options.endpoint_url)?;
        let sts_endpoint = flag(Service::Sts, options.sts_endpoint_url)?;
        let surroundings = Surroundings::read(environment, options.profile).await?;
        // What is configured is a contradiction to --prod; the word `aws` is as explicit as a flag.
        if options.prod {
            if endpoint.is_none() {
                surroundings.refuse_endpoint(options.service)?;
                if options.with_streams {
                    surroundings.refuse_endpoint(Service::DynamoDbStreams)?;
                }
            }
            if sts_endpoint.is_none() {
                surroundings.refuse_endpoint(Service::Sts)?;
            }
        }

        let flags = [&endpoint, &sts_endpoint];
        let flags = flags.into_iter().flatten().cloned().collect();
        let config = load(options, surroundings.profile(), environment, flags).await;
        let region = config.region().ok_or(TargetError::NoRegion)?.to_string();
        check_region("the region", &region)?;
        let account = identify(&config, sts_endpoint.as_ref(), &region).await?;
        if let Some(expected) = options.expect_account
            && expected != account
        {
            return Err(TargetError::OtherAccount {
                expected: expected.to_owned(),
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

    /// Makes a client of DynamoDB.
    pub(super) fn dynamodb(&self) -> DynamoDb {
        let client = client!(aws_sdk_dynamodb, &self.config, self.endpoint.as_ref());
        DynamoDb::new(client, self.to_string(), POLL)
    }

    /// Makes a client of DynamoDB Streams.
    pub(super) fn streams(&self) -> aws_sdk_dynamodbstreams::Client {
        client!(
            aws_sdk_dynamodbstreams,
            &self.config,
            self.endpoint.as_ref()
        )
    }

    /// Makes a client of Cognito.
    pub(super) fn cognito(&self) -> aws_sdk_cognitoidentityprovider::Client {
        client!(
            aws_sdk_cognitoidentityprovider,
            &self.config,
            self.endpoint.as_ref()
        )
    }
}

/// Variables that hold credentials. A profile that is named by a flag comes before them, as in the AWS
/// CLI: they may be for another account.
const CREDENTIALS: [&str; 5] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_ARN",
];

/// Loads region and credentials in an environment of our own: without empty variables, and without
/// configured endpoints, which were refused or are to be ignored. The credential chain has clients of its
/// own, which would obey them.
async fn load(
    options: &TargetOptions<'_>,
    profile: &str,
    environment: &Environment,
    flags: Vec<Endpoint>,
) -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT)
        .operation_attempt_timeout(ATTEMPT)
        .operation_timeout(OPERATION)
        .build();
    let named = options.profile.is_some();
    let variables: HashMap<String, String> = environment
        .iter()
        .filter(|(name, _)| !name.starts_with("AWS_ENDPOINT_URL"))
        .filter(|(name, _)| !(named && CREDENTIALS.contains(name)))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .env(Env::from(variables))
        .http_client(GuardedClient::new(flags, environment))
        .timeout_config(timeouts)
        .retry_config(RetryConfig::standard().with_max_attempts(5))
        .profile_name(profile);
    if let Some(region) = options.region {
        loader = loader.region(Region::new(region.to_owned()));
    }
    let mut config = loader.load().await.into_builder();
    config.set_service_config(Some(NothingConfigured));
    config.set_endpoint_url(None);
    config.build()
}

/// Stands in for what variables and profiles say about single services.
#[derive(Debug)]
struct NothingConfigured;

impl LoadServiceConfig for NothingConfigured {
    fn load_config(&self, _key: ServiceConfigKey<'_>) -> Option<String> {
        None
    }
}

async fn identify(
    config: &SdkConfig,
    endpoint: Option<&Endpoint>,
    region: &str,
) -> Result<String, TargetError> {
    let place = match endpoint {
        Some(endpoint) => format!("production {region} at {endpoint}"),
        None => format!("production {region}"),
    };
    let answer = client!(aws_sdk_sts, config, endpoint)
        .get_caller_identity()
        .send()
        .await
        .map_err(|error| {
            TargetError::Identity(CallError::new("GetCallerIdentity", &place, error))
        })?;
    answer.account.ok_or(TargetError::NoAccount)
}

/// The last line of defence: looks at the host that a request is about to go to.
#[derive(Debug)]
struct OnlyTo {
    flag: Option<Endpoint>,
}

impl OnlyTo {
    fn new(flag: Option<&Endpoint>) -> Self {
        Self {
            flag: flag.cloned(),
        }
    }

    fn allows(&self, url: &str) -> bool {
        let Ok(url) = url.parse::<Endpoint>() else {
            return false;
        };
        match &self.flag {
            Some(flag) => flag.has_origin_of(&url),
            None => url.is_aws() && url.is_https(),
        }
    }
}

impl Intercept for OnlyTo {
    fn name(&self) -> &'static str {
        "only to AWS or where a flag says"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let url = context.request().uri();
        if self.allows(url) {
            Ok(())
        } else {
            Err(format!("a production request was about to go to {url}").into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p02_a_request_goes_to_aws_or_where_a_flag_says() {
        let aws = OnlyTo::new(None);
        assert!(aws.allows("https://dynamodb.eu-west-1.amazonaws.com/"));
        assert!(aws.allows("https://sts.cn-north-1.amazonaws.com.cn/"));
        assert!(
            !aws.allows("http://dynamodb.eu-west-1.amazonaws.com/"),
            "not in the clear"
        );
        assert!(!aws.allows("http://localhost:8000/"));
        assert!(!aws.allows("https://amazonaws.com.example.org/"));
        let flag: Endpoint = "http://127.0.0.1:8000".parse().unwrap();
        let flagged = OnlyTo::new(Some(&flag));
        assert!(flagged.allows("http://127.0.0.1:8000/"));
        assert!(!flagged.allows("http://127.0.0.1:8001/"));
        assert!(!flagged.allows("https://127.0.0.1:8000/"));
        assert!(!flagged.allows("https://dynamodb.eu-west-1.amazonaws.com/"));
    }
}
