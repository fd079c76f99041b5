//! The table before it is changed.

use std::num::NonZeroU32;

use ddb_core::changes::{Head, PlanWriter, Summary, TableIdentity};
use ddb_core::schema::{Billing, Shape};
use ddb_core::store::Store;
use ddb_core::timestamp::Timestamp;

use crate::failure::Failure;
use crate::version;

/// What is known about the table before it is changed.
#[derive(Debug)]
pub struct Ground {
    head: Head,
    shape: Shape,
}

impl Ground {
    /// Describes the table. `command` is the command with the options that decide what it does.
    ///
    /// # Errors
    ///
    /// There is no such table, or the request fails.
    pub async fn of(store: &Store, command: Vec<String>) -> Result<Self, Failure> {
        let found = store.describe_existing().await?;
        let tool = format!("ddb {}", version::NUMBER);
        let table = TableIdentity::new(store, &found);
        Ok(Self {
            head: Head::new(&tool, command, table, Timestamp::now()),
            shape: found.shape,
        })
    }

    /// Starts a plan.
    ///
    /// # Errors
    ///
    /// The plan cannot be written.
    pub fn plan(&self) -> Result<PlanWriter, Failure> {
        Ok(PlanWriter::begin(self.head.clone())?)
    }

    /// Returns the first line of the plan and the receipt.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Returns the table's write capacity units per second, or `None` if it is billed on demand.
    pub(super) fn capacity(&self) -> Option<NonZeroU32> {
        match self.shape.billing {
            Billing::Provisioned(capacity) => Some(capacity.write),
            Billing::OnDemand => None,
        }
    }

    /// Checks whether a plan puts messages that readers of the table's stream see as new ones.
    pub(super) fn puts_into_stream(&self, plan: &Summary) -> bool {
        plan.messages_put > 0 && self.shape.stream.is_some()
    }
}
