//! The proxy between this machine and AWS, from the usual variables.

use std::fmt;

use aws_smithy_http_client::proxy::ProxyConfig;
use url::Url;

use super::TargetError;
use crate::environment::Environment;

/// The variables that name a proxy for TLS. The first one that has a value counts. Lower case comes before
/// upper case, as in the AWS CLI.
const PROXIES: [&str; 4] = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
/// The variables that name the hosts to reach without the proxy.
const EXCEPTIONS: [&str; 2] = ["no_proxy", "NO_PROXY"];

/// The reason why a variable does not name a proxy. Its value is not quoted, because it may contain a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    /// It is not a URL with a host.
    #[error("not the URL of a proxy, such as http://proxy.example.com:3128")]
    NotAUrl,
    /// It is for another protocol, usually SOCKS.
    #[error("only http and https proxies can be used")]
    Scheme,
}

/// A proxy that tunnels TLS, and the hosts to reach without it. Neither `Display` nor `Debug` shows its password.
#[derive(Clone)]
pub(super) struct Proxy {
    url: Url,
    config: ProxyConfig,
    exceptions: Vec<String>,
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (host, port) = (self.url.host_str(), self.url.port_or_known_default());
        write!(
            f,
            "{}://{}:{}",
            self.url.scheme(),
            host.unwrap_or_default(),
            port.unwrap_or_default()
        )
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self})")
    }
}

impl Proxy {
    /// Finds the proxy that the variables name.
    ///
    /// # Errors
    ///
    /// [`TargetError::Proxy`], which names the variable.
    pub(super) fn find(environment: &Environment) -> Result<Option<Self>, TargetError> {
        let Some((variable, text)) = environment.first(&PROXIES)? else {
            return Ok(None);
        };
        let refused = |error| TargetError::Proxy { variable, error };
        let url = parse(text).map_err(refused)?;
        // The error is dropped because it may quote the URL.
        let config = ProxyConfig::https(url.as_str()).map_err(|_| refused(ProxyError::NotAUrl))?;
        let exceptions = match environment.first(&EXCEPTIONS)? {
            Some((_, text)) => text.split(',').filter_map(exception).collect(),
            None => Vec::new(),
        };
        Ok(Some(Self {
            url,
            config,
            exceptions,
        }))
    }

    /// Checks whether a host is reached through the proxy.
    pub(super) fn is_for(&self, host: &str, port: u16) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let with_port = format!("{host}:{port}");
        !self
            .exceptions
            .iter()
            .any(|name| name == "*" || is_within(&host, name) || is_within(&with_port, name))
    }

    /// Returns the configuration for connecting through the proxy. Its `Debug` form shows the password.
    pub(super) fn config(&self) -> ProxyConfig {
        self.config.clone()
    }
}

fn parse(text: &str) -> Result<Url, ProxyError> {
    // `proxy:3128` is common, and means http.
    let url = if text.contains("://") {
        Url::parse(text)
    } else {
        Url::parse(&format!("http://{text}"))
    };
    let url = url.map_err(|_| ProxyError::NotAUrl)?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        _ => Err(ProxyError::Scheme),
    }
}

/// Reads one name of `NO_PROXY` in any of its forms: a host and its subdomains.
fn exception(text: &str) -> Option<String> {
    let text = text.trim();
    let name = match text.strip_prefix("*.") {
        Some(rest) => rest,
        None => text.trim_start_matches('.'),
    };
    (!name.is_empty()).then(|| name.to_ascii_lowercase())
}

fn is_within(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain)
        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(variables: &[(&str, &str)]) -> Result<Option<Proxy>, TargetError> {
        Proxy::find(&variables.iter().copied().collect())
    }

    #[test]
    fn a_proxy_is_found_where_the_aws_tools_look() {
        let upper = ("HTTPS_PROXY", "http://upper:1");
        let lower = ("https_proxy", "http://lower:2");
        let all = ("ALL_PROXY", "http://all:3");
        for (variables, shown) in [
            (vec![], None),
            // A proxy for plain HTTP is not for AWS, which is reached over TLS only.
            (vec![("HTTP_PROXY", "http://plain:1")], None),
            (vec![upper, lower, all], Some("http://lower:2")),
            (vec![upper, all], Some("http://upper:1")),
            (vec![("HTTPS_PROXY", ""), all], Some("http://all:3")),
            (
                vec![("HTTPS_PROXY", "proxy:3128")],
                Some("http://proxy:3128"),
            ),
            (
                vec![("HTTPS_PROXY", "https://proxy")],
                Some("https://proxy:443"),
            ),
            (
                vec![("HTTPS_PROXY", "http://me:p%40ss@proxy:1/x")],
                Some("http://proxy:1"),
            ),
            (
                vec![("HTTPS_PROXY", "me:pass@proxy:1")],
                Some("http://proxy:1"),
            ),
        ] {
            let proxy = find(&variables).unwrap();
            let found = proxy.as_ref().map(ToString::to_string);
            assert_eq!(found.as_deref(), shown, "{variables:?}");
            assert!(!format!("{proxy:?}").contains("ss"), "{proxy:?}");
        }
    }

    #[test]
    fn what_is_no_proxy_is_refused_by_name_and_not_quoted() {
        for (variable, text, error) in [
            ("ALL_PROXY", "socks5://me:secret@h:1", ProxyError::Scheme),
            ("HTTPS_PROXY", "http://me:secret@", ProxyError::NotAUrl),
            ("https_proxy", "me:secret@h:port", ProxyError::NotAUrl),
        ] {
            let refused = find(&[(variable, text)]).unwrap_err();
            assert!(!refused.to_string().contains("secret"), "{refused}");
            assert_eq!(refused, TargetError::Proxy { variable, error });
        }
    }

    #[test]
    fn exceptions_are_hosts_and_what_is_below_them() {
        let host = "dynamodb.eu-west-1.amazonaws.com";
        for (exceptions, proxied) in [
            ("", true),
            ("localhost, 127.0.0.1,10.0.0.0/8", true),
            ("*", false),
            ("amazonaws.com", false),
            (".AmazonAWS.com", false),
            ("*.amazonaws.com", false),
            ("example.org, dynamodb.eu-west-1.amazonaws.com", false),
            ("amazonaws.com:443", false),
            ("amazonaws.com:444", true),
            ("aws.com", true),
            ("sts.eu-west-1.amazonaws.com", true),
        ] {
            for variable in EXCEPTIONS {
                let variables = [("HTTPS_PROXY", "http://proxy:1"), (variable, exceptions)];
                let proxy = find(&variables).unwrap().unwrap();
                assert_eq!(proxy.is_for(host, 443), proxied, "{exceptions}");
            }
        }
    }
}
