//! The table that a plan or a receipt belongs to.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::guard::Guarded;
use crate::store::{Store, TableSummary};

/// A table of a target, distinguished from a table with the same name that was created later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableIdentity {
    /// The target as it is displayed: `local http://localhost:8000`.
    pub target: String,
    /// The table.
    pub table: TableId,
}

/// A table of an account and a region, or of a local endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableId {
    /// Its name.
    pub name: String,
    /// The id that DynamoDB gave it, if any.
    pub id: Option<String>,
    /// When it was created.
    pub created_at: Option<String>,
}

impl TableIdentity {
    /// Reads the identity of a store's table.
    ///
    /// # Errors
    ///
    /// If there is no such table, or the request fails.
    pub async fn of(store: &Store) -> Result<Self, Error> {
        Ok(Self::new(store, &store.describe_existing().await?))
    }

    /// Takes the identity from the description of a store's table.
    pub fn new(store: &Store, found: &TableSummary) -> Self {
        Self {
            target: store.destination().target.to_string(),
            table: TableId {
                name: store.name().to_owned(),
                id: found.id.clone(),
                created_at: found.created_at.map(|time| time.to_string()),
            },
        }
    }

    /// Returns the target without its endpoint, or `local`: a local endpoint may change its port.
    fn home(&self) -> &str {
        let target = self.target.as_str();
        match target.starts_with("local ") {
            true => "local",
            // A named endpoint is not part of it.
            false => target.split(" at ").next().unwrap_or(target),
        }
    }

    /// Checks whether this is the same table of the same target.
    pub fn is(&self, other: &Self) -> bool {
        let (ours, theirs) = (&self.table, &other.table);
        let same = match (&ours.id, &theirs.id) {
            (Some(ours), Some(theirs)) if self.home() != "local" => ours == theirs,
            _ => ours.created_at == theirs.created_at,
        };
        self.home() == other.home() && ours.name == theirs.name && same
    }
}

impl fmt::Display for TableIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.home(), self.table.name)?;
        match &self.table.created_at {
            Some(time) => write!(f, ", created at {time}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(target: &str, name: &str, id: Option<&str>, created_at: &str) -> TableIdentity {
        TableIdentity {
            target: target.to_owned(),
            table: TableId {
                name: name.to_owned(),
                id: id.map(str::to_owned),
                created_at: Some(created_at.to_owned()),
            },
        }
    }

    #[test]
    fn a_table_is_known_by_its_home_and_its_id() {
        let aws = "production account 123456789012 eu-central-1";
        let own = table(aws, "t", Some("1"), "a");
        assert!(own.is(&table(&format!("{aws} at https://x"), "t", Some("1"), "b")));
        assert!(!own.is(&table(aws, "t", Some("2"), "a")));
        assert!(!own.is(&table(aws, "u", Some("1"), "a")));
        assert!(!own.is(&table(&aws.replace('9', "8"), "t", Some("1"), "a")));
        assert!(!own.is(&table("local http://localhost:8000", "t", Some("1"), "a")));
        let local = table("local http://localhost:8000", "t", None, "a");
        assert!(local.is(&table("local http://localhost:9000", "t", Some("1"), "a")));
        assert!(!local.is(&table("local http://localhost:8000", "t", None, "b")));
    }
}
