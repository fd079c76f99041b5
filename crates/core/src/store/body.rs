//! Bodies past the SDK's maps of items: it signs, sends, retries and reads errors as ever, but the body of a
//! successful answer is taken before it is read, with an empty object left in its place, or the body of a
//! request is given.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_dynamodb::config::interceptors::{
    BeforeDeserializationInterceptorContextMut, BeforeTransmitInterceptorContextMut,
};
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use bytes::Bytes;

use crate::error::{Cause, is_cut, root_cause};

/// How long a body may take: it is read after the SDK's own timeouts.
const DEADLINE: Duration = Duration::from_secs(30);

/// A place for the body of one answer.
#[derive(Debug, Clone, Default)]
pub(super) struct TakenBody(Arc<Mutex<Option<SdkBody>>>);

impl TakenBody {
    /// Returns what takes the body out of the answer.
    pub(super) fn interceptor(&self) -> impl Intercept + use<> {
        self.clone()
    }

    /// Reads the body to its end.
    pub(super) async fn read(self) -> Result<Vec<u8>, Cause> {
        let body = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let body = body.ok_or_else(|| Cause::Garbled("an answer without a body".to_owned()))?;
        let late = || Cause::TimedOut("the answer took too long".to_owned());
        let read = tokio::time::timeout(DEADLINE, collect(body));
        read.await.map_err(|_| late())?
    }
}

/// The body of one request, in place of the one that the SDK makes.
#[derive(Debug)]
pub(super) struct GivenBody(Bytes);

impl GivenBody {
    pub(super) fn new(body: Bytes) -> Self {
        Self(body)
    }
}

impl Intercept for GivenBody {
    fn name(&self) -> &'static str {
        "the body, given"
    }

    fn modify_before_retry_loop(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request_mut();
        let length = self.0.len().to_string();
        request.headers_mut().insert("content-length", length);
        *request.body_mut() = SdkBody::from(self.0.clone());
        Ok(())
    }
}

async fn collect(body: SdkBody) -> Result<Vec<u8>, Cause> {
    let length = body
        .content_length()
        .and_then(|length| usize::try_from(length).ok());
    // What a server announces is a hint, no reason to reserve any amount of memory.
    let mut bytes = Vec::with_capacity(length.unwrap_or_default().min(4 * 1024 * 1024));
    let mut body = ByteStream::new(body);
    while let Some(part) = body.next().await {
        let part = part.map_err(|error| {
            let root = root_cause(&error);
            if is_cut(&error) {
                Cause::Broken(root)
            } else {
                Cause::Garbled(root)
            }
        })?;
        bytes.extend_from_slice(&part);
    }
    Ok(bytes)
}

impl Intercept for TakenBody {
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
