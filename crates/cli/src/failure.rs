//! How a command ends: exit codes, and errors of one line with a hint.

use std::io;
use std::process::ExitCode;

use ddb_core::changes::ChangesError;
use ddb_core::connect::TargetError;
use ddb_core::environment::NotUnicode;
use ddb_core::guard::{GuardError, Wanted};
use ddb_core::schema::DEFAULT_TABLE;
use ddb_core::seed::{PlanError, ScriptError, SeedError};
use ddb_core::store::Store;
use ddb_core::stream::CheckpointError;
use ddb_core::{CallError, Cause, Error, Resource};
use ddb_local::{LocalError, Occupant};
use ddb_people::users::{PostgresError, TlsError, UrlError, UsersError};

/// The exit codes, which scripts rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done, or nothing to do.
    Done = 0,
    /// It failed.
    Failed = 1,
    /// Wrong usage, or refused.
    Refused = 2,
    /// Looked, and found a difference.
    Difference = 3,
    /// The thing named does not exist.
    NotFound = 4,
    /// Partly done.
    Partly = 5,
    /// Ended by SIGINT.
    Interrupted = 130,
    /// Ended by SIGTERM.
    Terminated = 143,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// How a command ends where nothing failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Done, or nothing to do.
    Done,
    /// It looked, and found a difference.
    Difference,
}

impl From<Outcome> for Exit {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Done => Self::Done,
            Outcome::Difference => Self::Difference,
        }
    }
}

/// How a command ends before its work is done.
#[derive(Debug)]
pub enum Failure {
    /// Nobody reads stdout any more: no error, `| head -1` is common.
    ClosedPipe,
    /// Something went wrong.
    Error {
        /// The exit code.
        exit: Exit,
        /// What failed, on which target, and why: one line.
        message: String,
        /// The next step.
        hint: Option<String>,
    },
}

impl Failure {
    /// Makes a failure with an exit code of its own.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self::Error {
            exit,
            message: message.into(),
            hint: None,
        }
    }

    /// Makes a failure of wrong usage.
    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(Exit::Refused, message)
    }

    /// Makes a failure of a table that is not there.
    pub fn no_table(store: &Store) -> Self {
        let destination = store.destination().clone();
        Error::NoSuchTable { destination }.into()
    }

    /// Says what to do next.
    #[must_use]
    pub fn hint(mut self, next: impl Into<String>) -> Self {
        if let Self::Error { hint, .. } = &mut self {
            *hint = Some(next.into());
        }
        self
    }

    /// Says what was done before it failed, so that nobody does it again.
    #[must_use]
    pub fn after(self, done: &str) -> Self {
        match self {
            Self::ClosedPipe => Self::ClosedPipe,
            Self::Error { exit, message, .. } => Self::new(exit, format!("{message}; {done}"))
                .hint("only the output is missing; what was done stays done"),
        }
    }

    /// Adds what it means for what was about to be done.
    #[must_use]
    pub fn before(mut self, done: &str) -> Self {
        if let Self::Error { message, .. } = &mut self {
            *message = format!("{message}; {done}");
        }
        self
    }

    /// Returns the same failure for another target that it concerns.
    pub fn again(&self) -> Self {
        match self {
            Self::ClosedPipe => Self::ClosedPipe,
            Self::Error {
                exit,
                message,
                hint,
            } => Self::Error {
                exit: *exit,
                message: message.clone(),
                hint: hint.clone(),
            },
        }
    }

    fn maybe_hint(self, next: Option<&str>) -> Self {
        match next {
            Some(next) => self.hint(next),
            None => self,
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self::ClosedPipe
        } else {
            Self::new(Exit::Failed, format!("writing the output: {error}"))
        }
    }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        let exit = if error.is_missing() {
            Exit::NotFound
        } else {
            Exit::Failed
        };
        let failure = Self::new(exit, error.to_string());
        match &error.destination.resource {
            Resource::Table(table) if error.is_missing() => {
                failure.hint(missing_table_hint(table.as_str()))
            }
            _ => failure.maybe_hint(call_hint(&error)),
        }
    }
}

/// Names the table that has to be made.
fn missing_table_hint(table: &str) -> String {
    let load = schema_load(table);
    format!("`{load}` creates the table, `ddb list-tables` shows those that are there")
}

/// Returns the command that creates a table.
pub fn schema_load(table: &str) -> String {
    match table {
        DEFAULT_TABLE => "ddb schema-load".to_owned(),
        table => format!("ddb schema-load --table {table}"),
    }
}

/// The next step where there are no credentials, or none that are valid.
const CREDENTIALS: &str =
    "are there credentials, and are they valid? `aws sso login` renews those of a single sign-on";

