//! Reasons why a command may not act on its target.

use ddb_core::connect::TargetError;
use ddb_core::environment::NotUnicode;
use ddb_core::guard::{GuardError, Wanted};

use super::service::next_step;
use super::{Exit, Failure, Hint};

impl From<TargetError> for Failure {
    fn from(error: TargetError) -> Self {
        let refused = Self::refused(match &error {
            TargetError::ProductionOnly(option) => format!(
                "{option} goes with --prod; a local command reads no profile and knows no account"
            ),
            TargetError::Configured { .. } => format!("--prod, but {error}"),
            TargetError::NoRegion => format!("{error} for --prod"),
            _ => error.to_string(),
        });
        match error {
            TargetError::AwsEndpoint { .. } => refused
                .hint("--prod is the switch to AWS; without it, name a local endpoint such as http://localhost:8000"),
            TargetError::ProductionOnly(_) => refused.hint("--prod is the switch to AWS"),
            TargetError::Configured { .. } => refused.hint(
                "unset it, or say where to go with --endpoint-url; AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true ignores all such settings",
            ),
            TargetError::NoProfile(_) => {
                refused.hint("`aws configure list-profiles` shows those that are there")
            }
            TargetError::NoRegion => {
                refused.hint("name it with --region or AWS_REGION, or in the profile")
            }
            TargetError::OtherAccount { .. } => {
                refused.hint("--profile chooses other credentials; nothing was written")
            }
            TargetError::Identity(ref call) => {
                Self::new(Exit::Failed, error.to_string()).hint(next_step(call))
            }
            TargetError::Plaintext { .. } => refused.hint("write the endpoint with https://"),
            TargetError::NotUnicode(error) => error.into(),
            TargetError::Proxy { .. } => refused.hint(
                "a proxy is written as http://user:password@proxy.example.com:3128, with special characters encoded",
            ),
            TargetError::Bundle { .. } => {
                refused.hint("it is a file of root certificates in PEM form")
            }
            TargetError::TwoProfiles { .. } => refused.hint("unset one, or choose with --profile"),
            TargetError::Unsupported {
                key: _,
                ref profile,
            } => {
                let next = format!(
                    "`eval \"$(aws configure export-credentials --profile {profile} --format env)\"` puts its credentials into variables; leave out --profile then"
                );
                refused.hint(next)
            }
            TargetError::NoKey(_) => refused.hint("export it, or choose another profile"),
            TargetError::Changed { .. } => {
                Self::new(Exit::Failed, error.to_string()).hint(Hint::BadCredentials)
            }
            TargetError::NoAccount => Self::new(Exit::Failed, error.to_string()),
            TargetError::Endpoint { .. } => {
                refused.hint("an endpoint is written as http://localhost:8000")
            }
            TargetError::Region { .. } => refused.hint("a region is written as eu-central-1"),
            TargetError::Profiles(_) => refused.hint("`aws configure list` reads the same files"),
        }
    }
}

impl From<NotUnicode> for Failure {
    fn from(error: NotUnicode) -> Self {
        Self::refused(error.to_string()).hint("unset it, or export it again as text")
    }
}

impl From<GuardError> for Failure {
    fn from(error: GuardError) -> Self {
        let refused = Self::refused(error.to_string());
        match error {
            GuardError::NobodyThere { wanted, .. } => {
                let option = match wanted {
                    Wanted::Yes => "--yes",
                    Wanted::Name => "--confirm",
                };
                refused.hint(format!("run it at a terminal, or give {option}"))
            }
            GuardError::Declined { .. } => refused.hint("only `yes` continues"),
            GuardError::OtherName { .. } => {
                refused.hint("type the exact name of what is to be deleted")
            }
        }
    }
}
