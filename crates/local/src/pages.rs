//! Limits the size of pages before they are read.
//!
//! For a Scan or a Query without a `Limit`, the engine reads everything that is left, and then cuts it at 1 MB. So the
//! time of a whole scan grows with the square of the table's size. A request without a limit therefore gets one of
//! about a page, learned from the pages before. The service does not promise a page size, so clients see no difference.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use crate::exchange::{is_for, with_body};

/// The most items in the first page of a table.
const FIRST: u32 = 1_000;
/// The most items in a page: 1 MB of items of 100 bytes.
const MOST: u32 = 10_000;
/// A larger request is passed on unchanged. A Scan request is small.
const LARGEST_REQUEST: u64 = 1024 * 1024;

/// The limits that pages get, by table and index.
#[derive(Debug, Default)]
pub(crate) struct Pages {
    limits: Mutex<HashMap<Source, u32>>,
}

/// What a request reads: a table, or one of its indexes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Source {
    table: String,
    index: Option<String>,
}

/// A request that got a limit.
#[derive(Debug)]
pub(crate) struct Limited {
    source: Source,
    limit: u32,
}

/// The fields of a page that are needed.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Page {
    scanned_count: u32,
    last_evaluated_key: Option<IgnoredAny>,
}

impl Pages {
    /// Gives a Scan or a Query a limit if it has none.
    ///
    /// # Errors
    ///
    /// If the request ends before it is complete.
    pub(crate) async fn limit(
        &self,
        request: Request,
    ) -> Result<(Request, Option<Limited>), axum::Error> {
        if !is_for(&request, &["Scan", "Query"], LARGEST_REQUEST) {
            return Ok((request, None));
        }
        let (head, body) = request.into_parts();
        let body = to_bytes(body, LARGEST_REQUEST as usize).await?;
        let Some(source) = unlimited(&body) else {
            return Ok((Request::from_parts(head, body.into()), None));
        };
        let limit = self.limits().get(&source).copied().unwrap_or(FIRST);
        let mut limited = format!(r#"{{"Limit":{limit},"#).into_bytes();
        let begin = body.iter().position(|byte| *byte == b'{').unwrap_or(0) + 1;
        limited.extend_from_slice(&body[begin..]);
        Ok((with_body(head, limited), Some(Limited { source, limit })))
    }

    /// Learns from a page how many items the next one may have.
    ///
    /// # Errors
    ///
    /// If the engine's answer ends before it is complete.
    pub(crate) async fn learn(
        &self,
        limited: Limited,
        response: Response,
    ) -> Result<Response, axum::Error> {
        if response.status() != StatusCode::OK {
            return Ok(response);
        }
        let (head, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await?;
        if let Ok(page) = serde_json::from_slice::<Page>(&body)
            && page.last_evaluated_key.is_some()
        {
            let Limited { source, limit } = limited;
            self.limits()
                .insert(source, next(limit, page.scanned_count));
        }
        Ok(Response::from_parts(head, body.into()))
    }

    fn limits(&self) -> MutexGuard<'_, HashMap<Source, u32>> {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the next limit, from the last limit and the number of items that were read.
fn next(limit: u32, scanned: u32) -> u32 {
    match scanned >= limit {
        true => limit.saturating_mul(2).min(MOST),
        // The page was cut at 1 MB: the next items may be a little smaller.
        false => (scanned + scanned / 4 + 1).min(MOST),
    }
}

/// Returns what a request without a limit reads. Malformed requests are left for the engine to refuse.
fn unlimited(body: &[u8]) -> Option<Source> {
    let fields: Map<String, Value> = serde_json::from_slice(body).ok()?;
    if fields.contains_key("Limit") {
        return None;
    }
    let index = fields.get("IndexName").and_then(Value::as_str);
    Some(Source {
        table: fields.get("TableName")?.as_str()?.to_owned(),
        index: index.map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::header::CONTENT_LENGTH;
    use serde_json::json;

    use crate::engine::Engine;
    use crate::engine::testing::{self, engine, json, put_items};

    fn request(operation: &str, body: &Value) -> Request {
        testing::request(operation, &body.to_string())
    }

    /// Scans the table. Returns how many items it got, and how many it asked the engine for.
    async fn scan(engine: &Engine, pages: &Pages, more: Value) -> (usize, u64) {
        let (mut found, mut asked) = (0, 0);
        let mut body = json!({"TableName": "the-table"});
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        loop {
            let (request, limited) = pages.limit(request("Scan", &body)).await.unwrap();
            let limited = limited.expect("a limit");
            asked += u64::from(limited.limit);
            let response = engine.answer(request).await.unwrap();
            let page = json(pages.learn(limited, response).await.unwrap()).await;
            found += page["Items"].as_array().unwrap().len();
            match page.get("LastEvaluatedKey") {
                Some(key) => body["ExclusiveStartKey"] = key.clone(),
                None => return (found, asked),
            }
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_whole_scan_asks_for_few_more_items_than_there_are() {
        for (items, bytes) in [(9_000, 10), (6_000, 700), (300, 40_000)] {
            let (engine, _ending) = engine().await;
            let pages = Pages::default();
            put_items(&engine, items, bytes).await;
            for run in 0..2 {
                let (found, asked) = scan(&engine, &pages, json!({})).await;
                assert_eq!(found, items);
                let most = 2 * items as u64 + u64::from(FIRST.max(MOST));
                assert!(
                    asked <= most,
                    "run {run}: {asked} of {items} items of {bytes} bytes"
                );
            }
            // Items that a filter leaves out count as read.
            let none = json!({"FilterExpression": "attribute_not_exists(pk)"});
            let (found, _) = scan(&engine, &pages, none).await;
            assert_eq!(found, 0);
        }
    }

    #[test]
    fn limits_follow_the_size_of_items() {
        assert_eq!(next(1_000, 1_000), 2_000);
        assert_eq!(next(9_000, 9_000), MOST);
        assert_eq!(next(1_000, 26), 33);
        assert_eq!(next(1, 0), 1);
    }

    #[tokio::test]
    async fn only_pages_without_a_limit_get_one() {
        let pages = Pages::default();
        for (operation, body) in [
            ("Scan", json!({"TableName": "t", "Limit": 5})),
            ("Scan", json!({"TableName": "t", "Limit": null})),
            ("Scan", json!({})),
            ("Query", json!([1])),
            ("PutItem", json!({"TableName": "t"})),
        ] {
            let sent = body.to_string();
            let (request, limited) = pages.limit(request(operation, &body)).await.unwrap();
            assert!(limited.is_none(), "{operation} {sent}");
            let body = to_bytes(request.into_body(), usize::MAX).await.unwrap();
            assert_eq!(body, sent);
        }
        let query = json!({"TableName": "t", "IndexName": "i"});
        let (request, limited) = pages.limit(request("Query", &query)).await.unwrap();
        assert_eq!(limited.unwrap().source.index.as_deref(), Some("i"));
        let length = request.headers()[CONTENT_LENGTH].clone();
        let body = to_bytes(request.into_body(), usize::MAX).await.unwrap();
        assert_eq!(length, body.len().to_string());
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(
            body,
            json!({"TableName": "t", "IndexName": "i", "Limit": FIRST})
        );
    }
}
