//! The credentials of a profile, resolved as the AWS tools resolve them.

use aws_config::profile::{Profile, ProfileSet};

use super::TargetError;

/// A role to assume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Role {
    pub(super) arn: String,
    pub(super) external_id: Option<String>,
    pub(super) session_name: Option<String>,
}

/// The source of a profile's credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Chain {
    /// A profile that the SDK resolves, or reports as wrong.
    Profile,
    /// `credential_source = Environment`: the keys in the variables, and the roles to assume with
    /// them, one after the other.
    Variables(Vec<Role>),
}

impl Chain {
    /// Follows the selected profile to the source of its credentials.
    ///
    /// # Errors
    ///
    /// [`TargetError::Unsupported`] if a profile on the way has a key that is not supported here.
    pub(super) fn follow(profiles: &ProfileSet) -> Result<Self, TargetError> {
        let mut name = profiles.selected_profile();
        let mut seen: Vec<&str> = Vec::new();
        let mut roles = Vec::new();
        loop {
            let Some(profile) = profiles.get_profile(name).filter(|_| !seen.contains(&name)) else {
                return Ok(Self::Profile);
            };
            // If another profile refers to this one, its keys take precedence over its role.
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

/// Returns the role of a profile. A role that is assumed with a token is not part of a chain.
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

/// Checks the profile where a chain begins, in the order of the SDK.
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
