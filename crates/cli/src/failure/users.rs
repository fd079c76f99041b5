//! Reasons why a user, or the database of users, is missing.

use ddb_people::users::{FileProblem, PostgresError, TlsError, UrlError, UsersError};

use super::work::{exit_of_file, not_utf8};
use super::{Exit, Failure, Hint};

impl From<UsersError> for Failure {
    fn from(error: UsersError) -> Self {
        let message = error.to_string();
        match error {
            UsersError::NotFound { known, .. } => {
                Self::new(Exit::NotFound, message).hint(match known.as_deref() {
                    None => Hint::from("is the handle spelled as in the database?"),
                    Some([]) => "there are no users at all".into(),
                    Some(known) => format!("known handles: {}", known.join(", ")).into(),
                })
            }
            UsersError::Doubled { .. } => {
                Self::refused(message).hint("name the user by id, or fix the users first")
            }
            UsersError::Unreadable { error, .. } => {
                Self::new(exit_of_file(&error), message).hint("--users names a CSV file of users")
            }
            UsersError::Unwritable { .. } => {
                Self::new(Exit::Failed, message).hint("name another file, in a folder that can be written")
            }
            UsersError::Malformed {
                ref file,
                problem: FileProblem::NotUtf8,
                ..
            } => Self::refused(message).hint(not_utf8(file)),
            UsersError::Malformed { .. } => Self::refused(message)
                .hint("a line is uuid,display_name,handle,email,cognito_user_id"),
            UsersError::LocalUsers => Self::refused(format!("--prod, but {message}")).hint(
                "name the users of production with PROD_DATABASE_URL, --database-url or --users",
            ),
            UsersError::NoDatabase { production } => Self::refused(message).hint(if production {
                "name it with PROD_DATABASE_URL or --database-url"
            } else {
                "`export DATABASE_URL=postgres://postgres:password@localhost:5432/cruddur` names that of docker-compose.yml"
            }),
            UsersError::NotUnicode(error) => error.into(),
            UsersError::Database { error, .. } => database_failure(&error, message),
        }
    }
}

/// The next step if certificates are needed.
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
