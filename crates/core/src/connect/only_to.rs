//! A check that requests go to AWS, or to the endpoint that was given, and nowhere else.

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextRef;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

use super::endpoint::Endpoint;

/// The last check: an interceptor that looks at the host that a request is about to go to.
#[derive(Debug)]
pub(super) struct OnlyTo {
    named: Option<Endpoint>,
}

impl OnlyTo {
    pub(super) fn new(named: Option<&Endpoint>) -> Self {
        Self {
            named: named.cloned(),
        }
    }

    fn allows(&self, url: &str) -> bool {
        let Ok(url) = url.parse::<Endpoint>() else {
            return false;
        };
        match &self.named {
            Some(named) => named.has_origin_of(&url),
            None => url.is_aws() && url.is_https(),
        }
    }
}

impl Intercept for OnlyTo {
    fn name(&self) -> &'static str {
        "only to AWS or to the endpoint that was named"
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
            Err(format!("a request was about to go to {url}").into())
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
