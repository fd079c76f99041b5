//! Permission to write and to destroy, as values that only the checks can make.
//!
//! A function that writes takes a [`WriteToken`], one that destroys a [`DestroyToken`]; neither can
//! be made outside this module, so a command that forgets its check does not compile.

use crate::schema::TableName;
use crate::target::Local;

/// Proves that writing to the target was allowed.
#[derive(Debug)]
pub struct WriteToken(());

/// Proves that destroying one table was allowed, and names it.
#[derive(Debug)]
pub struct DestroyToken {
    table: TableName,
}

impl DestroyToken {
    /// Returns the table that may be destroyed.
    pub fn table(&self) -> &TableName {
        &self.table
    }
}

/// Allows writing to a local endpoint. Nothing is asked there: it holds no real data, and a
/// [`Local`] target never reaches AWS.
pub fn allow_writing(_target: &Local) -> WriteToken {
    WriteToken(())
}

/// Allows destroying one table of a local endpoint.
pub fn allow_destroying(_target: &Local, table: TableName) -> DestroyToken {
    DestroyToken { table }
}
