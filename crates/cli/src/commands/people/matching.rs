//! The users of the pool beside those of the database.

use ddb_people::directory::{Directory, Reconciliation};
use ddb_people::users::{Address, Database, UsersError};
use futures::TryStreamExt;

use crate::failure::Failure;

/// Both sides, read and matched.
pub struct Matching {
    /// The database.
    pub database: Database,
    /// What was found.
    pub found: Reconciliation,
}

impl Matching {
    /// Reads both sides side by side.
    pub async fn open(directory: &Directory, address: &Address) -> Result<Self, Failure> {
        let of_database = || UsersError::of_database(address);
        let pool = async {
            let users: Vec<_> = directory.users(None).try_concat().await?;
            Ok::<_, Failure>(users)
        };
        let rows = async {
            let database = Database::connect(address).await.map_err(of_database())?;
            let rows = database.identities().await.map_err(of_database())?;
            Ok::<_, Failure>((database, rows))
        };
        let (users, (database, rows)) = futures::try_join!(pool, rows)?;
        Ok(Self {
            database,
            found: Reconciliation::new(&users, &rows),
        })
    }
}
