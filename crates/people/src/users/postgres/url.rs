//! Database URLs as libpq takes them, parsed without ever showing a password.

use std::path::PathBuf;
use std::str::FromStr;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use super::whereabouts::{Whereabouts, is_aws};
use ddb_core::environment::{Environment, NotUnicode};

/// The reason why a database URL cannot be used. It quotes no part of the URL except a parameter's name, since any
/// part may be a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// It is for another kind of database, or not a URL.
    #[error("it must start with postgres:// or postgresql://")]
    Scheme,
    /// The host contains an `@`, so the password contains one that is not encoded.
    #[error("the password holds an `@` that is not encoded; write it as %40")]
    UnencodedPassword,
    /// It cannot be parsed, maybe because of a character in the password.
    #[error(
        "it cannot be read; are the special characters of the password encoded, as in %23 for `#`?"
    )]
    Unreadable,
    /// The driver does not know a parameter. It is quoted only if it is a word of lower-case letters.
    #[error("its parameter `{0}` is not known")]
    Parameter(String),
    /// The parameter `sslmode` has an unknown value.
    #[error("its sslmode must be one of disable, allow, prefer, require, verify-ca, verify-full")]
    SslMode,
    /// It points to AWS, but production was not asked for.
    #[error("its host is AWS; local commands never connect to AWS")]
    Aws,
    /// The database is in production, but the URL forbids encryption.
    #[error("it says sslmode=disable; connections to production always use TLS")]
    Plaintext,
    /// A variable that fills in what the URL leaves out is not Unicode.
    #[error(transparent)]
    NotUnicode(#[from] NotUnicode),
}

/// The address of a database, with how to connect. Its `Debug` form shows no password.
#[derive(Clone)]
pub struct Address {
    pub(super) config: Config,
    pub(super) ca: Option<PathBuf>,
    production: bool,
    /// The host and the database, for display.
    shown: String,
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Address").field(&self.shown).finish()
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown)
    }
}

impl Address {
    /// Checks whether this is a production database: production was asked for, or the host is remote.
    pub fn is_production(&self) -> bool {
        self.production
    }

    /// Returns the name of the database, or the name of the user if the URL names no database.
    pub fn database(&self) -> &str {
        let name = self.config.get_dbname().or(self.config.get_user());
        name.unwrap_or_default()
    }

    /// Describes the database for display, and whether it has real data.
    pub fn description(&self) -> String {
        let kind = match self.production {
            true => "production",
            false => "local",
        };
        format!("{kind} postgres {self}")
    }

    /// Parses a URL. The `PG*` variables fill in what it leaves out.
    ///
    /// A database is a production database if that is asked for, or if its host is remote: anything except a
    /// loopback address, `localhost`, a socket and a name without a dot.
    ///
    /// `sslmode` is mapped to the driver's values: `verify-ca` and `verify-full` to `require`, which checks the
    /// chain and the host name, and `allow` to `prefer`, which is plaintext on this machine. In production it is
    /// always `require`.
    ///
    /// # Errors
    ///
    /// [`UrlError`], before anything is looked up.
    pub fn parse(
        url: &str,
        asked: bool,
        ca: Option<PathBuf>,
        environment: &Environment,
    ) -> Result<Self, UrlError> {
        let (plain, parameters) = split(url)?;
        let taken = |name: &str| {
            let found = parameters.iter().rev().find(|(key, _)| key == name);
            found.map(|(_, value)| value.as_str())
        };
        let of_variable = environment.get("PGSSLROOTCERT")?;
        let ca = ca
            .or_else(|| taken("sslrootcert").map(PathBuf::from))
            .or_else(|| of_variable.map(PathBuf::from))
            // libpq's word for the system's root certificates.
            .filter(|path| path.as_os_str() != "system");
        // The driver's error may quote what it could not parse.
        let mut config = Config::from_str(&plain).map_err(|_| UrlError::Unreadable)?;
        fill(&mut config, environment)?;
        let shown = shown(&config)?;
        if !asked && is_aws(&config) {
            return Err(UrlError::Aws);
        }
        let whereabouts = Whereabouts::of(&config);
        let production = asked || whereabouts == Whereabouts::Remote;
        let of_variable = environment.get("PGSSLMODE")?;
        let mode = taken("sslmode").or(of_variable);
        let mode = match mode {
            None if production => SslMode::Require,
            Some("disable") if production => return Err(UrlError::Plaintext),
            None | Some("prefer" | "allow") if !production => SslMode::Prefer,
            Some("disable") => SslMode::Disable,
            None | Some("prefer" | "allow" | "require" | "verify-ca" | "verify-full") => {
                SslMode::Require
            }
            Some(_) => return Err(UrlError::SslMode),
        };
        // Many servers on laptops have a self-signed certificate. On the loopback interface nobody
        // can intercept the connection, and `prefer` promises nothing.
        let loopback = mode == SslMode::Prefer && whereabouts == Whereabouts::ThisMachine;
        config.ssl_mode(if loopback { SslMode::Disable } else { mode });
        Ok(Self {
            config,
            ca,
            production,
            shown,
        })
    }
}

