//! An HTTP client that checks the host of every request, including those of the credential chain, whose
//! clients are not visible elsewhere.

use std::sync::Arc;

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

use super::answers::WholeAnswers;
use super::endpoint::Endpoint;
use super::proxy::Proxy;
use crate::environment::{Environment, NotUnicode};

/// The endpoints at which EC2 instances, ECS tasks and EKS pods get their credentials.
const METADATA: [&str; 5] = [
    "http://169.254.169.254",
    "http://[fd00:ec2::254]",
    "http://169.254.170.2",
    "http://169.254.170.23",
    "http://[fd00:ec2::23]",
];
/// The variables that name such an endpoint.
const METADATA_VARIABLES: [&str; 2] = [
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
];

/// An HTTP client that allows requests to AWS over TLS, to endpoints that were given, and to the endpoints for
/// credentials. Only requests to AWS go through a proxy, which sees only the name of the host.
#[derive(Debug, Clone)]
pub(super) struct GuardedClient {
    direct: SharedHttpClient,
    tunnel: Option<SharedHttpClient>,
    rules: Arc<Rules>,
}

/// The rules for where requests may go, and how.
#[derive(Debug)]
struct Rules {
    allowed: Vec<Endpoint>,
    proxy: Option<Proxy>,
}

/// The way a request takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Route {
    Direct,
    Tunnel,
}

impl GuardedClient {
    /// # Errors
    ///
    /// If a variable that is read is not UTF-8.
    pub(super) fn new(
        named: Vec<Endpoint>,
        environment: &Environment,
        proxy: Option<Proxy>,
        roots: TlsContext,
    ) -> Result<Self, NotUnicode> {
        let mut allowed = named;
        allowed.extend(METADATA.into_iter().filter_map(|url| url.parse().ok()));
        for name in METADATA_VARIABLES {
            let named = environment.get(name)?;
            allowed.extend(named.and_then(|url| url.parse().ok()));
        }
        let tunnel = proxy.as_ref().map(|proxy| client(&roots, proxy.config()));
        Ok(Self {
            direct: client(&roots, ProxyConfig::disabled()),
            tunnel,
            rules: Arc::new(Rules { allowed, proxy }),
        })
    }
}

/// Makes a client that the variables of the process do not affect.
fn client(roots: &TlsContext, proxy: ProxyConfig) -> SharedHttpClient {
    let roots = roots.clone();
    let client = Builder::new().build_with_connector_fn(move |settings, components| {
        let mut connector = Connector::builder()
            .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
            .tls_context(roots.clone())
            .proxy_config(proxy.clone());
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
        connector.build()
    });
    WholeAnswers::over(client)
}

impl Rules {
    /// Returns the route to a URL, or `None` if no request may go there.
    fn route(&self, url: &str) -> Option<Route> {
        let url = url.parse::<Endpoint>().ok()?;
        if url.is_aws() && url.is_https() {
            let proxied = |proxy: &Proxy| proxy.is_for(url.host(), url.port());
            return Some(match &self.proxy {
                Some(proxy) if proxied(proxy) => Route::Tunnel,
                _ => Route::Direct,
            });
        }
        let named = self
            .allowed
            .iter()
            .any(|allowed| allowed.has_origin_of(&url));
        named.then_some(Route::Direct)
    }
}

impl HttpClient for GuardedClient {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(GuardedConnector {
            direct: self.direct.http_connector(settings, components),
            tunnel: self
                .tunnel
                .as_ref()
                .map(|tunnel| tunnel.http_connector(settings, components)),
            rules: Arc::clone(&self.rules),
        })
    }
}

#[derive(Debug)]
struct GuardedConnector {
    direct: SharedHttpConnector,
    tunnel: Option<SharedHttpConnector>,
    rules: Arc<Rules>,
}

impl HttpConnector for GuardedConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        match (self.rules.route(request.uri()), &self.tunnel) {
            (Some(Route::Tunnel), Some(tunnel)) => tunnel.call(request),
            (Some(Route::Direct), _) => self.direct.call(request),
            _ => {
                let refused = format!("a request was about to go to {}", request.uri());
                HttpConnectorFuture::ready(Err(ConnectorError::user(refused.into())))
            }
        }
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
        let roots = TlsContext::default();
        let client = GuardedClient::new(vec![flag], &environment, None, roots).unwrap();
        let allows = |url: &str| client.rules.route(url).is_some();
        for url in [
            "https://sts.eu-west-1.amazonaws.com/",
            "https://portal.sso.eu-west-1.amazonaws.com/federation/credentials",
            "http://169.254.169.254/latest/api/token",
            "http://[fd00:ec2::254]/latest/api/token",
            "http://169.254.170.2/v2/credentials",
            "http://127.0.0.1:8000/",
            "http://localhost:9/creds",
        ] {
            assert!(allows(url), "{url}");
        }
        for url in [
            "http://sts.eu-west-1.amazonaws.com/",
            "http://127.0.0.1:8001/",
            "https://sts.example.org/",
            "nonsense",
        ] {
            assert!(!allows(url), "{url}");
        }
    }

    #[test]
    fn a_proxy_tunnels_tls_to_aws_and_nothing_else() {
        let variables = [
            ("HTTPS_PROXY", "http://proxy:3128"),
            ("NO_PROXY", "dynamodb.eu-west-1.amazonaws.com"),
        ];
        let environment: Environment = variables.into_iter().collect();
        let proxy = Proxy::find(&environment).unwrap();
        let flags = ["http://127.0.0.1:8000", "https://dynamodb.example.org"];
        let flags = flags.iter().map(|url| url.parse().unwrap()).collect();
        let roots = TlsContext::default();
        let client = GuardedClient::new(flags, &environment, proxy, roots).unwrap();
        for (url, route) in [
            ("https://sts.eu-west-1.amazonaws.com/", Some(Route::Tunnel)),
            (
                "https://vpce-1.dynamodb.eu-west-1.vpce.amazonaws.com/",
                Some(Route::Tunnel),
            ),
            (
                "https://dynamodb.eu-west-1.amazonaws.com/",
                Some(Route::Direct),
            ),
            ("http://127.0.0.1:8000/", Some(Route::Direct)),
            ("https://dynamodb.example.org/", Some(Route::Direct)),
            (
                "http://169.254.169.254/latest/api/token",
                Some(Route::Direct),
            ),
            ("http://sts.eu-west-1.amazonaws.com/", None),
            ("https://example.org/", None),
        ] {
            assert_eq!(client.rules.route(url), route, "{url}");
        }
    }
}
