//! A strict fake of Cognito: it lists users as the real one does, and refuses what the real one refuses.

use std::collections::HashMap;
use std::sync::Mutex;

use aws_sdk_cognitoidentityprovider::Client;
use aws_sdk_cognitoidentityprovider::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_cognitoidentityprovider::types::{AttributeType, AuthFlowType, ExplicitAuthFlowsType};
use serde_json::{Value, json};

use crate::http::{Answer, Request, Server};

/// The variable that names a Cognito to run tests on besides the fake: moto.
pub const REAL_COGNITO: &str = "DDB_TEST_COGNITO";

/// The pool of the fake.
pub const POOL: &str = "eu-central-1_AbCdEfGhI";

/// One user of a pool.
#[derive(Debug, Clone)]
pub struct PoolUser {
    /// `preferred_username`, if there is one.
    pub handle: Option<String>,
    /// The id.
    pub sub: String,
    /// Whether the user may sign in.
    pub enabled: bool,
}

impl PoolUser {
    /// Returns the n-th user, with a handle and an id that depend on `n`.
    pub fn numbered(n: usize) -> Self {
        Self {
            handle: Some(format!("user{n}")),
            sub: sub(n),
            enabled: true,
        }
    }

    fn json(&self) -> Value {
        let mut attributes = vec![
            json!({"Name": "sub", "Value": self.sub}),
            json!({"Name": "email", "Value": format!("{}@example.com", self.sub)}),
        ];
        if let Some(handle) = &self.handle {
            attributes.push(json!({"Name": "preferred_username", "Value": handle}));
        }
        json!({
            "Username": format!("name-{}", self.sub),
            "Attributes": attributes,
            "Enabled": self.enabled,
            "UserStatus": if self.enabled { "CONFIRMED" } else { "FORCE_CHANGE_PASSWORD" },
            "UserCreateDate": 1.7e9,
        })
    }
}

/// Returns the id of the n-th user.
pub fn sub(n: usize) -> String {
    format!("aaaaaaaa-aaaa-4aaa-8aaa-{n:012x}")
}

/// What the fake makes difficult.
#[derive(Debug, Clone, Copy, Default)]
pub struct Hardship {
    /// Every n-th request is throttled; 0 means none.
    pub throttled: usize,
    /// After this many pages, tokens are refused as expired; 0 means never.
    pub tokens_expire_after: usize,
}

#[derive(Debug, Default)]
struct State {
    requests: usize,
    pages: usize,
    /// The tokens that pages returned, and where the next page starts. Each may be used again.
    tokens: HashMap<String, usize>,
}

/// A running fake.
#[derive(Debug)]
pub struct Cognito {
    server: Server,
}

impl Cognito {
    /// Starts one with these users.
    pub fn start(users: Vec<PoolUser>, hardship: Hardship) -> Self {
        let state = Mutex::new(State::default());
        let server = Server::start(move |request| match request.operation.as_str() {
            "ListUsers" => match state.lock() {
                Ok(mut state) => list(&mut state, &users, hardship, request),
                Err(_) => error("InternalErrorException", "poisoned"),
            },
            "GetCallerIdentity" => crate::aws::identity(),
            other => error("UnknownOperationException", other),
        });
        Self { server }
    }

    /// Returns its URL.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Returns how many requests it got.
    pub fn requests(&self) -> usize {
        self.server.operations().len()
    }
}

fn error(code: &str, message: &str) -> Answer {
    let status = if code == "InternalErrorException" {
        500
    } else {
        400
    };
    let body = json!({"__type": code, "message": message}).to_string();
    Answer::Body(status, "application/x-amz-json-1.1", body)
}

fn list(state: &mut State, users: &[PoolUser], hardship: Hardship, request: &Request) -> Answer {
    let invalid = |message: &str| error("InvalidParameterException", message);
    state.requests += 1;
    if hardship.throttled > 0 && state.requests.is_multiple_of(hardship.throttled) {
        return error("TooManyRequestsException", "Rate exceeded");
    }
    let Ok(body) = serde_json::from_slice::<Value>(&request.body) else {
        return error("SerializationException", "not JSON");
    };
    if body["UserPoolId"] != POOL {
        return error("ResourceNotFoundException", "User pool does not exist.");
    }
    let limit = match &body["Limit"] {
        Value::Null => 60,
        limit => match limit.as_u64() {
            Some(limit @ 0..=60) => limit as usize,
            _ => {
                return invalid(
                    "Value at 'limit' failed to satisfy constraint: Member must have value less than or equal to 60",
                );
            }
        },
    };
    let wanted = body["AttributesToGet"].as_array();
    if wanted
        .is_some_and(|names| !names.is_empty() && users.iter().any(|user| user.handle.is_none()))
    {
        return invalid("One or more requested attributes do not exist.");
    }
    let matching = match matching(users, &body["Filter"]) {
        Some(matching) => matching,
        None => return invalid("Error while parsing filter."),
    };
    let expired = hardship.tokens_expire_after > 0 && state.pages >= hardship.tokens_expire_after;
    let start = match body["PaginationToken"].as_str() {
        None => 0,
        Some(token) => match state.tokens.get(token) {
            Some(start) if !expired => *start,
            _ => return invalid("Invalid pagination token given."),
        },
    };
    state.pages += 1;
    // Pages are shorter than requested, and every third is empty.
    let size = match state.pages % 3 {
        0 => 0,
        1 => limit.div_ceil(2),
        _ => limit.min(7),
    };
    let end = (start + size).min(matching.len());
    let page: Vec<Value> = matching[start..end]
        .iter()
        .map(|user| user.json())
        .collect();
    let mut answer = json!({ "Users": page });
    if end < matching.len() {
        let token = format!("token-{}", state.requests);
        answer["PaginationToken"] = json!(token);
        state.tokens.insert(token, end);
    }
    Answer::Body(200, "application/x-amz-json-1.1", answer.to_string())
}

