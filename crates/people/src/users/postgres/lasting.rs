//! A connection that is made again if it breaks, for programs that run longer than a database server.

use std::sync::Arc;

use tokio::sync::RwLock;

use super::super::User;
use super::{Address, Database, PostgresError, Wanted};

/// A users table that is read for as long as a program runs.
#[derive(Debug)]
pub(in super::super) struct Lasting {
    address: Address,
    shown: String,
    open: RwLock<Arc<Database>>,
}

impl Lasting {
    /// Connects, as [`Database::connect`] does.
    pub async fn connect(address: Address) -> Result<Self, PostgresError> {
        let database = Database::connect(&address).await?;
        Ok(Self {
            shown: database.shown().to_owned(),
            open: RwLock::new(Arc::new(database)),
            address,
        })
    }

    /// Returns the host and the name of the database, for display.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// Finds users. If the connection is lost, asks once more on a new one: reading twice is safe.
    pub async fn find(&self, wanted: Wanted<'_>) -> Result<Vec<User>, PostgresError> {
        let database = Arc::clone(&*self.open.read().await);
        match database.find(wanted).await {
            Err(error) if error.is_end() => self.renewed(&database).await?.find(wanted).await,
            found => found,
        }
    }

    /// Returns a connection to replace a broken one. Of all the callers that lost it, the first makes the new one.
    async fn renewed(&self, broken: &Arc<Database>) -> Result<Arc<Database>, PostgresError> {
        let mut open = self.open.write().await;
        if Arc::ptr_eq(&open, broken) {
            *open = Arc::new(Database::connect(&self.address).await?);
        }
        Ok(Arc::clone(&open))
    }
}
