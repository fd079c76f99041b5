//! The destination of the copy.

use clap::Args;
use ddb_core::Error;
use ddb_core::changes::TableIdentity;
use ddb_core::connect::{Local, Target, TargetError, TargetOptions};
use ddb_core::environment::Given;
use ddb_core::error::{Cause, Destination};
use ddb_core::schema::{DEFAULT_TABLE, Field, IndexField, TableName, TableSpec};
use ddb_core::store::{LocalWriter, Store};

use crate::commands::shared::TABLE_DEADLINE;
use crate::failure::{Exit, Failure, Hint};
use crate::runner::Context;
use crate::shell::quote;
use crate::ui::Ui;

const COPY: &str = "Copy";

/// Options that say where the copy goes.
#[derive(Debug, Clone, Args)]
pub(super) struct IntoArgs {
    /// Local endpoint to copy to [env: DDB_ENDPOINT_URL] [default: http://localhost:8000]
    #[arg(long, value_name = "URL", help_heading = COPY)]
    into: Option<String>,
    /// Table to copy to, created if missing [default: the source's name]
    #[arg(long, value_name = "NAME", help_heading = COPY)]
    into_table: Option<TableName>,
}

impl IntoArgs {
    /// Finds the endpoint. It refuses an AWS host, and ignores the AWS variables.
    pub fn endpoint(&self, context: &Context) -> Result<Local, Failure> {
        let into = self.into.as_ref().map(|value| Given {
            origin: "--into",
            value,
        });
        Local::of_copies(into, &context.environment).map_err(|error| match error {
            TargetError::AwsEndpoint { .. } => Failure::refused(error.to_string())
                .hint("a copy goes to a local endpoint, such as http://localhost:8000"),
            error => error.into(),
        })
    }

    /// Returns the table: that of the source, unless another one is named.
    pub fn table(&self, source: &TableName) -> TableName {
        self.into_table.clone().unwrap_or_else(|| source.clone())
    }
}

/// The table that the copy goes to.
#[derive(Debug)]
pub(super) struct Copy {
    local: Local,
    table: TableName,
    store: Store,
    /// Whether a later run cannot continue the copy.
    once: bool,
}

impl Copy {
    /// Takes an endpoint and a table. `once` means that only this run knows the key of the mask.
    pub fn new(local: Local, table: TableName, once: bool) -> Self {
        let store = Target::Local(local.clone()).store(table.clone());
        Self {
            local,
            table,
            store,
            once,
        }
    }

    /// Checks whether nobody can continue an interrupted copy.
    pub fn is_for_once(&self) -> bool {
        self.once
    }

    pub fn destination(&self) -> &Destination {
        self.store.destination()
    }

    /// Prints the destination of the copy.
    pub fn show(&self, ui: &Ui) {
        ui.target(&format!("copy to {}", self.destination()));
        ui.detail(&format!(
            "copy: endpoint from {}, region {}, dummy credentials",
            self.local.origin(),
            self.local.region()
        ));
    }

    /// Refuses a source with the same endpoint and table name as the copy. It sends no request.
    pub fn refuse_same_place(&self, source: &Target, table: &TableName) -> Result<(), Failure> {
        match *table == self.table && self.local.is_at(source) {
            true => Err(self.same()),
            false => Ok(()),
        }
    }

    /// Refuses a local source that is the copy under another name.
    pub async fn refuse_same_table(&self, source: &Store) -> Result<(), Failure> {
        if source.table() != &self.table {
            return Ok(());
        }
        let found = self.store.describe().await;
        let found = found.map_err(|error| self.failure(error.into()))?;
        let Some(found) = found else {
            return Ok(());
        };
        let own = TableIdentity::new(&self.store, &found);
        match own.is(&TableIdentity::of(source).await?) {
            true => Err(self.same()),
            false => Ok(()),
        }
    }

    fn same(&self) -> Failure {
        let message = format!("{}: it is both the source and the copy", self.destination());
        Failure::refused(message)
            .hint("name another table with --into-table, or another endpoint with --into")
    }

    /// Creates the table if it does not exist, as `schema-load` does. An existing table that cannot hold a copy is
    /// refused.
    pub async fn make(&self, context: &Context) -> Result<(), Failure> {
        let writer = self.writer(context);
        let failed = |error: Error| self.failure(error);
        let spec = TableSpec::default();
        if writer
            .needs_creation()
            .await
            .map_err(|error| failed(error.into()))?
        {
            let making = writer.create_table(&spec, TABLE_DEADLINE);
            let made = context.ui.wait("waiting for the table", making).await;
            made.map_err(failed)?;
        }
        let active = writer.wait_until_active(TABLE_DEADLINE);
        let shape = context.ui.wait("waiting for the table", active).await;
        let differences = spec.shape().differences(&shape.map_err(failed)?);
        let needed = |field: &Field| {
            let index = |field: &IndexField| matches!(field, IndexField::Itself | IndexField::Keys);
            match field {
                Field::Keys => true,
                Field::Index(name, field) => name == ddb_core::schema::GROUP_INDEX && index(field),
                _ => false,
            }
        };
        match differences
            .iter()
            .find(|difference| needed(&difference.field))
        {
            Some(difference) => {
                let message = format!(
                    "{}: {} is {}, not {}",
                    self.destination(),
                    difference.field,
                    difference.found,
                    difference.wanted
                );
                Err(Failure::new(Exit::Difference, message)
                    .hint("name another table with --into-table: it is created if missing"))
            }
            None => Ok(()),
        }
    }

    /// Returns the client that writes to the table.
    pub fn writer(&self, context: &Context) -> LocalWriter {
        let listener = context.ui.throttle_listener();
        self.local.writer(self.table.clone(), listener)
    }

    /// Formats a command line that acts on something in the copy.
    pub fn line(&self, command: &str, argument: &str, context: &Context) -> String {
        let mut line = format!("ddb {command} {argument}");
        let environment = &context.environment;
        let elsewhere = Local::resolve(&TargetOptions::default(), environment);
        if !elsewhere.is_ok_and(|local| local.endpoint() == self.local.endpoint()) {
            let url = self.local.endpoint().to_string();
            line = format!("{line} --endpoint-url {}", quote(&url));
        }
        let table = environment.get("DDB_MESSAGE_TABLE").ok().flatten();
        if table.unwrap_or(DEFAULT_TABLE) != self.table.as_str() {
            line = format!("{line} --table {}", self.table);
        }
        line
    }

    /// Turns an error of the copy into a failure. Other hints lead to the source, so the copy has its own.
    pub fn failure(&self, error: Error) -> Failure {
        let is_dead =
            matches!(&error, Error::Call(call) if matches!(call.cause, Cause::Unreachable { .. }));
        let hint = match is_dead {
            true => "`ddb local` starts an endpoint for the copy; --into names another one",
            false => "run the same command again, or name another place for the copy with --into",
        };
        Failure::from(error).hint(Hint::Whole(hint.to_owned()))
    }
}
