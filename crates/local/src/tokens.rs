//! The tokens that make a transaction idempotent.
//!
//! A client that sends a transaction with a `ClientRequestToken` may send it again, such as after a lost reply: within
//! ten minutes it is answered and has no further effect (TransactWriteItems in the API reference). At each transaction
//! the engine goes through all tokens of the last ten minutes, so the time of many transactions grows with the square
//! of their number. So tokens are kept here, the oldest are removed first, and the engine never gets one.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, Instant};

use axum::BoxError;
use axum::body::{Bytes, to_bytes};
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Map, Value};
use tokio::sync::Mutex;

use crate::engine::Engine;
use crate::exchange::{self, is_for, operation, with_body};

const TOKEN: &str = "ClientRequestToken";
/// A transaction takes 4 MB. A larger request is passed on unchanged.
const LARGEST_REQUEST: u64 = 32 * 1024 * 1024;
/// How long a token is valid: TransactWriteItems in the API reference.
const WINDOW: Duration = Duration::from_secs(600);
/// The most characters of a token, in the same place. The engine refuses longer ones.
const LONGEST: usize = 36;

/// Answers transactions that have a token.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    /// It is locked while a transaction is carried out, so that the same transaction waits for its answer. The engine
    /// carries out one at a time anyway.
    seen: Mutex<Seen>,
}

/// The operation and the token.
type Key = (String, String);

/// The transactions of the last ten minutes.
#[derive(Debug, Default)]
struct Seen {
    done: HashMap<Key, Done>,
    /// When each was done.
    order: VecDeque<(Instant, Key)>,
}

/// A transaction that was carried out.
#[derive(Debug, Clone)]
struct Done {
    digest: u64,
    answer: Bytes,
}

/// A transaction without its token.
struct Transaction {
    key: Key,
    /// A hash of what the transaction does.
    digest: u64,
    body: Vec<u8>,
}

impl Tokens {
    /// Checks whether a request is of a kind that may have a token.
    pub(crate) fn may_be_in(request: &Request) -> bool {
        let operations = ["TransactWriteItems", "ExecuteTransaction"];
        is_for(request, &operations, LARGEST_REQUEST)
    }

    /// Carries out a transaction, or answers it as it was answered before.
    ///
    /// # Errors
    ///
    /// If the request or the engine's answer ends before it is complete.
    pub(crate) async fn answer(
        &self,
        engine: &Engine,
        request: Request,
    ) -> Result<Response, BoxError> {
        let name = operation(&request).unwrap_or_default().to_owned();
        let (head, body) = request.into_parts();
        let body = to_bytes(body, LARGEST_REQUEST as usize).await?;
        let Some(transaction) = Transaction::read(name, &body) else {
            let request = Request::from_parts(head, body.into());
            return Ok(engine.answer(request).await?);
        };
        let mut seen = self.seen.lock().await;
        seen.forget(Instant::now());
        match seen.done.get(&transaction.key) {
            Some(done) if done.digest == transaction.digest => {
                return Ok(exchange::answer(StatusCode::OK, done.answer.clone()));
            }
            Some(_) => {
                return Ok(exchange::error(
                    StatusCode::BAD_REQUEST,
                    "IdempotentParameterMismatchException",
                    "the token was used for another transaction in the last ten minutes",
                ));
            }
            None => {}
        }
        let response = engine.answer(with_body(head, transaction.body)).await?;
        if response.status() != StatusCode::OK {
            return Ok(response);
        }
        let (head, body) = response.into_parts();
        let answer = to_bytes(body, usize::MAX).await?;
        let done = Done {
            digest: transaction.digest,
            answer: answer.clone(),
        };
        seen.remember(Instant::now(), transaction.key, done);
        Ok(Response::from_parts(head, answer.into()))
    }
}

impl Seen {
    fn remember(&mut self, now: Instant, key: Key, done: Done) {
        self.order.push_back((now, key.clone()));
        self.done.insert(key, done);
    }

    /// Removes the transactions that are too old.
    fn forget(&mut self, now: Instant) {
        while let Some((at, _)) = self.order.front()
            && now.duration_since(*at) >= WINDOW
            && let Some((_, key)) = self.order.pop_front()
        {
            self.done.remove(&key);
        }
    }
}

impl Transaction {
    /// Removes the token from a request. Returns `None` if there is none, or if the engine should refuse the request.
    fn read(operation: String, body: &[u8]) -> Option<Self> {
        let mut fields: Map<String, Value> = serde_json::from_slice(body).ok()?;
        let Value::String(token) = fields.remove(TOKEN)? else {
            return None;
        };
        if token.is_empty() || token.chars().count() > LONGEST {
            return None;
        }
        let body = serde_json::to_vec(&fields).ok()?;
        // One attempt may ask for the capacity, and another may not.
        fields.remove("ReturnConsumedCapacity");
        Some(Self {
            key: (operation, token),
            digest: digest(&Value::Object(fields)),
            body,
        })
    }
}

