//! The URL of a service endpoint.

use std::fmt;
use std::str::FromStr;

use url::{Host, Url};

/// The reason why a text is not an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// The text is not a URL with a host.
    #[error("not a URL like http://localhost:8000: {0}")]
    NotAUrl(String),
    /// The URL is for another protocol.
    #[error("an endpoint is an http or https URL, not {0}")]
    Scheme(String),
    /// The URL contains a user name or a password, which no DynamoDB endpoint accepts.
    #[error("an endpoint cannot contain a user name or a password")]
    Credentials,
}

/// The URL of a service endpoint: scheme, host, port, and an optional path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint(Url);

/// The domains of the AWS APIs: for each partition the one for IPv4 and the one for dual-stack, as in
/// `partitions.json` of the SDKs.
const AWS_DOMAINS: [&str; 14] = [
    "amazonaws.com",
    "api.aws",
    "amazonaws.com.cn",
    "api.amazonwebservices.com.cn",
    "amazonaws.eu",
    "api.amazonwebservices.eu",
    "c2s.ic.gov",
    "api.aws.ic.gov",
    "sc2s.sgov.gov",
    "api.aws.scloud",
    "cloud.adc-e.uk",
    "api.cloud-aws.adc-e.uk",
    "csp.hci.ic.gov",
    "api.aws.hci.ic.gov",
];

impl Endpoint {
    /// Checks whether the host belongs to AWS.
    pub fn is_aws(&self) -> bool {
        let Some(Host::Domain(host)) = self.0.host() else {
            return false;
        };
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        AWS_DOMAINS.iter().any(|domain| {
            host.strip_suffix(domain)
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        })
    }

    /// Checks whether another URL has the same scheme, host and port.
    pub fn has_origin_of(&self, other: &Self) -> bool {
        self.0.origin() == other.0.origin()
    }

    /// Checks whether another URL names the same port of the same machine, as far as the names show: all names and
    /// addresses of this machine count as one.
    pub fn is_same_place(&self, other: &Self) -> bool {
        self.port() == other.port()
            && (self.host() == other.host() || self.is_this_machine() && other.is_this_machine())
    }

    fn is_this_machine(&self) -> bool {
        match self.0.host() {
            Some(Host::Domain(host)) => {
                let host = host.trim_end_matches('.');
                host == "localhost" || host.ends_with(".localhost")
            }
            Some(Host::Ipv4(ip)) => ip.is_loopback() || ip.is_unspecified(),
            Some(Host::Ipv6(ip)) => {
                let ip = ip.to_canonical();
                ip.is_loopback() || ip.is_unspecified()
            }
            None => false,
        }
    }

    /// Returns the host: a name or an address.
    pub(super) fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// Returns the port, or the default port of the scheme if the URL has none.
    pub(super) fn port(&self) -> u16 {
        self.0.port_or_known_default().unwrap_or_default()
    }

    /// Checks whether the connection is encrypted.
    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Leave out a root path.
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let url = Url::parse(text).map_err(|error| EndpointError::NotAUrl(error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(EndpointError::Scheme(url.scheme().to_owned()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(EndpointError::Credentials);
        }
        Ok(Self(url))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_aws(text: &str) -> bool {
        text.parse::<Endpoint>().unwrap().is_aws()
    }

    #[test]
    fn hosts_of_aws_are_known_in_any_spelling() {
        for url in [
            "https://dynamodb.us-east-1.amazonaws.com",
            "https://DYNAMODB.us-east-1.AmazonAWS.com./",
            "http://123456789012.ddb.us-east-1.amazonaws.com:80/x",
            "https://dynamodb.cn-north-1.amazonaws.com.cn",
            "https://dynamodb.us-east-1.api.aws",
            "https://amazonaws.com",
            "https://dynamodb.eusc-de-east-1.amazonaws.eu",
            "https://dynamodb.eu-isoe-west-1.cloud.adc-e.uk",
            "https://dynamodb.eu-isoe-west-1.api.cloud-aws.adc-e.uk",
            "https://dynamodb.us-isof-south-1.csp.hci.ic.gov",
            "https://dynamodb.us-isof-south-1.api.aws.hci.ic.gov",
            "https://dynamodb%2Eus-east-1%2Eamazonaws%2Ecom",
        ] {
            assert!(is_aws(url), "{url}");
        }
        for url in [
            "http://localhost:8000",
            "http://127.0.0.1:8000",
            "http://[::1]:8000",
            "http://notamazonaws.com",
            "http://amazonaws.com.example.org",
        ] {
            assert!(!is_aws(url), "{url}");
        }
    }

    #[test]
    fn all_names_of_this_machine_are_one_place() {
        let endpoint = |text: &str| text.parse::<Endpoint>().unwrap();
        let here = endpoint("http://localhost:8000");
        for same in [
            "http://127.0.0.1:8000",
            "http://127.1.2.3:8000/",
            "http://[::1]:8000",
            "http://[::ffff:127.0.0.1]:8000",
            "http://0.0.0.0:8000",
            "https://LOCALHOST.:8000",
            "http://db.localhost:8000",
        ] {
            assert!(endpoint(same).is_same_place(&here), "{same}");
        }
        for other in [
            "http://localhost:8001",
            "http://localhost",
            "http://db:8000",
        ] {
            assert!(!endpoint(other).is_same_place(&here), "{other}");
        }
        assert!(endpoint("http://db").is_same_place(&endpoint("http://DB:80")));
    }

    #[test]
    fn an_endpoint_is_an_http_url() {
        let error = |text: &str| text.parse::<Endpoint>().unwrap_err();
        assert!(matches!(error("localhost:8000"), EndpointError::Scheme(_)));
        assert!(matches!(error("nonsense"), EndpointError::NotAUrl(_)));
        assert!(matches!(error("http://"), EndpointError::NotAUrl(_)));
        assert_eq!(error("http://me:pw@localhost"), EndpointError::Credentials);
        assert!(!error("http://me:pw@localhost").to_string().contains("pw"));
        let endpoint: Endpoint = "http://localhost:8000/".parse().unwrap();
        assert_eq!(endpoint.to_string(), "http://localhost:8000");
    }
}
