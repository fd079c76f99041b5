//! Clients whose requests go to AWS, or where a flag says, and nowhere else.

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextRef;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

use super::endpoint::Endpoint;

/// Makes a client of a service whose requests go to AWS, or where a flag says, and nowhere else. The
/// services have types of their own, so this cannot be a function.
macro_rules! client {
    ($service:ident, $config:expr, $endpoint:expr) => {{
        let endpoint: Option<&$crate::target::endpoint::Endpoint> = $endpoint;
        let mut config = $service::config::Builder::from($config)
            .retry_classifier($crate::target::retries::DeadIsDead::PRODUCTION)
            .retry_partition($crate::target::retries::budget())
            .interceptor($crate::target::only_to::OnlyTo::new(endpoint));
        config.set_endpoint_url(endpoint.map(ToString::to_string));
        $service::Client::from_conf(config.build())
    }};
}

pub(super) use client;

/// The last line of defence: looks at the host that a request is about to go to.
#[derive(Debug)]
pub(super) struct OnlyTo {
    flag: Option<Endpoint>,
}

impl OnlyTo {
    pub(super) fn new(flag: Option<&Endpoint>) -> Self {
        Self {
            flag: flag.cloned(),
        }
    }

    fn allows(&self, url: &str) -> bool {
        let Ok(url) = url.parse::<Endpoint>() else {
            return false;
        };
        match &self.flag {
            Some(flag) => flag.has_origin_of(&url),
            None => url.is_aws() && url.is_https(),
        }
    }
}

impl Intercept for OnlyTo {
    fn name(&self) -> &'static str {
        "only to AWS or where a flag says"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let url = context.request().uri();
        if self.allows(url) {
            Ok(())
        } else {
            Err(format!("a production request was about to go to {url}").into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p02_a_request_goes_to_aws_or_where_a_flag_says() {
        let aws = OnlyTo::new(None);
        assert!(aws.allows("https://dynamodb.eu-west-1.amazonaws.com/"));
        assert!(aws.allows("https://sts.cn-north-1.amazonaws.com.cn/"));
        assert!(
            !aws.allows("http://dynamodb.eu-west-1.amazonaws.com/"),
            "not in the clear"
        );
        assert!(!aws.allows("http://localhost:8000/"));
        assert!(!aws.allows("https://amazonaws.com.example.org/"));
        let flag: Endpoint = "http://127.0.0.1:8000".parse().unwrap();
        let flagged = OnlyTo::new(Some(&flag));
        assert!(flagged.allows("http://127.0.0.1:8000/"));
        assert!(!flagged.allows("http://127.0.0.1:8001/"));
        assert!(!flagged.allows("https://127.0.0.1:8000/"));
        assert!(!flagged.allows("https://dynamodb.eu-west-1.amazonaws.com/"));
    }
}
