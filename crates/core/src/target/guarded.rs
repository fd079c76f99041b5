//! An HTTP client that looks at the host of every request: those of the credential chain, too, whose
//! clients nobody else sees.

use std::sync::Arc;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

use super::answers::WholeAnswers;
use super::endpoint::Endpoint;
use crate::environment::Environment;

/// Where machines of AWS ask for their credentials: EC2 instances, ECS tasks, EKS pods.
const METADATA: [&str; 5] = [
    "http://169.254.169.254",
    "http://[fd00:ec2::254]",
    "http://169.254.170.2",
    "http://169.254.170.23",
    "http://[fd00:ec2::23]",
];
/// Variables that name such a place.
const METADATA_VARIABLES: [&str; 2] = [
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
];

/// Lets requests through to AWS over TLS, to where flags say, and to where credentials are asked for.
#[derive(Debug, Clone)]
pub(super) struct GuardedClient {
    inner: SharedHttpClient,
    allowed: Arc<[Endpoint]>,
}

impl GuardedClient {
    pub(super) fn new(flags: Vec<Endpoint>, environment: &Environment) -> Self {
        let named = METADATA_VARIABLES
            .iter()
            .filter_map(|name| environment.get(name));
        let metadata = METADATA
            .into_iter()
            .chain(named)
            .filter_map(|url| url.parse().ok());
        Self {
            inner: WholeAnswers::any(),
            allowed: flags.into_iter().chain(metadata).collect(),
        }
    }
}

fn allows(allowed: &[Endpoint], url: &str) -> bool {
    let Ok(url) = url.parse::<Endpoint>() else {
        return false;
    };
    (url.is_aws() && url.is_https()) || allowed.iter().any(|allowed| allowed.has_origin_of(&url))
}

impl HttpClient for GuardedClient {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(GuardedConnector {
            inner: self.inner.http_connector(settings, components),
            allowed: Arc::clone(&self.allowed),
        })
    }
}

#[derive(Debug)]
struct GuardedConnector {
    inner: SharedHttpConnector,
    allowed: Arc<[Endpoint]>,
}

impl HttpConnector for GuardedConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        if allows(&self.allowed, request.uri()) {
            return self.inner.call(request);
        }
        let refused = format!("a request was about to go to {}", request.uri());
        HttpConnectorFuture::ready(Err(ConnectorError::user(refused.into())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p02_the_credential_chain_asks_aws_and_the_metadata_services_alone() {
        let flag: Endpoint = "http://127.0.0.1:8000".parse().unwrap();
        let environment: Environment = [(
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            "http://localhost:9/creds",
        )]
        .into_iter()
        .collect();
        let client = GuardedClient::new(vec![flag], &environment);
        for url in [
            "https://sts.eu-west-1.amazonaws.com/",
            "https://portal.sso.eu-west-1.amazonaws.com/federation/credentials",
            "http://169.254.169.254/latest/api/token",
            "http://[fd00:ec2::254]/latest/api/token",
            "http://169.254.170.2/v2/credentials",
            "http://127.0.0.1:8000/",
            "http://localhost:9/creds",
        ] {
            assert!(allows(&client.allowed, url), "{url}");
        }
        for url in [
            "http://sts.eu-west-1.amazonaws.com/",
            "http://127.0.0.1:8001/",
            "https://sts.example.org/",
            "nonsense",
        ] {
            assert!(!allows(&client.allowed, url), "{url}");
        }
    }
}
