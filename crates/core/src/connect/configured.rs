//! Endpoints configured in the environment: variables, profiles, `services` sections.
//!
//! A production command refuses them. This module reads only the environment and the profile
//! files. Nothing is contacted.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

use aws_config::profile::ProfileSet;
use aws_runtime::env_config::EnvConfigValue;
use aws_runtime::env_config::file::EnvConfigFiles;
use aws_smithy_http_client::tls::TlsContext;
use aws_types::os_shim_internal::{Env, Fs};

use super::chain::Chain;
use super::{TargetError, roots};
use crate::environment::Environment;

/// A service whose requests a configured endpoint could redirect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Service {
    id: &'static str,
    variables: &'static [&'static str],
    default: &'static str,
}

impl Default for Service {
    fn default() -> Self {
        Self::DYNAMODB
    }
}

impl Service {
    /// The service for items and tables.
    pub const DYNAMODB: Self = Self::new(
        "DynamoDB",
        &[LOCAL_ENDPOINT, "AWS_ENDPOINT_URL_DYNAMODB", ENDPOINT],
        "http://localhost:8000",
    );
    /// The streams of tables. If no endpoint is given for them, they are at the endpoint of the tables.
    pub const DYNAMODB_STREAMS: Self = Self::new(
        "DynamoDB Streams",
        &[
            LOCAL_ENDPOINT,
            "AWS_ENDPOINT_URL_DYNAMODB_STREAMS",
            "AWS_ENDPOINT_URL_DYNAMODB",
            ENDPOINT,
        ],
        "http://localhost:8000",
    );
    /// The identity of the caller. There is no local service for it.
    pub const STS: Self = Self::new("STS", &[], "");

    /// Describes a service: its id in the SDKs, the variables that name its local endpoint, in order, and
    /// the endpoint if none of them is set.
    pub const fn new(
        id: &'static str,
        variables: &'static [&'static str],
        default: &'static str,
    ) -> Self {
        Self {
            id,
            variables,
            default,
        }
    }

    /// Returns the variables that name its local endpoint, in order.
    pub const fn variables(self) -> &'static [&'static str] {
        self.variables
    }

    /// Returns its local endpoint if none is given.
    pub const fn default_endpoint(self) -> &'static str {
        self.default
    }

    /// Returns the variable for its endpoint in the AWS tools.
    fn variable(self) -> String {
        format!("{ENDPOINT}_{}", self.id.to_uppercase().replace(' ', "_"))
    }
}

/// Our own variable for the local endpoint. Production commands never read it, so one shell can use both.
pub(super) const LOCAL_ENDPOINT: &str = "DDB_ENDPOINT_URL";
const ENDPOINT: &str = "AWS_ENDPOINT_URL";
const PROFILE_KEY: &str = "endpoint_url";
const IGNORE: &str = "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS";
const IGNORE_PROFILE_KEY: &str = "ignore_configured_endpoint_urls";

const BUNDLE: &str = "AWS_CA_BUNDLE";
const BUNDLE_PROFILE_KEY: &str = "ca_bundle";

/// Checks whether the SDK reads a variable.
pub(super) fn is_ours(variable: &str) -> bool {
    variable.starts_with("AWS_") || variable == "HOME"
}

/// The environment and the profile files. Empty variables count as unset.
#[derive(Debug)]
pub struct Surroundings {
    variables: Env,
    profiles: ProfileSet,
    chosen: bool,
}

impl Surroundings {
    /// Reads the profile files. `profile` takes precedence over the variables.
    pub async fn read(
        environment: &Environment,
        profile: Option<&str>,
    ) -> Result<Self, TargetError> {
        let variables: HashMap<String, String> = environment
            .all(is_ours)?
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let variables = Env::from(variables);
        let named = chosen(profile, environment)?;
        let chosen = named.map(|name| Cow::Owned(name.to_owned()));
        let profiles =
            aws_config::profile::load(&Fs::real(), &variables, &EnvConfigFiles::default(), chosen)
                .await
                .map_err(|error| TargetError::Profiles(crate::error::root_cause(&error)))?;
        let surroundings = Self {
            variables,
            chosen: named.is_some(),
            profiles,
        };
        surroundings.refuse_absent_profile()?;
        Ok(surroundings)
    }

    fn refuse_absent_profile(&self) -> Result<(), TargetError> {
        let name = self.profile();
        if self.chosen && self.profiles.get_profile(name).is_none() {
            return Err(TargetError::NoProfile(name.to_owned()));
        }
        Ok(())
    }

    /// Returns the name of the selected profile.
    pub fn profile(&self) -> &str {
        self.profiles.selected_profile()
    }

