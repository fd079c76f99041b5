//! How often a failing request is sent: each kind of failure is retried by one layer.

use ddb_core::key::{PartitionKey, SortKey};
use ddb_core::rate_limit::ConcurrencyLimit;
use ddb_core::store::{Batch, Partition, Query, Scan};
use ddb_test_support::Sandbox;
use ddb_test_support::proxy::{Fault, Proxy};
use futures::TryStreamExt;
use futures::future::{join_all, join5};

use crate::data::{at, conversation, message};

/// Makes one request of each kind with the fault at every attempt, and returns the number of attempts.
async fn attempts(sandbox: &Sandbox, fault: Fault) -> [usize; 5] {
    let proxies: [Proxy; 5] =
        std::array::from_fn(|_| Proxy::failing_from(&sandbox.url(), 0, fault));
    let [get, query, scan, describe, put] = proxies
        .each_ref()
        .map(|proxy| sandbox.writer_at(&proxy.url()));
    let (pk, sk) = (
        PartitionKey::Messages(conversation(1)),
        SortKey::verbatim("x"),
    );
    let item = message(
        conversation(1),
        at("2026-03-22T08:35:09.123456+00:00"),
        1,
        "x",
    );
    let mut batch = Batch::default();
    batch.put_message(&item).unwrap();
    let batch = batch.take().unwrap();
    let limit = ConcurrencyLimit::new(1);
    let (got, queried, scanned, described, put) = join5(
        get.get(&pk, &sk),
        query
            .query(Query::new(Partition::Table(pk)))
            .try_collect::<Vec<_>>(),
        scan.scan(Scan::default(), |(): &mut (), _| {})
            .try_collect::<Vec<_>>(),
        describe.describe(),
        put.put_batch(&batch, &limit, None),
    )
    .await;
    assert!(got.is_err() && queried.is_err() && scanned.is_err());
    assert!(described.is_err() && put.is_err());
    proxies.map(|proxy| proxy.operations().len())
}

/// The SDK would try three times for each of our ten.
#[tokio::test]
async fn p11_a_request_that_is_always_throttled_is_made_ten_times() {
    let sandbox = Sandbox::with_table().await;
    assert_eq!(attempts(&sandbox, Fault::Throttled).await, [10; 5]);
}

#[tokio::test]
async fn a_request_that_fails_at_the_service_is_made_three_times() {
    let sandbox = Sandbox::with_table().await;
    assert_eq!(attempts(&sandbox, Fault::ServerError).await, [3; 5]);
}

/// A retry budget that concurrent calls share would be used up by the first of them.
#[tokio::test]
async fn p11_many_throttled_requests_at_once_have_ten_attempts_each() {
    const AT_ONCE: usize = 64;
    let sandbox = Sandbox::with_table().await;
    let proxy = Proxy::failing_from(&sandbox.url(), 0, Fault::Throttled);
    let store = sandbox.store_at(&proxy.url());
    let (pk, sk) = (
        PartitionKey::Messages(conversation(1)),
        SortKey::verbatim("x"),
    );
    let gets = (0..AT_ONCE).map(|_| store.get(&pk, &sk));
    let failed = join_all(gets).await.into_iter().filter(Result::is_err);
    assert_eq!(failed.count(), AT_ONCE);
    assert_eq!(proxy.operations().len(), AT_ONCE * 10);
}
