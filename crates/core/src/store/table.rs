//! The table itself: describing, creating and deleting it.

use std::time::Duration;

use aws_sdk_dynamodb::types::{
    IndexStatus, PointInTimeRecoveryStatus, TableDescription, TableStatus,
};
use futures::stream::Stream;

use super::{DynamoDb, Store, Writer};
use crate::error::{CallError, Error};
use crate::guard::Deletable;
use crate::pages::pages;
use crate::retry::{ask, wait_until};
use crate::schema::{Shape, TableSpec};
use crate::timestamp::Timestamp;

/// The result of a request to create or to delete a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableState {
    /// This call created or deleted it.
    Changed,
    /// There was nothing to do.
    Unchanged,
}

impl DynamoDb {
    /// Streams the names of all tables, page by page, in the service's order.
    pub fn tables(&self) -> impl Stream<Item = Result<Vec<String>, CallError>> + Send + use<> {
        const OPERATION: &str = "ListTables";
        let dynamodb = self.clone();
        pages(
            OPERATION,
            &self.destination,
            move |start: Option<String>| {
                let dynamodb = dynamodb.clone();
                async move {
                    let request = dynamodb.client.list_tables();
                    let request = request.set_exclusive_start_table_name(start);
                    let answer =
                        ask(OPERATION, &dynamodb.destination, || request.clone().send()).await?;
                    Ok((
                        answer.table_names.unwrap_or_default(),
                        answer.last_evaluated_table_name,
                    ))
                }
            },
        )
    }
}

const DESCRIBE: &str = "DescribeTable";

fn is_active(table: &TableDescription) -> bool {
    table.table_status() == Some(&TableStatus::Active)
        && table
            .global_secondary_indexes()
            .iter()
            .all(|index| index.index_status() == Some(&IndexStatus::Active))
}

impl Store {
    /// Describes the table. Returns `None` if there is none.
    pub async fn describe(&self) -> Result<Option<TableSummary>, CallError> {
        let table = self.description().await?;
        Ok(table.as_ref().map(TableSummary::from))
    }

    /// Describes the table, which has to exist.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchTable`] if there is none, or the error of the request.
    pub async fn describe_existing(&self) -> Result<TableSummary, Error> {
        self.describe().await?.ok_or_else(|| Error::NoSuchTable {
            destination: self.destination.clone(),
        })
    }

