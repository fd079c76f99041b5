//! Local targets: an endpoint that is not AWS, and clients without real credentials.

use std::fmt;
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_smithy_runtime_api::client::http::SharedHttpClient;

use super::answers::WholeAnswers;
use super::configured::LOCAL_ENDPOINT;
use super::connection::Connection;
use super::endpoint::Endpoint;
use super::retries::DeadIsDead;
use super::{Service, Target, TargetError, TargetOptions, check_region};
use crate::environment::{Environment, Given};

/// The region that local requests are signed for if none is given.
pub const DEFAULT_REGION: &str = "us-east-1";

/// The variables that name a region, in order.
pub const REGION_VARIABLES: [&str; 2] = ["AWS_REGION", "AWS_DEFAULT_REGION"];

/// The key that signs local requests. DynamoDB Local accepts only letters and digits.
const DUMMY_KEY: &str = "local";

const CONNECT: Duration = Duration::from_secs(2);
const ATTEMPT: Duration = Duration::from_secs(30);

/// An endpoint that is not AWS.
#[derive(Debug, Clone)]
pub struct Local {
    endpoint: Endpoint,
    origin: &'static str,
    region: String,
    attempt: Duration,
}

impl fmt::Display for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "local {}", self.endpoint)
    }
}

impl Local {
    /// Finds the endpoint and the region of a service. The endpoint is the one that was given, then the first
    /// of its variables that is set, then its default. The region is the one that was given, `AWS_REGION`,
    /// `AWS_DEFAULT_REGION`, then `us-east-1`. No file is read and nothing is contacted.
    ///
    /// # Errors
    ///
    /// [`TargetError`], which names the origin of the bad value.
    pub fn resolve(
        options: &TargetOptions<'_>,
        environment: &Environment,
    ) -> Result<Self, TargetError> {
        let service = options.service;
        let named = match options.endpoint_url {
            Some(url) => Some((url.origin, url.value)),
            None => environment.first(service.variables())?,
        };
        let default = ("the default endpoint", service.default_endpoint());
        let (origin, text) = named.unwrap_or(default);
        let endpoint: Endpoint = text
            .parse()
            .map_err(|error| TargetError::Endpoint { origin, error })?;
        if endpoint.is_aws() {
            return Err(TargetError::AwsEndpoint {
                origin,
                endpoint: endpoint.to_string(),
            });
        }
        let named = match options.region {
            Some(region) => Some((region.origin, region.value)),
            None => environment.first(&REGION_VARIABLES)?,
        };
        let (region_origin, region) = named.unwrap_or(("the default region", DEFAULT_REGION));
        check_region(region_origin, region)?;
        Ok(Self {
            endpoint,
            origin,
            region: region.to_owned(),
            attempt: ATTEMPT,
        })
    }

    /// Sets the timeout of one attempt of a request. The default is 30 seconds.
    #[must_use]
    pub fn with_attempt_timeout(mut self, attempt: Duration) -> Self {
        self.attempt = attempt;
        self
    }

    /// Finds the endpoint of DynamoDB that copies go to: the one that was given, then `DDB_ENDPOINT_URL`, then
    /// `http://localhost:8000`. No `AWS_…` variable sets it. The region is the same as for every local command.
    ///
    /// # Errors
    ///
    /// [`TargetError`], which names the origin of the bad value. An AWS host is a bad value, too.
    pub fn of_copies(
        into: Option<Given<'_>>,
        environment: &Environment,
    ) -> Result<Self, TargetError> {
        let named = match into {
            Some(into) => Some(into),
            None => environment.get(LOCAL_ENDPOINT)?.map(|value| Given {
                origin: LOCAL_ENDPOINT,
                value,
            }),
        };
        let default = Given {
            origin: "the default endpoint",
            value: Service::DYNAMODB.default_endpoint(),
        };
        let options = TargetOptions {
            endpoint_url: Some(named.unwrap_or(default)),
            ..TargetOptions::default()
        };
        Self::resolve(&options, environment)
    }

    /// Checks whether a target is at this endpoint.
    pub fn is_at(&self, target: &Target) -> bool {
        let other = match target {
            Target::Local(local) => Some(&local.endpoint),
            Target::Prod(prod) => prod.endpoint(),
        };
        other.is_some_and(|other| self.endpoint.is_same_place(other))
    }

    /// Returns the endpoint.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Returns the origin of the endpoint: an option, a variable, or the default.
    pub fn origin(&self) -> &'static str {
        self.origin
    }

    /// Returns the region that requests are signed for.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// Returns the connection for clients of its services. Its configuration does not depend on profile
    /// files, variables or metadata services.
    pub fn connection(&self) -> Connection {
        self.connection_by(self.http_client())
    }

    /// Makes a connection that uses an HTTP client.
    pub(crate) fn connection_by(&self, http_client: SharedHttpClient) -> Connection {
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .credentials_provider(SharedCredentialsProvider::new(credentials()))
            .region(Region::new(self.region.clone()))
            .timeout_config(self.timeouts())
            .retry_config(retries())
            .http_client(http_client)
            .build();
        Connection::new(config, Some(self.endpoint.clone()), DeadIsDead::LOCAL)
    }

    fn timeouts(&self) -> TimeoutConfig {
        TimeoutConfig::builder()
            .connect_timeout(CONNECT)
            .operation_attempt_timeout(self.attempt)
            .build()
    }

    /// Makes the HTTP client. Without TLS it need not load root certificates.
    fn http_client(&self) -> SharedHttpClient {
        match self.endpoint.is_https() {
            true => WholeAnswers::any(),
            false => WholeAnswers::without_tls(),
        }
    }
}

