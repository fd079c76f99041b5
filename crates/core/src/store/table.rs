//! The table itself: is it there, make it, change it, drop it.

use std::time::Duration;

use aws_sdk_dynamodb::types::{
    IndexStatus, PointInTimeRecoveryStatus, TableDescription, TableStatus,
};
use futures::stream::{self, Stream};

use super::{DynamoDb, Store, Writer};
use crate::error::{CallError, Error};
use crate::guard::Deletable;
use crate::pace::wait_until;
use crate::schema::{Shape, TableSpec};

/// Says what became of a wish to create or to delete a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableState {
    /// It was done by this call.
    Changed,
    /// It was so already.
    Unchanged,
}

impl DynamoDb {
    /// Streams the names of all tables, page by page, in the service's order.
    ///
    /// # Errors
    ///
    /// The stream ends after the first error.
    pub fn tables(&self) -> impl Stream<Item = Result<Vec<String>, CallError>> + Send + use<> {
        let dynamodb = self.clone();
        stream::try_unfold(Some(None), move |next: Option<Option<String>>| {
            let dynamodb = dynamodb.clone();
            async move {
                let Some(start) = next else {
                    return Ok(None);
                };
                let answer = dynamodb
                    .client
                    .list_tables()
                    .set_exclusive_start_table_name(start)
                    .send()
                    .await
                    .map_err(|error| CallError::new("ListTables", &dynamodb.place, error))?;
                let next = answer.last_evaluated_table_name.map(Some);
                Ok(Some((answer.table_names.unwrap_or_default(), next)))
            }
        })
    }
}

fn is_active(table: &TableDescription) -> bool {
    table.table_status() == Some(&TableStatus::Active)
        && table
            .global_secondary_indexes()
            .iter()
            .all(|index| index.index_status() == Some(&IndexStatus::Active))
}

impl Store {
    /// Describes the table; `None` where there is none.
    ///
    /// # Errors
    ///
    /// When the request fails.
    pub async fn describe(&self) -> Result<Option<TableDescription>, CallError> {
        let answer = self
            .client
            .describe_table()
            .table_name(self.table.as_str())
            .send()
            .await
            .map_err(self.failed("DescribeTable"));
        match answer {
            Ok(answer) => Ok(answer.table),
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Tells whether the table is not there, or about to be gone.
    ///
    /// # Errors
    ///
    /// When the request fails.
    pub async fn needs_creation(&self) -> Result<bool, CallError> {
        let table = self.describe().await?;
        Ok(table.is_none_or(|table| table.table_status() == Some(&TableStatus::Deleting)))
    }

    /// Tells whether the table can be brought back to a point in time.
    ///
    /// # Errors
    ///
    /// When the request fails: not every role may ask, and local engines do not know the question.
    pub async fn has_point_in_time_recovery(&self) -> Result<bool, CallError> {
        let answer = self
            .client
            .describe_continuous_backups()
            .table_name(self.table.as_str())
            .send()
            .await
            .map_err(self.failed("DescribeContinuousBackups"))?;
        let status = answer
            .continuous_backups_description()
            .and_then(|backups| backups.point_in_time_recovery_description())
            .and_then(|recovery| recovery.point_in_time_recovery_status());
        Ok(status == Some(&PointInTimeRecoveryStatus::Enabled))
    }

    async fn is_being_deleted(&self) -> Result<bool, CallError> {
        let table = self.describe().await?;
        Ok(table.is_some_and(|table| table.table_status() == Some(&TableStatus::Deleting)))
    }

    /// Waits until the table and all its indexes are ACTIVE.
    ///
    /// # Errors
    ///
    /// When a request fails, when the table is in a state that does not end, or at the deadline.
    pub async fn wait_until_active(&self, deadline: Duration) -> Result<TableDescription, Error> {
        let what = format!("{} and its index to be ACTIVE", self.place);
        wait_until(&what, deadline, self.poll, || async {
            let Some(table) = self.describe().await? else {
                return Ok(None);
            };
            self.refuse_dead_end(&table)?;
            Ok(is_active(&table).then_some(table))
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
                place: self.place.to_string(),
                status: status.as_str().to_owned(),
            }),
            _ => Ok(()),
        }
    }

    async fn wait_until_gone(&self, deadline: Duration) -> Result<(), Error> {
        let what = format!("{} to be gone", self.place);
        wait_until(&what, deadline, self.poll, || async {
            Ok(self.describe().await?.is_none().then_some(()))
        })
        .await
    }
}

impl Writer {
    /// Creates the table, unless one of that name came first, and waits until the table and its index
    /// are ACTIVE. A table that is being deleted is waited for before.
    ///
    /// # Errors
    ///
    /// When a request fails, or at the deadline.
    pub async fn create_table(
        &self,
        spec: &TableSpec,
        deadline: Duration,
    ) -> Result<TableState, Error> {
        if self.is_being_deleted().await? {
            self.wait_until_gone(deadline).await?;
        }
        let answer = spec
            .create(&self.table)
            .send_with(&self.client)
            .await
            .map_err(self.failed("CreateTable"));
        let state = match answer {
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
    /// Deletes the table, and waits until it is gone. One that is still being
    /// created or changed is waited for, one that is being deleted already is only waited for.
    ///
    /// # Errors
    ///
    /// When a request fails (a deletion protection among the reasons), or at the deadline.
    pub async fn delete_table(self, deadline: Duration) -> Result<TableState, Error> {
        let Some(found) = self.describe().await? else {
            return Ok(TableState::Unchanged);
        };
        if found.deletion_protection_enabled() == Some(true) {
            return Err(Error::DeletionProtected {
                place: self.place.to_string(),
            });
        }
        let what = format!("{} to be free for deletion", self.place);
        let state = wait_until(&what, deadline, self.poll, || async {
            let answer = self
                .client
                .delete_table()
                .table_name(self.table.as_str())
                .send()
                .await
                .map_err(self.failed("DeleteTable"));
            match answer {
                Ok(_) => Ok(Some(TableState::Changed)),
                // It was there: a reply was lost, or somebody else was faster.
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

/// Packs the parts of a table's description that people list.
#[derive(Debug, Clone, PartialEq)]
pub struct TableSummary {
    /// ACTIVE, CREATING and so on.
    pub status: String,
    /// The number of items, as of the service's last count (about every six hours on AWS).
    pub items: i64,
    /// The size in bytes, as of the same count.
    pub bytes: i64,
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
            shape: table.into(),
        }
    }
}
