//! Names of this machine, and origins of web pages.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use http::HeaderValue;
use http::uri::Authority;

/// Where a web page comes from, as browsers write it: `https://app.example.com`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(String);

/// The error for a text that is not an origin. It says how to write one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "an origin is written as browsers send it, such as http://localhost:5173 or https://app.example.com"
)]
pub struct NotAnOrigin;

impl FromStr for Origin {
    type Err = NotAnOrigin;

    /// Accepts exactly what a browser would send: lower case, no path, no default port. `*` and `null`, which can be
    /// anyone, are not origins.
    fn from_str(text: &str) -> Result<Self, NotAnOrigin> {
        let (scheme, rest) = text.split_once("://").ok_or(NotAnOrigin)?;
        let implied = match scheme {
            "http" => Some(80),
            "https" => Some(443),
            _ => None,
        };
        let allowed = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-._[]:".contains(&byte)
        };
        let written = scheme.starts_with(|first: char| first.is_ascii_lowercase())
            && !scheme.contains(['[', ']', ':', '_'])
            && text.replace("://", "").bytes().all(allowed);
        let authority: Authority = rest.parse().map_err(|_| NotAnOrigin)?;
        let port = authority.port_u16();
        let whole = match port {
            Some(port) => format!("{}:{port}", authority.host()),
            None => authority.host().to_owned(),
        };
        if written
            && !authority.host().is_empty()
            && whole == rest
            && (port.is_none() || port != implied)
        {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotAnOrigin)
        }
    }
}

impl PartialEq<HeaderValue> for Origin {
    fn eq(&self, other: &HeaderValue) -> bool {
        self.0.as_bytes() == other.as_bytes()
    }
}

/// Checks whether an authority, such as `localhost:8000`, names this machine.
///
/// `localhost` and names that end in `.localhost` cannot point to another machine: RFC 6761, section 6.3.
pub fn is_loopback(authority: &str) -> bool {
    let Ok(parsed) = authority.parse::<Authority>() else {
        return false;
    };
    let host = parsed.host();
    let port_is_one = authority == host || parsed.port_u16().is_some();
    port_is_one && !authority.contains('@') && is_loopback_host(host)
}

fn is_loopback_host(host: &str) -> bool {
    if let Some(bare) = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    {
        return bare.parse() == Ok(Ipv6Addr::LOCALHOST);
    }
    if let Ok(address) = host.parse::<Ipv4Addr>() {
        return address.is_loopback();
    }
    let host = host.to_ascii_lowercase();
    let above = host.strip_suffix("localhost");
    above.is_some_and(|above| above.is_empty() || (above.len() > 1 && above.ends_with('.')))
}

/// Checks whether an origin is a web server on this machine.
pub fn is_loopback_origin(origin: &str) -> bool {
    let rest = ["http://", "https://"]
        .iter()
        .find_map(|scheme| origin.strip_prefix(scheme));
    rest.is_some_and(is_loopback)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_this_machine() {
        for name in [
            "localhost",
            "LocalHost:8000",
            "tables.localhost:1",
            "127.0.0.1:8000",
            "127.0.0.1",
            "127.1.2.3:80",
            "[::1]:8000",
            "[::1]",
        ] {
            assert!(is_loopback(name), "{name}");
        }
    }

    #[test]
    fn names_of_others() {
        for name in [
            "",
            "evil.example",
            "evil.example:8000",
            "localhost.evil.example",
            "notlocalhost",
            ".localhost",
            "127.0.0.1.evil.example",
            "127.0.0.1@evil.example",
            "evil.example@127.0.0.1",
            "localhost:x",
            "localhost:",
            "localhost:99999",
            "localhost, evil.example",
            "localhost evil.example",
            "0.0.0.0:8000",
            "192.168.0.1",
            "[::]:8000",
            "[::2]",
            "[::ffff:127.0.0.1]",
            "::1",
            "localhost/",
            "http://localhost",
        ] {
            assert!(!is_loopback(name), "{name}");
        }
    }

    #[test]
    fn origins_of_this_machine() {
        for origin in [
            "http://localhost:3000",
            "https://127.0.0.1",
            "http://[::1]:1",
        ] {
            assert!(is_loopback_origin(origin), "{origin}");
        }
        for origin in [
            "null",
            "",
            "file://",
            "localhost",
            "ftp://localhost",
            "http://evil.example",
        ] {
            assert!(!is_loopback_origin(origin), "{origin}");
        }
    }

    #[test]
    fn origins_are_written_as_browsers_send_them() {
        for origin in [
            "http://localhost:5173",
            "https://app.example.com",
            "https://app.example.com:8443",
            "http://[::1]:3000",
            "http://example.com:443",
            "vscode-webview://abc",
            "app://bundle",
        ] {
            assert!(origin.parse::<Origin>().is_ok(), "{origin}");
        }
        for origin in [
            "",
            "*",
            "null",
            "app.example.com",
            "https://",
            "https://*",
            "https://*.example.com",
            "https://app.example.com/",
            "https://app.example.com/path",
            "https://app.example.com:443",
            "http://app.example.com:80",
            "https://App.example.com",
            "HTTPS://app.example.com",
            "https://a@app.example.com",
            "https://app.example.com?x",
            "https://app.example.com#x",
            "https://app.example.com:",
            "https://app.example.com:0443",
            "https://app.example.com:99999",
            " https://app.example.com",
            "https://app.example.com,https://b.example.com",
            "https://b\u{fc}cher.example",
        ] {
            assert_eq!(origin.parse::<Origin>(), Err(NotAnOrigin), "{origin}");
        }
    }
}
