//! Looks up what is stored at a local endpoint, for somebody who waits at a prompt.

use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use ddb_core::connect::{Target, TargetOptions};
use ddb_core::environment::{Environment, Given};
use ddb_core::item::RawItem;
use ddb_core::key::{PartitionKey, UserId};
use ddb_core::schema::{DEFAULT_TABLE, TableName, attribute};
use ddb_core::store::{Direction, Partition, Query};
use ddb_people::users::{DatabaseOptions, Users, UsersOptions, UsersPlan};
use futures::TryStreamExt;

use crate::common::duration;

/// The longest wait, whatever has to be looked up; `DDB_COMPLETE_TIMEOUT` changes it.
const PATIENCE: Duration = Duration::from_millis(300);

fn patience() -> Duration {
    let environment = Environment::of_process();
    let given = environment.get("DDB_COMPLETE_TIMEOUT").ok().flatten();
    given
        .and_then(|text| duration(text).ok())
        .unwrap_or(PATIENCE)
}

/// The maximum number of tables and conversations that are offered.
const MOST: usize = 100;

/// The kind of thing to look up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Tables,
    Conversations,
    Handles,
}

/// Something that is stored: how it is typed, and a description.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub value: String,
    pub about: String,
}

/// Looks up what is stored at the target of the command line. Production is never asked.
#[derive(Debug)]
pub(super) struct Lookup {
    words: Vec<String>,
    /// The last result, because the same argument may be completed more than once.
    found: Mutex<Option<(Wanted, Vec<Found>)>>,
}

impl Lookup {
    /// Takes the words of the command line.
    pub fn new(words: &[String]) -> Self {
        Self {
            words: words.to_vec(),
            found: Mutex::new(None),
        }
    }

    /// Returns what is stored, or nothing if it is not available in time, for whatever reason.
    pub fn find(&self, wanted: Wanted) -> Vec<Found> {
        if self.words.iter().any(|word| word == "--prod") {
            return Vec::new();
        }
        let Ok(mut known) = self.found.lock() else {
            return Vec::new();
        };
        if let Some((_, found)) = known.as_ref().filter(|(what, _)| *what == wanted) {
            return found.clone();
        }
        let found = self.ask(wanted);
        *known = Some((wanted, found.clone()));
        found
    }

    fn ask(&self, wanted: Wanted) -> Vec<Found> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let Ok(runtime) = runtime else {
            return Vec::new();
        };
        let found = runtime.block_on(async {
            let found = tokio::time::timeout(patience(), self.look(wanted));
            found.await.ok().flatten().unwrap_or_default()
        });
        // Does not wait for a name that is still being resolved.
        runtime.shutdown_background();
        found
    }

    async fn look(&self, wanted: Wanted) -> Option<Vec<Found>> {
        let environment = Environment::of_process();
        let target = self.target(&environment).await?;
        if wanted == Wanted::Tables {
            let mut pages = std::pin::pin!(target.dynamodb().tables());
            let mut tables = Vec::new();
            while let Some(page) = pages.try_next().await.ok()? {
                tables.extend(page.into_iter().map(|name| Found {
                    value: name.to_string(),
                    about: String::new(),
                }));
                if tables.len() >= MOST {
                    break;
                }
            }
            return Some(tables);
        }
        let me = self.me(&environment).await?;
        let rows = self.rows(&target, me, &environment).await?;
        Some(match wanted {
            Wanted::Conversations => rows.iter().filter_map(conversation).collect(),
            _ => {
                let mut handles: Vec<Found> = rows.iter().filter_map(person).collect();
                handles.sort_by(|one, other| one.value.cmp(&other.value));
                handles.dedup_by(|one, other| one.value == other.value);
                handles
            }
        })
    }

    /// Finds the local endpoint of the command line.
    async fn target(&self, environment: &Environment) -> Option<Target> {
        let endpoint_url = self.option("--endpoint-url").map(|value| Given {
            origin: "--endpoint-url",
            value,
        });
        let region = self.option("--region").map(|value| Given {
            origin: "--region",
            value,
        });
        let options = TargetOptions {
            endpoint_url,
            region,
            ..TargetOptions::default()
        };
        Target::resolve(&options, environment).await.ok()
    }

    /// Returns the value of an option that was typed before the cursor.
    fn option(&self, name: &str) -> Option<&str> {
        let (_, before) = self.words.split_last()?;
        let mut words = before.iter();
        while let Some(word) = words.next() {
            if word == name {
                return words.next().map(String::as_str);
            }
            if let Some(value) = word
                .strip_prefix(name)
                .and_then(|rest| rest.strip_prefix('='))
            {
                return Some(value);
            }
        }
        None
    }

    /// Finds the person who types, among users that are on this machine.
    async fn me(&self, environment: &Environment) -> Option<UserId> {
        let handle = match self.option("--me").or_else(|| self.option("--from")) {
            Some(handle) => handle,
            None => environment.get("DDB_ME").ok()?.unwrap_or("andrewbrown"),
        };
        let options = UsersOptions {
            file: self.option("--users").map(Path::new),
            database: DatabaseOptions {
                url: self.option("--database-url").map(|value| Given {
                    origin: "--database-url",
                    value,
                }),
                ca: None,
            },
            production: false,
        };
        let plan = UsersPlan::choose(&options, environment).ok()?;
        let users: Users = match plan {
            UsersPlan::Postgres(address) if address.is_production() => return None,
            plan => plan.open().await.ok()?,
        };
        Some(users.named(&handle.parse().ok()?).await.ok()?.uuid)
    }

    async fn rows(
        &self,
        target: &Target,
        me: UserId,
        environment: &Environment,
    ) -> Option<Vec<RawItem>> {
        let table = match self.option("--table") {
            Some(table) => table,
            None => environment
                .get("DDB_MESSAGE_TABLE")
                .ok()?
                .unwrap_or(DEFAULT_TABLE),
        };
        let table: TableName = table.parse().ok()?;
        let query = Query::new(Partition::Table(PartitionKey::Rows(me)))
            .direction(Direction::Descending)
            .page_size(MOST as u32);
        let mut pages = std::pin::pin!(target.store(table).query(query));
        Some(pages.try_next().await.ok()??.items)
    }
}

fn text<'a>(row: &'a RawItem, name: &str) -> Option<&'a str> {
    row.get(name)?.as_s().ok().map(String::as_str)
}

fn conversation(row: &RawItem) -> Option<Found> {
    let with = text(row, attribute::USER_HANDLE).unwrap_or("?");
    let message = text(row, attribute::MESSAGE).unwrap_or_default();
    Some(Found {
        value: text(row, attribute::MESSAGE_GROUP_UUID)?.to_owned(),
        about: format!("{with}: {message}").chars().take(60).collect(),
    })
}

fn person(row: &RawItem) -> Option<Found> {
    Some(Found {
        value: text(row, attribute::USER_HANDLE)?.to_owned(),
        about: text(row, attribute::USER_DISPLAY_NAME)?.to_owned(),
    })
}
