//! Checks each request before anything else handles it, and sets the headers of every answer.
//!
//! A page whose host name resolves to this machine (DNS rebinding) sends that name as `Host`, so `Host` is first
//! checked against an exact list. A page on another port of the same host is *same-site*: its requests have the
//! cookies, so `Origin` and `Sec-Fetch-Site` are checked as well.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, HeaderName, HeaderValue, ORIGIN, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;
use ddb_loopback::Origin;

/// The most bytes of a body.
const MOST: usize = 16 * 1024;
/// How long a body may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What a page may load: this server's own files, and nothing else. No markup becomes script, whoever wrote it.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; \
     base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
);
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It is for another host, or does not name one.
    Host,
    /// It comes from a page of another site.
    Elsewhere,
    /// Its body is too large.
    Large,
    /// Its body takes too long, or is cut off.
    Slow,
}

impl Refusal {
    pub fn status(self) -> StatusCode {
        match self {
            Self::Host => StatusCode::MISDIRECTED_REQUEST,
            Self::Elsewhere => StatusCode::FORBIDDEN,
            Self::Large => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
        }
    }

    pub fn sentence(self) -> &'static str {
        match self {
            Self::Host => {
                "This server answers to localhost, 127.0.0.1 and [::1] only, with its port."
            }
            Self::Elsewhere => {
                "The request comes from a page of another site. Copy the link into the address bar instead."
            }
            Self::Large => "The request is too large: the limit is 16 KB.",
            Self::Slow => "The request did not arrive in time.",
        }
    }
}

/// The names of this server in requests.
#[derive(Debug, Clone)]
pub(crate) struct Names(Vec<String>);

impl Names {
    pub fn of(port: u16) -> Self {
        let hosts = ["localhost", "127.0.0.1", "[::1]"];
        let mut names: Vec<String> = hosts.iter().map(|host| format!("{host}:{port}")).collect();
        if port == 80 {
            // Browsers leave this port out.
            names.extend(hosts.iter().map(|host| (*host).to_owned()));
        }
        Self(names)
    }

    fn have(&self, name: &str) -> bool {
        self.0.iter().any(|own| own.eq_ignore_ascii_case(name))
    }

    /// Returns the one host that a request is for, if that is this server.
    fn host<'a>(&self, request: &'a Request) -> Result<&'a str, Refusal> {
        let mut hosts = request.headers().get_all(HOST).iter();
        let (host, further) = (hosts.next(), hosts.next());
        let host = host.and_then(|host| host.to_str().ok());
        let host = host.filter(|host| further.is_none() && self.have(host));
        let host = host.ok_or(Refusal::Host)?;
        match request.uri().authority() {
            Some(target) if !self.have(target.as_str()) => Err(Refusal::Host),
            _ => Ok(host),
        }
    }

    /// Accepts a request for a page: from the address bar, or from a page of the same origin. A request that is not a
    /// read must have an `Origin`.
    pub fn check_page(&self, request: &Request) -> Result<(), Refusal> {
        let host = self.host(request)?;
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        match origin(request.headers())? {
            Some(origin) => is_own(origin, host)?,
            None if reads => {}
            None => return Err(Refusal::Elsewhere),
        }
        check_site(request.headers())
    }

    /// Accepts a request to the API: from a program, from the same origin, or from one that is allowed. Returns the
    /// origin that the answer is for.
    pub fn check_api(
        &self,
        request: &Request,
        allowed: &[Origin],
    ) -> Result<Option<HeaderValue>, Refusal> {
        let host = self.host(request)?;
        let Some(origin) = origin(request.headers())? else {
            check_site(request.headers())?;
            return Ok(None);
        };
        if !allowed.iter().any(|allowed| allowed == origin) {
            is_own(origin, host)?;
        }
        Ok(Some(origin.clone()))
    }
}

fn origin(headers: &HeaderMap) -> Result<Option<&HeaderValue>, Refusal> {
    let mut origins = headers.get_all(ORIGIN).iter();
    match (origins.next(), origins.next()) {
        (_, Some(_)) => Err(Refusal::Elsewhere),
        (origin, None) => Ok(origin),
    }
}

fn is_own(origin: &HeaderValue, host: &str) -> Result<(), Refusal> {
    let own = format!("http://{host}");
    match origin.as_bytes().eq_ignore_ascii_case(own.as_bytes()) {
        true => Ok(()),
        false => Err(Refusal::Elsewhere),
    }
}

/// Checks `Sec-Fetch-Site`. Programs do not send it; browsers send `none` if the user typed the address.
fn check_site(headers: &HeaderMap) -> Result<(), Refusal> {
    let mut sites = headers.get_all(SITE).iter();
    match sites.all(|site| site == "none" || site == "same-origin") {
        true => Ok(()),
        false => Err(Refusal::Elsewhere),
    }
}

/// Reads the body of a request, within the limits of size and time.
pub(crate) async fn collected(request: Request) -> Result<Request, Refusal> {
    let (head, body) = request.into_parts();
    let said = head.headers.get(axum::http::header::CONTENT_LENGTH);
    let said = said.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if said.is_some_and(|length| length > MOST) {
        return Err(Refusal::Large);
    }
    let body = tokio::time::timeout(PATIENCE, axum::body::to_bytes(body, MOST)).await;
    let body: Bytes = match body {
        Ok(Ok(body)) => body,
        // Only the source of the error shows whether the body is too large or was cut off.
        Ok(Err(error)) => {
            let large = std::error::Error::source(&error)
                .is_some_and(|source| source.to_string().contains("limit"));
            return Err(if large { Refusal::Large } else { Refusal::Slow });
        }
        Err(_) => return Err(Refusal::Slow),
    };
    Ok(Request::from_parts(head, Body::from(body)))
}