/// Returns the next step after a request that failed.
fn call_hint(error: &CallError) -> Option<&'static str> {
    let is_about_pool = matches!(error.destination.resource, Resource::UserPool(_));
    match &error.cause {
        Cause::Unreachable(_) if is_about_pool => Some(
            "`docker compose up -d` starts a Cognito; --cognito-endpoint-url names another, and the word `aws` the real one",
        ),
        Cause::Service { .. } if is_about_pool && error.is_missing() => {
            Some("is the id of the pool right, and is the pool in that region?")
        }
        Cause::Service { .. } if is_about_pool && error.is_throttling() => {
            Some("wait a little, then run the command again")
        }
        Cause::TimedOut(_) | Cause::Garbled(_) if is_about_pool => {
            Some("is that a Cognito endpoint, and is it well?")
        }
        Cause::Credentials(_) => Some(CREDENTIALS),
        Cause::Unreachable(_) => Some(
            "start an endpoint with `ddb local` or `docker compose up -d`, or name another one with --endpoint-url",
        ),
        Cause::TimedOut(_) => Some("is that a DynamoDB endpoint, and is it well?"),
        Cause::Garbled(_) => Some("is that a DynamoDB endpoint? `ddb local` starts one"),
        Cause::Broken(_) => Some("run the command again"),
        Cause::NotSent(_) => Some("-v shows where it was to be sent"),
        Cause::Service { .. } if error.is_throttling() => {
            Some("wait a little, or raise the table's capacity, then run the command again")
        }
        Cause::Service { code, .. } => match code.as_str() {
            "UnrecognizedClientException" | "InvalidSignatureException" => Some(
                "is that endpoint a local one? It refuses the dummy credentials of local commands",
            ),
            _ => Some("the service said so; -v shows where it was asked"),
        },
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::Call(error) => error.into(),
            Error::ItemTooLarge { .. } => Self::refused(message).hint("shorten the message"),
            Error::PartlyWritten { .. } => Self::new(Exit::Partly, message)
                .hint("run the same command again: it writes only what is missing"),
            Error::WaitedTooLong { .. } => Self::new(Exit::Failed, message)
                .hint("`ddb list-tables --details` shows the state of the tables"),
            Error::DeletionProtected { .. } => Self::refused(message).hint(
                "this tool never lifts it: `aws dynamodb update-table --no-deletion-protection-enabled` does",
            ),
            Error::Contended { .. } => {
                Self::new(Exit::Failed, message).hint("run the command again")
            }
            Error::NoSuchTable { destination } => {
                let missing = Self::new(Exit::NotFound, message);
                match destination.resource {
                    Resource::Table(table) => missing.hint(missing_table_hint(table.as_str())),
                    _ => missing,
                }
            }
            Error::TableStatus { .. } => Self::new(Exit::Failed, message)
                .hint("`ddb list-tables --details` shows the state of the tables"),
            Error::NoFreeKey { .. } | Error::Cancelled { .. } | Error::Conflicts { .. } => {
                Self::new(Exit::Failed, message).hint("run the command again")
            }
        }
    }
}

impl From<ChangesError> for Failure {
    fn from(error: ChangesError) -> Self {
        let message = error.to_string();
        match error {
            ChangesError::Store(error) => error.into(),
            ChangesError::Unreadable { error, .. } => Self::new(exit_of_file(&error), message)
                .hint("`ddb receipts` lists the receipts that there are"),
            ChangesError::Unwritable { .. } => Self::new(Exit::Failed, message)
                .hint("is there room, and may you write there? --receipt FILE names another file"),
            ChangesError::Taken { .. } => {
                Self::refused(message).hint("name a new file with --receipt")
            }
            ChangesError::InUse { .. } => {
                Self::refused(message).hint("wait until it is done, then run the command again")
            }
            ChangesError::OtherTable { .. } => Self::refused(message)
                .hint("--table and --endpoint-url, or --prod with --region, name the table"),
            ChangesError::NotWhole { .. } => {
                Self::refused(message).hint("nothing was changed; make the plan again with --plan")
            }
            ChangesError::Foreign { .. } | ChangesError::Format { .. } => Self::refused(message)
                .hint("nothing was changed; `ddb receipts` lists the receipts that there are"),
            ChangesError::Malformed { .. } => Self::refused(message)
                .hint("nothing was changed; the file is not as it was written"),
        }
    }
}

