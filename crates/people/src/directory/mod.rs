//! The people of a Cognito user pool, and how they match the users of the database.

mod reconcile;
mod target;

use std::str::FromStr;
use std::sync::Arc;

use aws_sdk_cognitoidentityprovider::Client;
use aws_sdk_cognitoidentityprovider::types::UserType;
use futures::stream::{self, Stream};

use ddb_core::error::{CallError, LIST_USERS};
use ddb_core::pace::patiently;

pub use reconcile::{Change, Identity, Reconciliation};
pub use target::{CognitoTarget, PoolId, PoolIdError};

/// The attribute that holds a handle.
const HANDLE: &str = "preferred_username";
/// The most users that ListUsers gives at a time.
const PAGE: i32 = 60;

/// One user of a pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CognitoUser {
    /// `preferred_username`, where there is one.
    pub handle: Option<String>,
    /// The id that never changes, where the service says it.
    pub sub: Option<String>,
    /// The name to sign in with.
    pub username: String,
    /// The e-mail address, where there is one.
    pub email: Option<String>,
    /// CONFIRMED, UNCONFIRMED, FORCE_CHANGE_PASSWORD and so on.
    pub status: String,
    /// Whether the user may sign in.
    pub enabled: bool,
}

impl From<UserType> for CognitoUser {
    fn from(user: UserType) -> Self {
        let attribute = |name: &str| {
            let found = user
                .attributes()
                .iter()
                .find(|attribute| attribute.name() == name);
            let value = found.and_then(|attribute| attribute.value());
            value.filter(|value| !value.is_empty()).map(str::to_owned)
        };
        Self {
            handle: attribute(HANDLE),
            sub: attribute("sub"),
            email: attribute("email"),
            username: user.username().unwrap_or_default().to_owned(),
            status: user
                .user_status()
                .map(|status| status.as_str().to_owned())
                .unwrap_or_default(),
            enabled: user.enabled(),
        }
    }
}

/// Says why a text is not a filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("write it as ATTRIBUTE=VALUE, or ATTRIBUTE^=VALUE for a beginning: `{0}`")]
pub struct FilterError(String);

/// Keeps the users whose attribute is a value, or begins with it.
///
/// Wire format: `email ^= "ann"`, with quotes and backslashes of the value escaped. See Filter of
/// ListUsers in the Cognito API reference; which attributes can be searched is up to the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter(String);

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        let wrong = || FilterError(text.to_owned());
        let (attribute, value) = text.split_once('=').ok_or_else(wrong)?;
        let (attribute, operator) = match attribute.trim_end().strip_suffix('^') {
            Some(attribute) => (attribute, "^="),
            None => (attribute, "="),
        };
        let attribute = attribute.trim();
        let part_of_a_name = |b: u8| b.is_ascii_alphanumeric() || b"_:".contains(&b);
        if attribute.is_empty() || !attribute.bytes().all(part_of_a_name) {
            return Err(wrong());
        }
        let value = value.trim();
        // Whoever knows the service's own notation quotes the value already.
        let value = value
            .strip_prefix('"')
            .and_then(|value| value.strip_suffix('"'))
            .unwrap_or(value);
        let value = value.replace('\\', "\\\\").replace('"', "\\\"");
        Ok(Self(format!("{attribute} {operator} \"{value}\"")))
    }
}

/// A client of one user pool.
#[derive(Debug, Clone)]
pub struct Directory {
    client: Client,
    pool: PoolId,
    place: Arc<str>,
}

impl Directory {
    fn new(client: Client, pool: PoolId, target: &str) -> Self {
        Self {
            client,
            place: format!("{target} {pool}").into(),
            pool,
        }
    }

    /// Returns the name of target and pool for people.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Streams the users of the pool, page by page, until the service gives no token any more: a page
    /// may be short, or empty. All attributes are asked for, since naming one fails as soon as a single
    /// user lacks it.
    ///
    /// # Errors
    ///
    /// The stream ends after the first error. Throttling is answered with backoff first.
    pub fn users(
        &self,
        filter: Option<Filter>,
    ) -> impl Stream<Item = Result<Vec<CognitoUser>, CallError>> + Send + use<> {
        let directory = self.clone();
        stream::try_unfold(Some(None), move |next: Option<Option<String>>| {
            let (directory, filter) = (directory.clone(), filter.clone());
            async move {
                let Some(token) = next else {
                    return Ok(None);
                };
                let (users, token) = directory.page(filter.as_ref(), token).await?;
                Ok(Some((users, token.map(Some))))
            }
        })
    }

    async fn page(
        &self,
        filter: Option<&Filter>,
        token: Option<String>,
    ) -> Result<(Vec<CognitoUser>, Option<String>), CallError> {
        let answer = patiently(|| async {
            self.client
                .list_users()
                .user_pool_id(self.pool.as_str())
                .limit(PAGE)
                .set_filter(filter.map(|filter| filter.0.clone()))
                .set_pagination_token(token.clone())
                .send()
                .await
                .map_err(|error| CallError::new(LIST_USERS, &self.place, error))
        })
        .await?;
        let users = answer.users.unwrap_or_default();
        let users = users.into_iter().map(CognitoUser::from).collect();
        Ok((users, answer.pagination_token))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(text: &str) -> Option<String> {
        text.parse::<Filter>().ok().map(|filter| filter.0)
    }

    #[test]
    fn a_filter_is_quoted_safely() {
        for (text, wire) in [
            ("email=ann@example.com", r#"email = "ann@example.com""#),
            ("email^=ann", r#"email ^= "ann""#),
            ("email ^= \"ann\"", r#"email ^= "ann""#),
            ("name=a=b", r#"name = "a=b""#),
            (
                "cognito:user_status=Enabled",
                r#"cognito:user_status = "Enabled""#,
            ),
            (r#"name=x" or sub="#, r#"name = "x\" or sub=""#),
            (r"name=back\slash", r#"name = "back\\slash""#),
            ("name=", r#"name = """#),
        ] {
            assert_eq!(filter(text).as_deref(), Some(wire), "{text}");
        }
        for text in ["", "email", "=x", "^=x", "e mail=x", "email\"=x"] {
            assert_eq!(filter(text), None, "{text}");
        }
    }
}
