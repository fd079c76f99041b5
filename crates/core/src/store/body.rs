//! Request and response bodies that bypass the SDK's maps of items. The SDK signs, sends, retries and reads errors
//! as usual. But the body of a successful answer is taken out before the SDK reads it, and replaced by an empty
//! object. The body of a request can be replaced, too.

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

/// The body of one answer, and the interceptor that takes it out of the answer.
#[derive(Debug, Clone, Default)]
pub(super) struct ResponseBody(Arc<Mutex<Option<SdkBody>>>);

impl ResponseBody {
    /// Returns the body. It is in memory, because the HTTP client has read it to its end.
    pub(super) fn get(self) -> Result<SdkBody, Cause> {
        let body = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        body.filter(|body| body.bytes().is_some())
            .ok_or_else(|| Cause::Garbled("an answer without a body".to_owned()))
    }
}

/// An interceptor that restores text that is not Unicode in a request: in the key that a page starts after,
/// or in an item that is put.
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

/// Replaces the body of a request.
fn give(request: &mut HttpRequest, body: Bytes) {
    let length = body.len().to_string();
    request.headers_mut().insert("content-length", length);
    *request.body_mut() = SdkBody::from(body);
}

/// The body of one request, which replaces the one that the SDK makes.
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
