//! The front of an endpoint, which keeps web pages out.
//!
//! A page in a browser on this machine can reach the loopback interface, too. If it sends requests from another
//! site, they have an `Origin`. If its own host name resolves to this machine (DNS rebinding), they have that name as
//! `Host`. Programs send a `Host` of this machine and no `Origin`.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    CONNECTION, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN, TRANSFER_ENCODING,
    UPGRADE, VARY,
};
use axum::http::{Method, StatusCode, Uri, Version};
use axum::response::{IntoResponse, Response};
use axum::{BoxError, Router};
use ddb_loopback::{Origin, is_loopback, is_loopback_origin};

use crate::engine::Engine;
use crate::exchange::error;
use crate::pages::Pages;
use crate::tokens::Tokens;

/// Headers for a single hop (RFC 9110, section 7.6.1), and `Expect`, which the front has already answered.
const OF_THE_HOP: [HeaderName; 5] = [
    CONNECTION,
    TRANSFER_ENCODING,
    UPGRADE,
    EXPECT,
    HeaderName::from_static("keep-alive"),
];
/// The headers that the SDKs for browsers read from an answer.
const EXPOSED: HeaderValue = HeaderValue::from_static("x-amz-crc32, x-amzn-requestid");
const METHODS: HeaderValue = HeaderValue::from_static("GET, POST");
/// How many seconds a browser may cache a preflight: browsers allow two hours at most.
const MAX_AGE: HeaderValue = HeaderValue::from_static("7200");

/// Returns the service in front of the engine.
pub(crate) fn router(engine: Engine, allowed: Vec<Origin>) -> Router {
    Router::new().fallback(answer).with_state(Arc::new(Front {
        engine,
        allowed,
        pages: Pages::default(),
        tokens: Tokens::default(),
    }))
}

struct Front {
    engine: Engine,
    allowed: Vec<Origin>,
    pages: Pages,
    tokens: Tokens,
}

/// Who sent a request.
enum Asker {
    /// A program, or a page by way of a server on this machine. A browser does not give the answer to a page.
    Program,
    /// A page of an allowed origin.
    Allowed(HeaderValue),
}

/// Why a request does not reach the engine.
#[derive(Debug, Clone, Copy)]
enum Refusal {
    Host,
    Origin,
    Target,
    Engine,
}

async fn answer(State(front): State<Arc<Front>>, request: Request) -> Response {
    let asker = match front.asker(&request) {
        Ok(asker) => asker,
        Err(refusal) => return refusal.into_response(),
    };
    let preflight = request.method() == Method::OPTIONS;
    match asker {
        Asker::Program => front.hand_on(request).await,
        Asker::Allowed(origin) if preflight => granted(origin, request.headers()),
        Asker::Allowed(origin) => {
            let mut response = front.hand_on(request).await;
            let headers = response.headers_mut();
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
            headers.insert(VARY, HeaderValue::from_name(ORIGIN));
            response
        }
    }
}

impl Front {
    fn asker(&self, request: &Request) -> Result<Asker, Refusal> {
        if !names_this_machine(request) {
            return Err(Refusal::Host);
        }
        let mut origins = request.headers().get_all(ORIGIN).iter();
        let (origin, further) = (origins.next(), origins.next());
        match origin {
            None => Ok(Asker::Program),
            Some(_) if further.is_some() => Err(Refusal::Origin),
            Some(origin) if self.allowed.iter().any(|allowed| allowed == origin) => {
                Ok(Asker::Allowed(origin.clone()))
            }
            // Only pages send a preflight, and this one is not allowed.
            Some(_) if request.method() == Method::OPTIONS => Err(Refusal::Origin),
            Some(origin) if origin.to_str().is_ok_and(is_loopback_origin) => Ok(Asker::Program),
            Some(_) => Err(Refusal::Origin),
        }
    }

    async fn hand_on(&self, mut request: Request) -> Response {
        let path = request.uri().path_and_query().cloned();
        let uri = Uri::builder().scheme("http").authority("engine");
        let uri = match path.map(|path| uri.path_and_query(path).build()) {
            Some(Ok(uri)) if request.method() != Method::CONNECT => uri,
            _ => return Refusal::Target.into_response(),
        };
        *request.uri_mut() = uri;
        *request.version_mut() = Version::HTTP_11;
        drop_those_of_the_hop(request.headers_mut());
        // The engine would answer every origin.
        request.headers_mut().remove(ORIGIN);
        match self.answer(request).await {
            Ok(mut response) => {
                drop_those_of_the_hop(response.headers_mut());
                response
            }
            Err(_) => Refusal::Engine.into_response(),
        }
    }