fn credentials() -> Credentials {
    Credentials::new(DUMMY_KEY, DUMMY_KEY, None, None, "local")
}

fn retries() -> RetryConfig {
    RetryConfig::standard()
        .with_max_attempts(3)
        .with_initial_backoff(Duration::from_millis(50))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::super::fake;
    use super::*;

    fn resolve(flag: Option<&str>, variables: &[(&str, &str)]) -> Result<Local, TargetError> {
        let options = TargetOptions {
            endpoint_url: flag.map(|value| Given {
                origin: "an option",
                value,
            }),
            ..TargetOptions::default()
        };
        Local::resolve(&options, &variables.iter().copied().collect())
    }

    /// Lists the tables of an endpoint, which fails, and returns the number of attempts.
    async fn attempts(url: &str) -> usize {
        let local = resolve(Some(url), &[]).unwrap();
        let (http_client, attempts) = fake::counted(local.http_client());
        let connection = local.connection_by(http_client);
        let client = crate::aws_client!(aws_sdk_dynamodb, &connection);
        client.list_tables().send().await.unwrap_err();
        attempts.count()
    }

    #[test]
    fn p40_copies_go_where_no_variable_of_aws_leads_and_never_to_aws() {
        let at = |into: Option<&str>, variables: &[(&str, &str)]| {
            let into = into.map(|value| Given {
                origin: "an option",
                value,
            });
            Local::of_copies(into, &variables.iter().copied().collect())
                .map(|local| (local.origin(), local.endpoint().to_string()))
        };
        let aws = "https://dynamodb.eu-central-1.amazonaws.com";
        let theirs = [
            ("AWS_ENDPOINT_URL", "http://one:1"),
            ("AWS_ENDPOINT_URL_DYNAMODB", aws),
        ];
        let ours = ("DDB_ENDPOINT_URL", "http://two:2");
        let default = ("the default endpoint", "http://localhost:8000".to_owned());
        assert_eq!(at(None, &theirs), Ok(default));
        let all = [&theirs[..], &[ours]].concat();
        let two = ("DDB_ENDPOINT_URL", "http://two:2".to_owned());
        assert_eq!(at(None, &all), Ok(two));
        let three = ("an option", "http://three:3".to_owned());
        assert_eq!(at(Some("http://three:3"), &all), Ok(three));
        for (into, variables) in [(Some(aws), vec![]), (None, vec![("DDB_ENDPOINT_URL", aws)])] {
            let refused = at(into, &variables).unwrap_err();
            assert!(
                matches!(refused, TargetError::AwsEndpoint { .. }),
                "{refused}"
            );
        }
    }

    #[tokio::test]
    async fn an_endpoint_that_is_dead_gets_one_attempt() {
        assert_eq!(attempts("http://127.0.0.1:1").await, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn an_endpoint_that_never_answers_gets_one_attempt() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        assert_eq!(attempts(&url).await, 1);
    }

    #[test]
    fn the_flag_wins_then_the_service_then_all_then_the_default() {
        let own = ("DDB_ENDPOINT_URL", "http://own:4");
        let service = ("AWS_ENDPOINT_URL_DYNAMODB", "http://service:1");
        let all = ("AWS_ENDPOINT_URL", "http://all:2");
        let empty = ("AWS_ENDPOINT_URL_DYNAMODB", "");
        for (flag, variables, shown) in [
            (
                Some("http://flag:3"),
                vec![service, all],
                "local http://flag:3",
            ),
            (None, vec![service, own, all], "local http://own:4"),
            (None, vec![service, all], "local http://service:1"),
            (None, vec![empty, all], "local http://all:2"),
            (None, vec![empty], "local http://localhost:8000"),
            (None, vec![], "local http://localhost:8000"),
        ] {
            assert_eq!(resolve(flag, &variables).unwrap().to_string(), shown);
        }
    }

    #[test]
    fn aws_is_refused_wherever_it_comes_from() {
        let aws = "https://dynamodb.us-east-1.amazonaws.com";
        for (flag, variables, origin) in [
            (Some(aws), vec![], "an option"),
            (
                None,
                vec![("AWS_ENDPOINT_URL_DYNAMODB", aws)],
                "AWS_ENDPOINT_URL_DYNAMODB",
            ),
            (None, vec![("AWS_ENDPOINT_URL", aws)], "AWS_ENDPOINT_URL"),
            (None, vec![("DDB_ENDPOINT_URL", aws)], "DDB_ENDPOINT_URL"),
        ] {
            assert_eq!(
                resolve(flag, &variables).unwrap_err(),
                TargetError::AwsEndpoint {
                    origin,
                    endpoint: aws.to_owned()
                }
            );
        }
    }

    #[test]
    fn the_region_comes_from_the_flag_the_variables_or_the_default() {
        let region = |flag: Option<&str>, variables: &[(&str, &str)]| {
            let options = TargetOptions {
                region: flag.map(|value| Given {
                    origin: "an option",
                    value,
                }),
                ..TargetOptions::default()
            };
            Local::resolve(&options, &variables.iter().copied().collect())
                .map(|local| local.region().to_owned())
        };
        let both = [
            ("AWS_DEFAULT_REGION", "eu-west-1"),
            ("AWS_REGION", "eu-west-2"),
        ];
        assert_eq!(region(Some("sa-east-1"), &both).unwrap(), "sa-east-1");
        assert_eq!(region(None, &both).unwrap(), "eu-west-2");
        assert_eq!(region(None, &both[..1]).unwrap(), "eu-west-1");
        assert_eq!(region(None, &[]).unwrap(), "us-east-1");
        assert!(region(Some("a b"), &[]).is_err());
    }
}
