//! Tokens of a user pool: who sent a request, as the pool has signed it.
//!
//! A token is accepted if it is signed with one of the pool's keys, with RS256 only, and its claims are those of an
//! access token of this pool. See "Verifying JSON web tokens" in the Cognito developer guide.

use std::collections::HashMap;
use std::time::Duration;

use ddb_people::cognito::{KeysError, PoolKeys};
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk, JwkSet, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// How many seconds two clocks may differ.
const LEEWAY: u64 = 60;
/// The shortest time between two reads of the keys.
const INTERVAL: Duration = Duration::from_secs(60);
/// The longest token that is checked; Cognito's have about 1 KB.
const MOST: usize = 8 * 1024;
/// The longest name of a key.
const MOST_KID: usize = 256;

/// The claims of an access token. jsonwebtoken checks `exp`, `nbf` and `iss`.
#[derive(Debug, Deserialize)]
struct Claims {
    sub: String,
    token_use: String,
    client_id: Option<String>,
}

/// Why a token is not accepted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TokenError {
    /// The token is not from the pool, or not for this API.
    #[error("not a token of the pool")]
    NotBelieved,
    /// The pool's keys cannot be read.
    #[error(transparent)]
    NoKeys(#[from] KeysError),
}

#[derive(Default)]
struct Known {
    keys: HashMap<String, DecodingKey>,
    read_at: Option<Instant>,
}

/// The tokens of one pool.
pub struct Tokens {
    pool: PoolKeys,
    client_id: Option<String>,
    known: Mutex<Known>,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Tokens").field(&self.pool.url()).finish()
    }
}

impl Tokens {
    /// Accepts the tokens of a pool; if `client_id` is given, only those made for that client. Nothing is contacted
    /// before the first token.
    pub fn new(pool: PoolKeys, client_id: Option<String>) -> Self {
        Self {
            pool,
            client_id,
            known: Mutex::default(),
        }
    }

    /// Returns the `sub` of a token if it is accepted.
    pub(crate) async fn sub(&self, token: &str) -> Result<String, TokenError> {
        let not_believed = |_| TokenError::NotBelieved;
        if token.len() > MOST {
            return Err(TokenError::NotBelieved);
        }
        let header = decode_header(token).map_err(not_believed)?;
        // The header only decides which key is meant.
        let kid = header.kid.filter(|kid| kid.len() <= MOST_KID);
        let kid = kid.ok_or(TokenError::NotBelieved)?;
        if header.alg != Algorithm::RS256 {
            return Err(TokenError::NotBelieved);
        }
        let key = self.key(&kid).await?;
        let mut rules = Validation::new(Algorithm::RS256);
        rules.leeway = LEEWAY;
        rules.validate_nbf = true;
        // An access token has no `aud`; it has a `client_id`.
        rules.validate_aud = false;
        rules.set_issuer(&[self.pool.issuer()]);
        rules.set_required_spec_claims(&["exp", "iss", "sub"]);
        let Claims {
            sub,
            token_use,
            client_id,
        } = decode::<Claims>(token, &key, &rules)
            .map_err(not_believed)?
            .claims;
        let is_for_us = self.client_id.is_none() || self.client_id == client_id;
        match token_use == "access" && is_for_us && !sub.is_empty() {
            true => Ok(sub),
            false => Err(TokenError::NotBelieved),
        }
    }

    /// Returns a key of the pool. An unknown key may be new, so the keys are read again, but not for every name that
    /// somebody makes up.
    async fn key(&self, kid: &str) -> Result<DecodingKey, TokenError> {
        let mut known = self.known.lock().await;
        if let Some(key) = known.keys.get(kid) {
            return Ok(key.clone());
        }
        if known.read_at.is_some_and(|at| at.elapsed() < INTERVAL) {
            return Err(TokenError::NotBelieved);
        }
        let read = self.pool.read().await?;
        known.read_at = Some(Instant::now());
        let set: JwkSet = serde_json::from_slice(&read).map_err(|error| KeysError {
            url: self.pool.url().to_owned(),
            reason: format!("not a set of keys: {error}"),
        })?;
        known.keys = set.keys.iter().filter_map(usable).collect();
        known.keys.get(kid).cloned().ok_or(TokenError::NotBelieved)
    }
}

/// Returns a key with its name, if it signs with RS256.
fn usable(key: &Jwk) -> Option<(String, DecodingKey)> {
    let common = &key.common;
    let signs = matches!(&common.public_key_use, None | Some(PublicKeyUse::Signature));
    let by = matches!(common.key_algorithm, None | Some(KeyAlgorithm::RS256));
    let AlgorithmParameters::RSA(rsa) = &key.algorithm else {
        return None;
    };
    let made = DecodingKey::from_rsa_components(&rsa.n, &rsa.e).ok()?;
    (signs && by).then_some((common.key_id.clone()?, made))
}
