//! Matches the users of a pool with those of the database, by handle.

use std::collections::BTreeMap;

use super::CognitoUser;

/// One user of the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// `handle`.
    pub handle: String,
    /// `cognito_user_id`, if there is one.
    pub cognito_user_id: Option<String>,
}

/// A row whose Cognito id differs from the pool's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The handle of the row.
    pub handle: String,
    /// The current id.
    pub from: Option<String>,
    /// The `sub` of the pool's user.
    pub to: String,
}

/// How the pool and the database match. Every user of either side is in exactly one of the lists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reconciliation {
    /// Rows that have to change.
    pub changes: Vec<Change>,
    /// Handles whose row has the right id.
    pub unchanged: Vec<String>,
    /// Handles of the pool that no row has.
    pub unmatched_in_pool: Vec<String>,
    /// Handles of rows that no user of the pool has.
    pub unmatched_in_database: Vec<String>,
    /// Names of users of the pool that have no handle, or no `sub`.
    pub without_handle: Vec<String>,
    /// Handles that several users of the pool, or several rows, have. None of them is picked.
    pub ambiguous: Vec<String>,
}

impl Reconciliation {
    /// Matches the two sides.
    pub fn new(pool: &[CognitoUser], database: &[Identity]) -> Self {
        let mut result = Self::default();
        let mut subs: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for user in pool {
            match (&user.handle, &user.sub) {
                (Some(handle), Some(sub)) => subs.entry(handle).or_default().push(sub),
                _ => result.without_handle.push(user.username.clone()),
            }
        }
        let mut rows: BTreeMap<&str, Vec<&Identity>> = BTreeMap::new();
        for row in database {
            rows.entry(&row.handle).or_default().push(row);
        }

        for (handle, subs) in &subs {
            let list = match (
                subs.as_slice(),
                rows.get(handle).map_or(&[][..], Vec::as_slice),
            ) {
                ([sub], [row]) if row.cognito_user_id.as_deref() == Some(sub) => {
                    &mut result.unchanged
                }
                ([sub], [row]) => {
                    result.changes.push(Change {
                        handle: row.handle.clone(),
                        from: row.cognito_user_id.clone(),
                        to: (*sub).to_owned(),
                    });
                    continue;
                }
                ([_], []) => &mut result.unmatched_in_pool,
                _ => &mut result.ambiguous,
            };
            list.push((*handle).to_owned());
        }
        for (handle, rows) in &rows {
            if subs.contains_key(handle) {
                continue;
            }
            let list = match rows.as_slice() {
                [_] => &mut result.unmatched_in_database,
                _ => &mut result.ambiguous,
            };
            list.push((*handle).to_owned());
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn user(handle: Option<&str>, sub: &str) -> CognitoUser {
        CognitoUser {
            handle: handle.map(str::to_owned),
            sub: Some(sub.to_owned()),
            username: format!("u-{sub}"),
            email: None,
            status: "CONFIRMED".to_owned(),
            enabled: true,
        }
    }

    fn row(handle: &str, id: &str) -> Identity {
        Identity {
            handle: handle.to_owned(),
            cognito_user_id: Some(id.to_owned()),
        }
    }

    #[test]
    fn every_user_is_in_one_list() {
        let pool = [
            user(Some("new"), "1"),
            user(Some("same"), "2"),
            user(Some("only-pool"), "3"),
            user(None, "4"),
            user(Some("twin"), "5"),
            user(Some("twin"), "6"),
            user(Some("double"), "7"),
        ];
        let database = [
            row("new", "MOCK"),
            row("same", "2"),
            row("only-database", "MOCK"),
            row("twin", "MOCK"),
            row("double", "MOCK"),
            row("double", "MOCK"),
            row("lonely-double", "MOCK"),
            row("lonely-double", "MOCK"),
        ];
        let result = Reconciliation::new(&pool, &database);
        assert_eq!(
            result.changes,
            [Change {
                handle: "new".into(),
                from: Some("MOCK".into()),
                to: "1".into()
            }]
        );
        assert_eq!(result.unchanged, ["same"]);
        assert_eq!(result.unmatched_in_pool, ["only-pool"]);
        assert_eq!(result.unmatched_in_database, ["only-database"]);
        assert_eq!(result.without_handle, ["u-4"]);
        assert_eq!(result.ambiguous, ["double", "twin", "lonely-double"]);
    }

    proptest! {
        /// After the changes, nothing is left to change. The order of the users and the rows does not matter.
        #[test]
        fn p25_a_second_run_changes_nothing(
            pool in prop::collection::vec((0u8..12, 0u8..40), 0..20),
            rows in prop::collection::vec((0u8..12, 0u8..40), 0..20),
        ) {
            let pool: Vec<CognitoUser> = pool
                .iter()
                .map(|(handle, sub)| user(Some(&handle.to_string()), &sub.to_string()))
                .collect();
            let mut rows: Vec<Identity> =
                rows.iter().map(|(handle, id)| row(&handle.to_string(), &id.to_string())).collect();
            let first = Reconciliation::new(&pool, &rows);
            let mut turned = pool.clone();
            turned.reverse();
            rows.reverse();
            prop_assert_eq!(&Reconciliation::new(&turned, &rows), &first);
            for change in &first.changes {
                let mut same = rows.iter_mut().filter(|row| row.handle == change.handle);
                let row = same.next().unwrap();
                prop_assert_eq!(&row.cognito_user_id, &change.from);
                row.cognito_user_id = Some(change.to.clone());
                prop_assert!(same.next().is_none());
            }
            let second = Reconciliation::new(&pool, &rows);
            prop_assert!(second.changes.is_empty());
            prop_assert_eq!(second.unchanged.len(), first.unchanged.len() + first.changes.len());
        }
    }
}
