//! A separate database for each test, on the PostgreSQL server that the tests are given.

use tokio_postgres::{Client, Config, NoTls};

/// The variable that names the server: a URL of a user who may create databases.
pub const REAL_POSTGRES: &str = "DDB_TEST_POSTGRES";

/// The name of a remote host that the server's certificate is for. Nobody can have it: RFC 6761.
pub const REMOTE_HOST: &str = "db.tests.example";

/// A database that no other test uses; it is dropped at the end.
#[derive(Debug)]
pub struct Postgres {
    server: Config,
    name: String,
}

impl Postgres {
    /// Creates a database. Tests that call this are ignored if no server is given, and
    /// `bin-scripts/test --real` runs them.
    ///
    /// # Panics
    ///
    /// If there is no server, or it fails.
    pub async fn open() -> Self {
        let server = server_url().parse().expect("the URL is one");
        let name = format!("ddb_test_{:016x}", fastrand::u64(..));
        let database = Self { server, name };
        let create = format!("CREATE DATABASE {}", database.name);
        let client = connect(&database.server).await;
        client
            .batch_execute(&create)
            .await
            .expect("the database is created");
        database
    }

    /// Opens a database with the users schema of this project and these rows in it: handle and uuid.
    ///
    /// # Panics
    ///
    /// The same as [`Postgres::open`].
    pub async fn with_users(users: &[(&str, &str)]) -> Self {
        let database = Self::open().await;
        database
            .execute(include_str!("../../../seed-data/users.sql"))
            .await;
        // All at once: checking a password takes long in a test build.
        let users = users.iter().map(|(handle, uuid)| insertion(handle, uuid));
        database.execute(&users.collect::<String>()).await;
        database
    }

    /// Inserts a user.
    ///
    /// # Panics
    ///
    /// If the server refuses it.
    pub async fn insert(&self, handle: &str, uuid: &str) {
        self.execute(&insertion(handle, uuid)).await;
    }

    /// Returns the URL of the same database on a remote host, whose address in the URL is this machine's.
    ///
    /// # Panics
    ///
    /// If there is no server.
    pub fn remote_url(&self) -> String {
        let url = self.url().replace("127.0.0.1", REMOTE_HOST);
        format!("{url}?hostaddr=127.0.0.1")
    }

    /// Returns the file of the certificate that signed the server's, which is for `localhost` and for
    /// `REMOTE_HOST`.
    ///
    /// # Panics
    ///
    /// If there is no server.
    pub fn ca() -> String {
        std::env::var("DDB_TEST_POSTGRES_CA").expect("bin-scripts/test --real names it")
    }

    /// Returns the URL of the database.
    ///
    /// # Panics
    ///
    /// If there is no server, or its URL names no database.
    pub fn url(&self) -> String {
        let url = server_url();
        let (server, _) = url.rsplit_once('/').expect("the URL names a database");
        format!("{server}/{}", self.name)
    }

    /// Returns a database that does not exist yet, but is dropped at the end.
    ///
    /// # Panics
    ///
    /// If there is no server.
    pub fn absent() -> Self {
        Self {
            server: server_url().parse().expect("the URL is one"),
            name: format!("ddb_test_{:016x}", fastrand::u64(..)),
        }
    }

    /// Returns the name of the database.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Queries rows of texts.
    ///
    /// # Panics
    ///
    /// If the query fails, or a column is not text.
    pub async fn query(&self, query: &str) -> Vec<Vec<Option<String>>> {
        let rows = self
            .client()
            .await
            .query(query, &[])
            .await
            .expect("the query runs");
        rows.iter()
            .map(|row| (0..row.len()).map(|index| row.get(index)).collect())
            .collect()
    }

    async fn client(&self) -> Client {
        let mut config = self.server.clone();
        config.dbname(&self.name);
        connect(&config).await
    }

    /// Ends every connection to the database, as a server that stops does. If `shut`, no new ones are allowed.
    ///
    /// # Panics
    ///
    /// If the server refuses it.
    pub async fn cut(&self, shut: bool) {
        let server = connect(&self.server).await;
        let name = &self.name;
        for statement in [
            format!("ALTER DATABASE {name} ALLOW_CONNECTIONS {}", !shut),
            format!(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
            ),
        ] {
            let done = server.batch_execute(&statement).await;
            done.expect("the connections end");
        }
    }

    /// Runs statements in the database.
    ///
    /// # Panics
    ///
    /// If one fails.
    pub async fn execute(&self, statements: &str) {
        self.client()
            .await
            .batch_execute(statements)
            .await
            .expect("the statements run");
    }
}

fn insertion(handle: &str, uuid: &str) -> String {
    format!(
        "INSERT INTO public.users (uuid, display_name, handle, email, cognito_user_id) \
         VALUES ('{uuid}', 'The {handle}', '{handle}', '{handle}@example.com', 'MOCK');"
    )
}

fn server_url() -> String {
    std::env::var(REAL_POSTGRES).expect("bin-scripts/test --real names a server")
}

async fn connect(config: &Config) -> Client {
    let (client, connection) = config.connect(NoTls).await.expect("the server answers");
    tokio::spawn(connection);
    client
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        let cleaning = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
                let _ = connect(&server).await.batch_execute(&drop).await;
            });
        });
        let _ = cleaning.join();
    }
}