    pub(crate) async fn description(&self) -> Result<Option<TableDescription>, CallError> {
        let request = self.client.describe_table();
        let request = request.table_name(self.table.as_str());
        match self.ask(DESCRIBE, || request.clone().send()).await {
            Ok(answer) => Ok(answer.table),
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Checks whether the table does not exist, or is being deleted.
    pub async fn needs_creation(&self) -> Result<bool, CallError> {
        let table = self.description().await?;
        Ok(table.is_none_or(|table| table.table_status() == Some(&TableStatus::Deleting)))
    }

    /// Checks whether the table can be restored to a point in time.
    ///
    /// # Errors
    ///
    /// If the request fails: not every role has the permission, and local engines do not support the operation.
    pub async fn has_point_in_time_recovery(&self) -> Result<bool, CallError> {
        let request = self.client.describe_continuous_backups();
        let request = request.table_name(self.table.as_str());
        let sent = self.ask("DescribeContinuousBackups", || request.clone().send());
        let answer = sent.await?;
        let status = answer
            .continuous_backups_description()
            .and_then(|backups| backups.point_in_time_recovery_description())
            .and_then(|recovery| recovery.point_in_time_recovery_status());
        Ok(status == Some(&PointInTimeRecoveryStatus::Enabled))
    }

    async fn is_being_deleted(&self) -> Result<bool, CallError> {
        let table = self.description().await?;
        Ok(table.is_some_and(|table| table.table_status() == Some(&TableStatus::Deleting)))
    }

    /// Waits until the table and all its indexes are ACTIVE, and returns its shape.
    ///
    /// # Errors
    ///
    /// If a request fails, if the table is in a state that does not end, or at the deadline.
    pub async fn wait_until_active(&self, deadline: Duration) -> Result<Shape, Error> {
        let what = format!("{} and its index to be ACTIVE", self.destination);
        wait_until(&what, deadline, self.poll, || async {
            let Some(table) = self.description().await? else {
                return Ok(None);
            };
            self.refuse_dead_end(&table)?;
            Ok(is_active(&table).then(|| Shape::from(&table)))
        })
        .await
    }

    fn refuse_dead_end(&self, table: &TableDescription) -> Result<(), Error> {
        match table.table_status() {
            Some(
                status @ (TableStatus::Archiving
                | TableStatus::Archived
                | TableStatus::InaccessibleEncryptionCredentials),
            ) => Err(Error::TableStatus {
                destination: self.destination.clone(),
                status: status.as_str().to_owned(),
            }),
            _ => Ok(()),
        }
    }

    async fn wait_until_gone(&self, deadline: Duration) -> Result<(), Error> {
        let what = format!("{} to be gone", self.destination);
        wait_until(&what, deadline, self.poll, || async {
            Ok(self.description().await?.is_none().then_some(()))
        })
        .await
    }
}

impl Writer {
    /// Creates the table, unless there is one of that name already, and waits until the table and its index
    /// are ACTIVE. If a table of that name is being deleted, this first waits until it is gone.
    ///
    /// # Errors
    ///
    /// If a request fails, or at the deadline.
    pub async fn create_table(
        &self,
        spec: &TableSpec,
        deadline: Duration,
    ) -> Result<TableState, Error> {
        if self.is_being_deleted().await? {
            self.wait_until_gone(deadline).await?;
        }
        let create = || spec.create(&self.table).send_with(&self.client);
        let state = match self.ask("CreateTable", create).await {
            Ok(_) => TableState::Changed,
            // Somebody else was faster.
            Err(error) if error.code() == Some("ResourceInUseException") => TableState::Unchanged,
            Err(error) => return Err(error.into()),
        };
        self.wait_until_active(deadline).await?;
        Ok(state)
    }
}

impl Deletable<Store> {
    /// Deletes the table and waits until it is gone. If it is still being created or changed, this first waits
    /// until that ends. If it is already being deleted, this only waits.
    ///
    /// # Errors
    ///
    /// If a request fails, if the table has deletion protection, or at the deadline.
    pub async fn delete_table(self, deadline: Duration) -> Result<TableState, Error> {
        let Some(found) = self.describe().await? else {
            return Ok(TableState::Unchanged);
        };
        if found.deletion_protected {
            return Err(Error::DeletionProtected {
                destination: self.destination.clone(),
            });
        }
        let what = format!("{} to be free for deletion", self.destination);
        let state = wait_until(&what, deadline, self.poll, || async {
            let request = self.client.delete_table().table_name(self.table.as_str());
            match self.ask("DeleteTable", || request.clone().send()).await {
                Ok(_) => Ok(Some(TableState::Changed)),
                // The table existed before: a reply was lost, or somebody else was faster.
                Err(error) if error.is_missing() => Ok(Some(TableState::Changed)),
                Err(error) if error.code() == Some("ResourceInUseException") => {
                    let deleting = self.is_being_deleted().await?;
                    Ok(deleting.then_some(TableState::Changed))
                }
                Err(error) => Err(error.into()),
            }
        })
        .await?;
        self.wait_until_gone(deadline).await?;
        Ok(state)
    }
}

/// The parts of a table's description that this project needs.
#[derive(Debug, Clone, PartialEq)]
pub struct TableSummary {
    /// ACTIVE, CREATING and so on.
    pub status: String,
    /// The number of items, as of the service's last count (about every six hours on AWS).
    pub items: i64,
    /// The size in bytes, as of the same count.
    pub bytes: i64,
    /// Whether the table has deletion protection.
    pub deletion_protected: bool,
    /// The id that the service gave it, or `None` on some local engines.
    pub id: Option<String>,
    /// When it was created.
    pub created_at: Option<Timestamp>,
    /// Keys, billing, stream and indexes.
    pub shape: Shape,
}

impl From<&TableDescription> for TableSummary {
    fn from(table: &TableDescription) -> Self {
        Self {
            status: table
                .table_status()
                .map(|status| status.as_str().to_owned())
                .unwrap_or_default(),
            items: table.item_count().unwrap_or_default(),
            bytes: table.table_size_bytes().unwrap_or_default(),
            deletion_protected: table.deletion_protection_enabled() == Some(true),
            id: table.table_id().map(str::to_owned),
            created_at: table.creation_date_time().and_then(|time| {
                // The service has milliseconds. More digits would be an artefact of its floats.
                Timestamp::from_micros(time.to_millis().ok()?.checked_mul(1_000)?)
            }),
            shape: table.into(),
        }
    }
}
