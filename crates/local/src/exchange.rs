//! Requests to the engine and its answers, as the layers in front of it read and write them.

use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

/// The header that names the operation: see "Programming with the low-level API" in the AWS developer guide.
pub(crate) const OPERATION: &str = "x-amz-target";
const JSON: HeaderValue = HeaderValue::from_static("application/x-amz-json-1.0");

/// Returns the operation that a request names.
pub(crate) fn operation(request: &Request) -> Option<&str> {
    let target = request.headers().get(OPERATION)?.to_str().ok()?;
    target.rsplit('.').next()
}

/// Checks whether a request is for one of the operations, and declares a size of at most `largest` bytes.
pub(crate) fn is_for(request: &Request, operations: &[&str], largest: u64) -> bool {
    let size = request.body().size_hint().upper();
    operation(request).is_some_and(|name| operations.contains(&name))
        && size.is_some_and(|size| size <= largest)
}

/// Returns a request with another body.
pub(crate) fn with_body(mut head: Parts, body: Vec<u8>) -> Request {
    let length = HeaderValue::from(body.len());
    head.headers.insert(CONTENT_LENGTH, length);
    Request::from_parts(head, body.into())
}

/// Answers with JSON, as DynamoDB does.
pub(crate) fn answer(status: StatusCode, body: impl Into<Body>) -> Response {
    (status, [(CONTENT_TYPE, JSON)], body.into()).into_response()
}

/// Answers with an error as DynamoDB does, so that an SDK shows the message.
pub(crate) fn error(status: StatusCode, kind: &str, message: &str) -> Response {
    answer(
        status,
        format!(r#"{{"__type":"com.amazonaws.dynamodb.v20120810#{kind}","message":"{message}"}}"#),
    )
}
