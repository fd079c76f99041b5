//! Bodies past the SDK's maps of items: it signs, sends, retries and reads errors as ever, but the body of a
//! successful answer is taken before it is read, with an empty object left in its place, or the body of a
//! request is given.

use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_dynamodb::config::interceptors::{
    BeforeDeserializationInterceptorContextMut, BeforeTransmitInterceptorContextMut,
};
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;

use crate::error::Cause;
use crate::item::{RawItem, restore};

/// A place for the body of one answer, and what takes it out of the answer.
#[derive(Debug, Clone, Default)]
pub(super) struct ResponseBody(Arc<Mutex<Option<SdkBody>>>);

impl ResponseBody {
    /// Returns the body. It is in memory: the HTTP client has read it to its end.
    pub(super) fn get(self) -> Result<SdkBody, Cause> {
        let body = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        body.filter(|body| body.bytes().is_some())
            .ok_or_else(|| Cause::Garbled("an answer without a body".to_owned()))
    }
}

/// Puts text that is not Unicode back into the key that a page starts after. Other requests hold none.
#[derive(Debug)]
pub(super) struct OwnText(RawItem);

impl OwnText {
    pub(super) fn of(key: Option<&RawItem>) -> Self {
        Self(key.cloned().unwrap_or_default())
    }
}

impl Intercept for OwnText {
    fn name(&self) -> &'static str {
        "text as the service has it"
    }

    fn modify_before_retry_loop(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request_mut();
        let body = request.body().bytes().unwrap_or_default();
        if let Some(restored) = restore(std::str::from_utf8(body)?, &self.0) {
            give(request, restored.into());
        }
        Ok(())
    }
}

/// Gives a request another body.
fn give(request: &mut HttpRequest, body: Bytes) {
    let length = body.len().to_string();
    request.headers_mut().insert("content-length", length);
    *request.body_mut() = SdkBody::from(body);
}

/// The body of one request, instead of the one that the SDK makes.
#[derive(Debug)]
pub(super) struct RequestBody(Bytes);

impl RequestBody {
    pub(super) fn new(body: Bytes) -> Self {
        Self(body)
    }
}

impl Intercept for RequestBody {
    fn name(&self) -> &'static str {
        "the body, given"
    }

    fn modify_before_retry_loop(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        give(context.request_mut(), self.0.clone());
        Ok(())
    }
}

impl Intercept for ResponseBody {
    fn name(&self) -> &'static str {
        "the body, taken"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response_mut();
        if response.status().is_success() {
            let body = std::mem::replace(response.body_mut(), SdkBody::from("{}"));
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(body);
        }
        Ok(())
    }
}
