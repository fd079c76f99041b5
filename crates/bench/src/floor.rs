//! The floor: the HTTP client under the SDK fetches the same pages and discards them.

use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

use ddb_bench::replay::items_per_page;

/// Fetches the pages of a table with `items` items from a replay server. Returns their size in bytes.
pub async fn fetch(url: &str, items: u64) -> Result<u64, Box<dyn std::error::Error + Send + Sync>> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let mut bytes = 0;
    for page in 0..items.div_ceil(items_per_page()).max(1) {
        let body = format!(r#"{{"ExclusiveStartKey":{{"sk":{{"S":"{page}"}}}}}}"#);
        let request = Request::post(url)
            .header("x-amz-target", "DynamoDB_20120810.Scan")
            .body(Full::new(Bytes::from(body)))?;
        let mut response = client.request(request).await?;
        while let Some(frame) = response.frame().await {
            bytes += frame?.data_ref().map_or(0, |data| data.len() as u64);
        }
    }
    Ok(bytes)
}
