//! Complete answers: an HTTP client that reads each answer to its end, even if a service misbehaves.
//!
//! All clients use it: DynamoDB, its streams, Cognito, STS, and the clients of the credential chain. The answers it
//! returns are in memory, limited in size, unchanged from what the service sent, and readable by the SDK.

use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::shared::IntoShared;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use bytes::Bytes;

use crate::error::TooLarge;
use crate::item::hold;

/// The maximum size of an answer. A page of DynamoDB has at most 1 MB of items and a batch 16 MB.
/// As JSON they are larger, but not by that much.
const MAX_ANSWER: usize = 32 * 1024 * 1024;

/// The header with the CRC-32 of the body, as a decimal number. DynamoDB sends it with every answer.
const CHECKSUM: &str = "x-amz-crc32";

/// The error for an answer that is not what the service sent.
#[derive(Debug, thiserror::Error)]
#[error("the answer was damaged on its way: its checksum does not match")]
struct Damaged;

/// An HTTP client that reads each answer to its end before it returns it.
#[derive(Debug, Clone)]
pub(super) struct WholeAnswers {
    inner: SharedHttpClient,
}

impl WholeAnswers {
    /// Makes a client for any URL.
    pub(super) fn any() -> SharedHttpClient {
        let tls = Provider::Rustls(CryptoMode::AwsLc);
        Self::over(Builder::new().tls_provider(tls).build_https())
    }

    /// Makes a client for URLs without TLS: no root certificates are loaded.
    pub(super) fn without_tls() -> SharedHttpClient {
        Self::over(Builder::new().build_http())
    }

    /// Makes a client that reads the answers of another one.
    pub(super) fn over(inner: SharedHttpClient) -> SharedHttpClient {
        Self { inner }.into_shared()
    }
}

impl HttpClient for WholeAnswers {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(WholeConnector { inner })
    }
}

#[derive(Debug)]
struct WholeConnector {
    inner: SharedHttpConnector,
}

impl HttpConnector for WholeConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let answer = self.inner.call(request);
        HttpConnectorFuture::new(async move { whole(answer.await?).await })
    }
}

async fn whole(mut answer: HttpResponse) -> Result<HttpResponse, ConnectorError> {
    let checksum = answer.headers().get(CHECKSUM).map(str::to_owned);
    let body = collect(answer.take_body()).await?;
    if let Some(checksum) = checksum
        && checksum.trim().parse() != Ok(crc32fast::hash(&body))
    {
        // Retry, as after an answer that was cut short.
        return Err(ConnectorError::io(Damaged.into()));
    }
    let body = hold(&body).map_or(body, Bytes::from);
    *answer.body_mut() = SdkBody::from(body);
    Ok(answer)
}

async fn collect(body: SdkBody) -> Result<Bytes, ConnectorError> {
    let too_large = || ConnectorError::other(TooLarge { most: MAX_ANSWER }.into(), None);
    let length = body.content_length().unwrap_or_default();
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if length > MAX_ANSWER {
        return Err(too_large());
    }
    // The announced length is only a hint: do not reserve any amount of memory for it.
    let mut bytes = Vec::with_capacity(length.min(4 * 1024 * 1024));
    let mut body = ByteStream::new(body);
    while let Some(part) = body.next().await {
        let part = part.map_err(|error| ConnectorError::io(error.into()))?;
        if bytes.len() + part.len() > MAX_ANSWER {
            return Err(too_large());
        }
        bytes.extend_from_slice(&part);
    }
    Ok(bytes.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn answer(body: SdkBody, headers: &[(&'static str, String)]) -> HttpResponse {
        let mut answer = HttpResponse::new(200.try_into().unwrap(), body);
        for (name, value) in headers {
            answer.headers_mut().insert(*name, value.clone());
        }
        answer
    }

    /// Makes a body of `count` parts of 1 MiB, without a length, and a counter of the parts that were taken.
    fn parts(count: usize) -> (SdkBody, Arc<AtomicUsize>) {
        let taken = Arc::new(AtomicUsize::new(0));
        let counting = Arc::clone(&taken);
        let parts = (0..count).map(move |_| {
            counting.fetch_add(1, Ordering::SeqCst);
            let part = Bytes::from_static(&[b'x'; 1024 * 1024]);
            Ok::<_, std::io::Error>(http_body::Frame::data(part))
        });
        let body = http_body_util::StreamBody::new(futures::stream::iter(parts));
        (SdkBody::from_body_1_x(body), taken)
    }

    #[tokio::test]
    async fn an_answer_ends_at_the_bound() {
        let (body, _) = parts(32);
        let bytes = collect(body).await.unwrap();
        assert_eq!(bytes.len(), MAX_ANSWER);
        let (body, taken) = parts(1000);
        let error = collect(body).await.unwrap_err();
        assert!(format!("{error:?}").contains("TooLarge"), "{error:?}");
        assert_eq!(taken.load(Ordering::SeqCst), 33);
    }

    #[tokio::test]
    async fn a_length_over_the_bound_is_refused_before_anything_is_read() {
        let body = SdkBody::from(vec![0; MAX_ANSWER + 1]);
        assert!(collect(body).await.is_err());
    }

    #[tokio::test]
    async fn a_checksum_is_that_of_the_bytes_or_the_answer_is_cut() {
        let sum = |sum: u32| vec![(CHECKSUM, sum.to_string())];
        let right = crc32fast::hash(b"{}");
        for (headers, fits) in [
            (vec![], true),
            (sum(right), true),
            (sum(right ^ 1), false),
            (vec![(CHECKSUM, "x".to_owned())], false),
        ] {
            let read = whole(answer(SdkBody::from("{}"), &headers)).await;
            match read {
                Ok(read) => assert!(fits && read.body().bytes() == Some(b"{}")),
                Err(error) => assert!(!fits && error.is_io(), "{error:?}"),
            }
        }
    }
}