    /// Follows the profile to its credentials. If no profile was asked for, the keys in the variables take
    /// precedence over the profile.
    pub(super) fn chain(
        &self,
        asked_for: bool,
        environment: &Environment,
    ) -> Result<Chain, TargetError> {
        // Keys in variables take precedence if both parts are set.
        let has = |name| environment.get(name).map(|value| value.is_some());
        if !asked_for && has("AWS_ACCESS_KEY_ID")? && has("AWS_SECRET_ACCESS_KEY")? {
            return Ok(Chain::Profile);
        }
        Chain::follow(&self.profiles)
    }

    /// Returns the root certificates to trust for AWS: those of a configured bundle, or those of the system.
    pub(super) fn roots(&self) -> Result<TlsContext, TargetError> {
        let value = EnvConfigValue::new()
            .env(BUNDLE)
            .profile(BUNDLE_PROFILE_KEY);
        match value.load(&self.variables, Some(&self.profiles)) {
            Some((path, _)) if !path.is_empty() => {
                let origin = match self.variables.get(BUNDLE) {
                    Ok(_) => BUNDLE.to_owned(),
                    Err(_) => format!("{BUNDLE_PROFILE_KEY} of the profile `{}`", self.profile()),
                };
                roots::of_bundle(&origin, Path::new(path.as_ref()))
            }
            _ => Ok(TlsContext::default()),
        }
    }

    /// Fails if an endpoint is configured for a service.
    pub fn refuse_endpoint(&self, service: Service) -> Result<(), TargetError> {
        if self.ignores_endpoints() {
            return Ok(());
        }
        let value = EnvConfigValue::new()
            .env(ENDPOINT)
            .profile(PROFILE_KEY)
            .service_id(service.id);
        let Some((endpoint, _)) = value
            .load(&self.variables, Some(&self.profiles))
            .filter(|(endpoint, _)| !endpoint.is_empty())
        else {
            return Ok(());
        };
        Err(TargetError::Configured {
            service: service.id,
            endpoint: endpoint.into_owned(),
            origin: self.origin(service),
        })
    }

    /// Describes where an endpoint was found, in the order of precedence of the AWS tools.
    fn origin(&self, service: Service) -> String {
        for variable in [service.variable(), ENDPOINT.to_owned()] {
            if self.variables.get(&variable).is_ok() {
                return format!("the variable {variable}");
            }
        }
        format!("the profile `{}`", self.profile())
    }

    fn ignores_endpoints(&self) -> bool {
        let value = EnvConfigValue::new()
            .env(IGNORE)
            .profile(IGNORE_PROFILE_KEY);
        value
            .load(&self.variables, Some(&self.profiles))
            .is_some_and(|(value, _)| value.eq_ignore_ascii_case("true"))
    }
}

