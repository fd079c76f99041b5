//! Writing to a table that cannot be in production.

use std::ops::Deref;

use super::{Store, Writer};
use crate::connect::{Local, Target};
use crate::guard;
use crate::retry::ThrottleListener;
use crate::schema::TableName;

/// A client for one table of a local endpoint that may write to it. Only a [`Local`] can make one, so code that
/// requires it cannot be given a production table. It reads and writes like a [`Writer`].
#[derive(Debug)]
pub struct LocalWriter(Writer);

impl Local {
    /// Makes a client for one table that may write to it. Nothing is contacted. `listener` is called each time a
    /// request is throttled.
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