/// Reads a filter as strictly as the service: `attribute = "value"` or `attribute ^= "value"`.
fn matching<'a>(users: &'a [PoolUser], filter: &Value) -> Option<Vec<&'a PoolUser>> {
    let Some(filter) = filter.as_str() else {
        return Some(users.iter().collect());
    };
    let (attribute, rest) = filter.split_once(' ')?;
    let (operator, value) = rest.split_once(' ')?;
    let value: String = serde_json::from_str(value).ok()?;
    let keep = |user: &&PoolUser| {
        let found = match attribute {
            "sub" => Some(user.sub.as_str()),
            "preferred_username" => user.handle.as_deref(),
            _ => None,
        };
        match operator {
            "=" => found == Some(&value),
            _ => found.is_some_and(|found| found.starts_with(&value)),
        }
    };
    ["=", "^="]
        .contains(&operator)
        .then(|| users.iter().filter(keep).collect())
}

/// A pool in moto, for tests that `bin-scripts/test --real` runs.
#[derive(Debug)]
pub struct MotoPool {
    /// Its id.
    pub id: String,
    client: Client,
}

impl MotoPool {
    /// Creates a pool.
    ///
    /// # Panics
    ///
    /// If moto is not there, or fails.
    pub async fn open() -> Self {
        let config = aws_sdk_cognitoidentityprovider::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .credentials_provider(Credentials::new("local", "local", None, None, "test"))
            .region(Region::new("eu-central-1"))
            .endpoint_url(Self::url())
            .build();
        let client = Client::from_conf(config);
        let made = client.create_user_pool().pool_name("tests").send().await;
        let pool = made.expect("the pool is made").user_pool;
        Self {
            id: pool.and_then(|pool| pool.id).expect("the pool has an id"),
            client,
        }
    }

    /// Returns the URL of moto.
    ///
    /// # Panics
    ///
    /// If the tests were given none.
    pub fn url() -> String {
        std::env::var(REAL_COGNITO).expect("bin-scripts/test --real names a Cognito")
    }

    /// Adds a user and returns the id that moto gave it.
    ///
    /// # Panics
    ///
    /// If moto refuses it.
    pub async fn add(&self, username: &str, handle: Option<&str>) -> String {
        let mut request = self
            .client
            .admin_create_user()
            .user_pool_id(&self.id)
            .username(username);
        for (name, value) in [
            ("email", Some("a@example.com")),
            ("preferred_username", handle),
        ] {
            if let Some(value) = value {
                let attribute = AttributeType::builder().name(name).value(value).build();
                request = request.user_attributes(attribute.expect("it has a name"));
            }
        }
        let user = request.send().await.expect("the user is made").user;
        let attributes = user.and_then(|user| user.attributes).unwrap_or_default();
        let sub = attributes
            .iter()
            .find(|attribute| attribute.name() == "sub");
        sub.and_then(|sub| sub.value())
            .expect("the user has an id")
            .to_owned()
    }

    /// Adds a client of the pool and returns its id.
    ///
    /// # Panics
    ///
    /// If moto refuses it.
    pub async fn add_client(&self) -> String {
        let made = self
            .client
            .create_user_pool_client()
            .user_pool_id(&self.id)
            .client_name("pages")
            .explicit_auth_flows(ExplicitAuthFlowsType::AllowAdminUserPasswordAuth)
            .send()
            .await;
        let client = made.expect("the client is made").user_pool_client;
        client
            .and_then(|client| client.client_id)
            .expect("the client has an id")
    }

    /// Signs a user in, and returns the tokens from moto: the access token and the id token.
    ///
    /// # Panics
    ///
    /// If moto refuses it.
    pub async fn tokens(&self, client_id: &str, username: &str) -> (String, String) {
        const PASSWORD: &str = "Of-Tests-1!";
        let set = self
            .client
            .admin_set_user_password()
            .user_pool_id(&self.id)
            .username(username)
            .password(PASSWORD)
            .permanent(true)
            .send()
            .await;
        set.expect("the password is set");
        let signed_in = self
            .client
            .admin_initiate_auth()
            .user_pool_id(&self.id)
            .client_id(client_id)
            .auth_flow(AuthFlowType::AdminUserPasswordAuth)
            .auth_parameters("USERNAME", username)
            .auth_parameters("PASSWORD", PASSWORD)
            .send()
            .await;
        let signed_in = signed_in.expect("the user signs in");
        let tokens = signed_in.authentication_result.expect("there are tokens");
        let text = |token: Option<String>| token.expect("the token is there");
        (text(tokens.access_token), text(tokens.id_token))
    }
}
