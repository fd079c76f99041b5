//! HTTP clients for unit tests that count the attempts of the SDK.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;

type Call = dyn Fn(HttpRequest) -> HttpConnectorFuture + Send + Sync;

/// The number of attempts made through an HTTP client.
#[derive(Debug, Clone, Default)]
pub(crate) struct Attempts(Arc<AtomicUsize>);

impl Attempts {
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

struct Connector {
    call: Box<Call>,
    attempts: Attempts,
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connector")
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        self.attempts.0.fetch_add(1, Ordering::Relaxed);
        (self.call)(request)
    }
}

/// Wraps a client and counts the attempts made through it.
pub(crate) fn counted(inner: SharedHttpClient) -> (SharedHttpClient, Attempts) {
    let attempts = Attempts::default();
    let counter = attempts.clone();
    let client = http_client_fn(move |settings, components| {
        use aws_smithy_runtime_api::client::http::HttpClient;
        let inner = inner.http_connector(settings, components);
        SharedHttpConnector::new(Connector {
            call: Box::new(move |request| inner.call(request)),
            attempts: counter.clone(),
        })
    });
    (client, attempts)
}

/// Makes a client that answers each DynamoDB operation at once with a body. It uses no network, so time can be paused.
pub(crate) fn answering(answer: fn(&str) -> String) -> (SharedHttpClient, Attempts) {
    let attempts = Attempts::default();
    let counter = attempts.clone();
    let client = http_client_fn(move |_, _| {
        let call = move |request: HttpRequest| {
            let target = request.headers().get("x-amz-target").unwrap_or_default();
            let operation = target.rsplit('.').next().unwrap_or_default();
            let status = 200.try_into().expect("a status");
            let body = SdkBody::from(answer(operation));
            HttpConnectorFuture::ready(Ok(HttpResponse::new(status, body)))
        };
        SharedHttpConnector::new(Connector {
            call: Box::new(call),
            attempts: counter.clone(),
        })
    });
    (client, attempts)
}
