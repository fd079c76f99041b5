//! The public keys that a user pool signs its tokens with.

use std::time::Duration;

use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_types::timeout::TimeoutConfig;
use ddb_core::connect::Connection;
use ddb_core::error::root_cause;

use super::{CognitoTarget, PoolId};

/// The most bytes that a set of keys may have. Cognito's has two keys, less than 1 KB.
const MOST: usize = 64 * 1024;
/// Where the keys are, below the pool's own URL.
const PATH: &str = "/.well-known/jwks.json";
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The reason why there are no keys.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{url}: {reason}")]
pub struct KeysError {
    /// The URL of the request.
    pub url: String,
    /// What went wrong.
    pub reason: String,
}

/// Where the public keys of a pool are: `ENDPOINT/POOL/.well-known/jwks.json`. Anyone can read them.
#[derive(Debug, Clone)]
pub struct PoolKeys {
    connection: Connection,
    /// `ENDPOINT/POOL`.
    place: String,
    url: String,
    issuer: String,
}

impl CognitoTarget {
    /// Finds the keys of a pool. Nothing is contacted.
    pub fn keys(&self, pool: &PoolId) -> PoolKeys {
        let connection = self.connection();
        let issuer = format!("https://{}/{pool}", host(pool.region()));
        let endpoint = connection.endpoint_url();
        let place = match &endpoint {
            Some(endpoint) => format!("{}/{pool}", endpoint.trim_end_matches('/')),
            None => issuer.clone(),
        };
        PoolKeys {
            connection,
            url: format!("{place}{PATH}"),
            place,
            issuer,
        }
    }
}

/// Returns the host of the service in a region: see "Amazon Cognito user pools endpoints and quotas".
fn host(region: &str) -> String {
    let domain = match region.starts_with("cn-") {
        true => "amazonaws.com.cn",
        false => "amazonaws.com",
    };
    format!("cognito-idp.{region}.{domain}")
}

impl PoolKeys {
    /// Returns the issuer: the claim `iss` of every token of the pool. It is AWS's own URL, whatever the endpoint.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Returns the URL of the keys.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Reads the keys: a JWK set, RFC 7517, section 5.
    ///
    /// # Errors
    ///
    /// If there is no answer, if its status is not 200, or if it is too large.
    pub async fn read(&self) -> Result<Vec<u8>, KeysError> {
        let failed = |reason: String| KeysError {
            url: self.url.clone(),
            reason,
        };
        let http = self.connection.config().http_client();
        let http = http.ok_or_else(|| failed("there is no HTTP client".to_owned()))?;
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(PATIENCE)
            .operation_timeout(PATIENCE);
        let mut operation = Operation::builder()
            .service_name("Cognito Identity Provider")
            .operation_name("jwks.json")
            .http_client(http)
            .endpoint_url(&self.place)
            .no_auth()
            .no_retry()
            .timeout_config(timeouts.build())
            .interceptor(self.connection.only_to())
            .serializer(|_: ()| {
                let mut request = HttpRequest::empty();
                // The client puts the endpoint and its path before it.
                request.set_uri(PATH)?;
                Ok(request)
            })
            .deserializer(|answer: &HttpResponse| {
                Ok::<_, OrchestratorError<NotKeys>>(taken(answer))
            });
        if let Some(sleep) = self.connection.config().sleep_impl() {
            operation = operation.sleep_impl(sleep);
        }
        let answer = operation.build().invoke(()).await;
        let (status, body) = answer.map_err(|error| failed(root_cause(&error)))?;
        match body {
            Some(body) if status == 200 && body.len() <= MOST => Ok(body),
            Some(_) if status == 200 => Err(failed("the answer is too large".to_owned())),
            _ => Err(failed(format!("the answer has status {status}"))),
        }
    }
}

/// The error type of the service, which is never used: every status is checked afterwards.
#[derive(Debug, thiserror::Error)]
#[error("no keys")]
struct NotKeys;

fn taken(answer: &HttpResponse) -> (u16, Option<Vec<u8>>) {
    (
        answer.status().as_u16(),
        answer.body().bytes().map(<[u8]>::to_vec),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_that_of_the_region() {
        assert_eq!(host("eu-west-1"), "cognito-idp.eu-west-1.amazonaws.com");
        assert_eq!(
            host("cn-north-1"),
            "cognito-idp.cn-north-1.amazonaws.com.cn"
        );
    }
}