impl From<TargetError> for Failure {
    fn from(error: TargetError) -> Self {
        let refused = Self::refused(match &error {
            TargetError::ProductionOnly(option) => format!(
                "{option} goes with --prod; a local command reads no profile and knows no account"
            ),
            TargetError::Configured { .. } => format!("--prod, but {error}"),
            TargetError::NoRegion => format!("{error} for --prod"),
            _ => error.to_string(),
        });
        match error {
            TargetError::AwsEndpoint { .. } => refused
                .hint("--prod is the switch to AWS; without it, name a local endpoint such as http://localhost:8000"),
            TargetError::ProductionOnly(_) => refused.hint("--prod is the switch to AWS"),
            TargetError::Configured { .. } => refused.hint(
                "unset it, or say where to go with --endpoint-url; AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true ignores all such settings",
            ),
            TargetError::NoProfile(_) => {
                refused.hint("`aws configure list-profiles` shows those that are there")
            }
            TargetError::NoRegion => {
                refused.hint("name it with --region or AWS_REGION, or in the profile")
            }
            TargetError::OtherAccount { .. } => {
                refused.hint("--profile chooses other credentials; nothing was written")
            }
            TargetError::Identity(ref call) => {
                Self::new(Exit::Failed, error.to_string()).hint(match call.cause {
                    Cause::Unreachable(_) => {
                        "HTTPS_PROXY names a proxy, AWS_CA_BUNDLE root certificates, where the network wants them"
                    }
                    _ => CREDENTIALS,
                })
            }
            TargetError::Plaintext { .. } => refused.hint("write the endpoint with https://"),
            TargetError::NotUnicode(error) => error.into(),
            TargetError::Proxy { .. } => refused.hint(
                "a proxy is written as http://user:password@proxy.example.com:3128, with special characters encoded",
            ),
            TargetError::Bundle { .. } => {
                refused.hint("it is a file of root certificates in PEM form")
            }
            TargetError::TwoProfiles { .. } => refused.hint("unset one, or choose with --profile"),
            TargetError::Unsupported {
                key: _,
                ref profile,
            } => {
                let next = format!(
                    "`eval \"$(aws configure export-credentials --profile {profile} --format env)\"` puts its credentials into variables; leave out --profile then"
                );
                refused.hint(next)
            }
            TargetError::NoKey(_) => refused.hint("export it, or choose another profile"),
            TargetError::Changed { .. } => {
                Self::new(Exit::Failed, error.to_string()).hint(CREDENTIALS)
            }
            TargetError::NoAccount => Self::new(Exit::Failed, error.to_string()),
            TargetError::Endpoint { .. } => {
                refused.hint("an endpoint is written as http://localhost:8000")
            }
            TargetError::Region { .. } => refused.hint("a region is written as eu-central-1"),
            TargetError::Profiles(_) => refused.hint("`aws configure list` reads the same files"),
        }
    }
}

impl From<NotUnicode> for Failure {
    fn from(error: NotUnicode) -> Self {
        Self::refused(error.to_string()).hint("unset it, or export it again as text")
    }
}

impl From<GuardError> for Failure {
    fn from(error: GuardError) -> Self {
        let refused = Self::refused(error.to_string());
        match error {
            GuardError::NobodyThere { wanted, .. } => {
                let option = match wanted {
                    Wanted::Yes => "--yes",
                    Wanted::Name => "--confirm",
                };
                refused.hint(format!("run it at a terminal, or give {option}"))
            }
            GuardError::Declined { .. } => refused.hint("only `yes` goes on"),
            GuardError::OtherName { .. } => {
                refused.hint("the name has to be that of what is destroyed")
            }
        }
    }
}

impl From<UsersError> for Failure {
    fn from(error: UsersError) -> Self {
        let message = error.to_string();
        match error {
            UsersError::NotFound { known, .. } => {
                Self::new(Exit::NotFound, message).hint(match known.as_deref() {
                    None => "is the handle spelled as in the database?".to_owned(),
                    Some([]) => "there are no users at all".to_owned(),
                    Some(known) => format!("there are: {}", known.join(", ")),
                })
            }
            UsersError::Doubled { .. } => {
                Self::refused(message).hint("name the user by id, or mend the users first")
            }
            UsersError::Unreadable { error, .. } => {
                Self::new(exit_of_file(&error), message).hint("--users names a CSV file of users")
            }
            UsersError::Malformed { .. } => Self::refused(message)
                .hint("a line is uuid,display_name,handle,email,cognito_user_id"),
            UsersError::LocalUsers => Self::refused(format!("--prod, but {message}")).hint(
                "name the users of production with PROD_DATABASE_URL, --database-url or --users",
            ),
            UsersError::NoDatabase { production } => Self::refused(message).hint(if production {
                "name it with PROD_DATABASE_URL or --database-url"
            } else {
                "export DATABASE_URL=postgres://postgres:password@localhost:5432/cruddur names that of docker-compose.yml"
            }),
            UsersError::NotUnicode(error) => error.into(),
            UsersError::Database { error, .. } => database_failure(&error, message),
        }
    }
}

/// The next step where certificates are wanted.
const CERTIFICATES: &str = "--db-ca names a file of root certificates in PEM form";