/// Returns a hash of a value that does not depend on the order of names in its objects.
fn digest(value: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().map(|(k, v)| (k, digest(v))).collect();
            fields.sort_unstable();
            ("object", fields).hash(&mut hasher);
        }
        Value::Array(values) => {
            let values: Vec<u64> = values.iter().map(digest).collect();
            ("array", values).hash(&mut hasher);
        }
        plain => plain.to_string().hash(&mut hasher),
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::testing::{engine, request};
    use serde_json::json;
    use std::sync::Arc;
    use tokio::task::JoinSet;

    /// A transaction that puts an item if its key is free.
    fn put(token: &str, pk: &str) -> Value {
        json!({
            "ClientRequestToken": token,
            "TransactItems": [{"Put": {
                "TableName": "the-table",
                "Item": {"pk": {"S": pk}, "n": {"N": "1"}},
                "ConditionExpression": "attribute_not_exists(pk)",
            }}],
        })
    }

    async fn send(tokens: &Tokens, engine: &Engine, body: &str) -> (StatusCode, String) {
        let request = request("TransactWriteItems", body);
        assert!(Tokens::may_be_in(&request));
        let response = tokens.answer(engine, request).await.unwrap();
        let status = response.status();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_transaction_that_is_sent_again_is_answered_and_does_nothing() {
        let (engine, _ending) = engine().await;
        let tokens = Tokens::default();
        let first = send(&tokens, &engine, &put("a", "1").to_string()).await;
        assert_eq!(first.0, StatusCode::OK, "{}", first.1);
        // Its condition would fail now.
        let again = send(&tokens, &engine, &put("a", "1").to_string()).await;
        assert_eq!(again, first);
        // Names can be in any order, and the capacity may be requested.
        let other_order = r#"{"TransactItems":[{"Put":{"ConditionExpression":"attribute_not_exists(pk)",
            "Item":{"n":{"N":"1"},"pk":{"S":"1"}},"TableName":"the-table"}}],
            "ReturnConsumedCapacity":"TOTAL","ClientRequestToken":"a"}"#;
        assert_eq!(send(&tokens, &engine, other_order).await, first);
        let other = send(&tokens, &engine, &put("a", "2").to_string()).await;
        assert_eq!(other.0, StatusCode::BAD_REQUEST);
        assert!(other.1.contains("IdempotentParameterMismatchException"));
        // With another token, or without one, it is another transaction.
        for token in [json!("b"), Value::Null] {
            let mut body = put("", "1");
            body["ClientRequestToken"] = token;
            let refused = send(&tokens, &engine, &body.to_string()).await;
            assert_eq!(refused.0, StatusCode::BAD_REQUEST);
            assert!(refused.1.contains("ConditionalCheckFailed"), "{refused:?}");
        }
        // A transaction that failed was not done, so it may be tried again.
        let retried = send(&tokens, &engine, &put("b", "2").to_string()).await;
        assert_eq!(retried.0, StatusCode::OK, "{}", retried.1);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_same_transaction_at_once_is_carried_out_once() {
        let (engine, _ending) = engine().await;
        let tokens = Arc::new(Tokens::default());
        let mut sent = JoinSet::new();
        for _ in 0..20 {
            let (tokens, engine) = (Arc::clone(&tokens), engine.clone());
            sent.spawn(async move { send(&tokens, &engine, &put("a", "1").to_string()).await });
        }
        // If it were carried out twice, its condition would fail.
        for (status, body) in sent.join_all().await {
            assert_eq!(status, StatusCode::OK, "{body}");
        }
    }

    #[test]
    fn the_engine_sees_no_token() {
        let mut body = put("a", "1");
        let sent = body.to_string();
        let read = Transaction::read("TransactWriteItems".to_owned(), sent.as_bytes()).unwrap();
        body.as_object_mut().unwrap().remove(TOKEN);
        assert_eq!(serde_json::from_slice::<Value>(&read.body).unwrap(), body);
    }

    #[test]
    fn tokens_are_forgotten_after_ten_minutes() {
        let mut seen = Seen::default();
        let key = |n: u32| ("TransactWriteItems".to_owned(), n.to_string());
        let begun = Instant::now();
        for n in 0..3 {
            let done = Done {
                digest: 0,
                answer: Bytes::new(),
            };
            seen.remember(begun + Duration::from_secs(n.into()), key(n), done);
        }
        seen.forget(begun + WINDOW + Duration::from_secs(1));
        assert_eq!(seen.done.keys().collect::<Vec<_>>(), [&key(2)]);
        assert_eq!(seen.order.len(), 1);
    }

    #[test]
    fn what_the_engine_is_to_refuse_goes_on_as_it_is() {
        for body in [
            r#"{"TransactItems":[]}"#,
            r#"{"ClientRequestToken":"","TransactItems":[]}"#,
            r#"{"ClientRequestToken":7,"TransactItems":[]}"#,
            r#"{"ClientRequestToken":"1234567890123456789012345678901234567","TransactItems":[]}"#,
            "[]",
            "{",
        ] {
            let read = Transaction::read("TransactWriteItems".to_owned(), body.as_bytes());
            assert!(read.is_none(), "{body}");
        }
    }
}
