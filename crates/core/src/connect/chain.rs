//! What a profile says about credentials, followed as the AWS tools follow it.

use aws_config::profile::{Profile, ProfileSet};

use super::TargetError;

/// A role to assume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Role {
    pub(super) arn: String,
    pub(super) external_id: Option<String>,
    pub(super) session_name: Option<String>,
}

/// Whose credentials a profile stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Chain {
    /// What the SDK follows by itself, or says what is wrong with.
    Profile,
    /// `credential_source = Environment`: the keys of the variables, and the roles that are assumed with
    /// them, one after the other.
    Variables(Vec<Role>),
}

impl Chain {
    /// Follows the profile in force to where its credentials come from.
    ///
    /// # Errors
    ///
    /// [`TargetError::Unsupported`], where the way there has a key that cannot be honoured here.
    pub(super) fn follow(profiles: &ProfileSet) -> Result<Self, TargetError> {
        let mut name = profiles.selected_profile();
        let mut seen: Vec<&str> = Vec::new();
        let mut roles = Vec::new();
        loop {
            let Some(profile) = profiles.get_profile(name).filter(|_| !seen.contains(&name)) else {
                return Ok(Self::Profile);
            };
            // The keys of a profile come before its role wherever another profile refers to it.
            if !seen.is_empty() && profile.get("aws_access_key_id").is_some() {
                return Ok(Self::Profile);
            }
            seen.push(name);
            if let Some(role) = role_of(profile) {
                refuse(profile, "mfa_serial")?;
                roles.push(role);
                match profile.get("source_profile") {
                    Some(next) if next != name => {
                        name = next;
                        continue;
                    }
                    _ => {}
                }
            }
            return match profile.get("credential_source") {
                Some(source) if source.eq_ignore_ascii_case("Environment") => {
                    roles.reverse();
                    Ok(Self::Variables(roles))
                }
                Some(_) => Ok(Self::Profile),
                None => base_of(profile).map(|()| Self::Profile),
            };
        }
    }
}

/// A role that is assumed with a token is no link of a chain.
fn role_of(profile: &Profile) -> Option<Role> {
    if profile.get("web_identity_token_file").is_some() {
        return None;
    }
    let own = |key: &str| profile.get(key).map(str::to_owned);
    Some(Role {
        arn: own("role_arn")?,
        external_id: own("external_id"),
        session_name: own("role_session_name"),
    })
}

/// Looks at where a chain begins, in the order of the SDK.
fn base_of(profile: &Profile) -> Result<(), TargetError> {
    let others = ["web_identity_token_file", "sso_session", "sso_start_url"];
    if others.iter().any(|key| profile.get(key).is_some()) {
        return Ok(());
    }
    refuse(profile, "login_session")
}

fn refuse(profile: &Profile, key: &'static str) -> Result<(), TargetError> {
    match profile.get(key) {
        None => Ok(()),
        Some(_) => Err(TargetError::Unsupported {
            key,
            profile: profile.name().to_owned(),
        }),
    }
}