    /// Gets the engine's answer, and avoids what gets slower in it with more data.
    async fn answer(&self, request: Request) -> Result<Response, BoxError> {
        if Tokens::may_be_in(&request) {
            return self.tokens.answer(&self.engine, request).await;
        }
        let (request, limited) = self.pages.limit(request).await?;
        let response = self.engine.answer(request).await?;
        match limited {
            Some(limited) => Ok(self.pages.learn(limited, response).await?),
            None => Ok(response),
        }
    }
}

fn drop_those_of_the_hop(headers: &mut HeaderMap) {
    for name in OF_THE_HOP {
        headers.remove(name);
    }
}

/// Checks whether every host that a request names is this machine. HTTP/1.1 names it in `Host`; HTTP/2 and requests
/// to a proxy name it in the target.
fn names_this_machine(request: &Request) -> bool {
    let mut hosts = request.headers().get_all(HOST).iter();
    let (host, further) = (hosts.next(), hosts.next());
    let target = request.uri().authority().map(|target| target.as_str());
    let host = host.map(|host| host.to_str().unwrap_or_default());
    further.is_none()
        && (host.is_some() || target.is_some())
        && host.into_iter().chain(target).all(is_loopback)
}

/// Answers the preflight of an allowed page.
fn granted(origin: HeaderValue, asked: &HeaderMap) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    if let Some(names) = asked.get(ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, names.clone());
    }
    headers.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    headers.insert(VARY, HeaderValue::from_name(ORIGIN));
    response
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, kind, message) = match self {
            Self::Host => (
                StatusCode::MISDIRECTED_REQUEST,
                "AccessDeniedException",
                "this endpoint answers to localhost, 127.0.0.1 and [::1] only, and the request is for another host",
            ),
            Self::Origin => (
                StatusCode::FORBIDDEN,
                "AccessDeniedException",
                "web pages can use this endpoint only from the origins given with --allow-origin",
            ),
            Self::Target => (
                StatusCode::BAD_REQUEST,
                "ValidationException",
                "the request has no path",
            ),
            Self::Engine => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "InternalServerError",
                "the engine did not answer",
            ),
        };
        error(status, kind, message)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use crate::{Endpoint, Storage};

    const PAGE: &str = "https://app.example.com";

    fn endpoint() -> Endpoint {
        Endpoint::start(0, Storage::Memory, vec![PAGE.parse().unwrap()]).unwrap()
    }

    /// Lists the tables, with the given first line and headers. Returns the answer in lower case.
    fn ask(endpoint: &Endpoint, line: &str, headers: &[&str]) -> String {
        let mut stream = TcpStream::connect(endpoint.addresses()[0]).unwrap();
        let mut request = format!("{line}\r\n");
        for header in headers {
            request.push_str(&format!("{header}\r\n"));
        }
        request.push_str(
            "X-Amz-Target: DynamoDB_20120810.ListTables\r\nContent-Type: application/x-amz-json-1.0\r\n\
             X-Amz-Date: 20260101T000000Z\r\nAuthorization: AWS4-HMAC-SHA256 \
             Credential=local/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0\r\n\
             Connection: close\r\nContent-Length: 2\r\n\r\n{}",
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.to_ascii_lowercase()
    }

    fn post(endpoint: &Endpoint, headers: &[&str]) -> String {
        ask(endpoint, "POST / HTTP/1.1", headers)
    }

    fn status(answer: &str) -> &str {
        answer.split(' ').nth(1).unwrap_or_default()
    }

    fn header<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
        let head = answer.split("\r\n\r\n").next().unwrap_or_default();
        head.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    #[test]
    fn it_answers_to_the_names_of_this_machine_only() {
        let endpoint = endpoint();
        for host in [
            "localhost:8000",
            "LOCALHOST",
            "127.0.0.1:1",
            "[::1]",
            "a.localhost",
        ] {
            let answer = post(&endpoint, &[&format!("Host: {host}")]);
            assert_eq!(status(&answer), "200", "{host}: {answer}");
            assert!(answer.contains(r#""tablenames":[]"#), "{answer}");
        }
        for hosts in [
            &["Host: evil.example"][..],
            &["Host: evil.example:8000"],
            &["Host: localhost.evil.example"],
            &["Host: 192.168.1.1"],
            &["Host:"],
            &[],
            &["Host: localhost", "Host: evil.example"],
            &["Host: localhost", "Host: localhost"],
        ] {
            let answer = post(&endpoint, hosts);
            assert_eq!(status(&answer), "421", "{hosts:?}: {answer}");
            assert!(answer.contains("accessdeniedexception"), "{answer}");
        }
    }

    #[test]
    fn the_target_counts_as_the_host_does() {
        let endpoint = endpoint();
        for (line, host, expected) in [
            (
                "POST http://localhost:8000/ HTTP/1.1",
                "localhost:8000",
                "200",
            ),
            ("POST http://evil.example/ HTTP/1.1", "localhost", "421"),
            ("POST http://localhost/ HTTP/1.1", "evil.example", "421"),
            ("POST /elsewhere HTTP/1.1", "evil.example", "421"),
            ("GET / HTTP/1.1", "evil.example", "421"),
            ("CONNECT localhost:8000 HTTP/1.1", "localhost:8000", "400"),
            ("OPTIONS * HTTP/1.1", "localhost", "404"),
        ] {
            let answer = ask(&endpoint, line, &[&format!("Host: {host}")]);
            assert_eq!(status(&answer), expected, "{line}, {host}: {answer}");
        }
        let answer = ask(&endpoint, "POST / HTTP/1.0", &[]);
        assert_eq!(status(&answer), "421", "{answer}");
    }

    #[test]
    fn a_page_of_another_origin_is_refused() {
        let endpoint = endpoint();
        for origins in [
            &["Origin: https://evil.example"][..],
            &["Origin: null"],
            &["Origin: file://"],
            &["Origin:"],
            &["Origin: https://app.example.com.evil.example"],
            &["Origin: http://app.example.com"],
            &["Origin: https://app.example.com:8443"],
            &[
                "Origin: https://app.example.com",
                "Origin: https://evil.example",
            ],
            &[
                "Origin: https://app.example.com",
                "Origin: https://app.example.com",
            ],
            &["Origin: http://localhost.evil.example"],
        ] {
            for line in ["POST / HTTP/1.1", "GET / HTTP/1.1", "OPTIONS / HTTP/1.1"] {
                let answer = ask(&endpoint, line, &[&["Host: localhost"], origins].concat());
                assert_eq!(status(&answer), "403", "{line} {origins:?}: {answer}");
                assert!(!answer.contains("access-control-"), "{answer}");
            }
        }
    }

    /// A server on this machine may forward the request of a page; the page itself gets no answer.
    #[test]
    fn a_page_of_this_machine_gets_no_cors() {
        let endpoint = endpoint();
        let headers = ["Host: localhost", "Origin: http://localhost:3000"];
        let answer = post(&endpoint, &headers);
        assert_eq!(status(&answer), "200", "{answer}");
        assert!(!answer.contains("access-control-"), "{answer}");
        let answer = ask(&endpoint, "OPTIONS / HTTP/1.1", &headers);
        assert_eq!(status(&answer), "403", "{answer}");
        assert!(!answer.contains("access-control-"), "{answer}");
    }

    #[test]
    fn an_allowed_page_is_answered_and_nobody_else() {
        let endpoint = endpoint();
        let origin = format!("Origin: {PAGE}");
        let asked = "Access-Control-Request-Headers: x-amz-target,authorization";
        let answer = ask(
            &endpoint,
            "OPTIONS / HTTP/1.1",
            &[
                "Host: localhost",
                &origin,
                asked,
                "Access-Control-Request-Method: POST",
            ],
        );
        assert_eq!(status(&answer), "204", "{answer}");
        for (name, value) in [
            ("access-control-allow-origin", PAGE),
            ("access-control-allow-methods", "get, post"),
            ("access-control-allow-headers", "x-amz-target,authorization"),
            ("access-control-max-age", "7200"),
            ("vary", "origin"),
        ] {
            assert_eq!(header(&answer, name), Some(value), "{name}: {answer}");
        }

        let answer = post(&endpoint, &["Host: localhost", &origin]);
        assert_eq!(status(&answer), "200", "{answer}");
        assert!(answer.contains(r#""tablenames":[]"#), "{answer}");
        for (name, value) in [
            ("access-control-allow-origin", PAGE),
            (
                "access-control-expose-headers",
                "x-amz-crc32, x-amzn-requestid",
            ),
            ("vary", "origin"),
        ] {
            assert_eq!(header(&answer, name), Some(value), "{name}: {answer}");
        }

        let answer = post(&endpoint, &["Host: evil.example", &origin]);
        assert_eq!(status(&answer), "421", "{answer}");
    }

    /// The engine itself would answer a page with `*`.
    #[test]
    fn programs_are_answered_without_cors() {
        let endpoint = endpoint();
        let answer = post(&endpoint, &["Host: localhost"]);
        assert_eq!(status(&answer), "200", "{answer}");
        assert!(header(&answer, "x-amz-crc32").is_some(), "{answer}");
        assert!(!answer.contains("access-control-"), "{answer}");
    }
}