/// The parameters that may follow the `?` of a URL.
const PARAMETERS: [&str; 20] = [
    "application_name",
    "channel_binding",
    "connect_timeout",
    "dbname",
    "host",
    "hostaddr",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_retries",
    "load_balance_hosts",
    "options",
    "password",
    "port",
    "sslmode",
    "sslnegotiation",
    "sslrootcert",
    "target_session_attrs",
    "tcp_user_timeout",
    "user",
];

/// Removes `sslmode` and `sslrootcert` from a URL: the driver knows other values of the first, and does not know
/// the second.
fn split(url: &str) -> Result<(String, Vec<(String, String)>), UrlError> {
    if !["postgres://", "postgresql://"]
        .iter()
        .any(|scheme| url.starts_with(scheme))
    {
        return Err(UrlError::Scheme);
    }
    // A `?` before the last `@` belongs to the password.
    let authority = url.rfind('@').unwrap_or(0);
    let Some(query) = url[authority..].find('?').map(|at| authority + at) else {
        return Ok((url.to_owned(), Vec::new()));
    };
    let mut kept = url::form_urlencoded::Serializer::new(String::new());
    let mut taken = Vec::new();
    for (key, value) in url::form_urlencoded::parse(&url.as_bytes()[query + 1..]) {
        let is_word = |key: &str| key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        if authority > 0 && is_word(&key) && !PARAMETERS.contains(&key.as_ref()) {
            return Err(UrlError::Parameter(key.into_owned()));
        }
        if matches!(key.as_ref(), "sslmode" | "sslrootcert") {
            taken.push((key.into_owned(), value.into_owned()));
        } else {
            kept.append_pair(&key, &value);
        }
    }
    // The driver decodes %20, but not the `+` of forms.
    let kept = kept.finish().replace('+', "%20");
    let plain = if kept.is_empty() {
        url[..query].to_owned()
    } else {
        format!("{}?{kept}", &url[..query])
    };
    Ok((plain, taken))
}

/// Fills in what a URL leaves out from the variables that libpq knows.
fn fill(config: &mut Config, environment: &Environment) -> Result<(), UrlError> {
    if config.get_hosts().is_empty() {
        config.host(environment.get("PGHOST")?.unwrap_or("localhost"));
    }
    if config.get_ports().is_empty()
        && let Some(port) = environment.get("PGPORT")?
    {
        config.port(port.parse().map_err(|_| UrlError::Unreadable)?);
    }
    if config.get_user().is_none() {
        let user = environment.first(&["PGUSER", "USER"])?;
        config.user(user.map_or("postgres", |(_, user)| user));
    }
    if config.get_password().is_none()
        && let Some(password) = environment.get("PGPASSWORD")?
    {
        config.password(password);
    }
    if config.get_dbname().is_none()
        && let Some(database) = environment.get("PGDATABASE")?
    {
        config.dbname(database);
    }
    Ok(())
}

