//! Reads the Cognito ids of the users table, and writes them in one transaction.

use super::{Database, DatabaseWriter, PostgresError, bounded};
use crate::cognito::{Change, Identity};

const READ: &str = "\
SELECT r->>'handle', r->>'cognito_user_id'
FROM (SELECT to_jsonb(u) AS r FROM public.users u) rows
WHERE r->>'handle' IS NOT NULL ORDER BY 1, 2";

/// A row is written only if it has not changed since it was read. Handles that repeat are never passed, so the
/// join cannot pick a row at random. JSON gives the value the type of its column, which may not be text in an
/// older schema.
const WRITE: &str = "\
UPDATE public.users AS u SET cognito_user_id = (jsonb_populate_record(
    NULL::public.users, jsonb_build_object('cognito_user_id', c.wanted))).cognito_user_id
FROM unnest($1::text[], $2::text[], $3::text[]) AS c (handle, was, wanted)
WHERE to_jsonb(u)->>'handle' = c.handle
  AND to_jsonb(u)->>'cognito_user_id' IS NOT DISTINCT FROM c.was";

impl Database {
    /// Reads the handle and the Cognito id of every user that has a handle.
    pub async fn identities(&self) -> Result<Vec<Identity>, PostgresError> {
        let rows = bounded(self.client.query(READ, &[])).await?;
        rows.iter()
            .map(|row| {
                let field = |index: usize| {
                    row.try_get::<_, Option<String>>(index)
                        .map_err(|error| PostgresError::new(&error))
                };
                Ok(Identity {
                    handle: field(0)?.unwrap_or_default(),
                    cognito_user_id: field(1)?,
                })
            })
            .collect()
    }
}

impl DatabaseWriter {
    /// Writes all changes in one transaction, or none: it checks that no row has changed since it was
    /// read.
    ///
    /// # Errors
    ///
    /// [`PostgresError::Changed`] if rows changed in the meantime, and the server's errors. Nothing was written
    /// then.
    pub async fn set_identities(&mut self, changes: &[Change]) -> Result<(), PostgresError> {
        let handles: Vec<&str> = changes
            .iter()
            .map(|change| change.handle.as_str())
            .collect();
        let was: Vec<Option<&str>> = changes
            .iter()
            .map(|change| change.from.as_deref())
            .collect();
        let wanted: Vec<&str> = changes.iter().map(|change| change.to.as_str()).collect();
        let transaction = bounded(self.0.client.transaction()).await?;
        let found = bounded(transaction.execute(WRITE, &[&handles, &was, &wanted])).await?;
        let expected = changes.len() as u64;
        if found != expected {
            // Dropping the transaction rolls it back.
            return Err(PostgresError::Changed { expected, found });
        }
        bounded(transaction.commit()).await
    }
}
