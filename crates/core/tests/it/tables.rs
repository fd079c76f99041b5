//! Creating, changing and dropping the table.

use std::num::NonZeroU32;
use std::time::Duration;

use ddb_core::Error;
use ddb_core::schema::{Billing, Capacity, Change, GROUP_INDEX, Plan, Shape, TableSpec};
use ddb_core::store::{ChangeError, TableState};
use ddb_test_support::Sandbox;
use futures::TryStreamExt;

const DEADLINE: Duration = Duration::from_secs(30);

async fn shape(sandbox: &Sandbox) -> Shape {
    sandbox.store().wait_until_active(DEADLINE).await.unwrap()
}

#[tokio::test]
async fn a_created_table_is_what_was_wanted() {
    for spec in specs() {
        let sandbox = Sandbox::new();
        let writer = sandbox.writer();
        let first = writer.create_table(&spec, DEADLINE).await.unwrap();
        assert_eq!(first, TableState::Changed);
        assert_eq!(spec.shape().differences(&shape(&sandbox).await), []);
        let second = writer.create_table(&spec, DEADLINE).await.unwrap();
        assert_eq!(second, TableState::Unchanged);
    }
}

fn specs() -> Vec<TableSpec> {
    let capacity = |read: u32, write: u32| {
        Billing::Provisioned(Capacity {
            read: NonZeroU32::new(read).unwrap(),
            write: NonZeroU32::new(write).unwrap(),
        })
    };
    let mut specs = Vec::new();
    for billing in [Billing::OnDemand, capacity(5, 5), capacity(7, 3)] {
        for stream in [true, false] {
            specs.push(TableSpec { billing, stream });
        }
    }
    specs
}

/// A table of any kind is changed into any other, by the planned calls.
#[tokio::test]
async fn a_table_is_changed_in_place_into_any_other() {
    let specs = specs();
    let sandbox = Sandbox::new();
    sandbox
        .writer()
        .create_table(&specs[0], DEADLINE)
        .await
        .unwrap();
    for (from, to) in [(0, 3), (3, 5), (5, 2), (2, 4), (4, 1), (1, 2), (2, 0)] {
        let found = shape(&sandbox).await;
        assert_eq!(specs[from].shape().differences(&found), []);
        let Plan::InPlace(changes) = specs[to].plan(&found) else {
            panic!("{found:?}");
        };
        let allowed = sandbox.changeable(changes.clone());
        let changed = allowed.change_table(&specs[to], DEADLINE).await;
        changed.unwrap();
        let differences = specs[to].shape().differences(&shape(&sandbox).await);
        assert_eq!(differences, [], "{changes:?}");
    }
}

#[tokio::test]
async fn a_lost_index_is_made_again() {
    let sandbox = Sandbox::with_table().await;
    let spec = TableSpec::default();
    let delete = Change::DeleteIndex(GROUP_INDEX.to_owned());
    let delete = delete.request(sandbox.table());
    delete.send_with(&sandbox.client()).await.unwrap();
    let found = shape(&sandbox).await;
    assert_eq!(spec.shape().differences(&found)[0].found, "absent");
    let Plan::InPlace(changes) = spec.plan(&found) else {
        panic!();
    };
    let allowed = sandbox.changeable(changes);
    let changed = allowed.change_table(&spec, DEADLINE).await;
    changed.unwrap();
    assert_eq!(spec.shape().differences(&shape(&sandbox).await), []);
}

/// The permission is for a table that has changed since, so nothing is changed.
#[tokio::test]
async fn p06_a_table_that_changed_since_the_question_is_left_alone() {
    let sandbox = Sandbox::with_table().await;
    let spec = TableSpec {
        stream: false,
        ..TableSpec::default()
    };
    let Plan::InPlace(changes) = spec.plan(&shape(&sandbox).await) else {
        panic!();
    };
    let allowed = sandbox.changeable(changes);
    // Somebody else renews the stream, so the change would turn off a different one.
    for change in [Change::StreamOff { arn: None }, Change::StreamOn] {
        let request = change.request(sandbox.table());
        request.send_with(&sandbox.client()).await.unwrap();
    }
    let renewed = shape(&sandbox).await;
    let stale = allowed.change_table(&spec, DEADLINE).await;
    assert!(matches!(stale, Err(ChangeError::Stale { .. })), "{stale:?}");
    assert_eq!(shape(&sandbox).await, renewed);
    // A change that somebody else has made is not made twice.
    let Plan::InPlace(changes) = spec.plan(&renewed) else {
        panic!();
    };
    let changed = sandbox.changeable(changes.clone());
    changed.change_table(&spec, DEADLINE).await.unwrap();
    let twice = sandbox.changeable(changes);
    let twice = twice.change_table(&spec, DEADLINE).await;
    assert!(matches!(twice, Err(ChangeError::Stale { .. })), "{twice:?}");
}

#[tokio::test]
async fn a_dropped_table_is_gone() {
    let sandbox = Sandbox::with_table().await;
    let store = sandbox.store();
    let first = sandbox.deletable().delete_table(DEADLINE).await;
    assert_eq!(first.unwrap(), TableState::Changed);
    assert!(store.describe().await.unwrap().is_none());
    let second = sandbox.deletable().delete_table(DEADLINE).await;
    assert_eq!(second.unwrap(), TableState::Unchanged);
}

/// Amazon's DynamoDB Local has no deletion protection, so this uses the embedded engine.
#[tokio::test]
async fn p07_a_protected_table_is_left_alone() {
    let sandbox = Sandbox::embedded();
    sandbox.create_table().await;
    sandbox.protect().await;
    let error = sandbox.deletable().delete_table(DEADLINE).await;
    assert!(
        matches!(error, Err(Error::DeletionProtected { .. })),
        "{error:?}"
    );
    let table = sandbox.store().describe().await.unwrap().unwrap();
    assert!(table.deletion_protected);
}

/// ListTables returns at most 100 names per page.
#[tokio::test]
async fn all_pages_of_tables_are_listed() {
    let sandbox = Sandbox::new();
    let spec = TableSpec {
        billing: Billing::OnDemand,
        stream: false,
    };
    let mut names: Vec<String> = Vec::new();
    for n in 0..103 {
        let name: ddb_core::schema::TableName =
            format!("{}-{n:03}", sandbox.table()).parse().unwrap();
        spec.create(&name)
            .send_with(&sandbox.client())
            .await
            .unwrap();
        names.push(name.to_string());
    }
    let listed: Vec<String> = sandbox.dynamodb().tables().try_concat().await.unwrap();
    let own: Vec<String> = listed
        .into_iter()
        .filter(|name| name.starts_with(sandbox.table().as_str()))
        .collect();
    assert_eq!(own, names);
}