/// Returns the host, port and database for display, after checking that the host can be one: if the password
/// contains an unencoded `@`, its tail would be looked up as part of the host name.
fn shown(config: &Config) -> Result<String, UrlError> {
    let mut hosts = Vec::new();
    for (index, host) in config.get_hosts().iter().enumerate() {
        let port = config.get_ports().get(index).or(config.get_ports().first());
        let port = port.map_or_else(String::new, |port| format!(":{port}"));
        // The driver connects to the address if there is one; the name is only checked then.
        let address = config.get_hostaddrs().get(index);
        let address = address.map_or_else(String::new, |address| format!(" ({address})"));
        match host {
            Host::Tcp(name) => {
                let plain = name.trim_start_matches('[').trim_end_matches(']');
                if plain.contains('@') {
                    return Err(UrlError::UnencodedPassword);
                }
                let part_of_a_name = |c: char| c.is_alphanumeric() || ".-_:%".contains(c);
                if !plain.chars().all(part_of_a_name) {
                    return Err(UrlError::Unreadable);
                }
                hosts.push(format!("{name}{address}{port}"));
            }
            #[cfg(unix)]
            Host::Unix(path) => hosts.push(path.display().to_string()),
        }
    }
    let database = config
        .get_dbname()
        .or(config.get_user())
        .unwrap_or_default();
    Ok(format!("{}/{database}", hosts.join(",")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<Address, UrlError> {
        Address::parse(url, false, None, &Environment::default())
    }

    fn mode(url: &str, production: bool) -> Result<SslMode, UrlError> {
        Address::parse(url, production, None, &Environment::default())
            .map(|address| address.config.get_ssl_mode())
    }

    #[test]
    fn what_the_url_leaves_open_is_filled_from_the_variables() {
        let environment: Environment = [
            ("PGHOST", "db"),
            ("PGPORT", "6543"),
            ("PGUSER", "someone"),
            ("PGPASSWORD", "secret"),
            ("PGDATABASE", "cruddur"),
            ("PGSSLMODE", "disable"),
        ]
        .into_iter()
        .collect();
        let filled = Address::parse("postgres://", false, None, &environment).unwrap();
        assert_eq!(filled.shown, "db:6543/cruddur");
        assert_eq!(filled.config.get_ports(), [6543]);
        assert_eq!(filled.config.get_user(), Some("someone"));
        assert_eq!(filled.config.get_password(), Some(b"secret".as_slice()));
        assert_eq!(filled.config.get_ssl_mode(), SslMode::Disable);
        let url = "postgresql://me:pw@127.0.0.1:5432/other?sslmode=require";
        let given = Address::parse(url, false, None, &environment).unwrap();
        assert_eq!(given.shown, "127.0.0.1:5432/other");
        assert_eq!(given.config.get_ports(), [5432]);
        assert_eq!(given.config.get_user(), Some("me"));
        assert_eq!(given.config.get_ssl_mode(), SslMode::Require);
    }

    #[test]
    fn p27_production_is_never_plaintext() {
        use SslMode::{Disable, Prefer, Require};
        for (parameter, local, production) in [
            ("", Ok(Prefer), Ok(Require)),
            ("?sslmode=prefer", Ok(Prefer), Ok(Require)),
            ("?sslmode=allow", Ok(Prefer), Ok(Require)),
            ("?sslmode=require", Ok(Require), Ok(Require)),
            ("?sslmode=verify-ca", Ok(Require), Ok(Require)),
            ("?sslmode=verify-full", Ok(Require), Ok(Require)),
            ("?sslmode=disable", Ok(Disable), Err(UrlError::Plaintext)),
            (
                "?sslmode=maybe",
                Err(UrlError::SslMode),
                Err(UrlError::SslMode),
            ),
        ] {
            let url = format!("postgres://me@h/db{parameter}");
            assert_eq!(mode(&url, false), local, "{parameter}");
            assert_eq!(mode(&url, true), production, "{parameter}");
        }
    }

    #[test]
    fn on_this_machine_prefer_is_plaintext() {
        for host in [
            "localhost",
            "127.0.0.1",
            "127.9.9.9",
            "[::1]",
            "%2Fvar%2Frun%2Fpostgresql",
        ] {
            let url = format!("postgres://me@{host}/db");
            assert_eq!(mode(&url, false), Ok(SslMode::Disable), "{host}");
            assert_eq!(mode(&url, true), Ok(SslMode::Require), "{host}");
            let url = format!("{url}?sslmode=require");
            assert_eq!(mode(&url, false), Ok(SslMode::Require), "{host}");
        }
        assert_eq!(mode("postgres://me@db/db", false), Ok(SslMode::Prefer));
    }

    /// p27: a remote database is a production database, whether that was asked for or not.
    #[test]
    fn p27_a_remote_database_is_never_plaintext() {
        for host in [
            "10.0.0.1",
            "localhost.example.org",
            "localhost,db.example.org",
        ] {
            for parameter in ["", "?sslmode=prefer", "?sslmode=allow"] {
                let url = format!("postgres://me@{host}/db{parameter}");
                assert_eq!(mode(&url, false), Ok(SslMode::Require), "{url}");
                assert!(parse(&url).unwrap().is_production(), "{url}");
            }
            let disabled = format!("postgres://me@{host}/db?sslmode=disable&hostaddr=127.0.0.1");
            assert_eq!(mode(&disabled, false), Err(UrlError::Plaintext), "{host}");
        }
        let environment: Environment = [("PGHOST", "db.example.org"), ("PGSSLMODE", "disable")]
            .into_iter()
            .collect();
        let of_variables = Address::parse("postgres:///db", false, None, &environment);
        assert_eq!(of_variables.unwrap_err(), UrlError::Plaintext);
        for (url, production, description) in [
            (
                "db.example.org/db",
                false,
                "production postgres db.example.org/db",
            ),
            ("localhost/db", true, "production postgres localhost/db"),
            ("localhost/db", false, "local postgres localhost/db"),
        ] {
            let url = format!("postgres://me@{url}");
            let address = Address::parse(&url, production, None, &Environment::default());
            let shown = address.unwrap().description().replace(":5432", "");
            assert_eq!(shown, description);
        }
        let aws = "postgres://me@x.rds.amazonaws.com/db?hostaddr=127.0.0.1&sslmode=disable";
        assert_eq!(mode(aws, false), Err(UrlError::Aws));
        assert_eq!(mode(aws, true), Err(UrlError::Plaintext));
    }

    #[test]
    fn other_parameters_go_on_to_the_driver() {
        let url = "postgres://me@h/db?sslrootcert=/ca.pem&connect_timeout=9&options=-c%20a%3Db&sslmode=require";
        let address = parse(url).unwrap();
        assert_eq!(address.ca, Some(PathBuf::from("/ca.pem")));
        assert_eq!(address.config.get_options(), Some("-c a=b"));
        let given = Address::parse(
            url,
            false,
            Some("/flag.pem".into()),
            &Environment::default(),
        );
        assert_eq!(given.unwrap().ca, Some(PathBuf::from("/flag.pem")));
        assert!(
            parse("postgres://me@h/db?sslrootcert=system")
                .unwrap()
                .ca
                .is_none()
        );
        let unknown = parse("postgres://me@h/db?bogus=1").unwrap_err();
        assert_eq!(unknown, UrlError::Parameter("bogus".to_owned()));
        let elsewhere = parse("postgres://me@localhost/db?hostaddr=10.0.0.1").unwrap();
        assert_eq!(elsewhere.shown, "localhost (10.0.0.1):5432/db");
        assert_eq!(elsewhere.config.get_ssl_mode(), SslMode::Require);
    }

    /// p26: no part of a password is shown, and none becomes part of a host name.
    #[test]
    fn p26_a_password_stays_out_of_everything() {
        const CANARY: &str = "canary";
        for special in [
            "@", ":", "/", "?", "#", "%", "%zz", "@a@", "/@", "?@", "#@", ":@/?#%",
        ] {
            for url in [
                format!("postgres://me:{CANARY}{special}{CANARY}@db.example.org:5432/cruddur"),
                format!("postgres://me:{special}{CANARY}@db.example.org/cruddur?sslmode=require"),
                format!("mysql://me:{CANARY}{special}@db.example.org/cruddur"),
                format!("{CANARY}{special}{CANARY}"),
            ] {
                match parse(&url) {
                    Ok(address) => {
                        let shown = address.shown.replace(":5432", "");
                        assert_eq!(shown, "db.example.org/cruddur", "{url}");
                        assert!(!format!("{address:?}").contains(CANARY));
                    }
                    Err(error) => {
                        assert!(!error.to_string().contains(CANARY), "{error}");
                        assert!(!format!("{error:?}").contains(CANARY));
                    }
                }
            }
        }
        let unencoded = format!("postgres://me:a@{CANARY}@db.example.org/cruddur");
        assert_eq!(parse(&unencoded).unwrap_err(), UrlError::UnencodedPassword);
        let encoded = "postgres://me:a%40%23%2F@db.example.org/cruddur";
        assert_eq!(
            parse(encoded).unwrap().config.get_password(),
            Some(b"a@#/".as_slice())
        );
    }
}