fn database_failure(error: &PostgresError, message: String) -> Failure {
    match error {
        PostgresError::Url(UrlError::Aws) => Failure::refused(message)
            .hint("--prod is the switch to AWS, with PROD_DATABASE_URL or --database-url"),
        PostgresError::Url(UrlError::Plaintext) => Failure::refused(message).hint(
            "leave sslmode out: TLS is required with --prod, and for any host but this machine and names without a dot",
        ),
        PostgresError::Url(UrlError::NotUnicode(error)) => error.clone().into(),
        PostgresError::Url(_) => Failure::refused(message)
            .hint("it is written as postgres://user:password@host:5432/database"),
        PostgresError::Tls(TlsError::NoSystemRoots) => {
            Failure::new(Exit::Failed, format!("{message}; --db-ca names a file of them"))
                .hint(CERTIFICATES)
        }
        PostgresError::Tls(_) => Failure::new(Exit::Failed, message).hint(CERTIFICATES),
        error if error.is_missing_database() => Failure::new(Exit::NotFound, message)
            .hint("`ddb db-setup` creates the database, its users table and the seed users"),
        error if error.is_missing() => Failure::new(Exit::NotFound, message)
            .hint("`ddb db-setup` creates the users table and the seed users"),
        error if error.is_refused_password() => Failure::new(Exit::Failed, message)
            .hint("is the password right, and are its special characters encoded?"),
        PostgresError::Connection(_) | PostgresError::TimedOut(_) => Failure::new(
            Exit::Failed,
            message,
        )
        .hint(
            "is the server there, does it speak TLS where that is required, and does --db-ca fit?",
        ),
        PostgresError::Changed { .. } => {
            Failure::new(Exit::Failed, message).hint("run the command again")
        }
        PostgresError::Server { .. } | PostgresError::Row { .. } => {
            Failure::new(Exit::Failed, message).hint("`psql` shows the table: \\d public.users")
        }
    }
}

impl From<CheckpointError> for Failure {
    fn from(error: CheckpointError) -> Self {
        let message = error.to_string();
        match error {
            CheckpointError::File { .. } => Self::new(Exit::Failed, message),
            CheckpointError::InUse(_) => Self::refused(message)
                .hint("end the other one, or give each a --checkpoint of its own"),
            CheckpointError::Malformed { .. } => {
                Self::refused(message).hint("remove the file to begin at the oldest record")
            }
            CheckpointError::OtherStream { .. } => Self::refused(message).hint(
                "the table was made anew; remove the file to begin at the oldest record of its stream",
            ),
        }
    }
}

/// Tells a file that is not there from one that cannot be read.
pub fn exit_of_file(error: &io::Error) -> Exit {
    match error.kind() {
        io::ErrorKind::NotFound => Exit::NotFound,
        io::ErrorKind::IsADirectory => Exit::Refused,
        _ => Exit::Failed,
    }
}

impl From<ScriptError> for Failure {
    fn from(error: ScriptError) -> Self {
        Self::refused(format!("{error}; nothing was written")).hint(
            "a line is `Person 1: text`, `Person 2: text` or `<handle>: text`; --speaker NAME=HANDLE names the rest",
        )
    }
}

impl From<SeedError> for Failure {
    fn from(error: SeedError) -> Self {
        let message = match &error {
            SeedError::Plan {
                conversation,
                error: error @ PlanError::EndsInTheFuture(_),
            } => format!("conversation {conversation}: --ends-at {error}; nothing was written"),
            error => format!("{error}; nothing was written"),
        };
        match error {
            SeedError::Store(error) => error.into(),
            SeedError::ChangedMeanwhile { .. } => Self::new(Exit::Partly, error.to_string())
                .hint("run the same command again: it says what does not fit"),
            SeedError::Plan {
                error: PlanError::EndsInTheFuture(_) | PlanError::OutOfRange,
                ..
            } => Self::refused(message)
                .hint("--ends-at and --interval say when the conversation takes place"),
            SeedError::Plan { .. } => Self::refused(message)
                .hint("seed the changed file as another conversation, with --group-uuid"),
            SeedError::OtherUsers { .. } => Self::refused(message).hint(
                "name these two with --me and --other, or another conversation with --group-uuid",
            ),
        }
    }
}

impl From<LocalError> for Failure {
    fn from(error: LocalError) -> Self {
        let failure = Self::new(Exit::Failed, error.to_string());
        match error {
            LocalError::Folder { .. } => failure.hint("--data names a folder that can be written"),
            LocalError::PortTaken {
                occupant: Occupant::DynamoDb,
                ..
            } => {
                failure.hint("the other commands can use that endpoint; --port names another port")
            }
            LocalError::PortTaken { .. } => {
                failure.hint("end what listens there, or name another port with --port")
            }
            LocalError::InUse { .. } => {
                failure.hint("use that endpoint, or name another folder with --data")
            }
            _ => failure,
        }
    }
}
