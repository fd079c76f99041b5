//! The users of the pool, matched with those of the database.

use ddb_people::cognito::{Reconciliation, UserPool};
use ddb_people::users::{Address, Database, UsersError};
use futures::TryStreamExt;

use crate::failure::Failure;

/// Reads both sides at the same time, and matches them.
pub async fn matched(
    cognito: &UserPool,
    database: &Database,
    address: &Address,
) -> Result<Reconciliation, Failure> {
    let pool = async {
        let users: Vec<_> = cognito.users(None).try_concat().await?;
        Ok::<_, Failure>(users)
    };
    let rows = async {
        let rows = database.identities().await;
        Ok(rows.map_err(UsersError::of_database(address))?)
    };
    let (users, rows) = futures::try_join!(pool, rows)?;
    Ok(Reconciliation::new(&users, &rows))
}
