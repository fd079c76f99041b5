//! The users of a Cognito user pool, and how they match the users of the database.

mod keys;
mod reconcile;
mod target;

use std::str::FromStr;

use aws_sdk_cognitoidentityprovider::Client;
use aws_sdk_cognitoidentityprovider::types::UserType;
use ddb_core::error::{CallError, Destination, Resource};
use ddb_core::pages::pages;
use ddb_core::retry::ask;
use futures::stream::Stream;

pub use keys::{KeysError, PoolKeys};
pub use reconcile::{Change, Identity, Reconciliation};
pub use target::{CognitoTarget, PoolId, PoolIdError};

/// The only operation on user pools.
const LIST_USERS: &str = "ListUsers";
/// The attribute that contains the handle.
const HANDLE: &str = "preferred_username";
/// The most users that ListUsers returns at a time.
const PAGE: i32 = 60;

/// One user of a pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CognitoUser {
    /// `preferred_username`, if there is one.
    pub handle: Option<String>,
    /// The id that never changes, if the service returns it.
    pub sub: Option<String>,
    /// The name to sign in with.
    pub username: String,
    /// The e-mail address, if there is one.
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

/// The error for a text that is not a filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("write it as ATTRIBUTE=VALUE, or ATTRIBUTE^=VALUE for a beginning: `{0}`")]
pub struct FilterError(String);

/// A filter for the users whose attribute has a value, or begins with it.
///
/// Wire format: `email ^= "ann"`, with quotes and backslashes of the value escaped. See Filter of
/// ListUsers in the Cognito API reference; the service decides which attributes can be searched.
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
        // The value may already be quoted, as in the service's own notation.
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
pub struct UserPool {
    client: Client,
    pool: PoolId,
    destination: Destination,
}

impl UserPool {
    fn new(client: Client, pool: PoolId, target: &str) -> Self {
        Self {
            client,
            destination: Destination::new(target, Resource::UserPool(pool.as_str().into())),
            pool,
        }
    }

    /// Returns where requests go: target and pool.
    pub fn destination(&self) -> &Destination {
        &self.destination
    }

    /// Streams the users of the pool, page by page, until the service returns no more tokens: a page may be short,
    /// or empty. All attributes are requested, since naming one fails if a single user lacks it.
    ///
    /// # Errors
    ///
    /// The stream ends after the first error. Throttled requests are retried with backoff first.
    pub fn users(
        &self,
        filter: Option<Filter>,
    ) -> impl Stream<Item = Result<Vec<CognitoUser>, CallError>> + Send + use<> {
        let cognito = self.clone();
        pages(LIST_USERS, &self.destination, move |token| {
            let (cognito, filter) = (cognito.clone(), filter.clone());
            async move { cognito.page(filter, token).await }
        })
    }

    async fn page(
        &self,
        filter: Option<Filter>,
        token: Option<String>,
    ) -> Result<(Vec<CognitoUser>, Option<String>), CallError> {
        let request = self
            .client
            .list_users()
            .user_pool_id(self.pool.as_str())
            .limit(PAGE)
            .set_filter(filter.map(|filter| filter.0))
            .set_pagination_token(token);
        let answer = ask(LIST_USERS, &self.destination, || request.clone().send()).await?;
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
