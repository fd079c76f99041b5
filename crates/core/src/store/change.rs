//! Changing the table in place: only the changes that were allowed.

use std::time::Duration;

use super::Store;
use crate::error::{Destination, Error};
use crate::guard::Changeable;
use crate::retry::wait_until;
use crate::schema::{Change, Plan, TableSpec};

/// The reason why a table was not changed, or not completely.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The table is not the same as when the changes were allowed. Nothing was changed.
    #[error(
        "{destination}: the table was changed by somebody else meanwhile; nothing was changed here"
    )]
    Stale {
        /// The table, and the target that it is on.
        destination: Destination,
    },
    /// A request failed, or a wait ended at its deadline.
    #[error("{error}")]
    Failed {
        /// The number of changes made before.
        made: usize,
        /// The number of changes planned.
        of: usize,
        /// The error.
        error: Error,
    },
}

impl ChangeError {
    fn before(error: impl Into<Error>) -> Self {
        Self::Failed {
            made: 0,
            of: 0,
            error: error.into(),
        }
    }
}

impl Changeable<Store> {
    /// Makes the changes that were allowed, each after the table and its index are ACTIVE again. The
    /// table is described again before the first change, because the operator may have taken long to
    /// answer.
    ///
    /// # Errors
    ///
    /// [`ChangeError::Stale`] if `spec` now needs other changes. Nothing was changed in that case.
    pub async fn change_table(
        self,
        spec: &TableSpec,
        deadline: Duration,
    ) -> Result<(), ChangeError> {
        let found = self.wait_until_active(deadline).await;
        let found = found.map_err(ChangeError::before)?;
        match spec.plan(&found) {
            Plan::InPlace(changes) if changes == *self.changes() => {}
            Plan::InPlace(_) | Plan::Impossible(_) => {
                return Err(ChangeError::Stale {
                    destination: self.destination.clone(),
                });
            }
        }
        let of = self.changes().len();
        for (made, change) in self.changes().iter().enumerate() {
            let changed = self.make(change, deadline).await;
            changed.map_err(|error| ChangeError::Failed { made, of, error })?;
        }
        Ok(())
    }

    async fn make(&self, change: &Change, deadline: Duration) -> Result<(), Error> {
        let what = format!("{} to take a change", self.destination);
        wait_until(&what, deadline, self.poll, || async {
            let update = || change.request(&self.table).send_with(&self.client);
            match self.ask("UpdateTable", update).await {
                Ok(_) => Ok(Some(())),
                // A description may say ACTIVE before the last change is complete.
                Err(error) if error.is_passing_for_tables() => Ok(None),
                Err(error) => Err(error.into()),
            }
        })
        .await?;
        self.wait_until_active(deadline).await?;
        Ok(())
    }
}
