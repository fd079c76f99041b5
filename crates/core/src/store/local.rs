//! Writing to a table that cannot be one of production.

use std::ops::Deref;

use super::{Store, Writer};
use crate::connect::{Local, Target};
use crate::guard;
use crate::retry::ThrottleListener;
use crate::schema::TableName;

/// A client of one table of a local endpoint, which may write to it. Only a [`Local`] makes one, so that whoever asks
/// for it cannot be given a table of production. It reads and writes as a [`Writer`] does.
#[derive(Debug)]
pub struct LocalWriter(Writer);

impl Local {
    /// Makes a client of one table, which may write to it. Nothing is contacted. `listener` is told whenever a request is
    /// throttled.
    pub fn writer(&self, table: TableName, listener: ThrottleListener) -> LocalWriter {
        let store: Store = Target::Local(self.clone()).store(table);
        LocalWriter(guard::allow_local(store.telling(listener)))
    }
}

impl Deref for LocalWriter {
    type Target = Writer;

    fn deref(&self) -> &Writer {
        &self.0
    }
}