/// Returns the profile named by an option or by a variable. The AWS tools disagree on which of the two variables
/// takes precedence, so they must not contradict each other.
fn chosen<'a>(
    given: Option<&'a str>,
    environment: &'a Environment,
) -> Result<Option<&'a str>, TargetError> {
    if given.is_some() {
        return Ok(given);
    }
    let names = (
        environment.get("AWS_PROFILE")?,
        environment.get("AWS_DEFAULT_PROFILE")?,
    );
    match names {
        (Some(one), Some(other)) if one != other => Err(TargetError::TwoProfiles {
            one: one.to_owned(),
            other: other.to_owned(),
        }),
        (one, other) => Ok(one.or(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Files(tempfile::TempDir);

    impl Files {
        fn new(config: &str) -> Self {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("config"), config).unwrap();
            Self(folder)
        }

        async fn refused(
            &self,
            service: Service,
            profile: Option<&str>,
            variables: &[(&str, &str)],
        ) -> Option<String> {
            let file = |name: &str| self.0.path().join(name).display().to_string();
            let mut all = vec![
                ("HOME", self.0.path().display().to_string()),
                ("AWS_CONFIG_FILE", file("config")),
                ("AWS_SHARED_CREDENTIALS_FILE", file("credentials")),
            ];
            all.extend(
                variables
                    .iter()
                    .map(|(name, value)| (*name, (*value).to_owned())),
            );
            let environment: Environment = all.into_iter().collect();
            let surroundings = Surroundings::read(&environment, profile).await.unwrap();
            match surroundings.refuse_endpoint(service) {
                Ok(()) => None,
                Err(TargetError::Configured { origin, .. }) => Some(origin),
                Err(other) => panic!("{other}"),
            }
        }
    }

    const CONFIG: &str = "\
[default]
region = eu-west-1

[profile plain]
region = eu-west-1

[profile astray]
endpoint_url = http://localhost:1

[profile sections]
services = local

[profile deaf]
endpoint_url = http://localhost:1
ignore_configured_endpoint_urls = true

[services local]
dynamodb =
  endpoint_url = http://localhost:2
";

    /// p02: every way to configure an endpoint for a service is found and named.
    #[tokio::test]
    async fn p02_every_way_to_configure_an_endpoint_is_found() {
        const COGNITO: Service = Service::new("Cognito Identity Provider", &[], "");
        let files = Files::new(CONFIG);
        let url = "http://localhost:3";
        for (service, profile, variables, found) in [
            (Service::DYNAMODB, None, vec![], None),
            (Service::DYNAMODB, Some("plain"), vec![], None),
            (
                Service::DYNAMODB,
                None,
                vec![("AWS_ENDPOINT_URL_DYNAMODB", url)],
                Some("the variable AWS_ENDPOINT_URL_DYNAMODB"),
            ),
            (
                COGNITO,
                None,
                vec![("AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER", url)],
                Some("the variable AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER"),
            ),
            (
                COGNITO,
                None,
                vec![("AWS_ENDPOINT_URL_DYNAMODB", url)],
                None,
            ),
            (
                Service::STS,
                None,
                vec![("AWS_ENDPOINT_URL_DYNAMODB", url)],
                None,
            ),
            (
                Service::DYNAMODB_STREAMS,
                None,
                vec![("AWS_ENDPOINT_URL_DYNAMODB_STREAMS", url)],
                Some("the variable AWS_ENDPOINT_URL_DYNAMODB_STREAMS"),
            ),
            (
                Service::DYNAMODB,
                None,
                vec![("AWS_ENDPOINT_URL_DYNAMODB_STREAMS", url)],
                None,
            ),
            (
                Service::STS,
                None,
                vec![("AWS_ENDPOINT_URL_STS", url)],
                Some("the variable AWS_ENDPOINT_URL_STS"),
            ),
            (
                Service::DYNAMODB,
                None,
                vec![("AWS_ENDPOINT_URL", url)],
                Some("the variable AWS_ENDPOINT_URL"),
            ),
            (
                Service::STS,
                None,
                vec![("AWS_ENDPOINT_URL", url)],
                Some("the variable AWS_ENDPOINT_URL"),
            ),
            (
                Service::DYNAMODB,
                None,
                vec![("AWS_ENDPOINT_URL", ""), ("AWS_ENDPOINT_URL_DYNAMODB", "")],
                None,
            ),
            (
                Service::DYNAMODB,
                Some("astray"),
                vec![("AWS_ENDPOINT_URL", "")],
                Some("the profile `astray`"),
            ),
            (
                Service::DYNAMODB,
                Some("astray"),
                vec![],
                Some("the profile `astray`"),
            ),
            (
                Service::STS,
                Some("astray"),
                vec![],
                Some("the profile `astray`"),
            ),
            (
                Service::DYNAMODB,
                None,
                vec![("AWS_PROFILE", "astray")],
                Some("the profile `astray`"),
            ),
            (Service::DYNAMODB, None, vec![("AWS_PROFILE", "")], None),
            (
                Service::DYNAMODB,
                Some("plain"),
                vec![("AWS_PROFILE", "astray")],
                None,
            ),
            (
                Service::DYNAMODB,
                Some("sections"),
                vec![],
                Some("the profile `sections`"),
            ),
            (Service::STS, Some("sections"), vec![], None),
            (Service::DYNAMODB, Some("deaf"), vec![], None),
            (
                Service::DYNAMODB,
                Some("deaf"),
                vec![("AWS_ENDPOINT_URL", url)],
                None,
            ),
            (
                Service::DYNAMODB,
                Some("deaf"),
                vec![("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "false")],
                Some("the profile `deaf`"),
            ),
            (
                Service::DYNAMODB,
                Some("astray"),
                vec![("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")],
                None,
            ),
            (
                Service::DYNAMODB,
                Some("astray"),
                vec![
                    ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "TRUE"),
                    ("AWS_ENDPOINT_URL", url),
                ],
                None,
            ),
        ] {
            let origin = files.refused(service, profile, &variables).await;
            assert_eq!(
                origin.as_deref(),
                found,
                "{service:?} {profile:?} {variables:?}"
            );
        }
    }

    #[tokio::test]
    async fn a_profile_that_is_not_there_is_named() {
        let environment: Environment = [("HOME", "/nonexistent"), ("AWS_PROFILE", "gone")]
            .into_iter()
            .collect();
        let error = Surroundings::read(&environment, None).await.unwrap_err();
        assert_eq!(error, TargetError::NoProfile("gone".to_owned()));
    }
}
