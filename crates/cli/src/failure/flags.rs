//! The target of a command, as options that lead another command to the same target.

use clap::ArgMatches;
use ddb_core::connect::{DEFAULT_REGION, Endpoint, REGION_VARIABLES, Service};
use ddb_core::environment::Environment;
use ddb_core::schema::{DEFAULT_TABLE, TableName};

/// The target as options that lead another command to the same target. Defaults are left out.
#[derive(Debug, Default)]
pub(super) struct TargetFlags {
    pub production: bool,
    pub profile: Option<String>,
    /// Options with their values, in the order in which they are written.
    pub options: Vec<(&'static str, Option<String>)>,
}

/// The default endpoint of local commands.
pub(super) const DEFAULT_ENDPOINT: &str = Service::DYNAMODB.default_endpoint();

impl TargetFlags {
    /// Reads the options and the variables. Malformed values are left out, because the command reports them itself.
    pub fn read(options: &ArgMatches, environment: &Environment) -> Self {
        let flag = |id: &str| options.try_get_one::<String>(id).ok().flatten();
        let variable = |names: &[&str]| {
            let found = environment.first(names).ok().flatten();
            found.map(|(_, value)| value.to_owned())
        };
        let production = options.try_get_one("prod").ok().flatten() == Some(&true);

        let endpoint = flag("endpoint_url").cloned().or_else(|| {
            let local = (!production).then(|| variable(Service::DYNAMODB.variables()));
            local.flatten()
        });
        let endpoint = endpoint
            .and_then(|url| url.parse::<Endpoint>().ok())
            .map(|endpoint| endpoint.to_string())
            .filter(|url| production || url != DEFAULT_ENDPOINT);
        let region = flag("region").cloned();
        let region = region
            .or_else(|| variable(&REGION_VARIABLES))
            .filter(|region| production || region != DEFAULT_REGION);
        let profile = flag("profile").cloned().or_else(|| {
            // Keys in variables take precedence over a profile that is only named by a variable.
            let by_variable = production && variable(&["AWS_ACCESS_KEY_ID"]).is_none();
            by_variable
                .then(|| variable(&["AWS_PROFILE", "AWS_DEFAULT_PROFILE"]))
                .flatten()
        });
        let table = options.try_get_one::<TableName>("table").ok().flatten();
        let table = table
            .map(ToString::to_string)
            .or_else(|| variable(&["DDB_MESSAGE_TABLE"]))
            .filter(|table| table != DEFAULT_TABLE);

        let mut found = Vec::new();
        if production {
            found.push(("prod", None));
        }
        for (name, value) in [
            ("endpoint-url", endpoint),
            ("sts-endpoint-url", flag("sts_endpoint_url").cloned()),
            ("region", region),
            ("profile", profile.clone()),
            ("expect-account", flag("expect_account").cloned()),
            ("table", table),
        ] {
            if value.is_some() {
                found.push((name, value));
            }
        }
        Self {
            production,
            profile,
            options: found,
        }
    }
}