/// Adds the headers that restrict what a browser does with an answer.
pub(crate) fn dressed(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    headers.entry(CACHE_CONTROL).or_insert(NO_STORE);
    for (name, value) in [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        // With no referrer at all, the `Origin` of a form would be `null`.
        (REFERRER_POLICY, "same-origin"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
        .entry(HeaderName::from_static("cross-origin-resource-policy"))
        .or_insert(HeaderValue::from_static("same-origin"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str, headers: &[(&str, &str)]) -> Request {
        let mut request = Request::builder().method(method).uri("/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(Body::empty()).unwrap()
    }

    const OWN: (&str, &str) = ("host", "localhost:4000");

    #[test]
    fn p41_a_host_is_one_of_three_with_the_port() {
        let names = Names::of(4000);
        for host in [
            "localhost:4000",
            "LOCALHOST:4000",
            "127.0.0.1:4000",
            "[::1]:4000",
        ] {
            let request = request("GET", &[("host", host)]);
            assert_eq!(names.check_page(&request), Ok(()), "{host}");
        }
        for hosts in [
            &[][..],
            &[("host", "")],
            &[("host", "localhost")],
            &[("host", "localhost:4001")],
            &[("host", "evil.example:4000")],
            &[("host", "a.localhost:4000")],
            &[("host", "127.0.0.2:4000")],
            &[("host", "localhost:4000.evil.example")],
            &[("host", "evil@localhost:4000")],
            &[OWN, OWN],
            &[OWN, ("host", "evil.example")],
        ] {
            let request = request("GET", hosts);
            assert_eq!(names.check_page(&request), Err(Refusal::Host), "{hosts:?}");
            let api = names.check_api(&request, &[]);
            assert_eq!(api, Err(Refusal::Host), "{hosts:?}");
        }
        let plain = request("GET", &[("host", "localhost")]);
        assert_eq!(Names::of(80).check_page(&plain), Ok(()));
        let mut elsewhere = request("GET", &[OWN]);
        *elsewhere.uri_mut() = "http://evil.example/".parse().unwrap();
        assert_eq!(names.check_page(&elsewhere), Err(Refusal::Host));
    }

    #[test]
    fn p41_a_page_of_another_origin_goes_no_further() {
        let names = Names::of(4000);
        for bad in [
            &[("origin", "http://localhost:4001")][..],
            &[("origin", "http://127.0.0.1:4000")],
            &[("origin", "https://localhost:4000")],
            &[("origin", "null")],
            &[("origin", "")],
            &[
                ("origin", "http://localhost:4000"),
                ("origin", "http://localhost:4000"),
            ],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site")],
            &[
                ("sec-fetch-site", "same-origin"),
                ("sec-fetch-site", "cross-site"),
            ],
            &[
                ("origin", "http://localhost:4000"),
                ("sec-fetch-site", "same-site"),
            ],
        ] {
            let headers = [&[OWN], bad].concat();
            for method in ["GET", "POST"] {
                let request = request(method, &headers);
                assert_eq!(
                    names.check_page(&request),
                    Err(Refusal::Elsewhere),
                    "{bad:?}"
                );
            }
        }
        let own = ("origin", "http://localhost:4000");
        assert_eq!(names.check_page(&request("POST", &[OWN, own])), Ok(()));
        assert_eq!(
            names.check_page(&request("GET", &[OWN, ("sec-fetch-site", "none")])),
            Ok(())
        );
        assert_eq!(
            names.check_page(&request("POST", &[OWN])),
            Err(Refusal::Elsewhere)
        );
    }

    #[test]
    fn p41_the_api_answers_programs_and_the_origins_that_are_allowed() {
        let names = Names::of(4000);
        let allowed = ["http://localhost:3000".parse().unwrap()];
        let page = ("origin", "http://localhost:3000");
        let same_site = ("sec-fetch-site", "same-site");
        let asked = request("POST", &[OWN, page, same_site]);
        let answer = names.check_api(&asked, &allowed).unwrap();
        assert_eq!(answer.unwrap(), "http://localhost:3000");
        assert_eq!(
            names.check_api(&request("POST", &[OWN]), &allowed),
            Ok(None)
        );
        for bad in [
            &[("origin", "http://localhost:3001"), same_site][..],
            &[("origin", "null")],
            &[page, page],
            &[same_site],
            &[("sec-fetch-site", "cross-site")],
        ] {
            let request = request("POST", &[&[OWN], bad].concat());
            assert_eq!(
                names.check_api(&request, &allowed),
                Err(Refusal::Elsewhere),
                "{bad:?}"
            );
        }
    }

    #[tokio::test]
    async fn a_body_is_bounded_whatever_it_says_of_itself() {
        let of = |size: usize| Request::new(Body::from(vec![b'a'; size]));
        assert!(collected(of(MOST)).await.is_ok());
        assert_eq!(collected(of(MOST + 1)).await.unwrap_err(), Refusal::Large);
        let said = request("POST", &[("content-length", "16385")]);
        assert_eq!(collected(said).await.unwrap_err(), Refusal::Large);
    }
}
